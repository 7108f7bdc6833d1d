//! Answers that are lost, and what is not everywhere yet: nothing is made twice.

use super::{Value, endpoint, endpoints, group, id, in_place, json, planted, take};

fn lose(run: &super::Run, operation: &str) {
    let fault = json!({"service": "*", "operation": operation, "when": "after", "times": 1, "error": "reset"});
    run.aws.control("faults", fault);
}

#[tokio::test]
async fn a_lost_answer_makes_nothing_twice() {
    for operation in ["CreateSecurityGroup", "AuthorizeSecurityGroupIngress", "CreateVpcEndpoint"] {
        let (mut run, _) = planted().await;
        run.announce().await;
        lose(&run, operation);
        run.settle_ready().await;
        group(&run).await;
        endpoint(&run, ".bedrock-runtime").await;
        endpoint(&run, ".s3").await;
    }
}

#[tokio::test]
async fn an_endpoint_whose_creation_nobody_remembers_and_nobody_sees_yet_is_made_once() {
    let (mut run, _) = planted().await;
    run.announce().await;
    take(&run, json!({"ec2.endpoint.visible": 600_000}));
    for _ in 0..2 {
        lose(&run, "CreateVpcEndpoint");
        run.pass().await;
    }
    for _ in 0..2 {
        run.pass().await;
    }
    take(&run, json!({"ec2.endpoint.visible": 0}));
    run.settle_ready().await;
    endpoint(&run, ".bedrock-runtime").await;
    endpoint(&run, ".s3").await;
    let calls = run.aws.calls();
    let tokens = calls.iter().filter(|call| call["operation"] == "CreateVpcEndpoint");
    let tokens: Vec<&Value> = tokens.map(|call| &call["parameters"]["ClientToken"]).collect();
    assert!(tokens.len() > 2, "{tokens:?}");
    assert!(tokens.iter().all(|token| token.as_str().is_some_and(|token| (32..=64).contains(&token.len()))));
}

#[tokio::test]
async fn what_is_not_everywhere_yet_is_waited_for() {
    for (what, millis) in [("ec2.securityGroup.visible", 500), ("ec2.endpoint.visible", 500)] {
        let (mut run, _) = planted().await;
        take(&run, json!({what: millis}));
        let began = std::time::Instant::now();
        loop {
            let pass = run.pass().await;
            assert_eq!(super::condition(&pass, "Stalled"), None, "{what}: {:#?}", pass.status);
            if super::ready(&pass) == "True" {
                break;
            }
            assert!(began.elapsed() < super::super::PATIENCE, "{what}: {:#?}", pass.status);
        }
        take(&run, json!({what: 0}));
        group(&run).await;
        endpoint(&run, ".bedrock-runtime").await;
    }
}

#[tokio::test]
async fn what_was_made_and_is_not_listed_yet_is_not_forgotten_when_the_platform_goes() {
    let (mut run, _) = planted().await;
    take(&run, json!({"ec2.endpoint.visible": 600_000}));
    run.announce().await;
    run.pass().await;
    run.pass().await;
    run.delete();
    for _ in 0..3 {
        assert!(!run.pass().await.finished, "something of ours is there");
    }
    take(&run, json!({"ec2.endpoint.visible": 0}));
    assert!(run.settle().await.finished);
    assert_eq!(endpoints(&run).await, []);
}

#[tokio::test]
async fn an_endpoint_that_is_deleted_by_hand_is_made_again_whatever_its_token_answers_for() {
    let (mut run, _) = in_place().await;
    take(&run, json!({"ec2.clientToken.remembered": 600_000}));
    for _ in 0..2 {
        let before = endpoint(&run, ".bedrock-runtime").await;
        run.aws.ec2().delete_vpc_endpoints().vpc_endpoint_ids(id(&before)).send().await.expect("deleted");
        run.settle_ready().await;
        run.settle_ready().await;
        let after = endpoint(&run, ".bedrock-runtime").await;
        assert_ne!(after.vpc_endpoint_id, before.vpc_endpoint_id);
    }
}

#[tokio::test]
async fn a_private_name_that_is_not_free_again_yet_is_waited_for() {
    let (mut run, _) = in_place().await;
    take(&run, json!({"ec2.privateDns.release": 1000, "ec2.endpoint.delete": 300}));
    let before = endpoint(&run, ".bedrock-runtime").await;
    run.aws.ec2().delete_vpc_endpoints().vpc_endpoint_ids(id(&before)).send().await.expect("deleted");
    let began = std::time::Instant::now();
    let mut refused = false;
    loop {
        let pass = run.pass().await;
        assert_eq!(super::condition(&pass, "Stalled"), None, "{:#?}", pass.status);
        refused |= format!("{:?}", pass.outcomes).contains("on its way out");
        if super::ready(&pass) == "True" {
            break;
        }
        assert!(began.elapsed() < super::super::PATIENCE, "{:#?}", pass.status);
    }
    assert!(refused, "EC2 refused the name, and that was no conflict");
}

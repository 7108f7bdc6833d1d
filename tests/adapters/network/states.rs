//! The states of endpoints.

use aiplatform::api::RECONCILE_AT;
use aiplatform::api::status::State;
use aiplatform::session::Session;

use super::{condition, endpoint, endpoints, id, in_place, json, message, planted, ready, take};

#[tokio::test]
async fn an_endpoint_is_waited_for_until_it_is_available() {
    let (mut run, _) = planted().await;
    take(&run, json!({"ec2.endpoint.create": 600_000}));
    run.announce().await;
    for _ in 0..3 {
        let pass = run.pass().await;
        assert_ne!(ready(&pass), "True");
        assert_eq!(condition(&pass, "Stalled"), None, "{:#?}", pass.status);
    }
    let status = run.object.status.as_ref().expect("a status");
    let listed = status.resources.iter().find(|resource| resource.name == "bedrock-runtime").expect("listed");
    assert_eq!((&listed.state, listed.message.as_deref()), (&State::Progressing, Some("state pending")));
    take(&run, json!({"ec2.endpoint.create": 0}));
    run.settle_ready().await;
}

#[tokio::test]
async fn a_failure_is_told_in_the_words_of_ec2() {
    for state in ["rejected", "expired", "partial"] {
        let (mut run, _) = planted().await;
        let fails = json!({"service": "bedrock-runtime", "state": state, "code": "Broken", "message": "no room left"});
        run.aws.control("ec2/next-endpoint", fails);
        let pass = run.settle().await;
        assert_ne!(ready(&pass), "True");
        let found = message(&pass);
        assert!(found.contains(&format!("state {state} (Broken: no room left)")), "{state}: {found}");
        let broken = endpoint(&run, ".bedrock-runtime").await;
        assert!(found.contains(id(&broken)), "{found}");
        run.aws.ec2().delete_vpc_endpoints().vpc_endpoint_ids(id(&broken)).send().await.expect("deleted");
        run.settle_ready().await;
    }
}

#[tokio::test]
async fn one_that_failed_is_deleted_and_made_again() {
    let (mut run, _) = planted().await;
    let fails = json!({"service": "bedrock-runtime", "state": "failed", "message": "no room left", "times": 2});
    run.aws.control("ec2/next-endpoint", fails);
    run.settle_ready().await;
    let calls = run.aws.calls_since(0);
    let count = |operation: &str| calls.iter().filter(|called| *called == operation).count();
    assert_eq!(count("DeleteVpcEndpoints"), 2);
    let made = endpoint(&run, ".bedrock-runtime").await;
    run.aws.control("ec2/endpoint-state", json!({"endpointId": id(&made), "state": "failed"}));
    run.settle_ready().await;
    assert_ne!(id(&endpoint(&run, ".bedrock-runtime").await), id(&made), "one that fails later, too");
}

#[tokio::test]
async fn one_that_fails_again_and_again_is_told_in_the_words_of_ec2() {
    let (mut run, _) = planted().await;
    run.session = Some(Session::default());
    let fails = |times: u32| json!({"service": "bedrock-runtime", "state": "failed", "code": "Broken", "message": "no room left", "times": times});
    run.aws.control("ec2/next-endpoint", fails(9));
    let pass = run.settle().await;
    assert!(condition(&pass, "Stalled").is_some(), "{:#?}", pass.status);
    let found = message(&pass);
    assert!(found.contains("deleted and made again 3 times"), "{found}");
    assert!(found.contains("state failed (Broken: no room left)"), "{found}");
    let broken = endpoint(&run, ".bedrock-runtime").await;
    assert!(found.contains(id(&broken)), "{found}");
    let calls = run.aws.calls_since(0);
    assert_eq!(calls.iter().filter(|called| *called == "DeleteVpcEndpoints").count(), 3);
    run.aws.control("ec2/next-endpoint", fails(1));
    run.object.metadata.annotations.get_or_insert_default().insert(RECONCILE_AT.into(), "now".into());
    run.settle_ready().await;
}

#[tokio::test]
async fn what_somebody_has_yet_to_accept_is_waited_for_and_can_go() {
    let (mut run, _) = planted().await;
    run.aws.control("ec2/next-endpoint", json!({"service": "bedrock-runtime", "state": "pendingAcceptance"}));
    run.announce().await;
    for _ in 0..3 {
        let pass = run.pass().await;
        assert!(ready(&pass) != "True" && condition(&pass, "Stalled").is_none(), "{:#?}", pass.status);
    }
    run.delete();
    assert!(run.settle().await.finished);
    assert_eq!(endpoints(&run).await, []);
}

#[tokio::test]
async fn one_that_breaks_later_is_reported_and_goes_with_the_platform() {
    let (mut run, _) = in_place().await;
    let made = endpoint(&run, ".bedrock-runtime").await;
    run.aws.control("ec2/endpoint-state", json!({"endpointId": id(&made), "state": "rejected", "message": "by them"}));
    let pass = run.settle().await;
    assert!(message(&pass).contains("state rejected (InternalError: by them)"), "{}", message(&pass));
    run.delete();
    assert!(run.settle().await.finished);
    assert_eq!(endpoints(&run).await, []);
}

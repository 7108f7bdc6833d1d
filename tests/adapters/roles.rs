//! Roles: permissions that arrive late, and principals that come and go.

use aiplatform::schedule::Next;
use serde_json::{Value, json};

use super::drifts::{consumer_role, ready_run};
use super::{Run, condition, drop_role, message, put_role, reason, spec};

const NOT_GRANTED: &str = "The repository of your image does not grant ecr:GetDownloadUrlForLayer, ecr:BatchGetImage, \
                           ecr:BatchCheckLayerAvailability permission to sagemaker.amazonaws.com service principal.";

fn scorer() -> Value {
    spec(json!({"models": [{"name": "scorer", "sagemaker": {
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/scorer:7.2.1", "instance": {"type": "ml.m5.xlarge"}}}]}))
}

#[tokio::test]
async fn permissions_that_arrive_late_are_waited_for() {
    let mut run = Run::new(scorer()).await;
    run.refuse_times("CreateModel", "ValidationException", 400, NOT_GRANTED, Some(2));
    run.announce().await;
    for _ in 0..2 {
        let pass = run.pass().await;
        assert_eq!((reason(&pass), pass.next), ("ProgressingWithRetry", Next::Retry), "{}", message(&pass));
        assert!(message(&pass).contains("does not grant"), "{}", message(&pass));
        assert!(condition(&pass, "Reconciling").is_some() && condition(&pass, "Stalled").is_none());
    }
    run.settle_ready().await;
}

#[tokio::test]
async fn permissions_that_never_arrive_are_reported_after_two_minutes() {
    let mut run = Run::new(scorer()).await;
    run.refuse("CreateModel", "ValidationException", 400, NOT_GRANTED);
    run.announce().await;
    assert_eq!(reason(&run.pass().await), "ProgressingWithRetry");
    run.clock += 110;
    assert_eq!(reason(&run.pass().await), "ProgressingWithRetry");
    run.clock += 10;
    let pass = run.pass().await;
    assert_eq!((reason(&pass), pass.next), ("InvalidSpec", Next::Slow));
    assert!(condition(&pass, "Stalled").is_some() && message(&pass).contains("does not grant"));
    run.refuse_nothing();
    run.settle_ready().await;
}

#[tokio::test]
async fn a_late_role_is_waited_for_at_eks_in_whatever_words_and_only_for_a_while() {
    let mut run = Run::new(super::drifts::of_all_kinds()).await;
    run.aws.control("eks/cluster", json!({"name": "prod", "region": "eu-west-1"}));
    run.refuse(
        "CreatePodIdentityAssociation",
        "InvalidParameterException",
        400,
        "The trust of what you named is not right.",
    );
    run.announce().await;
    assert_eq!(reason(&run.pass().await), "ProgressingWithRetry");
    run.clock += 300;
    let pass = run.settle().await;
    assert!(condition(&pass, "Stalled").is_some(), "{}", message(&pass));
    run.refuse_nothing();
    run.settle_ready().await;
}

#[tokio::test]
async fn a_denial_of_the_operators_own_call_is_reported_at_once() {
    let mut run = Run::new(scorer()).await;
    run.aws.control("deny", json!({"action": "sagemaker:CreateModel"}));
    run.announce().await;
    let pass = run.pass().await;
    assert_eq!(condition(&pass, "Stalled").map(|stalled| stalled.reason.as_str()), Some("AccessDenied"));
}

#[tokio::test]
async fn a_boundary_that_is_not_there_stalls_after_two_minutes_and_heals() {
    let boundary = "arn:aws:iam::123456789012:policy/boundary";
    let mut wanted = scorer();
    wanted["permissionsBoundaryArn"] = json!(boundary);
    let mut run = Run::new(wanted).await;
    run.announce().await;
    assert_eq!(reason(&run.pass().await), "ProgressingWithRetry");
    run.clock += 120;
    let pass = run.pass().await;
    assert_eq!((reason(&pass), pass.next), ("InvalidSpec", Next::Slow), "{}", message(&pass));
    assert!(message(&pass).contains(boundary), "{}", message(&pass));
    let anything = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let call = run.aws.iam().create_policy().policy_name("boundary").policy_document(anything.to_string());
    call.send().await.expect("made");
    run.settle_ready().await;
}

#[tokio::test]
async fn a_principal_that_was_deleted_and_made_again_is_not_trusted_by_itself() {
    let consumer = |principals: &[&str]| {
        let principals: Vec<String> =
            principals.iter().map(|name| format!("arn:aws:iam::123456789012:role/{name}")).collect();
        spec(json!({
            "storage": {"buckets": [{"name": "runs"}]},
            "access": [{"name": "api", "principalArns": principals, "buckets": [{"name": "runs", "mode": "Read"}]}],
        }))
    };
    let mut run = Run::new(consumer(&["reader", "writer"])).await;
    put_role(&run, "reader").await;
    put_role(&run, "writer").await;
    run.settle_ready().await;
    drop_role(&run, "reader").await;
    put_role(&run, "reader").await;
    for _ in 0..2 {
        let pass = run.settle().await;
        assert!(condition(&pass, "Stalled").is_some() && message(&pass).contains("role/reader"), "{}", message(&pass));
        assert!(message(&pass).contains("principalArns"), "the way out: {}", message(&pass));
        let trust = trust_of(&run).await;
        assert!(!trust.contains("role/reader") && trust.contains("role/writer"), "{trust}");
    }
    run.edit(consumer(&["writer"]));
    run.settle_ready().await;
    run.edit(consumer(&["reader", "writer"]));
    run.settle_ready().await;
    assert!(trust_of(&run).await.contains("role/reader"), "somebody said so");
}

async fn trust_of(run: &Run) -> String {
    let role = run.aws.iam().get_role().role_name(consumer_role(run)).send().await.expect("it").role.expect("a role");
    let trust = role.assume_role_policy_document().expect("trust");
    percent_encoding::percent_decode_str(trust).decode_utf8_lossy().into_owned()
}

#[tokio::test]
async fn an_association_deleted_by_hand_is_made_again_with_another_token() {
    let mut run = ready_run().await;
    let eks = run.aws.eks();
    for _ in 0..2 {
        let listed = eks.list_pod_identity_associations().cluster_name("prod").send().await.expect("associations");
        let id = listed.associations()[0].association_id.clone();
        eks.delete_pod_identity_association().cluster_name("prod").set_association_id(id).send().await.expect("gone");
        run.settle_ready().await;
        let listed = eks.list_pod_identity_associations().cluster_name("prod").send().await.expect("associations");
        assert_eq!(listed.associations().len(), 1, "it is there again");
    }
    let calls = run.aws.calls();
    let tokens = calls.iter().filter(|call| call["operation"] == "CreatePodIdentityAssociation");
    let tokens: Vec<&str> = tokens.filter_map(|call| call["parameters"]["clientRequestToken"].as_str()).collect();
    assert_eq!(tokens.len(), 3);
    assert!(tokens.iter().all(|token| token.starts_with("0a1b2c3d-0000-4000-8000-000000000001-")), "{tokens:?}");
}

#[tokio::test]
async fn a_policy_that_has_no_room_beside_a_stranger_is_written_when_that_is_gone() {
    let mut run = ready_run().await;
    let (iam, role) = (run.aws.iam(), consumer_role(&run));
    let tiny = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]});
    let names: Vec<String> = (0..97).map(|number| format!("arn:aws:s3:::{}{number:02}", "b".repeat(85))).collect();
    let large =
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": names}]});
    for (name, policy) in [("access", tiny), ("backdoor", large)] {
        let call = iam.put_role_policy().role_name(&role).policy_name(name).policy_document(policy.to_string());
        call.send().await.expect("put");
    }
    let before = run.aws.call_count();
    run.settle_ready().await;
    let written = run.aws.writes_since_call(before);
    assert_eq!(written, ["PutRolePolicy", "DeleteRolePolicy", "PutRolePolicy"], "in one pass");
    let left = iam.list_role_policies().role_name(&role).send().await.expect("policies").policy_names;
    assert_eq!(left, ["access"]);
}

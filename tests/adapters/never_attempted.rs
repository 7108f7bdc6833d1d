//! What was announced and never attempted holds up neither an edit nor a deletion.

use serde_json::{Value, json};

use super::{Run, buckets, condition, message, spec};

fn suspended(suspend: bool) -> Value {
    let mut wanted = buckets(json!([{"name": "runs"}]));
    wanted["suspend"] = json!(suspend);
    wanted
}

#[tokio::test]
async fn what_was_suspended_from_its_birth_goes_at_once() {
    let mut run = Run::new(suspended(true)).await;
    assert!(!run.settle().await.finished);
    run.delete();
    assert!(run.settle().await.finished, "{:#?}", run.object.status);
    assert!(run.aws.calls().is_empty(), "nobody was asked");

    // Announced only.
    let mut run = Run::new(suspended(false)).await;
    run.pass().await;
    run.edit(suspended(true));
    run.delete();
    assert!(run.settle().await.finished);

    // Where something may have been made, it waits.
    let mut run = Run::new(suspended(false)).await;
    run.announce().await;
    run.edit(suspended(true));
    run.delete();
    let pass = run.settle().await;
    assert!(!pass.finished && message(&pass).contains("spec.suspend"), "{}", message(&pass));
}

fn bound_in(region: &str) -> Value {
    spec(json!({
        "identity": {"podIdentity": {"clusterArn": format!("arn:aws:eks:{region}:123456789012:cluster/prod")}},
        "storage": {"buckets": [{"name": "prompts"}]},
        "access": [{"name": "api", "serviceAccount": {"name": "support-api"}, "buckets": [{"name": "prompts"}]}],
    }))
}

/// A platform whose cluster is in a region where nobody answers.
async fn bound_nowhere() -> Run {
    let mut run = Run::new(bound_in("eu-west-2")).await;
    run.aws.control("eks/cluster", json!({"name": "prod", "region": "eu-west-1"}));
    run.aws.control("deny", json!({"action": "eks:*", "resource": "arn:aws:eks:eu-west-2:*"}));
    for _ in 0..5 {
        run.pass().await;
    }
    let association = run.resource("PodIdentityAssociation");
    assert!(association.never_attempted, "{association:#?}");
    assert!(!run.resource("Role").never_attempted && !run.resource("Bucket").never_attempted);
    run
}

#[tokio::test]
async fn a_region_that_was_never_there_can_be_corrected() {
    let mut run = bound_nowhere().await;
    run.edit(bound_in("eu-west-1"));
    run.settle_ready().await;
    let resources = &run.object.status.as_ref().expect("a status").resources;
    let names: Vec<&str> = resources.iter().map(|resource| resource.name.as_str()).collect();
    assert!(!names.iter().any(|name| name.contains("eu-west-2")), "{names:?}");
    assert!(resources.iter().all(|resource| !resource.never_attempted), "{resources:#?}");
    run.delete();
    assert!(run.settle().await.finished, "{:#?}", run.object.status);
}

#[tokio::test]
async fn a_region_that_was_never_there_holds_up_no_deletion() {
    let mut run = bound_nowhere().await;
    run.delete();
    assert!(run.settle().await.finished, "{:#?}", run.object.status);
    assert!(run.aws.s3().list_buckets().send().await.expect("buckets").buckets().len() <= 1, "retained by itself");
    let roles = run.aws.iam().list_roles().path_prefix("/aiplatform/").send().await.expect("roles").roles;
    assert!(roles.is_empty(), "{roles:?}");
}

#[tokio::test]
async fn a_cluster_that_is_not_there_is_reported_with_the_way_out() {
    let mut run = Run::new(bound_in("eu-west-1")).await;
    for _ in 0..4 {
        run.pass().await;
    }
    let pass = run.pass().await;
    let reported = message(&pass);
    assert!(reported.contains("spec.identity.podIdentity.clusterArn") && reported.contains("eu-west-1"), "{reported}");
    run.aws.control("eks/cluster", json!({"name": "prod", "region": "eu-west-1"}));
    run.settle_ready().await;
}

#[tokio::test]
async fn a_name_that_nobody_may_read_can_be_changed_before_anything_is_made() {
    let named = |name: &str| buckets(json!([{"name": "runs", "bucketName": name, "deletionPolicy": "Delete"}]));
    let unreadable = async || {
        let mut run = Run::new(named("hidden-name")).await;
        run.aws.control("deny", json!({"action": "s3:ListAllMyBuckets"}));
        run.aws.control("deny", json!({"action": "s3:GetBucketTagging", "resource": "arn:aws:s3:::hidden-name"}));
        let pass = run.settle().await;
        assert!(condition(&pass, "Stalled").is_some(), "{:#?}", pass.status);
        run
    };
    let mut run = unreadable().await;
    run.edit(named("other-name"));
    run.settle_ready().await;
    let mut run = unreadable().await;
    run.delete();
    assert!(run.settle().await.finished, "{:#?}", run.object.status);
}

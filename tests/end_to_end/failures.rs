//! What AWS refuses, delays or loses: told in the status, tried again as it deserves, and healed by itself.

use serde_json::json;

use crate::support::test_env::{TestEnv, condition, resource_names, spec};

#[tokio::test]
async fn another_account_stalls_before_any_write() {
    let env = TestEnv::new("account").await;
    let mut wanted = spec(json!([{"name": "a"}]));
    wanted["accountId"] = json!("999999999999");
    env.apply("assistant", &wanted).await;
    let reported = env.wait_stalled("assistant", "AccountMismatch").await;
    assert!(reported.contains("999999999999") && reported.contains("123456789012"), "{reported}");
    assert!(env.aws.operations().is_empty(), "S3 was never asked");
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    assert!(env.aws.operations().is_empty(), "nothing was made");
}

#[tokio::test]
async fn an_object_whose_account_was_right_once_stays_until_it_can_be_deleted_or_is_let_go() {
    let env = TestEnv::with("once-right", &["--resync", "1s"]).await;
    env.apply("assistant", &spec(json!([{"name": "a", "deletionPolicy": "Delete"}]))).await;
    let bucket = resource_names(&env.wait_ready("assistant").await).remove(0);
    // The credentials are denied from here on, and the next operator has to ask.
    let mut env = env;
    env.aws.control("faults", json!({"service": "sts", "operation": "*", "times": null, "error": {"code": "InvalidClientTokenId", "status": 403}}));
    env.operator.kill();
    env.restart_operator();
    env.delete("assistant").await;
    let reported = env.wait_stalled("assistant", "AccessDenied").await;
    assert!(reported.contains("set spec.deletionPolicy to Retain"), "{reported}");
    assert!(env.aws.s3().head_bucket().bucket(&bucket).send().await.is_ok(), "nothing is lost");
    let mut retained = spec(json!([{"name": "a", "deletionPolicy": "Delete"}]));
    retained["deletionPolicy"] = json!("Retain");
    env.apply("assistant", &retained).await;
    env.wait_until_gone("assistant").await;
    assert!(env.aws.s3().head_bucket().bucket(&bucket).send().await.is_ok());
}

#[tokio::test]
async fn a_region_that_aws_does_not_have_stalls_and_is_named() {
    let env = TestEnv::new("region").await;
    let mut wanted = spec(json!([{"name": "a"}]));
    wanted["region"] = json!("eu-west-9");
    env.apply("assistant", &wanted).await;
    let reported = env.wait_stalled("assistant", "AccessDenied").await;
    assert!(reported.contains("eu-west-9"), "{reported}");
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
}

#[tokio::test]
async fn a_missing_permission_is_named_and_heals_by_itself() {
    let env = TestEnv::with("denied", &["--resync", "1s"]).await;
    env.aws.control("deny", json!({"action": "s3:PutBucketVersioning"}));
    env.apply("assistant", &spec(json!([{"name": "a"}, {"name": "b", "versioning": false}]))).await;
    let reported = env.wait_stalled("assistant", "AccessDenied").await;
    assert!(reported.contains("s3:PutBucketVersioning") && reported.contains("arn:aws:s3:::"), "{reported}");
    let status = env.api().get("assistant").await.expect("it").status.expect("a status");
    assert_eq!(status.ready.as_deref(), Some("1/2"), "the other bucket is there all the same");
    assert!(env.events("assistant").await.iter().any(|(reason, _)| reason == "AccessDenied"));
    env.aws.control("deny", json!({"action": "s3:PutBucketVersioning", "remove": true}));
    env.wait_ready("assistant").await;
}

#[tokio::test]
async fn a_throttled_call_is_tried_again() {
    let env = TestEnv::new("throttled").await;
    env.aws.fail("PutBucketPolicy", 4, "SlowDown", 503);
    env.apply("assistant", &spec(json!([{"name": "a"}]))).await;
    env.wait_for("assistant", "retrying", |status| {
        condition(status, "Reconciling").is_some_and(|retrying| retrying.reason == "ProgressingWithRetry")
    })
    .await;
    env.wait_ready("assistant").await;
    let created = env.aws.operations().iter().filter(|name| *name == "CreateBucket").count();
    assert_eq!(created, 1, "the bucket is made once");
}

#[tokio::test]
async fn a_creation_whose_answer_was_lost_is_found_again() {
    let env = TestEnv::new("lost").await;
    let fault = json!({"service": "s3", "operation": "CreateBucket", "when": "after", "times": 3, "error": "reset"});
    env.aws.control("faults", fault);
    env.apply("assistant", &spec(json!([{"name": "a"}]))).await;
    let object = env.wait_ready("assistant").await;
    let buckets = env.aws.s3().list_buckets().send().await.expect("a list");
    let names: Vec<&str> = buckets.buckets().iter().filter_map(|bucket| bucket.name()).collect();
    assert_eq!(names, resource_names(&object), "no duplicate and no orphan");
}

#[tokio::test]
async fn internal_errors_pass() {
    let env = TestEnv::new("internal").await;
    env.aws.fail("GetBucketTagging", 4, "InternalError", 500);
    env.apply("assistant", &spec(json!([{"name": "a"}]))).await;
    env.wait_ready("assistant").await;
}

#[tokio::test]
async fn each_refused_part_is_reported_once_and_the_others_are_written() {
    let env = TestEnv::with("parts", &["--resync", "1s"]).await;
    env.aws.control("deny", json!({"action": "s3:PutBucketVersioning"}));
    env.aws.control("deny", json!({"action": "s3:PutLifecycleConfiguration"}));
    let rules = json!({"rules": [{"id": "x", "expiration": {"days": 10}}]});
    env.apply("assistant", &spec(json!([{"name": "a", "lifecycle": rules}]))).await;
    let reported = env.wait_stalled("assistant", "AccessDenied").await;
    assert!(
        reported.contains("s3:PutBucketVersioning") && reported.contains("s3:PutLifecycleConfiguration"),
        "{reported}"
    );
    let object = env.api().get("assistant").await.expect("it");
    let bucket = resource_names(&object).remove(0);
    let s3 = env.aws.s3();
    assert!(s3.get_bucket_policy().bucket(&bucket).send().await.is_ok(), "the policy is there");
    let tries = |env: &TestEnv| env.aws.operations().iter().filter(|it| *it == "PutBucketVersioning").count();
    let before = tries(&env);
    env.wait("further tries", async || tries(&env) >= before + 2).await;
    let events = env.events("assistant").await;
    for action in ["s3:PutBucketVersioning", "s3:PutLifecycleConfiguration"] {
        let about = |(reason, note): &&(String, String)| {
            reason == "AccessDenied" && note.starts_with("Bucket") && note.contains(action)
        };
        assert_eq!(events.iter().filter(about).count(), 1, "{action}: {events:#?}");
    }
    assert!(env.operator.metric("aiplatform_failures_total{reason=\"AccessDenied\"}") >= 2);
    env.aws.control("deny", json!({"action": "s3:PutBucketVersioning", "remove": true}));
    env.aws.control("deny", json!({"action": "s3:PutLifecycleConfiguration", "remove": true}));
    env.wait_ready("assistant").await;
}

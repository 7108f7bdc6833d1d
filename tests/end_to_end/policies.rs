//! `suspend` and `managementPolicy`: what the operator may not do, it does not do.

use serde_json::json;

use crate::support::test_env::{TestEnv, condition, resource_names, spec};

#[tokio::test]
async fn a_suspended_object_asks_aws_nothing() {
    let env = TestEnv::new("suspend").await;
    let mut wanted = spec(json!([{"name": "a"}]));
    wanted["suspend"] = json!(true);
    env.apply("assistant", &wanted).await;
    let object =
        env.wait_for("assistant", "suspended", |status| format!("{:?}", status.phase) == "Some(Suspended)").await;
    let status = object.status.expect("a status");
    let ready = condition(&status, "Ready").expect("a condition");
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("Unknown", "Suspended"));
    assert!(env.aws.operations().is_empty());
    wanted["suspend"] = json!(false);
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
}

#[tokio::test]
async fn observe_plans_and_writes_nothing() {
    let env = TestEnv::new("observe").await;
    let mut wanted = spec(json!([{"name": "a"}, {"name": "b"}]));
    wanted["managementPolicy"] = json!("Observe");
    env.apply("assistant", &wanted).await;
    let observing = |status: &aiplatform::api::AIPlatformStatus| {
        condition(status, "Ready").is_some_and(|ready| ready.status == "False" && ready.reason == "Observing")
    };
    let object = env.wait_for("assistant", "observing", observing).await;
    let status = object.status.expect("a status");
    assert_eq!(status.plan.len(), 2);
    assert!(status.plan.iter().all(|step| step.action == "Create"), "{:?}", status.plan);
    assert!(condition(&status, "Ready").expect("it").message.contains("2 to create"));
    assert_eq!(env.aws.writes_since(0), Vec::<String>::new());

    wanted["managementPolicy"] = json!("Full");
    env.apply("assistant", &wanted).await;
    let names = resource_names(&env.wait_ready("assistant").await);
    wanted["managementPolicy"] = json!("Observe");
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    let calls = env.aws.operations().len();
    env.aws.s3().delete_bucket_policy().bucket(&names[0]).send().await.expect("it goes");
    env.poke("assistant").await;
    let object = env.wait_for("assistant", "observing", observing).await;
    assert_eq!(object.status.expect("a status").plan[0].fields, ["policy.AipTlsOnly"]);
    assert_eq!(env.aws.writes_since(calls), ["DeleteBucketPolicy"], "only the test wrote");
}

#[tokio::test]
async fn no_delete_keeps_what_is_no_longer_declared() {
    let env = TestEnv::new("no-delete").await;
    let mut wanted =
        spec(json!([{"name": "a", "deletionPolicy": "Delete"}, {"name": "b", "deletionPolicy": "Delete"}]));
    wanted["managementPolicy"] = json!("NoDelete");
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    let calls = env.aws.operations().len();
    wanted["storage"]["buckets"].as_array_mut().expect("buckets").pop();
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    assert_eq!(env.aws.writes_since(calls), Vec::<String>::new());
}

#[tokio::test]
async fn what_was_suspended_from_its_birth_can_be_deleted() {
    let env = TestEnv::new("unborn").await;
    let mut wanted = spec(json!([{"name": "a"}]));
    wanted["suspend"] = json!(true);
    env.apply("assistant", &wanted).await;
    env.wait_for("assistant", "suspended", |status| format!("{:?}", status.phase) == "Some(Suspended)").await;
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    assert!(env.aws.operations().is_empty());
}

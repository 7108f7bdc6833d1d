//! An older operator over what a later one made: nothing is forgotten, and nothing is called ready that it cannot see.

use aiplatform::api::AIPlatformStatus;
use aiplatform::api::status::ResourceStatus;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::support::test_env::{TestEnv, condition, spec};

/// Puts a resource of a kind that this version does not know into the status, as a later version would have.
async fn written_by_a_later_version(env: &TestEnv, resource: &Value) {
    for _ in 0..20 {
        let mut object = env.api().get("assistant").await.expect("the object");
        let status = object.status.get_or_insert_default();
        status.resources.push(serde_json::from_value(resource.clone()).expect("a resource"));
        status.written_by = Some("9.9.9".into());
        if env.api().replace_status("assistant", &PostParams::default(), &object).await.is_ok() {
            return;
        }
    }
    panic!("the status changes all the time");
}

fn of_the_future(status: &AIPlatformStatus) -> Option<&ResourceStatus> {
    status.resources.iter().find(|resource| resource.kind == "VectorStore")
}

#[tokio::test]
async fn what_a_later_version_made_is_carried_along_and_holds_the_object() {
    let mut env = TestEnv::with("downgraded", &["--resync", "1s"]).await;
    let mut wanted = spec(json!([{"name": "a", "deletionPolicy": "Delete"}]));
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    env.operator.kill();
    let arn = "arn:aws:s3vectors:eu-west-1:123456789012:bucket/memory";
    let resource = json!({"kind": "VectorStore", "name": "memory", "arn": arn, "state": "Dreaming", "since": "2027-01-15T08:00:00Z"});
    written_by_a_later_version(&env, &resource).await;
    env.restart_operator();

    let message = env.wait_stalled("assistant", "UnknownKind").await;
    for part in ["VectorStore memory", "9.9.9"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    // What it does know goes on.
    wanted["storage"]["buckets"]
        .as_array_mut()
        .expect("buckets")
        .push(json!({"name": "b", "deletionPolicy": "Delete"}));
    env.apply("assistant", &wanted).await;
    let made = |status: &AIPlatformStatus| {
        condition(status, "StorageReady").is_some_and(|it| it.status == "True" && it.message.starts_with("2 of 2"))
    };
    let object = env.wait_for("assistant", "made", made).await;
    let status = object.status.expect("a status");
    let carried = of_the_future(&status).expect("it is carried along");
    assert_eq!(serde_json::to_value(carried).expect("JSON"), resource);
    assert_eq!(status.written_by.as_deref(), Some("9.9.9"));

    env.delete("assistant").await;
    let emptied = async || {
        let object = env.api().get("assistant").await.expect("it is held");
        let status = object.status.expect("a status");
        status.resources.len() == 1 && of_the_future(&status).is_some()
    };
    env.wait("all else is gone", emptied).await;
    let object = env.api().get("assistant").await.expect("it is held");
    assert!(object.metadata.finalizers.is_some_and(|finalizers| !finalizers.is_empty()));
    let message = env.wait_stalled("assistant", "UnknownKind").await;
    assert!(message.contains("Retain"), "{message}");

    let retain = json!({"spec": {"deletionPolicy": "Retain"}});
    env.api().patch("assistant", &PatchParams::default(), &Patch::Merge(retain)).await.expect("changed");
    env.wait_until_gone("assistant").await;
}

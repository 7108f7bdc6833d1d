//! What happens to AWS when an object or a part of it goes.

use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};

use crate::support::test_env::{TestEnv, condition, resource_names, spec};

async fn exists(env: &TestEnv, bucket: &str) -> bool {
    env.aws.s3().head_bucket().bucket(bucket).send().await.is_ok()
}

async fn put(env: &TestEnv, bucket: &str, key: &str) {
    env.aws.s3().put_object().bucket(bucket).key(key).body(ByteStream::from_static(b"x")).send().await.expect("put");
}

fn bucket(name: &str, policy: &str) -> Value {
    json!({"name": name, "deletionPolicy": policy})
}

#[tokio::test]
async fn each_bucket_follows_its_own_policy() {
    let env = TestEnv::new("policies").await;
    let buckets = json!([bucket("keep", "Retain"), bucket("empty", "Delete"), bucket("full", "DeleteWithContents")]);
    env.apply("assistant", &spec(buckets)).await;
    let names = resource_names(&env.wait_ready("assistant").await);
    put(&env, &names[0], "kept").await;
    for number in 0..3 {
        put(&env, &names[2], "same-key").await;
        put(&env, &names[2], &format!("key-{number}")).await;
    }
    let s3 = env.aws.s3();
    s3.delete_object().bucket(&names[2]).key("same-key").send().await.expect("a delete marker");
    s3.create_multipart_upload().bucket(&names[2]).key("unfinished").send().await.expect("an upload");

    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    assert!(exists(&env, &names[0]).await, "retained");
    assert!(!exists(&env, &names[1]).await, "deleted");
    assert!(!exists(&env, &names[2]).await, "deleted with its contents");
    let tags = s3.get_bucket_tagging().bucket(&names[0]).send().await.expect("tags").tag_set;
    assert!(tags.iter().any(|tag| tag.key == "aiplatform.dev/owner"), "what is retained keeps its tags");
    assert!(s3.head_object().bucket(&names[0]).key("kept").send().await.is_ok());

    env.apply("assistant", &spec(json!([bucket("keep", "Retain")]))).await;
    env.wait_ready("assistant").await;
    assert!(s3.head_object().bucket(&names[0]).key("kept").send().await.is_ok(), "taken back with its objects");
}

#[tokio::test]
async fn a_bucket_with_objects_blocks_the_deletion_and_says_how_many() {
    let env = TestEnv::with("blocked", &["--resync", "1s"]).await;
    env.apply("assistant", &spec(json!([bucket("a", "Delete")]))).await;
    let name = resource_names(&env.wait_ready("assistant").await).remove(0);
    let s3 = env.aws.s3();
    put(&env, &name, "one").await;
    put(&env, &name, "one").await;
    s3.delete_object().bucket(&name).key("one").send().await.expect("a delete marker");
    let upload = s3.create_multipart_upload().bucket(&name).key("big").send().await.expect("an upload");
    env.delete("assistant").await;
    let reported = env.wait_stalled("assistant", "DeletionBlocked").await;
    assert!(reported.contains("2 object versions, 1 delete marker and 1 unfinished upload"), "{reported}");
    assert!(exists(&env, &name).await);

    let versions = s3.list_object_versions().bucket(&name).send().await.expect("versions");
    let versions = versions.versions().iter().map(|version| version.version_id().map(ToString::to_string));
    let markers = s3.list_object_versions().bucket(&name).send().await.expect("markers");
    let markers = markers.delete_markers().iter().map(|marker| marker.version_id().map(ToString::to_string));
    for version in versions.chain(markers) {
        s3.delete_object().bucket(&name).key("one").set_version_id(version).send().await.expect("deleted");
    }
    let id = upload.upload_id().expect("an id");
    s3.abort_multipart_upload().bucket(&name).key("big").upload_id(id).send().await.expect("aborted");
    env.wait_until_gone("assistant").await;
    assert!(!exists(&env, &name).await);
}

#[tokio::test]
async fn changing_the_policy_unblocks_a_deletion() {
    let env = TestEnv::new("unblock").await;
    env.apply("assistant", &spec(json!([bucket("a", "Delete")]))).await;
    let name = resource_names(&env.wait_ready("assistant").await).remove(0);
    put(&env, &name, "one").await;
    env.delete("assistant").await;
    env.wait_stalled("assistant", "DeletionBlocked").await;
    env.apply("assistant", &spec(json!([bucket("a", "DeleteWithContents")]))).await;
    env.wait_until_gone("assistant").await;
    assert!(!exists(&env, &name).await);
}

#[tokio::test]
async fn thousands_of_versions_go_in_batches() {
    let env = TestEnv::new("batches").await;
    env.apply("assistant", &spec(json!([bucket("a", "DeleteWithContents")]))).await;
    let name = resource_names(&env.wait_ready("assistant").await).remove(0);
    let s3 = env.aws.s3();
    let puts = (0..1200).map(|number| {
        let call = s3.put_object().bucket(&name).key(format!("key-{number}")).body(ByteStream::from_static(b"x"));
        async move { call.send().await.expect("put") }
    });
    let mut puts: Vec<_> = puts.collect();
    while !puts.is_empty() {
        futures::future::join_all(puts.drain(..puts.len().min(40))).await;
    }
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    assert!(!exists(&env, &name).await);
    let batches = env.aws.operations().iter().filter(|operation| *operation == "DeleteObjects").count();
    assert_eq!(batches, 2);
}

#[tokio::test]
async fn a_bucket_taken_out_of_the_spec_follows_the_policy_it_had() {
    let env = TestEnv::new("removed").await;
    let buckets = json!([bucket("keep", "Retain"), bucket("go", "DeleteWithContents"), {"name": "stay"}]);
    env.apply("assistant", &spec(buckets)).await;
    let names = resource_names(&env.wait_ready("assistant").await);
    put(&env, &names[1], "one").await;
    env.apply("assistant", &spec(json!([{"name": "stay"}]))).await;
    let object = env.wait_ready("assistant").await;
    assert!(exists(&env, &names[0]).await && !exists(&env, &names[1]).await && exists(&env, &names[2]).await);
    let status = object.status.expect("a status");
    assert_eq!(status.ready.as_deref(), Some("1/1"), "what is retained is listed and not counted");
    let listed: Vec<String> = status.resources.iter().map(|resource| format!("{:?}", resource.state)).collect();
    assert_eq!(listed, ["Ready", "Retained"]);
}

#[tokio::test]
async fn the_platforms_policy_retains_everything() {
    let env = TestEnv::new("retain-all").await;
    let mut wanted = spec(json!([bucket("a", "DeleteWithContents")]));
    wanted["deletionPolicy"] = json!("Retain");
    env.apply("assistant", &wanted).await;
    let name = resource_names(&env.wait_ready("assistant").await).remove(0);
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    assert!(exists(&env, &name).await);
}

#[tokio::test]
async fn a_finalizer_stays_while_aws_refuses_the_deletion() {
    let env = TestEnv::with("undeletable", &["--resync", "1s"]).await;
    env.apply("assistant", &spec(json!([bucket("a", "Delete")]))).await;
    let name = resource_names(&env.wait_ready("assistant").await).remove(0);
    env.aws.control("deny", json!({"action": "s3:DeleteBucket"}));
    env.delete("assistant").await;
    let reported = env.wait_stalled("assistant", "AccessDenied").await;
    assert!(reported.contains("s3:DeleteBucket"), "{reported}");
    let object = env.api().get("assistant").await.expect("it is still there");
    let status = object.status.expect("a status");
    assert_eq!(format!("{:?}", status.phase), "Some(Deleting)");
    assert!(condition(&status, "Ready").is_some());
    assert!(exists(&env, &name).await);
    env.aws.control("deny", json!({"action": "s3:DeleteBucket", "remove": true}));
    env.wait_until_gone("assistant").await;
    assert!(!exists(&env, &name).await);
}

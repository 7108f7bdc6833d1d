//! From a YAML to buckets, and edits of it.

use serde_json::{Value, json};

use crate::support::world::{CLUSTER, World, condition, resource_names, spec, version};

fn full_bucket() -> Value {
    json!({
        "name": "artifacts",
        "encryption": {"kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"},
        "lifecycle": {"rules": [{
            "id": "evals",
            "filter": {"prefix": "evals/", "tags": {"kind": "eval"}, "objectSizeGreaterThan": 1024},
            "transitions": [{"days": 30, "storageClass": "STANDARD_IA"}, {"days": 90, "storageClass": "GLACIER"}],
            "expiration": {"days": 365},
            "noncurrentTransitions": [{"days": 30, "newerVersions": 2, "storageClass": "STANDARD_IA"}],
            "noncurrentExpiration": {"days": 90, "newerVersions": 3},
        }, {
            "id": "uploads", "enabled": false, "abortIncompleteMultipartUploadDays": 7,
        }, {
            "id": "new-year", "filter": {"prefix": "old/"}, "expiration": {"date": "2027-01-01"},
        }]},
    })
}

#[tokio::test]
async fn everything_declared_exists_and_the_status_says_so() {
    let world = World::new("create").await;
    let mut wanted = spec(json!([full_bucket(), {"name": "plain", "versioning": false, "tlsOnly": false}]));
    wanted["tags"] = json!({"Cost Center": "4711"});
    world.apply("assistant", &wanted).await;
    let object = world.wait_ready("assistant").await;

    let status = object.status.clone().expect("a status");
    assert_eq!(status.ready.as_deref(), Some("2/2"));
    assert_eq!(condition(&status, "StorageReady").map(|ready| ready.status.as_str()), Some("True"));
    assert!(condition(&status, "Reconciling").is_none() && condition(&status, "Stalled").is_none());
    assert!(status.plan.is_empty());
    let names = resource_names(&object);
    assert!(names[0].starts_with(&format!("{}-assistant-artifacts-", world.namespace)), "{names:?}");

    let s3 = world.aws.s3();
    let tags = s3.get_bucket_tagging().bucket(&names[0]).send().await.expect("tags").tag_set;
    let tag = |key: &str| tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.clone());
    assert_eq!(tag("aiplatform.dev/owner"), Some(format!("{CLUSTER}/{}/assistant", world.namespace)));
    assert_eq!(tag("aiplatform.dev/team").as_deref(), Some("support"));
    assert_eq!(tag("Cost Center").as_deref(), Some("4711"));
    let encryption = s3.get_bucket_encryption().bucket(&names[0]).send().await.expect("encryption");
    let rule = &encryption.server_side_encryption_configuration.expect("a configuration").rules[0];
    let by_default = rule.apply_server_side_encryption_by_default.as_ref().expect("a default");
    assert_eq!(by_default.sse_algorithm.as_str(), "aws:kms");
    let policy = s3.get_bucket_policy().bucket(&names[0]).send().await.expect("a policy").policy.expect("text");
    assert!(policy.contains("aws:SecureTransport"), "{policy}");
    let rules = s3.get_bucket_lifecycle_configuration().bucket(&names[0]).send().await.expect("rules").rules;
    let ids: Vec<String> = rules.unwrap_or_default().into_iter().filter_map(|rule| rule.id).collect();
    assert_eq!(ids, ["aip-evals", "aip-new-year", "aip-uploads"]);
    let no_policy = s3.get_bucket_policy().bucket(&names[1]).send().await;
    assert!(no_policy.is_err(), "tlsOnly: false leaves the bucket without a policy");

    let told = world.cluster.kubectl(&["get", "aip", "-n", &world.namespace], "").expect("a table");
    assert!(
        told.contains("READY") && told.contains("RESOURCES") && told.contains("True") && told.contains("2/2"),
        "{told}"
    );
    let events = world.events("assistant").await;
    assert_eq!(events.iter().filter(|(reason, _)| reason == "Created").count(), 2, "{events:?}");
    assert!(events.iter().any(|(reason, _)| reason == "Ready"), "{events:?}");
}

#[tokio::test]
async fn tags_and_ownership_are_in_the_call_that_creates() {
    let world = World::new("tags").await;
    let mut wanted = spec(json!([{"name": "a"}]));
    for region in ["eu-west-1", "us-east-1"] {
        wanted["region"] = json!(region);
        world.apply(region, &wanted).await;
        world.wait_ready(region).await;
    }
    let creations: Vec<Value> =
        world.aws.calls().into_iter().filter(|call| call["operation"] == "CreateBucket").collect();
    assert_eq!(creations.len(), 2);
    for call in &creations {
        let text = call["parameters"].to_string();
        assert!(text.contains("aiplatform.dev/owner") && text.contains("BucketOwnerEnforced"), "{text}");
        assert_eq!(text.contains("LocationConstraint"), call["region"] != "us-east-1", "{text}");
    }
}

#[tokio::test]
async fn every_call_names_the_account_that_must_own_the_bucket() {
    let world = World::new("expected-owner").await;
    world.apply("assistant", &spec(json!([full_bucket()]))).await;
    world.wait_ready("assistant").await;
    world.poke("assistant").await;
    world
        .wait("a second look", async || {
            world.aws.operations().iter().filter(|name| *name == "GetBucketVersioning").count() > 0
        })
        .await;
    for call in world.aws.calls() {
        if call["service"] == "s3" && call["operation"] != "CreateBucket" {
            assert_eq!(call["parameters"]["ExpectedBucketOwner"], "123456789012", "{call}");
        }
    }
}

#[tokio::test]
async fn a_steady_pass_writes_nothing() {
    let world = World::with("steady", &["--resync", "1s"]).await;
    world.apply("assistant", &spec(json!([full_bucket(), {"name": "plain"}]))).await;
    world.wait_ready("assistant").await;
    let passes = |world: &World| world.aws.operations().iter().filter(|name| *name == "GetBucketTagging").count();
    let first = passes(&world);
    world.wait("two resyncs", async || passes(&world) >= first + 4).await;
    let (calls, before) = (world.aws.operations().len(), world.api().get("assistant").await.expect("the object"));
    let (events, written) = (world.events("assistant").await, world.operator.metric("aiplatform_status_writes_total"));
    let second = passes(&world);
    world.wait("two more resyncs", async || passes(&world) >= second + 4).await;
    assert_eq!(world.aws.writes_since(calls), Vec::<String>::new());
    assert_eq!(version(&world.api().get("assistant").await.expect("the object")), version(&before));
    assert_eq!(world.events("assistant").await, events);
    assert_eq!(world.operator.metric("aiplatform_status_writes_total"), written);
}

#[tokio::test]
async fn an_edit_changes_what_it_names_and_nothing_else() {
    let world = World::new("edit").await;
    let mut wanted =
        spec(json!([{"name": "a", "lifecycle": {"rules": [{"id": "x", "expiration": {"days": 10}}]}}, {"name": "b"}]));
    wanted["tags"] = json!({"project": "one", "phase": "pilot"});
    world.apply("assistant", &wanted).await;
    let names = resource_names(&world.wait_ready("assistant").await);

    let calls = world.aws.operations().len();
    wanted["storage"]["buckets"][0]["lifecycle"]["rules"][0]["expiration"]["days"] = json!(20);
    wanted["tags"] = json!({"project": "one"});
    world.apply("assistant", &wanted).await;
    world.wait_ready("assistant").await;
    let mut writes = world.aws.writes_since(calls);
    writes.sort();
    assert_eq!(writes, ["PutBucketLifecycleConfiguration", "PutBucketTagging", "PutBucketTagging"]);
    let tags = world.aws.s3().get_bucket_tagging().bucket(&names[0]).send().await.expect("tags").tag_set;
    assert!(tags.iter().any(|tag| tag.key == "project") && !tags.iter().any(|tag| tag.key == "phase"), "{tags:?}");
    let events = world.events("assistant").await;
    assert!(
        events.iter().any(|(reason, note)| reason == "Updated" && note.contains("lifecycle.x.expiration.days")),
        "{events:?}"
    );
}

#[tokio::test]
async fn a_new_value_of_the_annotation_asks_for_a_pass() {
    let world = World::new("poke").await;
    world.apply("assistant", &spec(json!([{"name": "a"}]))).await;
    let names = resource_names(&world.wait_ready("assistant").await);
    world.aws.s3().delete_bucket_policy().bucket(&names[0]).send().await.expect("it goes");
    world.poke("assistant").await;
    world
        .wait("the policy is back", async || world.aws.s3().get_bucket_policy().bucket(&names[0]).send().await.is_ok())
        .await;
}

#[tokio::test]
async fn an_edit_while_a_pass_is_under_way_is_not_lost() {
    let world = World::new("edited").await;
    world.aws.control("latency", json!({"ms": 150}));
    let mut wanted = spec(json!([{"name": "a"}]));
    world.apply("assistant", &wanted).await;
    let begun = async || world.aws.operations().iter().any(|operation| operation == "PutBucketVersioning");
    world.wait("the bucket is being made", begun).await;
    wanted["tags"] = json!({"project": "assistant"});
    world.apply("assistant", &wanted).await;
    let object = world.wait_ready("assistant").await;
    let bucket = &resource_names(&object)[0];
    let tags = world.aws.s3().get_bucket_tagging().bucket(bucket).send().await.expect("tags").tag_set;
    assert!(tags.iter().any(|tag| tag.key == "project"), "{tags:?}");
}

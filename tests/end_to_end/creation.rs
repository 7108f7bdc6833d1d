//! From a YAML to buckets, and edits of it.

use serde_json::{Value, json};

use crate::support::test_env::{CLUSTER, TestEnv, condition, resource_names, spec, version};

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
    let env = TestEnv::new("create").await;
    let mut wanted = spec(json!([full_bucket(), {"name": "plain", "versioning": false, "tlsOnly": false}]));
    wanted["tags"] = json!({"Cost Center": "4711"});
    env.apply("assistant", &wanted).await;
    let object = env.wait_ready("assistant").await;

    let status = object.status.clone().expect("a status");
    assert_eq!(status.ready.as_deref(), Some("2/2"));
    assert_eq!(condition(&status, "StorageReady").map(|ready| ready.status.as_str()), Some("True"));
    assert!(condition(&status, "Reconciling").is_none() && condition(&status, "Stalled").is_none());
    assert!(status.plan.is_empty());
    let names = resource_names(&object);
    assert!(names[0].starts_with(&format!("{}-assistant-artifacts-", env.namespace)), "{names:?}");

    let s3 = env.aws.s3();
    let tags = s3.get_bucket_tagging().bucket(&names[0]).send().await.expect("tags").tag_set;
    let tag = |key: &str| tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.clone());
    assert_eq!(tag("aiplatform.dev/owner"), Some(format!("{CLUSTER}/{}/assistant", env.namespace)));
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

    let reported = env.cluster.kubectl(&["get", "aip", "-n", &env.namespace], "").expect("a table");
    assert!(
        reported.contains("READY")
            && reported.contains("RESOURCES")
            && reported.contains("True")
            && reported.contains("2/2"),
        "{reported}"
    );
    let events = env.events("assistant").await;
    let created: Vec<&String> = events.iter().filter(|(reason, _)| reason == "Created").map(|(_, note)| note).collect();
    assert_eq!(created, [&format!("Bucket {}; Bucket {}", names[0], names[1])], "{events:?}");
    assert!(events.iter().any(|(reason, _)| reason == "Ready"), "{events:?}");
}

#[tokio::test]
async fn tags_and_ownership_are_in_the_call_that_creates() {
    let env = TestEnv::new("tags").await;
    let mut wanted = spec(json!([{"name": "a"}]));
    for region in ["eu-west-1", "us-east-1"] {
        wanted["region"] = json!(region);
        env.apply(region, &wanted).await;
        env.wait_ready(region).await;
    }
    let creations: Vec<Value> =
        env.aws.calls().into_iter().filter(|call| call["operation"] == "CreateBucket").collect();
    assert_eq!(creations.len(), 2);
    for call in &creations {
        let text = call["parameters"].to_string();
        assert!(text.contains("aiplatform.dev/owner") && text.contains("BucketOwnerEnforced"), "{text}");
        assert_eq!(text.contains("LocationConstraint"), call["region"] != "us-east-1", "{text}");
    }
}

#[tokio::test]
async fn every_call_names_the_account_that_must_own_the_bucket() {
    let env = TestEnv::new("expected-owner").await;
    env.apply("assistant", &spec(json!([full_bucket()]))).await;
    env.wait_ready("assistant").await;
    env.look("assistant").await;
    assert!(env.aws.operations().iter().any(|name| name == "GetBucketVersioning"));
    for call in env.aws.calls() {
        if call["service"] == "s3" && call["operation"] != "CreateBucket" {
            assert_eq!(call["parameters"]["ExpectedBucketOwner"], "123456789012", "{call}");
        }
    }
}

#[tokio::test]
async fn a_steady_pass_writes_nothing() {
    let env = TestEnv::with("steady", &["--resync", "1s"]).await;
    env.apply("assistant", &spec(json!([full_bucket(), {"name": "plain"}]))).await;
    env.wait_ready("assistant").await;
    let passes = |env: &TestEnv| env.aws.operations().iter().filter(|name| *name == "GetBucketPolicy").count();
    let first = passes(&env);
    env.wait("two resyncs", async || passes(&env) >= first + 4).await;
    let (calls, before) = (env.aws.operations().len(), env.api().get("assistant").await.expect("the object"));
    let (events, written) = (env.events("assistant").await, env.operator.metric("aiplatform_status_writes_total"));
    let second = passes(&env);
    env.wait("two more resyncs", async || passes(&env) >= second + 4).await;
    assert_eq!(env.aws.writes_since(calls), Vec::<String>::new());
    assert_eq!(version(&env.api().get("assistant").await.expect("the object")), version(&before));
    assert_eq!(env.events("assistant").await, events);
    assert_eq!(env.operator.metric("aiplatform_status_writes_total"), written);
}

#[tokio::test]
async fn an_edit_changes_what_it_names_and_nothing_else() {
    let env = TestEnv::new("edit").await;
    let mut wanted =
        spec(json!([{"name": "a", "lifecycle": {"rules": [{"id": "x", "expiration": {"days": 10}}]}}, {"name": "b"}]));
    wanted["tags"] = json!({"project": "one", "phase": "pilot"});
    env.apply("assistant", &wanted).await;
    let names = resource_names(&env.wait_ready("assistant").await);

    let calls = env.aws.operations().len();
    wanted["storage"]["buckets"][0]["lifecycle"]["rules"][0]["expiration"]["days"] = json!(20);
    wanted["tags"] = json!({"project": "one"});
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    let mut writes = env.aws.writes_since(calls);
    writes.sort();
    assert_eq!(writes, ["PutBucketLifecycleConfiguration", "PutBucketTagging", "PutBucketTagging"]);
    let tags = env.aws.s3().get_bucket_tagging().bucket(&names[0]).send().await.expect("tags").tag_set;
    assert!(tags.iter().any(|tag| tag.key == "project") && !tags.iter().any(|tag| tag.key == "phase"), "{tags:?}");
    let events = env.events("assistant").await;
    assert!(
        events.iter().any(|(reason, note)| reason == "Updated" && note.contains("lifecycle.x.expiration.days")),
        "{events:?}"
    );
}

#[tokio::test]
async fn a_new_value_of_the_annotation_asks_for_a_pass() {
    let env = TestEnv::new("poke").await;
    env.apply("assistant", &spec(json!([{"name": "a"}]))).await;
    let names = resource_names(&env.wait_ready("assistant").await);
    env.aws.s3().delete_bucket_policy().bucket(&names[0]).send().await.expect("it goes");
    env.poke("assistant").await;
    env.wait("the policy is back", async || env.aws.s3().get_bucket_policy().bucket(&names[0]).send().await.is_ok())
        .await;
}

#[tokio::test]
async fn an_edit_while_a_pass_is_under_way_is_not_lost() {
    let env = TestEnv::new("edited").await;
    env.aws.control("latency", json!({"ms": 150}));
    let mut wanted = spec(json!([{"name": "a"}]));
    env.apply("assistant", &wanted).await;
    let begun = async || env.aws.operations().iter().any(|operation| operation == "PutBucketVersioning");
    env.wait("the bucket is being made", begun).await;
    wanted["tags"] = json!({"project": "assistant"});
    env.apply("assistant", &wanted).await;
    let object = env.wait_ready("assistant").await;
    let bucket = &resource_names(&object)[0];
    let tags = env.aws.s3().get_bucket_tagging().bucket(bucket).send().await.expect("tags").tag_set;
    assert!(tags.iter().any(|tag| tag.key == "project"), "{tags:?}");
}

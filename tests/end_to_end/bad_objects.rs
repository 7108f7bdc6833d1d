//! What the API server itself refuses, with the message a user reads.

use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::support::cluster;
use crate::support::world::spec;

fn rule(fields: Value) -> Value {
    let mut rule = json!({"id": "x"});
    for (name, value) in fields.as_object().expect("an object") {
        rule[name] = value.clone();
    }
    spec(json!([{"name": "a", "lifecycle": {"rules": [rule]}}]))
}

fn with(path: &str, value: Value) -> Value {
    let mut changed = spec(json!([{"name": "a"}]));
    *changed.pointer_mut(path).unwrap_or_else(|| panic!("no {path}")) = value;
    changed
}

fn plus(field: &str, value: Value) -> Value {
    let mut changed = spec(json!([{"name": "a"}]));
    changed[field] = value;
    changed
}

#[expect(clippy::too_many_lines, reason = "it is a table")]
fn cases() -> Vec<(Value, &'static str)> {
    let transitions = |list: Value| rule(json!({"transitions": list}));
    vec![
        (with("/region", json!("europe")), "spec.region"),
        (with("/accountId", json!("12345")), "spec.accountId"),
        (with("/ownership/team", json!("")), "spec.ownership.team"),
        (with("/ownership/team", json!("a|b")), "spec.ownership.team"),
        (with("/ownership", json!({"team": "a", "contact": "b"})), "spec.ownership.environment: Required value"),
        (plus("tags", json!({"aws:x": "y"})), "may not begin with aws:"),
        (plus("tags", json!({"aiplatform.dev/x": "y"})), "may not begin with aws:"),
        (plus("tags", json!({"x": "a|b"})), "spec.tags.x"),
        (plus("managementPolicy", json!("Maybe")), "supported values: \"Full\", \"NoDelete\", \"Observe\""),
        (plus("deletionPolicy", json!("Maybe")), "supported values: \"Delete\", \"Retain\""),
        (spec(json!([{"name": "A"}])), "spec.storage.buckets[0].name"),
        (spec(json!([{"name": "a"}, {"name": "a"}])), "Duplicate value"),
        (spec(json!([{"name": "a", "bucketName": "Upper"}])), "spec.storage.buckets[0].bucketName"),
        (spec(json!([{"name": "a", "bucketName": "a..b"}])), "only between letters and digits"),
        (spec(json!([{"name": "a", "bucketName": "10.0.0.1"}])), "looks like an IP address"),
        (spec(json!([{"name": "a", "bucketName": "xn--abc"}])), "S3 reserves the prefixes"),
        (spec(json!([{"name": "a", "bucketName": "abc-s3alias"}])), "S3 reserves the prefixes"),
        (spec(json!([{"name": "a", "encryption": {"kmsKeyArn": "alias/x"}}])), "kmsKeyArn"),
        (
            spec(json!([{"name": "a", "deletionPolicy": "Burn"}])),
            "supported values: \"Retain\", \"Delete\", \"DeleteWithContents\"",
        ),
        (rule(json!({})), "at least one action needs to be specified"),
        (rule(json!({"expiration": {}})), "exactly one of days, date and expiredObjectDeleteMarker"),
        (
            rule(json!({"expiration": {"days": 1, "date": "2027-01-01"}})),
            "exactly one of days, date and expiredObjectDeleteMarker",
        ),
        (rule(json!({"expiration": {"days": 0}})), "should be greater than or equal to 1"),
        (
            rule(json!({"expiration": {"date": "2027-1-1"}})),
            "spec.storage.buckets[0].lifecycle.rules[0].expiration.date",
        ),
        (rule(json!({"expiration": {"expiredObjectDeleteMarker": false}})), "can only be true"),
        (
            rule(json!({"filter": {"tags": {"a": "b"}}, "expiration": {"expiredObjectDeleteMarker": true}})),
            "cannot be specified with tags or object sizes",
        ),
        (
            rule(json!({"filter": {"objectSizeLessThan": 5}, "abortIncompleteMultipartUploadDays": 1})),
            "cannot be specified with tags or object sizes",
        ),
        (rule(json!({"abortIncompleteMultipartUploadDays": 0})), "should be greater than or equal to 1"),
        (
            rule(json!({"filter": {"objectSizeGreaterThan": 5, "objectSizeLessThan": 5}, "expiration": {"days": 1}})),
            "has to be a value greater than objectSizeGreaterThan",
        ),
        (rule(json!({"noncurrentExpiration": {"days": 0}})), "should be greater than or equal to 1"),
        (
            rule(json!({"noncurrentExpiration": {"days": 1, "newerVersions": 101}})),
            "should be less than or equal to 100",
        ),
        (
            rule(json!({"noncurrentTransitions": [{"days": 29, "storageClass": "STANDARD_IA"}]})),
            "must be greater than or equal to 30",
        ),
        (
            rule(
                json!({"noncurrentTransitions": [{"days": 30, "storageClass": "GLACIER"}], "noncurrentExpiration": {"days": 30}}),
            ),
            "must be greater than the days of every noncurrent transition",
        ),
        (transitions(json!([{"days": 29, "storageClass": "ONEZONE_IA"}])), "must be greater than or equal to 30"),
        (transitions(json!([{"days": -1, "storageClass": "GLACIER"}])), "should be greater than or equal to 0"),
        (transitions(json!([{"days": 1, "storageClass": "STANDARD"}])), "Unsupported value"),
        (
            transitions(json!([{"days": 1, "storageClass": "GLACIER"}, {"days": 200, "storageClass": "GLACIER"}])),
            "storageClass must be different",
        ),
        (
            transitions(json!([{"days": 1, "storageClass": "GLACIER"}, {"days": 200, "storageClass": "STANDARD_IA"}])),
            "objects only move down",
        ),
        (
            transitions(
                json!([{"days": 30, "storageClass": "ONEZONE_IA"}, {"days": 90, "storageClass": "GLACIER_IR"}]),
            ),
            "objects only move down",
        ),
        (
            transitions(json!([{"days": 30, "storageClass": "STANDARD_IA"}, {"days": 59, "storageClass": "GLACIER"}])),
            "at least 30 days",
        ),
        (
            transitions(
                json!([{"days": 30, "storageClass": "GLACIER"}, {"days": 119, "storageClass": "DEEP_ARCHIVE"}]),
            ),
            "90 days in GLACIER",
        ),
        (
            transitions(json!([{"days": 90, "storageClass": "GLACIER"}, {"days": 90, "storageClass": "DEEP_ARCHIVE"}])),
            "may not have the same days",
        ),
        (
            rule(json!({"transitions": [{"days": 30, "storageClass": "GLACIER"}], "expiration": {"days": 30}})),
            "must be greater than the days of every transition",
        ),
        (
            rule(
                json!({"transitions": [{"days": 30, "storageClass": "GLACIER"}], "expiration": {"date": "2027-01-01"}}),
            ),
            "may not mix dates and days",
        ),
        (
            spec(
                json!([{"name": "a", "lifecycle": {"rules": [{"id": "x", "expiration": {"days": 1}}, {"id": "x", "expiration": {"days": 2}}]}}]),
            ),
            "Duplicate value",
        ),
    ]
}

#[tokio::test]
async fn the_api_server_refuses_what_aws_would_refuse() {
    let cluster = cluster::shared();
    let client = cluster.client().await;
    cluster.install(&client).await;
    let namespace = cluster.namespace(&client, "bad").await;
    let resource = kube::api::ApiResource::erase::<aiplatform::api::AIPlatform>(&());
    let objects: Api<DynamicObject> = Api::namespaced_with(client, &namespace, &resource);
    let create = async |name: &str, spec: &Value| {
        let object = json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform", "metadata": {"name": name}, "spec": spec});
        let object = serde_json::from_value(object).expect("an object");
        objects.create(&PostParams::default(), &object).await
    };
    create("good", &spec(json!([{"name": "a"}]))).await.expect("a good object is taken");
    let mut wrong = Vec::new();
    for (spec, message) in cases() {
        match create("bad", &spec).await {
            Ok(_) => wrong.push(format!("taken, though {message:?}: {spec}")),
            Err(error) if !error.to_string().contains(message) => wrong.push(format!("not {message:?} but: {error}")),
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    for (field, value, message) in
        [("region", "eu-west-2", "region is immutable"), ("accountId", "999999999999", "accountId is immutable")]
    {
        let patch = Patch::Merge(json!({"spec": {field: value}}));
        let error = objects.patch("good", &PatchParams::default(), &patch).await.expect_err("immutable").to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[tokio::test]
async fn plan_refuses_whatever_the_api_server_refuses() {
    use crate::support::operator::command;
    for (spec, message) in cases() {
        let object = json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform", "metadata": {"name": "bad"}, "spec": spec});
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), object.to_string()).expect("written");
        let output = command().args(["plan", "-f"]).arg(file.path()).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "taken by plan, though {message:?}: {spec}");
    }
}

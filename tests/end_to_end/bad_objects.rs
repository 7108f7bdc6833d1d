//! What the API server itself refuses, with the message a user reads.

mod access;
mod bedrock;
mod metadata;
mod network;
mod sagemaker;
mod storage;

use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::support::cluster;
use crate::support::operator::command;
use crate::support::test_env::spec;

/// A spec, and a telling part of the message that refuses it.
type Case = (Value, &'static str);

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

/// What is wrong with the platform as a whole.
fn general() -> Vec<Case> {
    vec![
        (with("/region", json!("europe")), "spec.region"),
        (with("/accountId", json!("12345")), "spec.accountId"),
        (with("/ownership/team", json!("")), "spec.ownership.team"),
        (with("/ownership/team", json!("a|b")), "spec.ownership.team"),
        (with("/ownership", json!({"team": "a", "contact": "b"})), "spec.ownership.environment: Required value"),
        (plus("tags", json!({"aws:x": "y"})), "may not begin with aws:"),
        (plus("tags", json!({"aiplatform.dev/x": "y"})), "may not begin with aws:"),
        (plus("tags", json!({"AWS:x": "y"})), "may not begin with aws:"),
        (plus("tags", json!({"AIPlatform.dev/owner": "y"})), "may not begin with aws:"),
        (plus("tags", json!({"Stage": "blue", "stage": "green"})), "may not differ in case alone"),
        (plus("tags", json!({"x": "a|b"})), "spec.tags.x"),
        (plus("managementPolicy", json!("Maybe")), "supported values: \"Full\", \"NoDelete\", \"Observe\""),
        (plus("deletionPolicy", json!("Maybe")), "supported values: \"Delete\", \"Retain\""),
    ]
}

fn cases() -> Vec<Case> {
    [general(), storage::cases(), access::cases(), bedrock::cases(), network::cases(), sagemaker::cases()].concat()
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
    for (name, spec) in [
        ("with-access", access::good()),
        ("with-sagemaker", sagemaker::good()),
        ("with-serverless", sagemaker::good_serverless()),
    ] {
        create(name, &spec).await.unwrap_or_else(|error| panic!("{name} is taken too: {error}"));
    }
    for (index, spec) in bedrock::good().iter().enumerate() {
        let name = format!("with-bedrock-{index}");
        create(&name, spec).await.unwrap_or_else(|error| panic!("{spec} is taken: {error}"));
    }
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

/// What `plan` ends with for an object, and what it complains about.
fn plan(spec: &Value) -> (Option<i32>, String) {
    let object = json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform", "metadata": {"name": "bad"}, "spec": spec});
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), object.to_string()).expect("written");
    let output = command().args(["plan", "-f"]).arg(file.path()).output().expect("it runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn plan_refuses_whatever_the_api_server_refuses() {
    for (spec, message) in cases() {
        assert_eq!(plan(&spec).0, Some(2), "taken by plan, though {message:?}: {spec}");
    }
    let models = [access::good(), sagemaker::good(), sagemaker::good_serverless()];
    for spec in models.into_iter().chain(bedrock::good()) {
        assert_eq!(plan(&spec), (Some(0), String::new()), "{spec}");
    }
}

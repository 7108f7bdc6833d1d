//! `metadata`, `status` and lists in a file, and label selectors: `plan` and `run` take what the API server takes.

use aiplatform::api::AIPlatform;
use aiplatform::labels::check_selector;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use super::spec;
use crate::support::cluster;
use crate::support::operator::command;
use crate::support::test_env::file;

/// An object with these further fields of its metadata and of itself.
fn object(metadata: Value, further: Value) -> Value {
    let mut object =
        json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform", "metadata": {"name": "meta"}});
    object["spec"] = spec(json!([{"name": "a"}]));
    for (target, fields) in [("/metadata", metadata), ("", further)] {
        let Value::Object(fields) = fields else { panic!("fields: {fields}") };
        object.pointer_mut(target).and_then(Value::as_object_mut).expect("an object").extend(fields);
    }
    object
}

fn list(items: Vec<Value>) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

/// Objects, and whether they are taken.
fn cases() -> Vec<(Value, bool)> {
    let meta = |metadata: Value| object(metadata, json!({}));
    let long = "a".repeat(63);
    let owner = json!({"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "b"});
    vec![
        (meta(json!({"labels": {"example.com/a": "b", "c": "", "d": long}})), true),
        (meta(json!({"annotations": {"Example.com/A": "any \n text"}, "labels": null})), true),
        (meta(json!({"ownerReferences": [owner], "finalizers": ["example.com/a"]})), true),
        (meta(json!({"uid": "a", "generation": 3, "creationTimestamp": null, "generateName": "a"})), true),
        (object(json!({}), json!({"status": {"phase": "Ready", "resources": []}})), true),
        (meta(json!({"labels": {"a b": "c"}})), false),
        (meta(json!({"labels": {"A.com/b": "c"}})), false),
        (meta(json!({"labels": {"a": "b c"}})), false),
        (meta(json!({"labels": {"a": format!("{long}a")}})), false),
        (meta(json!({"labels": {"a": 5}})), false),
        (meta(json!({"annotations": {"a b": "c"}})), false),
        (meta(json!({"annotations": {"a": "b".repeat(256 << 10)}})), false),
        (meta(json!({"finalizers": ["a b"]})), false),
        (meta(json!({"ownerReferences": [{"kind": "Pod"}]})), false),
        (meta(json!({"label": {"a": "b"}})), false),
        (meta(json!({"clusterName": "a"})), false),
        (
            meta(json!({"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "b", "more": 1}]})),
            false,
        ),
        (object(json!({}), json!({"status": {"phases": "Ready"}})), false),
        (
            object(
                json!({}),
                json!({"status": {"resources": [{"kind": "Bucket", "name": "a", "state": "Ready", "more": 1}]}}),
            ),
            false,
        ),
        (list(vec![meta(json!({}))]), true),
        (list(vec![meta(json!({"label": {}}))]), false),
        (list(vec![list(vec![meta(json!({}))])]), false),
    ]
}

#[tokio::test]
async fn plan_takes_the_metadata_that_the_api_server_takes() {
    let cluster = cluster::shared();
    let client = cluster.client().await;
    cluster.install(&client).await;
    let namespace = cluster.namespace(&client, "metadata").await;
    let mut wrong = Vec::new();
    for (object, is_taken) in cases() {
        let shown: String = object.to_string().chars().take(300).collect();
        let create = ["create", "-n", &namespace, "--dry-run=server", "--validate=strict", "-f", "-"];
        let theirs = cluster.kubectl(&create, &object.to_string());
        if theirs.is_ok() != is_taken {
            wrong.push(format!("the API server: {theirs:?}: {shown}"));
        }
        let path = file(&object.to_string());
        let output = command().args(["plan", "-f"]).arg(&path).output().expect("it runs");
        if output.status.success() != is_taken {
            wrong.push(format!("plan: {}: {shown}", String::from_utf8_lossy(&output.stderr)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_label_selector_is_taken_where_the_api_server_takes_it() {
    let cluster = cluster::shared();
    let client = cluster.client().await;
    cluster.install(&client).await;
    let api: Api<AIPlatform> = Api::namespaced(client, "default");
    let mut wrong = Vec::new();
    for selector in [
        "",
        " ",
        "a",
        "!a",
        "a=b",
        "a==b",
        "a!=b",
        "a=",
        "a!=",
        "a,b",
        "a=b,!c",
        "a in (b)",
        "a in (b, c),d",
        "a notin (b)",
        "a in ()",
        "a in (,b)",
        "a in (b,)",
        "a>1",
        "a<-1",
        "in in (in)",
        "x=in",
        "example.com/a=b",
        " a = b ",
        "a=b\t,c",
        "a in(b)",
        "a b",
        "a=b c",
        "a=b,",
        ",a",
        "a,,b",
        "a in b",
        "a in (b",
        "a in (b c)",
        "a in (b))",
        "-a",
        "a=b/c",
        "a>x",
        "a>",
        "a=(b)",
        "!a=b",
        "!!a",
        "!",
        "=",
        "a===b",
        "a=!b",
        "a in (b),",
        "A.com/b",
        "a&b",
        "a='b'",
        "a;b",
        "a in (b;c)",
        "notin",
        "in",
        "a in",
        "()",
        "a!b",
        "a=>b",
    ] {
        let theirs = api.list(&ListParams::default().labels(selector)).await;
        let ours = check_selector(selector);
        if theirs.is_ok() != ours.is_ok() {
            wrong.push(format!("{selector:?}: {:?}, {ours:?}", theirs.map(|_| ()).map_err(|error| error.to_string())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_label_selector_that_does_not_parse_ends_the_start() {
    let flag = command().args(["run", "--label-selector", "tier in prod"]).output().expect("it ends");
    let variable = command().arg("run").env("AIPLATFORM_LABEL_SELECTOR", "tier in prod").output().expect("it ends");
    for output in [flag, variable] {
        assert_eq!(output.status.code(), Some(2));
        let reported = String::from_utf8_lossy(&output.stderr).into_owned();
        for part in ["--label-selector", "tier in prod", "there is \"prod\" where ( before the values is expected"] {
            assert!(reported.contains(part), "{part}: {reported}");
        }
    }
}

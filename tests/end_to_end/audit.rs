//! `audit` as auditors run it.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::operator::command;
use crate::support::test_env::{TestEnv, environment, resource_names};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/assistant.yaml");

const BOUNDARY: &str = "arn:aws:iam::123456789012:policy/ml-boundary";

fn run(arguments: &[&str]) -> Output {
    command().arg("audit").args(arguments).output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The example with a part of it replaced, as a file.
fn changed(from: &str, to: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let example = std::fs::read_to_string(EXAMPLE).expect("the example");
    assert!(example.contains(from), "{from}");
    std::fs::write(file.path(), example.replace(from, to)).expect("written");
    file
}

#[test]
fn the_example_is_fit_to_be_signed_in_every_form() {
    for (format, part) in
        [("text", "Consumer analyst"), ("json", "\"purpose\": \"Consumer\""), ("html", "<!DOCTYPE html>")]
    {
        let output = run(&["-o", format, "-f", EXAMPLE]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains(part), "{format}");
        assert!(!text(&output.stdout).contains('\u{1b}'), "no colour where nobody looks");
        assert_eq!(output.stdout, run(&["-o", format, "-f", EXAMPLE]).stdout, "{format} is the same every time");
    }
}

#[test]
fn errors_and_bad_input_have_exit_codes_of_their_own() {
    let open = changed("- name: prompts #", "- tlsOnly: false\n      name: prompts #");
    let output = run(&["-o", "json", "-f", open.path().to_str().expect("a path")]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let audit: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let finding = &audit["platforms"][0]["findings"][0];
    assert_eq!((&finding["rule"], &finding["severity"]), (&json!("bucket-without-tls-only"), &json!("error")));

    let broken = changed("    models: [fast, rank]", "    models: [quick]");
    let path = broken.path().to_str().expect("a path");
    let output = run(&["-f", path]);
    assert_eq!(output.status.code(), Some(2));
    let complaint = text(&output.stderr);
    assert!(complaint.contains(path) && complaint.contains("spec.access[0].models[0]"), "{complaint}");
    assert!(output.stdout.is_empty());
}

#[test]
fn live_needs_a_cluster() {
    let output = run(&["--live", "-f", EXAMPLE]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("KUBECONFIG"), "{}", text(&output.stderr));
}

fn anything() -> String {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}).to_string()
}

/// The policy and the role that the example names and does not make.
async fn what_the_example_relies_on(env: &TestEnv) {
    let iam = env.aws.iam();
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "ec2.amazonaws.com"}}]});
    let policy = iam.create_policy().policy_name("ml-boundary").policy_document(anything());
    assert_eq!(policy.send().await.expect("made").policy.and_then(|policy| policy.arn).as_deref(), Some(BOUNDARY));
    let role = iam.create_role().role_name("support-analyst").assume_role_policy_document(trust.to_string());
    role.send().await.expect("made");
}

#[tokio::test]
async fn live_reports_what_is_not_as_declared_and_changes_nothing() {
    let env = TestEnv::new("audit").await;
    let file = changed("namespace: support", &format!("namespace: {}", env.namespace));
    let path = file.path().to_str().expect("a path");
    let audit = || {
        let arguments = ["--live", "--s3-path-style", "--cluster-name", "tests", "-o", "json", "-f", path];
        let environment = environment(env.cluster, &env.aws);
        command().arg("audit").args(arguments).envs(environment).output().expect("it runs")
    };
    let platform = |output: &Output| -> Value {
        let mut audit: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        audit["platforms"][0].take()
    };
    let before = audit();
    assert_eq!(before.status.code(), Some(0), "{}", text(&before.stderr));
    let live = platform(&before)["live"].clone();
    assert!(live.as_array().expect("differences").iter().all(|difference| difference["action"] == "Create"), "{live}");
    assert_eq!(env.aws.writes_since(0), Vec::<String>::new());

    what_the_example_relies_on(&env).await;
    env.cluster.kubectl(&["apply", "-f", path], "").expect("applied");
    upload_artifact(&env).await;
    env.wait_ready("assistant").await;
    let after = platform(&audit());
    assert_eq!(after["live"], json!([]));

    let role = after["roles"][0]["name"].as_str().expect("a role");
    let iam = env.aws.iam();
    iam.attach_role_policy().role_name(role).policy_arn(BOUNDARY).send().await.expect("attached");
    let widened = iam.put_role_policy().role_name(role).policy_name("access").policy_document(anything());
    widened.send().await.expect("put");
    let calls = env.aws.call_count();
    let output = audit();
    assert_eq!(output.status.code(), Some(0), "differences are no findings: {}", text(&output.stderr));
    let drifted = platform(&output);
    assert_eq!(drifted["live"].as_array().map(Vec::len), Some(1), "{}", drifted["live"]);
    let difference = &drifted["live"][0];
    assert_eq!((&difference["kind"], &difference["action"]), (&json!("Role"), &json!("Update")));
    assert!(difference["fields"].to_string().contains("policies.access"), "{difference}");
    let attached = &drifted["findings"][0];
    assert_eq!((&attached["rule"], &attached["severity"]), (&json!("policy-attached-by-others"), &json!("warning")));
    assert!(attached["message"].as_str().is_some_and(|message| message.contains(BOUNDARY)), "{attached}");
    assert_eq!(env.aws.writes_since_call(calls), Vec::<String>::new());

    env.aws.control("deny", json!({"action": "iam:GetRole"}));
    let denied = audit();
    assert_eq!(denied.status.code(), Some(2));
    assert!(text(&denied.stderr).contains("iam:GetRole"), "{}", text(&denied.stderr));
}

/// Puts the model's artifact where a pipeline would, as soon as its bucket is there.
async fn upload_artifact(env: &TestEnv) {
    let listed = |status: &aiplatform::api::AIPlatformStatus| !status.resources.is_empty();
    let object = env.wait_for("assistant", "listed", listed).await;
    let names = resource_names(&object);
    let bucket = names.iter().find(|name| name.contains("-artifacts-")).expect("a bucket");
    let s3 = env.aws.s3();
    env.wait("the bucket", async || s3.head_bucket().bucket(bucket).send().await.is_ok()).await;
    let body = aws_sdk_s3::primitives::ByteStream::from_static(b"weights");
    let put = s3.put_object().bucket(bucket).key("models/rank/1.4.0/model.tar.gz").body(body);
    put.send().await.expect("uploaded");
}

//! `aiplatform get`: a live platform as a tree.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::json;

use crate::support::operator::command;
use crate::support::test_env::{TestEnv, environment, spec};

#[tokio::test]
async fn a_platform_is_shown_as_a_tree_and_watched_until_it_is_gone() {
    let env = TestEnv::new("tree").await;
    env.apply("assistant", &spec(json!([{"name": "prompts"}]))).await;
    env.wait_ready("assistant").await;
    let get = |arguments: &[&str]| {
        let mut get = command();
        get.args(["get", "assistant", "-n", &env.namespace]).args(arguments).envs(environment(env.cluster, &env.aws));
        get
    };
    let output = get(&[]).output().expect("it ends");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let head =
        format!("AIPlatform {}/assistant  account 123456789012, region eu-west-1\nReady  1/1 resources", env.namespace);
    assert!(text.starts_with(&head), "{text}");
    assert!(text.contains("└─ Storage 1/1\n   └─ Bucket  tree-"), "{text}");
    assert!(!text.contains('\u{1b}'), "it is no terminal");

    let mut watching = get(&["-w"]).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(watching.stdout.take().expect("a pipe")).lines();
    let first = lines.next().expect("a line").expect("text");
    assert!(first.is_empty() || first.starts_with("AIPlatform "), "{first}");
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    let last = tokio::task::spawn_blocking(move || lines.map_while(Result::ok).last()).await.expect("it ends");
    assert_eq!(last.as_deref(), Some("AIPlatform assistant is gone"));
    assert!(watching.wait().expect("it ends").success());
}

#[tokio::test]
async fn a_platform_that_is_not_there_is_said_to_be_so() {
    let env = TestEnv::new("no-tree").await;
    let mut get = command();
    get.args(["get", "assistent", "-n", &env.namespace]).envs(environment(env.cluster, &env.aws));
    let output = get.output().expect("it ends");
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("there is no AIPlatform") && message.contains("kubectl get aip -A"), "{message}");
}

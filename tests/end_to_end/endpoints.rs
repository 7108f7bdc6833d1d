//! The config map with a platform's endpoints, which applications mount instead of copying names.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::support::test_env::{TestEnv, condition, spec};

/// A platform with a model on Bedrock and a consumer of it.
fn serving() -> Value {
    let mut wanted = spec(json!([{"name": "prompts"}]));
    wanted["models"] = json!([{"name": "chat", "bedrock": {"modelId": "amazon.nova-lite-v1:0",
        "guardrail": {"id": "abcdefghij", "version": "3"}}}]);
    wanted["identity"] = json!({"irsa": {"oidcProviderArn":
        "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC"}});
    wanted["access"] = json!([{"name": "api", "serviceAccount": {"name": "api"}, "models": ["chat"]}]);
    wanted
}

fn maps(env: &TestEnv) -> Api<ConfigMap> {
    Api::namespaced(env.client.clone(), &env.namespace)
}

async fn data(env: &TestEnv) -> Option<std::collections::BTreeMap<String, String>> {
    let found = maps(env).get_opt("assistant-endpoints").await.expect("an answer")?;
    Some(found.data.unwrap_or_default())
}

async fn chat(env: &TestEnv) -> Value {
    serde_json::from_str(&data(env).await.expect("a config map")["chat.json"]).expect("JSON")
}

#[tokio::test]
async fn applications_find_what_they_need_to_call_each_model() {
    let env = TestEnv::new("endpoints").await;
    env.apply("assistant", &serving()).await;
    let object = env.wait_ready("assistant").await;
    let role = object.status.expect("a status").access[0].role_arn.clone();
    let expected = json!({"backend": "Bedrock", "modelId": "amazon.nova-lite-v1:0", "guardrailId": "abcdefghij",
        "guardrailVersion": "3", "region": "eu-west-1", "roles": {"api": role}});
    assert_eq!(chat(&env).await, expected);
    let found = maps(&env).get("assistant-endpoints").await.expect("it");
    let owner = found.metadata.owner_references.unwrap_or_default();
    assert_eq!(
        (owner[0].kind.as_str(), owner[0].uid.as_str()),
        ("AIPlatform", object.metadata.uid.as_deref().unwrap())
    );
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    assert_eq!(data(&env).await, None, "it goes with its platform");
}

#[tokio::test]
async fn what_somebody_changes_or_deletes_is_put_back_at_once_and_what_they_add_stays() {
    let env = TestEnv::with("endpoints-drift", &["--resync", "1h"]).await;
    env.apply("assistant", &serving()).await;
    let is_there = async || data(&env).await.is_some_and(|data| data.contains_key("chat.json"));
    env.wait("the config map", is_there).await;
    let before = chat(&env).await;
    let edit = json!({"data": {"chat.json": "{}", "notes": "by hand"}});
    let patch = Patch::Merge(edit);
    maps(&env).patch("assistant-endpoints", &PatchParams::default(), &patch).await.expect("patched");
    let is_back = async || {
        let data = data(&env).await.expect("a config map");
        data["chat.json"] != "{}" && data.get("notes").is_some_and(|notes| notes == "by hand")
    };
    env.wait("it is put back", is_back).await;
    assert_eq!(chat(&env).await, before);
    maps(&env).delete("assistant-endpoints", &DeleteParams::default()).await.expect("deleted");
    env.wait("it is there again", is_there).await;
    assert_eq!(chat(&env).await, before);
}

#[tokio::test]
async fn what_is_no_longer_served_is_no_longer_listed() {
    let env = TestEnv::new("endpoints-renamed").await;
    env.apply("assistant", &serving()).await;
    env.wait_ready("assistant").await;
    let mut renamed = serving();
    renamed["models"][0]["name"] = json!("talk");
    renamed["access"][0]["models"] = json!(["talk"]);
    env.apply("assistant", &renamed).await;
    env.wait_ready("assistant").await;
    let data = data(&env).await.expect("a config map");
    assert_eq!(data.keys().collect::<Vec<_>>(), ["talk.json"]);
}

#[tokio::test]
async fn a_config_map_of_that_name_that_somebody_made_is_left_alone() {
    let env = TestEnv::new("endpoints-foreign").await;
    let theirs: ConfigMap =
        serde_json::from_value(json!({"metadata": {"name": "assistant-endpoints"}, "data": {"a": "b"}})).unwrap();
    maps(&env).create(&PostParams::default(), &theirs).await.expect("made");
    env.apply("assistant", &serving()).await;
    let object = env
        .wait_for("assistant", "it is refused", |status| {
            let map = status.resources.iter().find(|resource| resource.kind == "ConfigMap");
            map.is_some_and(|map| map.reason.as_deref() == Some("NotOwned"))
        })
        .await;
    let status = object.status.expect("a status");
    let access = condition(&status, "AccessReady").expect("a condition");
    assert!(
        access.message.contains("ConfigMap") && access.message.contains("assistant-endpoints"),
        "{}",
        access.message
    );
    assert_eq!(data(&env).await.expect("it")["a"], "b");
}

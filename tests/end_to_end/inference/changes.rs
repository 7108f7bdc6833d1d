//! What engineers do to a model and to its objects, one thing after the other.

use super::*;

fn kubectl(env: &TestEnv, arguments: &[&str]) {
    let arguments: Vec<&str> = ["-n", &env.namespace].into_iter().chain(arguments.iter().copied()).collect();
    env.cluster.kubectl(&arguments, "").expect("done");
}

fn scaled() -> Value {
    let scaling = json!({"minReplicas": 1, "maxReplicas": 3, "target": {"cpuPercent": 70}});
    serving(json!({"replicas": null, "autoscaling": scaling}))
}

#[tokio::test]
async fn whatever_is_changed_it_comes_to_what_is_declared() {
    let mut env = env("changes").await;
    env.apply("assistant", &serving(json!({"replicas": 1}))).await;
    env.wait_ready("assistant").await;
    let before = deployment(&env).await.metadata.uid;
    kubectl(&env, &["delete", "deployment", "assistant-local", "--cascade=orphan"]);
    let deployments = api::<Deployment>(&env);
    let is_anew = async || {
        let found = deployments.get_opt("assistant-local").await.expect("an answer");
        found.is_some_and(|found| found.metadata.uid != before)
    };
    env.wait("the deployment is made anew", is_anew).await;
    env.wait_ready("assistant").await;
    env.wait("its pods are the same", async || pods(&env).await.len() == 1).await;
    for wanted in [scaled(), serving(json!({"replicas": 1})), scaled(), serving(json!({"replicas": 1}))] {
        env.apply("assistant", &wanted).await;
        env.wait_ready("assistant").await;
    }
    let custom = json!({"engine": "Custom", "image": "registry.example.com/server:1", "source": null, "replicas": 1});
    env.apply("assistant", &serving(custom.clone())).await;
    env.operator.kill();
    env.restart_operator();
    env.wait_ready("assistant").await;
    let template = deployment(&env).await.spec.expect("a spec").template.spec.expect("a pod");
    assert_eq!(template.containers[0].image.as_deref(), Some("registry.example.com/server:1"));
    assert_eq!(template.containers[0].command, None, "the command of the engine before is gone");
    let mut renamed = serving(custom);
    renamed["models"][0]["name"] = json!("renamed");
    env.apply("assistant", &renamed).await;
    env.wait_ready("assistant").await;
    assert!(deployments.get_opt("assistant-local").await.expect("an answer").is_none());
    deployments.get("assistant-renamed").await.expect("under its new name");
}

#[tokio::test]
async fn what_happens_to_pods_asks_nothing_of_aws() {
    let env = env("churn").await;
    env.apply("assistant", &with_weights_in_a_bucket()).await;
    env.wait_ready("assistant").await;
    // What was made is confirmed.
    env.look("assistant").await;
    env.wait_ready("assistant").await;
    let before = env.aws.call_count();
    for _ in 0..3 {
        kubectl(&env, &["delete", "pods", "-l", "app.kubernetes.io/instance=assistant-local", "--wait=false"]);
        env.wait("two pods again", async || pods(&env).await.len() == 2).await;
    }
    kubectl(&env, &["delete", "service", "assistant-local"]);
    let services = api::<Service>(&env);
    env.wait("the service is back", async || services.get_opt("assistant-local").await.expect("it").is_some()).await;
    env.at_rest().await;
    env.wait_ready("assistant").await;
    assert_eq!(env.aws.calls_since(before), Vec::<String>::new());
}

#[tokio::test]
async fn a_model_without_pods_is_not_said_to_serve() {
    let env = env("to-zero").await;
    env.apply("assistant", &serving(json!({"replicas": 0}))).await;
    let is_told = |status: &aiplatform::api::status::AIPlatformStatus| {
        let model = &status.models[0];
        !model.ready && model.message.as_deref().is_some_and(|message| message.contains("nothing serves"))
    };
    let status = env.wait_for("assistant", "told that nothing serves", is_told).await.status.expect("a status");
    assert_eq!(status.models[0].outcome.as_deref(), Some("ScaledToZero"));
    env.apply("assistant", &serving(json!({"replicas": null}))).await;
    kubectl(&env, &["scale", "deployment", "assistant-local", "--replicas=1"]);
    env.wait_for("assistant", "served again", |status| status.models[0].ready).await;
}

#[tokio::test]
async fn a_rollout_that_somebody_paused_is_stalled_until_it_goes_on() {
    let env = env("paused").await;
    env.apply("assistant", &serving(json!({}))).await;
    env.wait_ready("assistant").await;
    kubectl(&env, &["rollout", "pause", "deployment/assistant-local"]);
    env.apply("assistant", &serving(json!({"args": ["--max-model-len", "4096"]}))).await;
    let is_told = |status: &aiplatform::api::status::AIPlatformStatus| {
        condition(status, "Stalled").is_some() && message(status).contains("kubectl rollout resume")
    };
    let status = env.wait_for("assistant", "told of the pause", is_told).await.status.expect("a status");
    assert!(condition(&status, "Reconciling").is_none(), "{:#?}", status.conditions);
    kubectl(&env, &["rollout", "resume", "deployment/assistant-local"]);
    env.wait_ready("assistant").await;
}

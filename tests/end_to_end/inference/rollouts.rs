//! What becomes of a model while its pods change: scaling, broken revisions, crashes.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;

use super::*;

async fn replicas(env: &TestEnv) -> Option<i32> {
    deployment(env).await.spec.expect("a spec").replicas
}

async fn scale(env: &TestEnv, count: i32) {
    let patch = Patch::Merge(json!({"spec": {"replicas": count}}));
    let deployments = api::<Deployment>(env);
    deployments.patch_scale("assistant-local", &PatchParams::default(), &patch).await.expect("scaled");
}

#[tokio::test]
async fn an_autoscaler_moves_the_number_of_pods_and_nobody_moves_it_back() {
    let env = env("scaled").await;
    let scaling = json!({"minReplicas": 1, "maxReplicas": 5, "target": {"cpuPercent": 70}});
    env.apply("assistant", &serving(json!({"replicas": 3}))).await;
    env.wait_ready("assistant").await;
    env.apply("assistant", &serving(json!({"replicas": null, "autoscaling": scaling}))).await;
    env.wait_ready("assistant").await;
    assert_eq!(replicas(&env).await, Some(3), "the live number stays");
    let scalers = api::<HorizontalPodAutoscaler>(&env);
    scalers.get("assistant-local").await.expect("an autoscaler");
    scale(&env, 4).await;
    env.wait("four pods", async || pods(&env).await.len() == 4).await;
    env.poke("assistant").await;
    let is_counted = |status: &aiplatform::api::status::AIPlatformStatus| {
        status.models[0].instances.is_some_and(|it| (it.current, it.desired) == (4, 4))
    };
    env.wait_for("assistant", "four pods", is_counted).await;
    env.apply("assistant", &serving(json!({"replicas": null}))).await;
    env.wait("the autoscaler is gone", async || scalers.get_opt("assistant-local").await.expect("it").is_none()).await;
    env.wait_ready("assistant").await;
    assert_eq!(replicas(&env).await, Some(4), "and still does when nobody scales it");
    env.apply("assistant", &serving(json!({"replicas": 2}))).await;
    env.wait("two pods", async || pods(&env).await.len() == 2).await;
}

#[tokio::test]
async fn while_a_new_revision_does_not_come_up_the_old_one_serves_and_the_status_says_both() {
    let env = env("broken").await;
    env.apply("assistant", &serving(json!({}))).await;
    let before = env.wait_ready("assistant").await.status.expect("a status").models[0].revision.clone();
    env.apply("assistant", &serving(json!({"nodeSelector": {"example.com/kind": "none"}}))).await;
    let is_told = |status: &aiplatform::api::status::AIPlatformStatus| {
        let model = &status.models[0];
        model
            .message
            .as_deref()
            .is_some_and(|message| message.contains("node selector") || message.contains("affinity"))
    };
    let status = env.wait_for("assistant", "told why", is_told).await.status.expect("a status");
    let model = &status.models[0];
    assert_eq!(model.revision, before, "it serves");
    assert_ne!(model.attempted_revision, before);
    assert!(!model.ready && message(&status).contains("assistant-local"), "{model:?} {}", message(&status));
    env.apply("assistant", &serving(json!({}))).await;
    let status = env.wait_ready("assistant").await.status.expect("a status");
    assert_eq!(status.models[0].revision, before);
}

#[tokio::test]
async fn gpus_that_no_node_has_are_told_in_the_schedulers_words() {
    let env = env("no-gpus").await;
    let resources = json!({"gpus": 64, "cpu": "100m", "memory": "1Gi", "sharedMemory": "64Mi"});
    env.apply("assistant", &serving(json!({"resources": resources, "replicas": 1}))).await;
    let is_told = |status: &aiplatform::api::status::AIPlatformStatus| {
        let model = &status.models[0];
        model.message.as_deref().is_some_and(|message| message.contains("Insufficient nvidia.com/gpu"))
    };
    let status = env.wait_for("assistant", "told why", is_told).await.status.expect("a status");
    assert_eq!(condition(&status, "Ready").map(|ready| ready.status.as_str()), Some("Unknown"), "a node may come");
    assert!(message(&status).contains("nvidia.com/gpu"), "{}", message(&status));
}

#[tokio::test]
async fn a_crash_loop_is_told_with_its_last_words_and_mended_by_an_edit() {
    let env = env("crashing").await;
    env.apply("assistant", &serving(json!({"replicas": 1}))).await;
    env.wait_ready("assistant").await;
    let pod = pods(&env).await.remove(0);
    let crashed = json!({"status": {
        "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"},
            {"type": "ContainersReady", "status": "False", "reason": "ContainersNotReady"}],
        "containerStatuses": [{
            "name": "engine", "image": "engine", "imageID": "", "ready": false, "restartCount": 5, "started": false,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": "ValueError: no such model"}},
        }],
    }});
    let name = pod.metadata.name.expect("a name");
    api::<Pod>(&env).patch_status(&name, &PatchParams::default(), &Patch::Merge(crashed)).await.expect("a status");
    let is_told = |status: &aiplatform::api::status::AIPlatformStatus| {
        let model = &status.models[0];
        !model.ready && model.message.as_deref().is_some_and(|message| message.contains("ValueError: no such model"))
    };
    let status = env.wait_for("assistant", "told why", is_told).await.status.expect("a status");
    assert!(condition(&status, "Stalled").is_some(), "somebody has to act: {:#?}", status.conditions);
    env.apply("assistant", &serving(json!({"replicas": 1, "args": ["--max-model-len", "4096"]}))).await;
    env.wait_ready("assistant").await;
}

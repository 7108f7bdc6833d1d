//! What is said of pods that come up, and of those that do not.

use aiplatform::plan::Action;
use aiplatform::resource::ObservedState;
use serde_json::{Value, json};

use super::{Env, edit, key, rollout, words};

fn is_failed(state: &ObservedState) -> bool {
    matches!(state, ObservedState::Failed(_))
}

fn container(state: &Value, restarts: i32, last: &Value) -> Value {
    json!({"containerStatuses": [{
        "name": "engine", "image": "example.invalid/engine:r2", "imageID": "", "ready": false, "restartCount": restarts,
        "state": state, "lastState": last,
    }]})
}

#[tokio::test]
async fn a_deployment_is_ready_when_its_pods_are_and_says_which_revision_serves() {
    let env = Env::new("serving").await;
    let deployment = env.deployment("r1", Some(2));
    env.put(deployment.clone()).await;
    let deployment_key = key(&deployment);
    let observed = env.wait(&deployment_key, "ready", |it| matches!(it.state, ObservedState::Ready)).await;
    let facts = rollout(&observed);
    assert_eq!((facts.outcome, facts.ready, facts.desired), ("Serving", 2, 2));
    assert_eq!((facts.serving.as_deref(), facts.attempted.as_deref()), (Some("r1"), Some("r1")));
    assert_eq!(env.step(deployment.clone()).await.action, Action::Keep);
    env.put(env.deployment("r2", Some(2))).await;
    let is_served = |revision: &'static str| {
        move |it: &aiplatform::resource::Observed| {
            rollout(it).serving.as_deref() == Some(revision) && matches!(it.state, ObservedState::Ready)
        }
    };
    env.wait(&deployment_key, "moved", is_served("r2")).await;
    env.put(env.deployment("r2", Some(0))).await;
    let observed = env.wait(&deployment_key, "at zero", |it| rollout(it).outcome == "ScaledToZero").await;
    assert_eq!((rollout(&observed).serving.as_deref(), rollout(&observed).ready), (None, 0));
}

#[tokio::test]
async fn a_rollout_that_does_not_come_up_says_why_and_what_serves_meanwhile() {
    let env = Env::new("broken").await;
    let deployment = env.deployment("r1", Some(1));
    env.put(deployment.clone()).await;
    let deployment_key = key(&deployment);
    env.wait(&deployment_key, "ready", |it| matches!(it.state, ObservedState::Ready)).await;
    env.put(env.held("r2", 1)).await;
    let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": "manifest unknown"}});
    env.play_kubelet("r2", 1, &container(&waiting, 0, &json!({}))).await;
    let observed = env.wait(&deployment_key, "pulling", |it| rollout(it).outcome == "ImagePullBackOff").await;
    let facts = rollout(&observed);
    assert_eq!((facts.serving.as_deref(), facts.attempted.as_deref()), (Some("r1"), Some("r2")));
    let told = words(&observed);
    assert!(!is_failed(&observed.state), "the registry may be away for a moment: {told}");
    for part in ["example.invalid/engine:r2", "manifest unknown", "revision r1 serves with 1 replica"] {
        assert!(told.contains(part), "no {part} in {told}");
    }
    let ended = json!({"terminated": {"reason": "OOMKilled", "exitCode": 137, "message": "loading shards"}});
    let waiting =
        json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}});
    env.play_kubelet("r2", 1, &container(&waiting, 4, &ended)).await;
    let observed = env.wait(&deployment_key, "crashing", |it| rollout(it).outcome == "OOMKilled").await;
    let told = words(&observed);
    assert!(is_failed(&observed.state), "{observed:#?}");
    for part in ["OOMKilled", "exit code 137", "loading shards", "4 times", "revision r1 serves"] {
        assert!(told.contains(part), "no {part} in {told}");
    }
    let step = env.step(env.held("r2", 1)).await;
    assert!(matches!(&step.action, Action::Refuse(refusal) if refusal.reason == "Failed"), "{step:#?}");
    // The way back is an edit, which is taken although the rollout has failed.
    env.put(env.deployment("r1", Some(1))).await;
    env.wait(&deployment_key, "back", |it| matches!(it.state, ObservedState::Ready)).await;
}

#[tokio::test]
async fn a_pod_that_finds_no_node_says_so_in_the_schedulers_words() {
    let env = Env::new("unschedulable").await;
    let mut deployment = env.deployment("r1", Some(1));
    edit(&mut deployment, |spec| {
        spec["template"]["spec"]["containers"][0]["resources"] = json!({"limits": {"nvidia.com/gpu": 64}});
    });
    env.put(deployment.clone()).await;
    let observed = env.wait(&key(&deployment), "unschedulable", |it| rollout(it).outcome == "Unschedulable").await;
    let told = words(&observed);
    assert!(told.contains("Insufficient nvidia.com/gpu") && told.contains("nodes are available"), "{told}");
    assert!(!is_failed(&observed.state), "a node may be on its way: {told}");
}

#[tokio::test]
async fn a_rollout_past_its_deadline_and_pods_that_are_refused_need_somebody() {
    let env = Env::new("deadline").await;
    let mut deployment = env.held("r1", 1);
    edit(&mut deployment, |spec| spec["progressDeadlineSeconds"] = json!(1));
    env.put(deployment.clone()).await;
    let running = json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}});
    env.play_kubelet("r1", 1, &container(&running, 0, &json!({}))).await;
    let deadline = |it: &aiplatform::resource::Observed| rollout(it).outcome == "ProgressDeadlineExceeded";
    let observed = env.wait(&key(&deployment), "past its deadline", deadline).await;
    assert!(is_failed(&observed.state) && words(&observed).contains("container engine runs"), "{observed:#?}");

    let env = Env::new("refused").await;
    env.hold_by_quota("pods=0").await;
    let deployment = env.deployment("r1", Some(1));
    env.put(deployment.clone()).await;
    let observed = env.wait(&key(&deployment), "refused", |it| rollout(it).outcome == "ReplicaFailure").await;
    assert!(is_failed(&observed.state) && words(&observed).contains("exceeded quota"), "{observed:#?}");
}

#[tokio::test]
async fn replicas_that_an_autoscaler_adds_do_not_make_the_model_unready() {
    let env = Env::new("scaling").await;
    let mut deployment = env.held("r1", 1);
    edit(&mut deployment, |spec| {
        spec.as_object_mut().expect("a spec").remove("replicas");
    });
    deployment.initial_replicas = Some(1);
    env.put(deployment.clone()).await;
    let ready = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    env.play_kubelet("r1", 1, &ready).await;
    let deployment_key = key(&deployment);
    env.wait(&deployment_key, "ready", |it| matches!(it.state, ObservedState::Ready)).await;
    env.kubectl(&["scale", "deployment", super::MODEL, "--replicas=2"]);
    let observed = env.wait(&deployment_key, "scaled", |it| rollout(it).desired == 2 && !it.remarks.is_empty()).await;
    assert!(matches!(observed.state, ObservedState::Ready), "{observed:#?}");
    assert!(observed.remarks[0].contains("1 of 2 replicas are available"), "{observed:#?}");
    assert_eq!((rollout(&observed).ready, rollout(&observed).serving.as_deref()), (1, Some("r1")));
}

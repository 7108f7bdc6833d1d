//! Whose the number of replicas is.

use aiplatform::resource::Kind;
use serde_json::Value;

use super::{Env, MODEL, is_update};

async fn replicas(env: &Env) -> Value {
    env.live(Kind::Deployment, MODEL).await["spec"]["replicas"].clone()
}

#[tokio::test]
async fn a_count_that_is_not_declared_begins_as_told_and_is_never_fought_over() {
    let env = Env::new("scaled").await;
    let mut deployment = env.deployment("r1", None);
    deployment.initial_replicas = Some(2);
    env.put(deployment.clone()).await;
    assert_eq!(replicas(&env).await, 2);
    env.kubectl(&["scale", "deployment", MODEL, "--replicas=3"]);
    let step = env.step(deployment.clone()).await;
    assert!(!step.action.writes(), "{step:#?}");
    let mut next = env.deployment("r2", None);
    next.initial_replicas = Some(1);
    assert!(is_update(&env.put(next.clone()).await));
    assert_eq!(replicas(&env).await, 3, "a rollout leaves the count alone");
    env.kubectl(&["delete", "deployment", MODEL]);
    env.put(next).await;
    assert_eq!(replicas(&env).await, 1, "what is made again begins anew");
}

#[tokio::test]
async fn taking_autoscaling_on_and_off_keeps_the_count_until_another_is_declared() {
    let env = Env::new("handed-over").await;
    env.put(env.deployment("r1", Some(3))).await;
    assert_eq!(replicas(&env).await, 3);
    let mut scaled = env.deployment("r1", None);
    scaled.initial_replicas = Some(1);
    assert!(is_update(&env.put(scaled.clone()).await));
    assert_eq!(replicas(&env).await, 3, "what was declared before is let go and stays");
    assert!(!env.step(scaled.clone()).await.action.writes());
    env.kubectl(&["scale", "deployment", MODEL, "--replicas=2"]);
    env.put(env.deployment("r1", Some(2))).await;
    assert_eq!(replicas(&env).await, 2);
    let fixed = env.deployment("r1", Some(2));
    env.kubectl(&["scale", "deployment", MODEL, "--replicas=4"]);
    assert!(is_update(&env.put(fixed).await), "a count that is declared is put back");
    assert_eq!(replicas(&env).await, 2);
}

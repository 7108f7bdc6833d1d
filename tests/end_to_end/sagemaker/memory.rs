//! Nothing depends on what the object's status or the process remembers, and nothing is told twice.

use kube::api::{Patch, PatchParams, PostParams};

use super::*;

#[tokio::test]
async fn a_status_lost_with_superseded_revisions_leaves_no_orphan() {
    let env = env("forgotten").await;
    for tag in ["1", "2"] {
        env.apply("assistant", &ranking(json!({"image": image(tag), "keepRevisions": 2}))).await;
        env.wait_ready("assistant").await;
    }
    lose_status(&env).await;
    let object = env.wait_ready("assistant").await;
    let resources = object.status.expect("a status").resources;
    assert_eq!(resources.iter().filter(|it| it.kind == "SageMakerEndpointConfig").count(), 2, "{resources:#?}");
    env.delete("assistant").await;
    lose_status_of_the_dying(&env).await;
    env.wait_until_gone("assistant").await;
    assert_eq!(pairs(&env).await, (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_status_lost_in_the_midst_of_a_rollout_leaves_no_orphan() {
    let mut env = env("amnesia").await;
    let name = in_service(&env).await;
    transitions_take(&env, UNTIL_TOLD);
    env.apply(
        "assistant",
        &ranking(json!({"image": image("2"), "instance": {"type": "ml.c5.xlarge", "count": 2}, "keepRevisions": 0})),
    )
    .await;
    wait_for_status(&env, &name, "Updating").await;
    env.operator.kill();
    lose_status(&env).await;
    env.restart_operator();
    env.wait_for("assistant", "updating", |_| true).await;
    transitions_take(&env, 0);
    env.wait_ready("assistant").await;
    let one = async || pairs(&env).await.0.len() == 1 && pairs(&env).await.1.len() == 1;
    env.wait("the old pair is gone", one).await;
    assert_eq!(image_in_service(&env, &name).await, "2");
    assert_eq!(bounds(&env).await, Some((2, 8)));
    assert_eq!(count(&env, "UpdateEndpoint"), 1);
}

#[tokio::test]
async fn an_object_that_was_torn_off_and_made_again_takes_its_endpoint_back() {
    let mut env = env("torn").await;
    let name = rolled_back(&env).await;
    env.operator.kill();
    let patch = json!({"metadata": {"finalizers": null}});
    env.delete("assistant").await;
    env.api().patch("assistant", &PatchParams::default(), &Patch::Merge(patch)).await.expect("torn off");
    env.wait_until_gone("assistant").await;
    env.restart_operator();
    let updates = count(&env, "UpdateEndpoint");
    let mut wanted = ranking(json!({"image": image("2")}));
    env.apply("assistant", &wanted).await;
    env.wait_stalled("assistant", "RolledBack").await;
    assert_eq!(endpoint_name(&env.api().get("assistant").await.expect("it")), name);
    wanted["models"][0]["sagemaker"]["image"] = json!(image("3"));
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    assert_eq!(image_in_service(&env, &name).await, "3");
    assert!(count(&env, "UpdateEndpoint") <= updates + 2);
    let two = async || pairs(&env).await.0.len() == 2 && pairs(&env).await.1.len() == 2;
    env.wait("two pairs", two).await;
    assert_eq!(count(&env, "CreateEndpoint"), 1);
}

#[tokio::test]
async fn an_operator_restarted_after_a_rollback_does_not_try_again() {
    let mut env = TestEnv::with("restarted", &["--transition-poll", "200ms", "--resync", "1s"]).await;
    rolled_back(&env).await;
    wait_for_passes(&env, 2).await;
    env.operator.kill();
    let version = resource_version(&env).await;
    env.restart_operator();
    wait_for_passes(&env, 4).await;
    assert_eq!(count(&env, "UpdateEndpoint"), 1);
    assert_eq!(resource_version(&env).await, version, "nothing is new, so nothing is written");
}

#[tokio::test]
async fn what_changes_nothing_writes_nothing_in_every_state() {
    let env = TestEnv::with("quiet", &["--transition-poll", "200ms", "--resync", "1s"]).await;
    transitions_take(&env, 600_000);
    env.apply("assistant", &ranking(json!({}))).await;
    let creating = |status: &aiplatform::api::AIPlatformStatus| {
        status.models.first().is_some_and(|model| model.outcome.as_deref() == Some("Creating"))
    };
    let name = endpoint_name(&env.wait_for("assistant", "creating", creating).await);
    // That it has begun is written first, and since when it is under way a little later.
    let since = |status: &aiplatform::api::AIPlatformStatus| {
        let messages = status.resources.iter().filter_map(|resource| resource.message.as_deref());
        messages.into_iter().any(|message| message.contains("since"))
    };
    env.wait_for("assistant", "creating since some time", since).await;
    wait_for_passes(&env, 2).await;
    let version = resource_version(&env).await;
    wait_for_passes(&env, 3).await;
    assert_eq!(resource_version(&env).await, version, "while it is created");
    transitions_take(&env, 0);
    env.wait_ready("assistant").await;
    wait_for_passes(&env, 2).await;
    let version = resource_version(&env).await;
    wait_for_passes(&env, 3).await;
    assert_eq!(resource_version(&env).await, version, "when it is ready");
    env.aws.control("fail-next-update", json!({"endpoint": name, "reason": "no ping"}));
    env.apply("assistant", &ranking(json!({"image": image("2")}))).await;
    env.wait_stalled("assistant", "RolledBack").await;
    wait_for_passes(&env, 2).await;
    let (version, events) = (resource_version(&env).await, env.events("assistant").await.len());
    wait_for_passes(&env, 3).await;
    assert_eq!(resource_version(&env).await, version, "when it was rolled back");
    assert_eq!(env.events("assistant").await.len(), events);
}

#[tokio::test]
async fn asking_again_while_a_rollout_is_under_way_is_no_second_try_after_it_was_rolled_back() {
    let env = TestEnv::with("asked-early", &["--transition-poll", "200ms", "--resync", "1s"]).await;
    let name = in_service(&env).await;
    transitions_take(&env, UNTIL_TOLD);
    env.aws.control("fail-next-update", json!({"endpoint": name, "reason": "no ping"}));
    env.apply("assistant", &ranking(json!({"image": image("2")}))).await;
    wait_for_status(&env, &name, "Updating").await;
    env.poke("assistant").await;
    wait_for_passes(&env, 2).await;
    env.aws.control("timings", json!({"sagemaker.endpoint.update": 0}));
    wait_for_status(&env, &name, "RollingBack").await;
    env.aws.control("fail-next-update", json!({"endpoint": name, "reason": "no ping"}));
    transitions_take(&env, 0);
    env.wait_stalled("assistant", "RolledBack").await;
    wait_for_passes(&env, 3).await;
    assert_eq!(count(&env, "UpdateEndpoint"), 1, "nobody asked since it failed");
}

#[tokio::test]
async fn what_sagemaker_refused_is_no_rollback_although_an_older_one_is_still_returned() {
    let env = TestEnv::with("stale", &["--transition-poll", "200ms", "--resync", "1s"]).await;
    let name = rolled_back(&env).await;
    // Twice the capacity is not there.
    env.aws.control("sagemaker/limit", json!({"instanceType": "ml.m5.large", "count": 3}));
    env.apply("assistant", &ranking(json!({"image": image("3")}))).await;
    env.wait_stalled("assistant", "QuotaExceeded").await;
    env.aws.control("scale", json!({"endpoint": name, "variant": "AllTraffic", "count": 3}));
    env.wait("three instances", async || instances(&env, &name).await == 3).await;
    wait_for_passes(&env, 3).await;
    let message = env.wait_stalled("assistant", "QuotaExceeded").await;
    assert!(message.contains("ml.m5.large"), "{message}");
    env.aws.control("sagemaker/limit", json!({"instanceType": "ml.m5.large", "count": null}));
    env.wait_ready("assistant").await;
    assert_eq!(image_in_service(&env, &name).await, "3");
}

/// Takes the whole status away, as a restore from a backup does.
async fn lose_status(env: &TestEnv) {
    for _ in 0..20 {
        let mut object = env.api().get("assistant").await.expect("the object");
        object.status = Some(aiplatform::api::AIPlatformStatus::default());
        if env.api().replace_status("assistant", &PostParams::default(), &object).await.is_ok() {
            return;
        }
    }
    panic!("the status changes all the time");
}

async fn lose_status_of_the_dying(env: &TestEnv) {
    let Ok(Some(mut object)) = env.api().get_opt("assistant").await else { return };
    object.status = Some(aiplatform::api::AIPlatformStatus::default());
    let _ = env.api().replace_status("assistant", &PostParams::default(), &object).await;
}

async fn resource_version(env: &TestEnv) -> String {
    crate::support::test_env::version(&env.api().get("assistant").await.expect("the object"))
}

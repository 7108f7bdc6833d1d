//! Nothing depends on what the object's status or the process remembers, and nothing is told twice.

use kube::api::{Patch, PatchParams, PostParams};

use super::*;

#[tokio::test]
async fn a_status_lost_with_superseded_revisions_leaves_no_orphan() {
    let world = world("forgotten").await;
    for tag in ["1", "2"] {
        world.apply("assistant", &ranking(json!({"image": image(tag), "keepRevisions": 2}))).await;
        world.wait_ready("assistant").await;
    }
    lose_status(&world).await;
    let object = world.wait_ready("assistant").await;
    let resources = object.status.expect("a status").resources;
    assert_eq!(resources.iter().filter(|it| it.kind == "SageMakerEndpointConfig").count(), 2, "{resources:#?}");
    world.delete("assistant").await;
    lose_status_of_the_dying(&world).await;
    world.wait_until_gone("assistant").await;
    assert_eq!(pairs(&world).await, (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_status_lost_in_the_midst_of_a_rollout_leaves_no_orphan() {
    let mut world = world("amnesia").await;
    let name = in_service(&world).await;
    transitions_take(&world, 1_500);
    world
        .apply(
            "assistant",
            &ranking(
                json!({"image": image("2"), "instance": {"type": "ml.c5.xlarge", "count": 2}, "keepRevisions": 0}),
            ),
        )
        .await;
    wait_for_status(&world, &name, "Updating").await;
    world.operator.kill();
    lose_status(&world).await;
    world.restart_operator();
    world.wait_ready("assistant").await;
    let one = async || pairs(&world).await.0.len() == 1 && pairs(&world).await.1.len() == 1;
    world.wait("the old pair is gone", one).await;
    assert_eq!(image_in_service(&world, &name).await, "2");
    assert_eq!(bounds(&world).await, Some((2, 8)));
    assert_eq!(count(&world, "UpdateEndpoint"), 1);
}

#[tokio::test]
async fn an_object_that_was_torn_off_and_made_again_takes_its_endpoint_back() {
    let mut world = world("torn").await;
    let name = rolled_back(&world).await;
    world.operator.kill();
    let patch = json!({"metadata": {"finalizers": null}});
    world.delete("assistant").await;
    world.api().patch("assistant", &PatchParams::default(), &Patch::Merge(patch)).await.expect("torn off");
    world.wait_until_gone("assistant").await;
    world.restart_operator();
    let updates = count(&world, "UpdateEndpoint");
    let mut wanted = ranking(json!({"image": image("2")}));
    world.apply("assistant", &wanted).await;
    world.wait_stalled("assistant", "RolledBack").await;
    assert_eq!(endpoint_name(&world.api().get("assistant").await.expect("it")), name);
    wanted["models"][0]["sagemaker"]["image"] = json!(image("3"));
    world.apply("assistant", &wanted).await;
    world.wait_ready("assistant").await;
    assert_eq!(image_in_service(&world, &name).await, "3");
    assert!(count(&world, "UpdateEndpoint") <= updates + 2);
    let two = async || pairs(&world).await.0.len() == 2 && pairs(&world).await.1.len() == 2;
    world.wait("two pairs", two).await;
    assert_eq!(count(&world, "CreateEndpoint"), 1);
}

#[tokio::test]
async fn an_operator_restarted_after_a_rollback_does_not_try_again() {
    let mut world = World::with("restarted", &["--transition-poll", "200ms", "--resync", "1s"]).await;
    rolled_back(&world).await;
    look_again(&world, 2).await;
    world.operator.kill();
    let version = resource_version(&world).await;
    world.restart_operator();
    look_again(&world, 4).await;
    assert_eq!(count(&world, "UpdateEndpoint"), 1);
    assert_eq!(resource_version(&world).await, version, "nothing is new, so nothing is written");
}

#[tokio::test]
async fn what_changes_nothing_writes_nothing_in_every_state() {
    let world = World::with("quiet", &["--transition-poll", "200ms", "--resync", "1s"]).await;
    transitions_take(&world, 600_000);
    world.apply("assistant", &ranking(json!({}))).await;
    let creating = |status: &aiplatform::api::AIPlatformStatus| {
        status.models.first().is_some_and(|model| model.outcome.as_deref() == Some("Creating"))
    };
    let name = endpoint_name(&world.wait_for("assistant", "creating", creating).await);
    look_again(&world, 2).await;
    let version = resource_version(&world).await;
    look_again(&world, 3).await;
    assert_eq!(resource_version(&world).await, version, "while it is created");
    transitions_take(&world, 0);
    world.wait_ready("assistant").await;
    look_again(&world, 2).await;
    let version = resource_version(&world).await;
    look_again(&world, 3).await;
    assert_eq!(resource_version(&world).await, version, "when it is ready");
    world.aws.control("fail-next-update", json!({"endpoint": name, "reason": "no ping"}));
    world.apply("assistant", &ranking(json!({"image": image("2")}))).await;
    world.wait_stalled("assistant", "RolledBack").await;
    look_again(&world, 2).await;
    let (version, events) = (resource_version(&world).await, world.events("assistant").await.len());
    look_again(&world, 3).await;
    assert_eq!(resource_version(&world).await, version, "when it was rolled back");
    assert_eq!(world.events("assistant").await.len(), events);
}

#[tokio::test]
async fn asking_again_while_a_rollout_is_under_way_is_no_second_try_after_it_was_rolled_back() {
    let world = World::with("asked-early", &["--transition-poll", "200ms", "--resync", "1s"]).await;
    let name = in_service(&world).await;
    transitions_take(&world, 1_500);
    world.aws.control("fail-next-update", json!({"endpoint": name, "reason": "no ping"}));
    world.apply("assistant", &ranking(json!({"image": image("2")}))).await;
    wait_for_status(&world, &name, "Updating").await;
    world.poke("assistant").await;
    wait_for_status(&world, &name, "RollingBack").await;
    world.aws.control("fail-next-update", json!({"endpoint": name, "reason": "no ping"}));
    world.wait_stalled("assistant", "RolledBack").await;
    look_again(&world, 3).await;
    assert_eq!(count(&world, "UpdateEndpoint"), 1, "nobody asked since it failed");
}

#[tokio::test]
async fn what_sagemaker_refused_is_no_rollback_although_an_older_one_is_still_told() {
    let world = World::with("stale", &["--transition-poll", "200ms", "--resync", "1s"]).await;
    let name = rolled_back(&world).await;
    // Twice the capacity is not there.
    world.aws.control("sagemaker/limit", json!({"instanceType": "ml.m5.large", "count": 3}));
    world.apply("assistant", &ranking(json!({"image": image("3")}))).await;
    world.wait_stalled("assistant", "QuotaExceeded").await;
    world.aws.control("scale", json!({"endpoint": name, "variant": "AllTraffic", "count": 3}));
    world.wait("three instances", async || instances(&world, &name).await == 3).await;
    look_again(&world, 3).await;
    let message = world.wait_stalled("assistant", "QuotaExceeded").await;
    assert!(message.contains("ml.m5.large"), "{message}");
    world.aws.control("sagemaker/limit", json!({"instanceType": "ml.m5.large", "count": null}));
    world.wait_ready("assistant").await;
    assert_eq!(image_in_service(&world, &name).await, "3");
}

/// Takes the whole status away, as a restore from a backup does.
async fn lose_status(world: &World) {
    for _ in 0..20 {
        let mut object = world.api().get("assistant").await.expect("the object");
        object.status = Some(aiplatform::api::AIPlatformStatus::default());
        if world.api().replace_status("assistant", &PostParams::default(), &object).await.is_ok() {
            return;
        }
    }
    panic!("the status changes all the time");
}

async fn lose_status_of_the_dying(world: &World) {
    let Ok(Some(mut object)) = world.api().get_opt("assistant").await else { return };
    object.status = Some(aiplatform::api::AIPlatformStatus::default());
    let _ = world.api().replace_status("assistant", &PostParams::default(), &object).await;
}

async fn resource_version(world: &World) -> String {
    crate::support::world::version(&world.api().get("assistant").await.expect("the object"))
}

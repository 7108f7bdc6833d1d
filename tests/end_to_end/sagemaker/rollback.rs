//! What SageMaker takes back, and what it cannot even take back.

use super::*;

#[tokio::test]
async fn a_rollback_is_told_and_not_tried_again_until_the_user_asks() {
    let world = World::with("rollback", &["--transition-poll", "200ms", "--resync", "1s"]).await;
    let name = in_service(&world).await;
    let before = model(&world.api().get("assistant").await.expect("it")).revision;
    let bad = json!({"endpoint": name, "reason": "The container did not pass the ping health check"});
    world.aws.control("fail-next-update", bad.clone());
    world.apply("assistant", &ranking(json!({"image": image("2")}))).await;
    let message = world.wait_stalled("assistant", "RolledBack").await;
    assert!(message.contains("did not pass the ping health check"), "{message}");
    let object = world.api().get("assistant").await.expect("it");
    let told = model(&object);
    assert_eq!((told.ready, told.outcome.as_deref()), (false, Some("RolledBack")));
    assert_eq!(told.revision, before, "traffic stays on the old revision");
    assert_ne!(told.attempted_revision, before);
    assert_eq!(image_in_service(&world, &name).await, "1");
    assert_eq!(bounds(&world).await, Some((2, 8)), "the old revision scales on");
    let events = world.events("assistant").await;
    let told = events.iter().filter(|(reason, _)| reason == "RolledBack").count();
    assert_eq!(told, 1, "one event for one thing: {events:?}");

    let looks = count(&world, "DescribeEndpoint");
    world.wait("further looks", async || count(&world, "DescribeEndpoint") > looks + 2).await;
    assert_eq!(count(&world, "UpdateEndpoint"), 1, "the same revision is not tried again by itself");

    world.aws.control("fail-next-update", bad);
    world.poke("assistant").await;
    world.wait("another try", async || count(&world, "UpdateEndpoint") == 2).await;
    world.wait_stalled("assistant", "RolledBack").await;

    world.apply("assistant", &ranking(json!({"image": image("3")}))).await;
    world.wait_ready("assistant").await;
    assert_eq!(image_in_service(&world, &name).await, "3");
    let (models, configs) = pairs(&world).await;
    assert_eq!((models.len(), configs.len()), (2, 2), "the failed revision is gone, the one before it is kept");
    assert!(configs.iter().any(|config| config.ends_with(before.as_deref().expect("a revision"))), "{configs:?}");
}

#[tokio::test]
async fn an_edit_beside_the_model_is_no_request_to_try_again_what_was_rolled_back() {
    let world = World::with("beside", &["--transition-poll", "200ms", "--resync", "1s"]).await;
    rolled_back(&world).await;
    let mut wanted = ranking(json!({"image": image("2")}));
    wanted["tags"] = json!({"project": "assistant"});
    wanted["models"]
        .as_array_mut()
        .expect("models")
        .push(json!({"name": "fast", "bedrock": {"modelId": "amazon.nova-lite-v1:0"}}));
    world.apply("assistant", &wanted).await;
    let message = world.wait_stalled("assistant", "RolledBack").await;
    assert!(message.contains("this model's part of the spec"), "{message}");
    look_again(&world, 3).await;
    assert_eq!(count(&world, "UpdateEndpoint"), 1);
    wanted["models"][0]["sagemaker"]["rollout"] = json!({"strategy": "Canary", "stepPercent": 10});
    world.apply("assistant", &wanted).await;
    world.wait_ready("assistant").await;
    assert_eq!(count(&world, "UpdateEndpoint"), 2);
}

#[tokio::test]
async fn an_upgrade_of_the_operator_does_not_try_again_what_was_rolled_back() {
    let mut world = World::with("upgraded", &["--transition-poll", "200ms", "--resync", "1s"]).await;
    let name = rolled_back(&world).await;
    world.operator.kill();
    // As versions noted it that compared the whole spec.
    let client = world.aws.sagemaker();
    let arn = endpoint(&world, &name).await.endpoint_arn.expect("an ARN");
    let tags = client.list_tags().resource_arn(&arn).send().await.expect("tags").tags.unwrap_or_default();
    let noted = |tags: &[aws_sdk_sagemaker::types::Tag]| {
        let tag = tags.iter().find(|tag| tag.key.as_deref() == Some("aiplatform.dev/attempt")).expect("an attempt");
        tag.value.clone().expect("a value")
    };
    let attempt = noted(&tags);
    let parts: Vec<&str> = attempt.split('/').collect();
    let older = [parts[0], parts[1], "0123abcd", "rolled-back"].join("/");
    let tag = aws_sdk_sagemaker::types::Tag::builder().key("aiplatform.dev/attempt").value(older).build();
    client.add_tags().resource_arn(&arn).tags(tag).send().await.expect("tagged");
    world.restart_operator();
    world
        .wait("noted as it is now", async || {
            let tags = client.list_tags().resource_arn(&arn).send().await.expect("tags").tags.unwrap_or_default();
            noted(&tags) == attempt
        })
        .await;
    look_again(&world, 3).await;
    assert_eq!(count(&world, "UpdateEndpoint"), 1);
    world.wait_stalled("assistant", "RolledBack").await;
}

#[tokio::test]
async fn going_back_after_a_rollback_makes_no_update() {
    let world = world("revert").await;
    let name = in_service(&world).await;
    world.aws.control("fail-next-update", json!({"endpoint": name, "reason": "no"}));
    world.apply("assistant", &ranking(json!({"image": image("2")}))).await;
    world.wait_stalled("assistant", "RolledBack").await;
    world.apply("assistant", &ranking(json!({}))).await;
    let told = model(&world.wait_ready("assistant").await);
    assert_eq!(told.outcome.as_deref(), Some("InService"));
    assert_eq!(count(&world, "UpdateEndpoint"), 1);
    // And the bad one again is a new attempt.
    world.apply("assistant", &ranking(json!({"image": image("2")}))).await;
    world.wait_ready("assistant").await;
    assert_eq!(image_in_service(&world, &name).await, "2");
}

#[tokio::test]
async fn a_rollback_that_failed_is_told_apart() {
    let world = world("stranded").await;
    let name = in_service(&world).await;
    let bad = json!({"endpoint": name, "reason": "Insufficient capacity", "rollback": "failed"});
    world.aws.control("fail-next-update", bad);
    world.apply("assistant", &ranking(json!({"image": image("2")}))).await;
    let message = world.wait_stalled("assistant", "UpdateRollbackFailed").await;
    assert!(message.contains("Insufficient capacity"), "{message}");
    assert_eq!(pairs(&world).await.0.len(), 2, "whatever may still run stays");
    world.apply("assistant", &ranking(json!({"image": image("3")}))).await;
    world.wait_ready("assistant").await;
    assert_eq!(image_in_service(&world, &name).await, "3");
}

#[tokio::test]
async fn an_endpoint_that_never_came_up_says_why_and_is_made_again_when_the_spec_changes() {
    let world = world("failed").await;
    let name = endpoint_name_of(&world);
    world.aws.control("sagemaker/fail-next-create", json!({"endpoint": name, "reason": "The container exits at once"}));
    world.apply("assistant", &ranking(json!({}))).await;
    let message = world.wait_stalled("assistant", "Failed").await;
    assert!(message.contains("The container exits at once"), "{message}");
    assert_eq!(model(&world.api().get("assistant").await.expect("it")).outcome.as_deref(), Some("Failed"));
    assert_eq!(count(&world, "CreateEndpoint"), 1);
    world.apply("assistant", &ranking(json!({"image": image("2")}))).await;
    world.wait_ready("assistant").await;
    assert_eq!(image_in_service(&world, &name).await, "2");
    assert_eq!(pairs(&world).await.0.len(), 1, "the revision that never ran is gone");
}

#[tokio::test]
async fn an_endpoint_whose_role_was_not_visible_yet_is_made_again_and_not_for_ever() {
    let world = world("unseen").await;
    let name = endpoint_name_of(&world);
    let reason = "Could not assume role arn:aws:iam::123456789012:role/aiplatform/x. Please ensure that the role \
                  exists and allows principal 'sagemaker.amazonaws.com' to assume the role.";
    let fail = || world.aws.control("sagemaker/fail-next-create", json!({"endpoint": name, "reason": reason}));
    fail();
    world.apply("assistant", &ranking(json!({}))).await;
    world.wait_ready("assistant").await;
    assert_eq!(count(&world, "CreateEndpoint"), 2);

    world.delete("assistant").await;
    world.wait_until_gone("assistant").await;
    let before = count(&world, "CreateEndpoint");
    transitions_take(&world, 500);
    fail();
    world.apply("assistant", &ranking(json!({}))).await;
    for tries in 1..=3 {
        world.wait("another try", async || count(&world, "CreateEndpoint") - before == tries).await;
        fail();
    }
    world.wait_stalled("assistant", "Failed").await;
    assert_eq!(count(&world, "CreateEndpoint") - before, 4, "one and three more");
}

/// The name of the endpoint before there is one.
fn endpoint_name_of(world: &World) -> String {
    aiplatform::names::generated(
        "123456789012",
        "eu-west-1",
        &world.namespace,
        "assistant",
        "rank",
        aiplatform::names::SAGEMAKER_LIMIT,
    )
}

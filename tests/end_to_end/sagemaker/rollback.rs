//! What SageMaker takes back, and what it cannot even take back.

use super::*;

#[tokio::test]
async fn a_rollback_is_reported_and_not_tried_again_until_the_user_requests_it() {
    let env = TestEnv::with("rollback", &["--transition-poll", "200ms", "--resync", "1s"]).await;
    let name = in_service(&env).await;
    let before = model(&env.api().get("assistant").await.expect("it")).revision;
    let bad = json!({"endpoint": name, "reason": "The container did not pass the ping health check"});
    env.aws.control("fail-next-update", bad.clone());
    env.apply("assistant", &ranking(json!({"image": image("2")}))).await;
    let message = env.wait_stalled("assistant", "RolledBack").await;
    assert!(message.contains("did not pass the ping health check"), "{message}");
    let object = env.api().get("assistant").await.expect("it");
    let reported = model(&object);
    assert_eq!((reported.ready, reported.outcome.as_deref()), (false, Some("RolledBack")));
    assert_eq!(reported.revision, before, "traffic stays on the old revision");
    assert_ne!(reported.attempted_revision, before);
    assert_eq!(image_in_service(&env, &name).await, "1");
    assert_eq!(bounds(&env).await, Some((2, 8)), "the old revision scales on");
    let events = env.events("assistant").await;
    let reported = events.iter().filter(|(reason, _)| reason == "RolledBack").count();
    assert_eq!(reported, 1, "one event for one thing: {events:?}");

    wait_for_passes(&env, 3).await;
    assert_eq!(count(&env, "UpdateEndpoint"), 1, "the same revision is not tried again by itself");

    env.aws.control("fail-next-update", bad);
    env.poke("assistant").await;
    env.wait("another try", async || count(&env, "UpdateEndpoint") == 2).await;
    wait_for_passes(&env, 2).await;
    env.wait_stalled("assistant", "RolledBack").await;

    env.apply("assistant", &ranking(json!({"image": image("3")}))).await;
    env.wait_ready("assistant").await;
    assert_eq!(image_in_service(&env, &name).await, "3");
    let (models, configs) = pairs(&env).await;
    assert_eq!((models.len(), configs.len()), (2, 2), "the failed revision is gone, the one before it is kept");
    assert!(configs.iter().any(|config| config.ends_with(before.as_deref().expect("a revision"))), "{configs:?}");
}

#[tokio::test]
async fn an_edit_beside_the_model_is_no_request_to_try_again_what_was_rolled_back() {
    let env = TestEnv::with("beside", &["--transition-poll", "200ms", "--resync", "1s"]).await;
    rolled_back(&env).await;
    let mut wanted = ranking(json!({"image": image("2")}));
    wanted["tags"] = json!({"project": "assistant"});
    wanted["models"]
        .as_array_mut()
        .expect("models")
        .push(json!({"name": "fast", "bedrock": {"modelId": "amazon.nova-lite-v1:0"}}));
    env.apply("assistant", &wanted).await;
    let message = env.wait_stalled("assistant", "RolledBack").await;
    assert!(message.contains("this model's part of the spec"), "{message}");
    wait_for_passes(&env, 3).await;
    assert_eq!(count(&env, "UpdateEndpoint"), 1);
    wanted["models"][0]["sagemaker"]["rollout"] = json!({"strategy": "Canary", "stepPercent": 10});
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    assert_eq!(count(&env, "UpdateEndpoint"), 2);
}

#[tokio::test]
async fn an_upgrade_of_the_operator_does_not_try_again_what_was_rolled_back() {
    let mut env = TestEnv::with("upgraded", &["--transition-poll", "200ms", "--resync", "1s"]).await;
    let name = rolled_back(&env).await;
    env.operator.kill();
    // As versions noted it that compared the whole spec.
    let client = env.aws.sagemaker();
    let arn = endpoint(&env, &name).await.endpoint_arn.expect("an ARN");
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
    env.restart_operator();
    env.wait("noted as it is now", async || {
        let tags = client.list_tags().resource_arn(&arn).send().await.expect("tags").tags.unwrap_or_default();
        noted(&tags) == attempt
    })
    .await;
    wait_for_passes(&env, 3).await;
    assert_eq!(count(&env, "UpdateEndpoint"), 1);
    env.wait_stalled("assistant", "RolledBack").await;
}

#[tokio::test]
async fn going_back_after_a_rollback_makes_no_update() {
    let env = env("revert").await;
    let name = in_service(&env).await;
    env.aws.control("fail-next-update", json!({"endpoint": name, "reason": "no"}));
    env.apply("assistant", &ranking(json!({"image": image("2")}))).await;
    env.wait_stalled("assistant", "RolledBack").await;
    env.apply("assistant", &ranking(json!({}))).await;
    let reported = model(&env.wait_ready("assistant").await);
    assert_eq!(reported.outcome.as_deref(), Some("InService"));
    assert_eq!(count(&env, "UpdateEndpoint"), 1);
    // And the bad one again is a new attempt.
    env.apply("assistant", &ranking(json!({"image": image("2")}))).await;
    env.wait_ready("assistant").await;
    assert_eq!(image_in_service(&env, &name).await, "2");
}

#[tokio::test]
async fn a_rollback_that_failed_is_distinguished() {
    let env = env("stranded").await;
    let name = in_service(&env).await;
    let bad = json!({"endpoint": name, "reason": "Insufficient capacity", "rollback": "failed"});
    env.aws.control("fail-next-update", bad);
    env.apply("assistant", &ranking(json!({"image": image("2")}))).await;
    let message = env.wait_stalled("assistant", "UpdateRollbackFailed").await;
    assert!(message.contains("Insufficient capacity"), "{message}");
    assert_eq!(pairs(&env).await.0.len(), 2, "whatever may still run stays");
    env.apply("assistant", &ranking(json!({"image": image("3")}))).await;
    env.wait_ready("assistant").await;
    assert_eq!(image_in_service(&env, &name).await, "3");
}

#[tokio::test]
async fn an_endpoint_that_never_came_up_says_why_and_is_made_again_when_the_spec_changes() {
    let env = env("failed").await;
    let name = endpoint_name_of(&env);
    env.aws.control("sagemaker/fail-next-create", json!({"endpoint": name, "reason": "The container exits at once"}));
    env.apply("assistant", &ranking(json!({}))).await;
    let message = env.wait_stalled("assistant", "Failed").await;
    assert!(message.contains("The container exits at once"), "{message}");
    assert_eq!(model(&env.api().get("assistant").await.expect("it")).outcome.as_deref(), Some("Failed"));
    assert_eq!(count(&env, "CreateEndpoint"), 1);
    env.apply("assistant", &ranking(json!({"image": image("2")}))).await;
    env.wait_ready("assistant").await;
    assert_eq!(image_in_service(&env, &name).await, "2");
    assert_eq!(pairs(&env).await.0.len(), 1, "the revision that never ran is gone");
}

#[tokio::test]
async fn an_endpoint_whose_role_was_not_visible_yet_is_made_again_and_not_for_ever() {
    let env = env("unseen").await;
    let name = endpoint_name_of(&env);
    let reason = "Could not assume role arn:aws:iam::123456789012:role/aiplatform/x. Please ensure that the role \
                  exists and allows principal 'sagemaker.amazonaws.com' to assume the role.";
    let fail = |times: u32| {
        env.aws.control("sagemaker/fail-next-create", json!({"endpoint": name, "reason": reason, "times": times}));
    };
    fail(1);
    env.apply("assistant", &ranking(json!({}))).await;
    env.wait_ready("assistant").await;
    assert_eq!(count(&env, "CreateEndpoint"), 2);

    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    let before = count(&env, "CreateEndpoint");
    transitions_take(&env, 500);
    fail(5);
    env.apply("assistant", &ranking(json!({}))).await;
    env.wait_stalled("assistant", "Failed").await;
    assert_eq!(count(&env, "CreateEndpoint") - before, 4, "one and three more");
}

/// The name of the endpoint before there is one.
fn endpoint_name_of(env: &TestEnv) -> String {
    aiplatform::names::generated(
        "123456789012",
        "eu-west-1",
        &env.namespace,
        "assistant",
        "rank",
        aiplatform::names::SAGEMAKER_LIMIT,
    )
}

//! Somebody works on it behind the operator's back.

use aws_sdk_applicationautoscaling::types::ScalableDimension;

use super::*;

#[tokio::test]
async fn an_endpoint_deleted_by_hand_in_the_midst_of_a_rollout_is_made_again() {
    let env = env("gone-by-hand").await;
    let name = in_service(&env).await;
    transitions_take(&env, UNTIL_TOLD);
    env.apply("assistant", &ranking(json!({"image": image("2")}))).await;
    wait_for_status(&env, &name, "Updating").await;
    transitions_take(&env, 1_000);
    let client = env.aws.sagemaker();
    env.wait("SageMaker takes it", async || client.delete_endpoint().endpoint_name(&name).send().await.is_ok()).await;
    // The operator may have seen the end of the rollout just before.
    env.poke("assistant").await;
    env.wait("made again", async || count(&env, "CreateEndpoint") == 2).await;
    env.wait_ready("assistant").await;
    // It may have been ready once more for what was there before.
    env.look("assistant").await;
    assert_eq!(image_in_service(&env, &name).await, "2");
    assert_eq!(bounds(&env).await, Some((2, 8)));
}

#[tokio::test]
async fn an_endpoint_deleted_by_hand_is_ready_only_with_all_that_went_with_it() {
    let env = env("gone-with-it").await;
    let name = in_service(&env).await;
    // What scales the endpoint is still seen, and then the endpoint is not: in between, both go.
    env.aws.control("faults", json!({"service": "sagemaker", "operation": "DescribeEndpoint", "error": "hang"}));
    let seen = async || {
        let looks = ["DescribeScalableTargets", "DescribeScalingPolicies", "DescribeEndpoint"];
        looks.map(|operation| count(&env, operation))
    };
    let before = seen().await;
    env.poke("assistant").await;
    env.wait("looked at", async || seen().await.iter().zip(before).all(|(after, before)| *after > before)).await;
    env.aws.sagemaker().delete_endpoint().endpoint_name(&name).send().await.expect("deleted");
    env.aws.control("timings", json!({"sagemaker.endpoint.create": UNTIL_TOLD}));
    let is_made_again = |status: &aiplatform::api::AIPlatformStatus| {
        status.models.first().is_some_and(|model| model.outcome.as_deref() == Some("Creating"))
    };
    env.wait_for("assistant", "made again", is_made_again).await;
    transitions_take(&env, 0);
    env.wait_ready("assistant").await;
    let policies = env.aws.autoscaling().describe_scaling_policies().service_namespace(ServiceNamespace::Sagemaker);
    let policies = policies.send().await.expect("policies").scaling_policies.unwrap_or_default();
    assert_eq!((bounds(&env).await, policies.len()), (Some((2, 8)), 1));
}

#[tokio::test]
async fn an_endpoint_moved_by_hand_is_moved_back_and_keeps_its_scaling() {
    let env = env("by-hand").await;
    let name = in_service(&env).await;
    let client = env.aws.sagemaker();
    let config = endpoint(&env, &name).await.endpoint_config_name.expect("a configuration");
    let described = client.describe_endpoint_config().endpoint_config_name(&config).send().await.expect("it");
    let mut variant = described.production_variants()[0].clone();
    variant.initial_instance_count = Some(3);
    client
        .create_endpoint_config()
        .endpoint_config_name("theirs")
        .production_variants(variant)
        .send()
        .await
        .expect("made");
    transitions_take(&env, 700);
    client.update_endpoint().endpoint_name(&name).endpoint_config_name("theirs").send().await.expect("updated");
    wait_for_status(&env, &name, "InService").await;
    env.poke("assistant").await;
    env.wait("moved back", async || {
        endpoint(&env, &name).await.endpoint_config_name.as_ref() == Some(&config) && count(&env, "UpdateEndpoint") == 2
    })
    .await;
    env.wait_ready("assistant").await;
    assert_eq!(bounds(&env).await, Some((2, 8)));
    let theirs = client.describe_endpoint_config().endpoint_config_name("theirs").send().await;
    assert!(theirs.is_ok(), "what is not ours is not deleted");
}

#[tokio::test]
async fn a_pair_kept_for_a_rollback_outlives_a_change_by_hand() {
    let env = env("kept-by-hand").await;
    for tag in ["1", "2"] {
        env.apply("assistant", &ranking(json!({"image": image(tag)}))).await;
        env.wait_ready("assistant").await;
    }
    let name = endpoint_name(&env.api().get("assistant").await.expect("it"));
    let client = env.aws.sagemaker();
    let before = pairs(&env).await;
    let config = endpoint(&env, &name).await.endpoint_config_name.expect("a configuration");
    let described = client.describe_endpoint_config().endpoint_config_name(&config).send().await.expect("it");
    let variant = described.production_variants()[0].clone();
    client
        .create_endpoint_config()
        .endpoint_config_name("theirs")
        .production_variants(variant)
        .send()
        .await
        .expect("made");
    client.update_endpoint().endpoint_name(&name).endpoint_config_name("theirs").send().await.expect("updated");
    env.poke("assistant").await;
    env.wait("moved back", async || count(&env, "UpdateEndpoint") == 3).await;
    env.wait_ready("assistant").await;
    env.look("assistant").await;
    env.wait_ready("assistant").await;
    let (models, configs) = pairs(&env).await;
    let ours: Vec<String> = configs.into_iter().filter(|it| it != "theirs").collect();
    assert_eq!((models, ours), before);
}

#[tokio::test]
async fn the_role_keeps_what_the_running_revision_needs_although_its_configuration_was_deleted_by_hand() {
    let env = env("config").await;
    let name = rolled_back(&env).await;
    let running = endpoint(&env, &name).await.endpoint_config_name.expect("a configuration");
    let policy = format!("revision-{}", running.rsplit('-').next().expect("a revision"));
    assert!(execution_policies(&env).await.contains(&policy));
    let client = env.aws.sagemaker();
    let models = pairs(&env).await.0;
    client.delete_endpoint_config().endpoint_config_name(&running).send().await.expect("deleted");
    // An edit beside the model.
    let mut wanted = ranking(json!({"image": image("2")}));
    wanted["tags"] = json!({"project": "assistant"});
    env.apply("assistant", &wanted).await;
    env.wait_stalled("assistant", "RolledBack").await;
    assert_eq!(count(&env, "UpdateEndpoint"), 1);
    assert!(execution_policies(&env).await.contains(&policy), "{:?}", execution_policies(&env).await);
    let left = pairs(&env).await.0;
    assert!(models.iter().all(|it| left.contains(it)), "{models:?} {left:?}");
}

#[tokio::test]
async fn a_target_taken_off_by_hand_comes_back() {
    let env = env("untargeted").await;
    let name = in_service(&env).await;
    let call = env.aws.autoscaling().deregister_scalable_target().service_namespace(ServiceNamespace::Sagemaker);
    let call = call.resource_id(format!("endpoint/{name}/variant/AllTraffic"));
    let call = call.scalable_dimension(ScalableDimension::SageMakerVariantDesiredInstanceCount);
    call.send().await.expect("taken off");
    env.poke("assistant").await;
    env.wait("it is back", async || bounds(&env).await == Some((2, 8))).await;
    env.wait("with its policy", async || count(&env, "PutScalingPolicy") == 2).await;
    env.wait_ready("assistant").await;
}

#[tokio::test]
async fn an_endpoint_without_our_tag_says_how_to_give_it_back() {
    let env = env("untagged").await;
    let name = in_service(&env).await;
    let arn = endpoint(&env, &name).await.endpoint_arn.expect("an ARN");
    let call = env.aws.sagemaker().delete_tags().resource_arn(&arn).tag_keys("aiplatform.dev/owner");
    call.send().await.expect("untagged");
    env.poke("assistant").await;
    let message = env.wait_stalled("assistant", "NotOwned").await;
    assert!(!message.contains("adopt"), "an endpoint has no such field: {message}");
    let owner = format!("tests/{}/assistant", env.namespace);
    assert!(message.contains("aiplatform.dev/owner") && message.contains(&owner), "{message}");
    let tag = aws_sdk_sagemaker::types::Tag::builder().key("aiplatform.dev/owner").value(owner).build();
    env.aws.sagemaker().add_tags().resource_arn(&arn).tags(tag).send().await.expect("tagged");
    env.poke("assistant").await;
    env.wait_ready("assistant").await;
    assert_eq!(count(&env, "CreateEndpoint"), 1);
}

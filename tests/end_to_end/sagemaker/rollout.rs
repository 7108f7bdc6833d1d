//! A new revision takes over, and nothing is lost on the way.

use super::*;

#[tokio::test]
async fn a_new_image_keeps_the_instances_that_somebody_scaled_to() {
    let env = env("image").await;
    env.apply("assistant", &ranking(json!({}))).await;
    let name = endpoint_name(&env.wait_ready("assistant").await);
    let variant = json!({"endpoint": name, "variant": "AllTraffic", "count": 6});
    env.aws.control("scale", variant);
    env.wait("six instances", async || instances(&env, &name).await == 6).await;

    // Neither another look nor an edit beside it takes that back.
    env.poke("assistant").await;
    let mut wanted = ranking(json!({}));
    wanted["tags"] = json!({"project": "assistant"});
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    assert_eq!(instances(&env, &name).await, 6);
    assert_eq!(count(&env, "UpdateEndpoint"), 0);

    transitions_take(&env, 400);
    wanted["models"][0]["sagemaker"]["image"] = json!(image("2"));
    env.apply("assistant", &wanted).await;
    let object = env.wait_ready("assistant").await;
    assert_eq!(image_in_service(&env, &name).await, "2");
    assert_eq!(instances(&env, &name).await, 6);
    let model = model(&object);
    assert_eq!(model.instances.map(|it| it.current), Some(6));
    assert_eq!(model.revision, model.attempted_revision);
    let update = last(&env, "UpdateEndpoint");
    assert_eq!(update["RetainAllVariantProperties"], json!(true));
    assert!(update.get("ExcludeRetainedVariantProperties").is_none_or(|it| it.as_array().is_none_or(Vec::is_empty)));
    assert_eq!(count(&env, "DeregisterScalableTarget"), 0, "another model alone needs no deregistration");
    assert_eq!(bounds(&env).await, Some((2, 8)));
}

#[tokio::test]
async fn a_number_of_instances_changed_in_the_spec_is_the_users_word_where_nothing_scales_them() {
    let env = env("count").await;
    env.apply("assistant", &ranking(json!({"autoscaling": null}))).await;
    let name = endpoint_name(&env.wait_ready("assistant").await);
    let four = json!({"autoscaling": null, "instance": {"type": "ml.m5.large", "count": 4}});
    env.apply("assistant", &ranking(four)).await;
    env.wait_ready("assistant").await;
    assert_eq!(instances(&env, &name).await, 4);
    let excluded = last(&env, "UpdateEndpoint")["ExcludeRetainedVariantProperties"].clone();
    assert_eq!(excluded, json!([{"VariantPropertyType": "DesiredInstanceCount"}]));
}

#[tokio::test]
async fn another_instance_type_takes_scaling_off_and_puts_it_back_with_the_same_capacity() {
    let env = env("type").await;
    env.apply("assistant", &ranking(json!({}))).await;
    let name = endpoint_name(&env.wait_ready("assistant").await);
    env.aws.control("scale", json!({"endpoint": name, "variant": "AllTraffic", "count": 5}));
    env.wait("five instances", async || instances(&env, &name).await == 5).await;
    transitions_take(&env, UNTIL_TOLD);
    env.apply("assistant", &ranking(json!({"instance": {"type": "ml.c5.xlarge", "count": 2}}))).await;
    wait_for_status(&env, &name, "Updating").await;
    assert_eq!(bounds(&env).await, None, "nothing scales while the type changes");
    transitions_take(&env, 100);
    env.wait_ready("assistant").await;
    assert_eq!(instances(&env, &name).await, 5);
    assert_eq!(bounds(&env).await, Some((2, 8)));
    let calls = env.aws.calls_since(0);
    let place = |operation: &str| calls.iter().rposition(|it| it == operation).expect(operation);
    assert!(place("DeregisterScalableTarget") < place("UpdateEndpoint"));
    assert!(place("UpdateEndpoint") < place("RegisterScalableTarget"));
    assert!(place("RegisterScalableTarget") < place("PutScalingPolicy"));
}

#[tokio::test]
async fn edits_while_the_endpoint_is_busy_wait_and_only_the_last_is_made() {
    let env = env("queue").await;
    transitions_take(&env, 600_000);
    env.apply("assistant", &ranking(json!({}))).await;
    let began = env.wait_for("assistant", "creating", |status| {
        status.models.first().is_some_and(|model| model.outcome.as_deref() == Some("Creating"))
    });
    let name = endpoint_name(&began.await);
    for tag in ["2", "3", "4"] {
        env.apply("assistant", &ranking(json!({"image": image(tag)}))).await;
        env.wait_for("assistant", "told to wait", |status| status.plan.iter().any(|it| it.kind == "SageMakerModel"))
            .await;
    }
    transitions_take(&env, 200);
    env.wait_ready("assistant").await;
    assert_eq!(image_in_service(&env, &name).await, "4");
    assert_eq!(count(&env, "CreateModel"), 2, "the first and the last");
    assert_eq!(count(&env, "UpdateEndpoint"), 1);
}

#[tokio::test]
async fn going_back_to_a_kept_revision_is_one_update() {
    let env = env("back").await;
    for tag in ["1", "2"] {
        env.apply("assistant", &ranking(json!({"image": image(tag)}))).await;
        env.wait_ready("assistant").await;
    }
    let name = endpoint_name(&env.api().get("assistant").await.expect("it"));
    let models = count(&env, "CreateModel");
    env.apply("assistant", &ranking(json!({"image": image("1")}))).await;
    env.wait_ready("assistant").await;
    assert_eq!(image_in_service(&env, &name).await, "1");
    assert_eq!((count(&env, "CreateModel"), count(&env, "UpdateEndpoint")), (models, 2));
}

#[tokio::test]
async fn superseded_revisions_go_but_for_those_that_are_kept() {
    let env = env("kept").await;
    for tag in ["1", "2", "3", "4"] {
        env.apply("assistant", &ranking(json!({"image": image(tag), "keepRevisions": 2}))).await;
        env.wait_ready("assistant").await;
    }
    let settled = async || {
        let (models, configs) = pairs(&env).await;
        models.len() == 3 && configs.len() == 3
    };
    env.wait("three revisions are left", settled).await;
    let policies = execution_policies(&env).await;
    assert_eq!(policies.len(), 4, "the role can do what each revision needs and what all need: {policies:?}");
    env.apply("assistant", &ranking(json!({"image": image("4"), "keepRevisions": 0}))).await;
    env.wait("one revision is left", async || {
        let (models, configs) = pairs(&env).await;
        models.len() == 1 && configs.len() == 1 && execution_policies(&env).await.len() == 2
    })
    .await;
    env.wait_ready("assistant").await;
}

#[tokio::test]
async fn a_canary_with_alarms_is_what_sagemaker_gets() {
    let env = env("canary").await;
    let rollout = json!({
        "strategy": "Canary", "stepPercent": 10, "waitSeconds": 120, "terminationWaitSeconds": 60,
        "maximumExecutionSeconds": 1800, "rollbackAlarms": ["rank-5xx"],
    });
    env.apply("assistant", &ranking(json!({"rollout": rollout}))).await;
    env.wait_ready("assistant").await;
    env.apply("assistant", &ranking(json!({"rollout": rollout, "image": image("2")}))).await;
    env.wait_ready("assistant").await;
    let deployment = last(&env, "UpdateEndpoint")["DeploymentConfig"].clone();
    let expected = json!({
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {
                "Type": "CANARY", "WaitIntervalInSeconds": 120,
                "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10},
            },
            "TerminationWaitInSeconds": 60,
            "MaximumExecutionTimeoutInSeconds": 1800,
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "rank-5xx"}]},
    });
    assert_eq!(deployment, expected);
    let rolling = json!({"strategy": "Rolling", "stepPercent": 25, "waitSeconds": 60});
    env.apply("assistant", &ranking(json!({"rollout": rolling, "image": image("3")}))).await;
    env.wait_ready("assistant").await;
    let policy = last(&env, "UpdateEndpoint")["DeploymentConfig"]["RollingUpdatePolicy"].clone();
    assert_eq!(policy["MaximumBatchSize"], json!({"Type": "CAPACITY_PERCENT", "Value": 25}));
}

#[tokio::test]
async fn killed_in_the_midst_of_a_rollout_it_goes_on() {
    let mut env = env("killed").await;
    let mut wanted = ranking(json!({}));
    env.apply("assistant", &wanted).await;
    let name = endpoint_name(&env.wait_ready("assistant").await);
    env.aws.control("scale", json!({"endpoint": name, "variant": "AllTraffic", "count": 5}));
    env.wait("five instances", async || instances(&env, &name).await == 5).await;
    let cases = [
        ("CreateModel", "ml.c5.xlarge"),
        ("CreateEndpointConfig", "ml.m5.large"),
        ("DeregisterScalableTarget", "ml.c5.xlarge"),
        ("AddTags", "ml.m5.large"),
        ("UpdateEndpoint", "ml.c5.xlarge"),
        ("RegisterScalableTarget", "ml.m5.large"),
    ];
    for (number, (killed_after, kind)) in cases.iter().enumerate() {
        transitions_take(&env, 300);
        env.aws.control("latency", json!({"ms": 60}));
        let calls = env.aws.call_count();
        wanted["models"][0]["sagemaker"]["image"] = json!(image(&format!("{}", number + 2)));
        wanted["models"][0]["sagemaker"]["instance"]["type"] = json!(kind);
        env.apply("assistant", &wanted).await;
        env.wait(killed_after, async || env.aws.calls_since(calls).iter().any(|it| it == killed_after)).await;
        env.operator.kill();
        env.aws.control("latency", json!({"ms": 0}));
        env.restart_operator();
        env.wait_ready("assistant").await;
        assert_eq!(image_in_service(&env, &name).await, format!("{}", number + 2), "after {killed_after}");
        assert_eq!(instances(&env, &name).await, 5, "after {killed_after}");
        assert_eq!(bounds(&env).await, Some((2, 8)), "after {killed_after}");
        let left = async || pairs(&env).await.0.len() == 2 && pairs(&env).await.1.len() == 2;
        env.wait(&format!("no orphan is left after {killed_after}"), left).await;
    }
}

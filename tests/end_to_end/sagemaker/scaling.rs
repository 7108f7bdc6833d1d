//! Bounds, targets and schedules: repaired where they drift, left alone where a schedule set them.

use aws_sdk_applicationautoscaling::types::ScalableDimension;

use super::*;

async fn scaled(env: &TestEnv, fields: Value) -> String {
    env.apply("assistant", &ranking(fields)).await;
    endpoint_name(&env.wait_ready("assistant").await)
}

/// Sets other bounds behind the operator's back.
async fn register(env: &TestEnv, endpoint: &str, least: i32, most: i32) {
    let call = env.aws.autoscaling().register_scalable_target().service_namespace(ServiceNamespace::Sagemaker);
    let call = call.resource_id(format!("endpoint/{endpoint}/variant/AllTraffic"));
    let call = call.scalable_dimension(ScalableDimension::SageMakerVariantDesiredInstanceCount);
    call.min_capacity(least).max_capacity(most).send().await.expect("registered");
}

fn with_schedule() -> Value {
    json!({"autoscaling": {
        "minInstances": 2, "maxInstances": 8,
        "target": {"invocationsPerInstance": {"value": 600}},
        "scaleInCooldownSeconds": 120, "scaleOutCooldownSeconds": 30, "disableScaleIn": true,
        "schedules": [{"name": "morning", "schedule": "cron(0 7 ? * MON-FRI *)", "timezone": "Europe/Dublin", "minInstances": 4, "maxInstances": 8}],
    }})
}

#[tokio::test]
async fn bounds_that_drift_are_put_back_and_those_of_a_schedule_are_not() {
    let env = env("bounds").await;
    let name = scaled(&env, with_schedule()).await;
    register(&env, &name, 1, 20).await;
    env.poke("assistant").await;
    env.wait("the bounds are back", async || bounds(&env).await == Some((2, 8))).await;
    env.wait_ready("assistant").await;

    register(&env, &name, 4, 8).await;
    env.look("assistant").await;
    env.wait_ready("assistant").await;
    assert_eq!(bounds(&env).await, Some((4, 8)), "that is what the schedule does");
}

#[tokio::test]
async fn policies_and_schedules_that_drift_are_put_back() {
    let env = env("policies").await;
    let name = scaled(&env, with_schedule()).await;
    let client = env.aws.autoscaling();
    let resource = format!("endpoint/{name}/variant/AllTraffic");
    let dimension = ScalableDimension::SageMakerVariantDesiredInstanceCount;
    client
        .delete_scheduled_action()
        .service_namespace(ServiceNamespace::Sagemaker)
        .scheduled_action_name("morning")
        .resource_id(&resource)
        .scalable_dimension(dimension.clone())
        .send()
        .await
        .expect("deleted");
    client
        .delete_scaling_policy()
        .service_namespace(ServiceNamespace::Sagemaker)
        .policy_name("invocations-per-instance")
        .resource_id(&resource)
        .scalable_dimension(dimension)
        .send()
        .await
        .expect("deleted");
    let puts = (count(&env, "PutScalingPolicy"), count(&env, "PutScheduledAction"));
    env.poke("assistant").await;
    env.wait("both are back", async || {
        (count(&env, "PutScalingPolicy"), count(&env, "PutScheduledAction")) == (puts.0 + 1, puts.1 + 1)
    })
    .await;
    env.wait_ready("assistant").await;
    let action = last(&env, "PutScheduledAction");
    assert_eq!(action["Timezone"], json!("Europe/Dublin"));
    assert_eq!(action["ScalableTargetAction"], json!({"MinCapacity": 4, "MaxCapacity": 8}));
    let tracking = last(&env, "PutScalingPolicy")["TargetTrackingScalingPolicyConfiguration"].clone();
    assert_eq!((&tracking["ScaleInCooldown"], &tracking["ScaleOutCooldown"]), (&json!(120), &json!(30)));
    assert_eq!(tracking["DisableScaleIn"], json!(true));
}

#[tokio::test]
async fn another_metric_is_there_before_the_old_one_goes() {
    let env = env("metric").await;
    let mut fields = with_schedule();
    scaled(&env, fields.clone()).await;
    let calls = env.aws.call_count();
    fields["autoscaling"]["target"] = json!({"concurrentRequestsPerModel": {"value": 4}});
    scaled(&env, fields).await;
    env.wait("the old one goes", async || env.aws.calls_since(calls).contains(&"DeleteScalingPolicy".into())).await;
    let calls = env.aws.calls_since(calls);
    let place = |operation: &str| calls.iter().position(|it| it == operation).expect(operation);
    assert!(place("PutScalingPolicy") < place("DeleteScalingPolicy"), "{calls:?}");
    let metric = last(&env, "PutScalingPolicy")["TargetTrackingScalingPolicyConfiguration"].clone();
    let metric = metric["PredefinedMetricSpecification"]["PredefinedMetricType"].clone();
    assert_eq!(metric, json!("SageMakerVariantConcurrentRequestsPerModelHighResolution"));
}

#[tokio::test]
async fn without_autoscaling_nothing_is_registered_and_the_number_stays() {
    let env = env("unscaled").await;
    let name = scaled(&env, json!({})).await;
    env.aws.control("scale", json!({"endpoint": name, "variant": "AllTraffic", "count": 5}));
    env.wait("five instances", async || instances(&env, &name).await == 5).await;
    env.apply("assistant", &ranking(json!({"autoscaling": null}))).await;
    env.wait("nothing is registered", async || bounds(&env).await.is_none()).await;
    env.wait_ready("assistant").await;
    env.apply("assistant", &ranking(json!({"autoscaling": null, "image": image("2")}))).await;
    env.wait_ready("assistant").await;
    assert_eq!(instances(&env, &name).await, 5);
}

#[tokio::test]
async fn bounds_of_a_schedule_outlive_another_instance_type() {
    let env = env("window").await;
    let mut fields = with_schedule();
    let name = scaled(&env, fields.clone()).await;
    register(&env, &name, 4, 8).await;
    fields["instance"] = json!({"type": "ml.c5.xlarge", "count": 2});
    scaled(&env, fields).await;
    assert_eq!(count(&env, "DeregisterScalableTarget"), 1);
    assert_eq!(bounds(&env).await, Some((4, 8)), "until the schedule's next time");
}

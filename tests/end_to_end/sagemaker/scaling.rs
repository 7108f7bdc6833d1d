//! Bounds, targets and schedules: repaired where they drift, left alone where a schedule set them.

use aws_sdk_applicationautoscaling::types::ScalableDimension;

use super::*;

async fn scaled(world: &World, fields: Value) -> String {
    world.apply("assistant", &ranking(fields)).await;
    endpoint_name(&world.wait_ready("assistant").await)
}

/// Sets other bounds behind the operator's back.
async fn register(world: &World, endpoint: &str, least: i32, most: i32) {
    let call = world.aws.autoscaling().register_scalable_target().service_namespace(ServiceNamespace::Sagemaker);
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
    let world = world("bounds").await;
    let name = scaled(&world, with_schedule()).await;
    register(&world, &name, 1, 20).await;
    world.poke("assistant").await;
    world.wait("the bounds are back", async || bounds(&world).await == Some((2, 8))).await;
    world.wait_ready("assistant").await;

    register(&world, &name, 4, 8).await;
    let looks = count(&world, "DescribeScalableTargets");
    world.poke("assistant").await;
    world.wait("another look", async || count(&world, "DescribeScalableTargets") > looks).await;
    world.wait_ready("assistant").await;
    assert_eq!(bounds(&world).await, Some((4, 8)), "that is what the schedule does");
}

#[tokio::test]
async fn policies_and_schedules_that_drift_are_put_back() {
    let world = world("policies").await;
    let name = scaled(&world, with_schedule()).await;
    let client = world.aws.autoscaling();
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
    let puts = (count(&world, "PutScalingPolicy"), count(&world, "PutScheduledAction"));
    world.poke("assistant").await;
    world
        .wait("both are back", async || {
            (count(&world, "PutScalingPolicy"), count(&world, "PutScheduledAction")) == (puts.0 + 1, puts.1 + 1)
        })
        .await;
    world.wait_ready("assistant").await;
    let action = last(&world, "PutScheduledAction");
    assert_eq!(action["Timezone"], json!("Europe/Dublin"));
    assert_eq!(action["ScalableTargetAction"], json!({"MinCapacity": 4, "MaxCapacity": 8}));
    let tracking = last(&world, "PutScalingPolicy")["TargetTrackingScalingPolicyConfiguration"].clone();
    assert_eq!((&tracking["ScaleInCooldown"], &tracking["ScaleOutCooldown"]), (&json!(120), &json!(30)));
    assert_eq!(tracking["DisableScaleIn"], json!(true));
}

#[tokio::test]
async fn another_metric_is_there_before_the_old_one_goes() {
    let world = world("metric").await;
    let mut fields = with_schedule();
    scaled(&world, fields.clone()).await;
    let calls = world.aws.calls().len();
    fields["autoscaling"]["target"] = json!({"concurrentRequestsPerModel": {"value": 4}});
    scaled(&world, fields).await;
    world.wait("the old one goes", async || world.aws.calls_since(calls).contains(&"DeleteScalingPolicy".into())).await;
    let calls = world.aws.calls_since(calls);
    let place = |operation: &str| calls.iter().position(|it| it == operation).expect(operation);
    assert!(place("PutScalingPolicy") < place("DeleteScalingPolicy"), "{calls:?}");
    let metric = last(&world, "PutScalingPolicy")["TargetTrackingScalingPolicyConfiguration"].clone();
    let metric = metric["PredefinedMetricSpecification"]["PredefinedMetricType"].clone();
    assert_eq!(metric, json!("SageMakerVariantConcurrentRequestsPerModelHighResolution"));
}

#[tokio::test]
async fn without_autoscaling_nothing_is_registered_and_the_number_stays() {
    let world = world("unscaled").await;
    let name = scaled(&world, json!({})).await;
    world.aws.control("scale", json!({"endpoint": name, "variant": "AllTraffic", "count": 5}));
    world.wait("five instances", async || instances(&world, &name).await == 5).await;
    world.apply("assistant", &ranking(json!({"autoscaling": null}))).await;
    world.wait("nothing is registered", async || bounds(&world).await.is_none()).await;
    world.wait_ready("assistant").await;
    world.apply("assistant", &ranking(json!({"autoscaling": null, "image": image("2")}))).await;
    world.wait_ready("assistant").await;
    assert_eq!(instances(&world, &name).await, 5);
}

#[tokio::test]
async fn bounds_of_a_schedule_outlive_another_instance_type() {
    let world = world("window").await;
    let mut fields = with_schedule();
    let name = scaled(&world, fields.clone()).await;
    register(&world, &name, 4, 8).await;
    fields["instance"] = json!({"type": "ml.c5.xlarge", "count": 2});
    scaled(&world, fields).await;
    assert_eq!(count(&world, "DeregisterScalableTarget"), 1);
    assert_eq!(bounds(&world).await, Some((4, 8)), "until the schedule's next time");
}

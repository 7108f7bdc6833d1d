//! Every answer of AWS that reference texts know, each once, and the way out of it.

use super::*;

/// Lets the next call of an operation fail.
fn fail(world: &World, service: &str, operation: &str, when: &str, error: &Value) {
    let fault = json!({"service": service, "operation": operation, "when": when, "times": 1, "error": error});
    world.aws.control("faults", fault);
}

fn validation(message: &str) -> Value {
    json!({"code": "ValidationException", "status": 400, "message": message})
}

#[tokio::test]
async fn every_known_refusal_is_survived_while_an_endpoint_comes_up() {
    let world = world("refusals").await;
    let arn = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/x";
    let refusals = [
        (
            "sagemaker",
            "CreateModel",
            validation(
                "Could not assume role arn:aws:iam::123456789012:role/x. Please ensure that the role exists and allows principal 'sagemaker.amazonaws.com' to assume the role.",
            ),
        ),
        (
            "sagemaker",
            "CreateModel",
            validation(
                "The execution role ARN \"x\" is invalid. Please ensure that the role exists and that its trust relationship policy allows the action \"sts:AssumeRole\" for the service principal \"sagemaker.amazonaws.com\".",
            ),
        ),
        ("sagemaker", "CreateEndpointConfig", validation("Could not find model \"x\".")),
        ("sagemaker", "CreateEndpoint", validation("Could not find endpoint configuration \"x\".")),
        ("sagemaker", "CreateEndpoint", validation(&format!("Cannot create already existing endpoint \"{arn}\"."))),
        ("sagemaker", "DescribeEndpoint", json!({"code": "ThrottlingException", "status": 400})),
        (
            "application-autoscaling",
            "RegisterScalableTarget",
            json!({"code": "ConcurrentUpdateException", "status": 400}),
        ),
        ("application-autoscaling", "PutScalingPolicy", json!({"code": "ObjectNotFoundException", "status": 400})),
        (
            "application-autoscaling",
            "PutScalingPolicy",
            json!({"code": "FailedResourceAccessException", "status": 400}),
        ),
        (
            "application-autoscaling",
            "DescribeScalableTargets",
            json!({"code": "InternalServiceException", "status": 500}),
        ),
    ];
    for (service, operation, error) in &refusals {
        fail(&world, service, operation, "before", error);
    }
    world.apply("assistant", &ranking(json!({}))).await;
    world.wait_ready("assistant").await;
    assert_eq!(pairs(&world).await.0.len(), 1);
    let endpoints = world.aws.sagemaker().list_endpoints().send().await.expect("a list").endpoints.unwrap_or_default();
    assert_eq!(endpoints.len(), 1);
}

#[tokio::test]
async fn every_known_refusal_is_survived_while_an_endpoint_is_moved_and_goes() {
    let world = world("moves").await;
    world.apply("assistant", &ranking(json!({}))).await;
    let name = endpoint_name(&world.wait_ready("assistant").await);
    let busy =
        validation("Cannot update in-progress endpoint \"arn:aws:sagemaker:eu-west-1:123456789012:endpoint/x\".");
    fail(&world, "sagemaker", "UpdateEndpoint", "before", &busy);
    fail(&world, "sagemaker", "AddTags", "after", &json!("reset"));
    fail(&world, "application-autoscaling", "DeregisterScalableTarget", "after", &json!("reset"));
    world
        .apply("assistant", &ranking(json!({"image": image("2"), "instance": {"type": "ml.c5.xlarge", "count": 2}})))
        .await;
    world.wait_ready("assistant").await;
    assert_eq!(image_in_service(&world, &name).await, "2");
    assert_eq!(bounds(&world).await, Some((2, 8)));
    fail(&world, "sagemaker", "DeleteEndpoint", "before", &busy);
    fail(&world, "sagemaker", "DeleteModel", "before", &json!({"code": "ResourceNotFound", "status": 404}));
    fail(&world, "sagemaker", "DeleteEndpointConfig", "after", &json!("reset"));
    world.delete("assistant").await;
    world.wait_until_gone("assistant").await;
    assert_eq!(pairs(&world).await, (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_lost_answer_makes_nothing_twice() {
    let world = world("lost").await;
    for operation in ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"] {
        fail(&world, "sagemaker", operation, "after", &json!("reset"));
    }
    fail(&world, "application-autoscaling", "RegisterScalableTarget", "after", &json!("reset"));
    world.apply("assistant", &ranking(json!({}))).await;
    let object = world.wait_ready("assistant").await;
    let name = endpoint_name(&object);
    fail(&world, "sagemaker", "UpdateEndpoint", "after", &json!("reset"));
    transitions_take(&world, 300);
    world.apply("assistant", &ranking(json!({"image": image("2")}))).await;
    world.wait_ready("assistant").await;
    assert_eq!(image_in_service(&world, &name).await, "2");
    let (models, configs) = pairs(&world).await;
    assert_eq!((models.len(), configs.len()), (2, 2));
}

#[tokio::test]
async fn a_quota_is_named_and_the_old_revision_serves_on() {
    let world = world("quota").await;
    world.apply("assistant", &ranking(json!({}))).await;
    let name = endpoint_name(&world.wait_ready("assistant").await);
    world.aws.control("sagemaker/limit", json!({"instanceType": "ml.c5.xlarge", "count": 0}));
    world.apply("assistant", &ranking(json!({"instance": {"type": "ml.c5.xlarge", "count": 2}}))).await;
    let message = world.wait_stalled("assistant", "QuotaExceeded").await;
    assert!(message.contains("sagemaker:UpdateEndpoint") && message.contains("ml.c5.xlarge"), "{message}");
    assert_eq!(instances(&world, &name).await, 2);
    world.wait("it scales again", async || bounds(&world).await == Some((2, 8))).await;
    world.wait_stalled("assistant", "QuotaExceeded").await;
    world.aws.control("sagemaker/limit", json!({"instanceType": "ml.c5.xlarge", "count": null}));
    world.poke("assistant").await;
    world.wait_ready("assistant").await;
    assert_eq!(bounds(&world).await, Some((2, 8)));
}

#[tokio::test]
async fn a_missing_permission_is_named_with_its_resource() {
    let world = world("denied").await;
    world.aws.control("deny", json!({"action": "sagemaker:CreateEndpoint"}));
    world.apply("assistant", &ranking(json!({}))).await;
    let message = world.wait_stalled("assistant", "AccessDenied").await;
    assert!(message.contains("sagemaker:CreateEndpoint") && message.contains(":endpoint/"), "{message}");
    world.aws.control("deny", json!({"action": "sagemaker:CreateEndpoint", "remove": true}));
    world.poke("assistant").await;
    world.wait_ready("assistant").await;
}

#[tokio::test]
async fn an_endpoint_of_another_owner_is_left_alone() {
    let world = world("foreign").await;
    world.apply("assistant", &ranking(json!({}))).await;
    let object = world.wait_ready("assistant").await;
    let name = endpoint_name(&object);
    let arn = endpoint(&world, &name).await.endpoint_arn.expect("an ARN");
    let theirs = aws_sdk_sagemaker::types::Tag::builder().key("aiplatform.dev/owner").value("other/team/x").build();
    world.aws.sagemaker().add_tags().resource_arn(arn).tags(theirs).send().await.expect("tagged");
    world.apply("assistant", &ranking(json!({"image": image("2")}))).await;
    let message = world.wait_stalled("assistant", "NotOwned").await;
    assert!(message.contains("other/team/x"), "{message}");
    assert_eq!(count(&world, "UpdateEndpoint"), 0);
    assert_eq!(image_in_service(&world, &name).await, "1");
}

#[tokio::test]
async fn scaling_stays_on_while_a_rollout_cannot_begin() {
    let world = world("unready").await;
    world.apply("assistant", &ranking(json!({}))).await;
    world.wait_ready("assistant").await;
    let wanted = ranking(json!({
        "instance": {"type": "ml.c5.xlarge", "count": 2},
        "modelData": {"bucket": "artifacts", "key": "models/rank/2/model.tar.gz"},
    }));
    world.apply("assistant", &wanted).await;
    world
        .wait_for("assistant", "waiting for its artifact", |status| {
            condition(status, "Ready").is_some_and(|ready| ready.reason == "ProgressingWithRetry")
        })
        .await;
    assert_eq!(bounds(&world).await, Some((2, 8)));
    assert_eq!(count(&world, "DeregisterScalableTarget"), 0);
}

//! Every answer of AWS that reference texts know, each once, and the way out of it.

use super::*;

/// Lets the next call of an operation fail.
fn fail(env: &TestEnv, service: &str, operation: &str, when: &str, error: &Value) {
    let fault = json!({"service": service, "operation": operation, "when": when, "times": 1, "error": error});
    env.aws.control("faults", fault);
}

fn validation(message: &str) -> Value {
    json!({"code": "ValidationException", "status": 400, "message": message})
}

#[tokio::test]
async fn every_known_refusal_is_survived_while_an_endpoint_comes_up() {
    let env = env("refusals").await;
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
        fail(&env, service, operation, "before", error);
    }
    env.apply("assistant", &ranking(json!({}))).await;
    env.wait_ready("assistant").await;
    assert_eq!(pairs(&env).await.0.len(), 1);
    let endpoints = env.aws.sagemaker().list_endpoints().send().await.expect("a list").endpoints.unwrap_or_default();
    assert_eq!(endpoints.len(), 1);
}

#[tokio::test]
async fn every_known_refusal_is_survived_while_an_endpoint_is_moved_and_goes() {
    let env = env("moves").await;
    env.apply("assistant", &ranking(json!({}))).await;
    let name = endpoint_name(&env.wait_ready("assistant").await);
    let busy =
        validation("Cannot update in-progress endpoint \"arn:aws:sagemaker:eu-west-1:123456789012:endpoint/x\".");
    fail(&env, "sagemaker", "UpdateEndpoint", "before", &busy);
    fail(&env, "sagemaker", "AddTags", "after", &json!("reset"));
    fail(&env, "application-autoscaling", "DeregisterScalableTarget", "after", &json!("reset"));
    env.apply("assistant", &ranking(json!({"image": image("2"), "instance": {"type": "ml.c5.xlarge", "count": 2}})))
        .await;
    env.wait_ready("assistant").await;
    assert_eq!(image_in_service(&env, &name).await, "2");
    assert_eq!(bounds(&env).await, Some((2, 8)));
    fail(&env, "sagemaker", "DeleteEndpoint", "before", &busy);
    fail(&env, "sagemaker", "DeleteModel", "before", &json!({"code": "ResourceNotFound", "status": 404}));
    fail(&env, "sagemaker", "DeleteEndpointConfig", "after", &json!("reset"));
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    assert_eq!(pairs(&env).await, (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_lost_answer_makes_nothing_twice() {
    let env = env("lost").await;
    for operation in ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"] {
        fail(&env, "sagemaker", operation, "after", &json!("reset"));
    }
    fail(&env, "application-autoscaling", "RegisterScalableTarget", "after", &json!("reset"));
    env.apply("assistant", &ranking(json!({}))).await;
    let object = env.wait_ready("assistant").await;
    let name = endpoint_name(&object);
    fail(&env, "sagemaker", "UpdateEndpoint", "after", &json!("reset"));
    transitions_take(&env, 300);
    env.apply("assistant", &ranking(json!({"image": image("2")}))).await;
    env.wait_ready("assistant").await;
    assert_eq!(image_in_service(&env, &name).await, "2");
    let (models, configs) = pairs(&env).await;
    assert_eq!((models.len(), configs.len()), (2, 2));
}

#[tokio::test]
async fn a_quota_is_named_and_the_old_revision_serves_on() {
    let env = env("quota").await;
    env.apply("assistant", &ranking(json!({}))).await;
    let name = endpoint_name(&env.wait_ready("assistant").await);
    env.aws.control("sagemaker/limit", json!({"instanceType": "ml.c5.xlarge", "count": 0}));
    env.apply("assistant", &ranking(json!({"instance": {"type": "ml.c5.xlarge", "count": 2}}))).await;
    let message = env.wait_stalled("assistant", "QuotaExceeded").await;
    assert!(message.contains("sagemaker:UpdateEndpoint") && message.contains("ml.c5.xlarge"), "{message}");
    assert_eq!(instances(&env, &name).await, 2);
    env.wait("it scales again", async || bounds(&env).await == Some((2, 8))).await;
    env.wait_stalled("assistant", "QuotaExceeded").await;
    env.aws.control("sagemaker/limit", json!({"instanceType": "ml.c5.xlarge", "count": null}));
    env.poke("assistant").await;
    env.wait_ready("assistant").await;
    assert_eq!(bounds(&env).await, Some((2, 8)));
}

#[tokio::test]
async fn a_missing_permission_is_named_with_its_resource() {
    let env = env("denied").await;
    env.aws.control("deny", json!({"action": "sagemaker:CreateEndpoint"}));
    env.apply("assistant", &ranking(json!({}))).await;
    let message = env.wait_stalled("assistant", "AccessDenied").await;
    assert!(message.contains("sagemaker:CreateEndpoint") && message.contains(":endpoint/"), "{message}");
    env.aws.control("deny", json!({"action": "sagemaker:CreateEndpoint", "remove": true}));
    env.poke("assistant").await;
    env.wait_ready("assistant").await;
}

#[tokio::test]
async fn an_endpoint_of_another_owner_is_left_alone() {
    let env = env("foreign").await;
    env.apply("assistant", &ranking(json!({}))).await;
    let object = env.wait_ready("assistant").await;
    let name = endpoint_name(&object);
    let arn = endpoint(&env, &name).await.endpoint_arn.expect("an ARN");
    let theirs = aws_sdk_sagemaker::types::Tag::builder().key("aiplatform.dev/owner").value("other/team/x").build();
    env.aws.sagemaker().add_tags().resource_arn(arn).tags(theirs).send().await.expect("tagged");
    env.apply("assistant", &ranking(json!({"image": image("2")}))).await;
    let message = env.wait_stalled("assistant", "NotOwned").await;
    assert!(message.contains("other/team/x"), "{message}");
    assert_eq!(count(&env, "UpdateEndpoint"), 0);
    assert_eq!(image_in_service(&env, &name).await, "1");
}

#[tokio::test]
async fn scaling_stays_on_while_a_rollout_cannot_begin() {
    let env = env("unready").await;
    env.apply("assistant", &ranking(json!({}))).await;
    env.wait_ready("assistant").await;
    let wanted = ranking(json!({
        "instance": {"type": "ml.c5.xlarge", "count": 2},
        "modelData": {"bucket": "artifacts", "key": "models/rank/2/model.tar.gz"},
    }));
    env.apply("assistant", &wanted).await;
    env.wait_for("assistant", "waiting for its artifact", |status| {
        condition(status, "Ready").is_some_and(|ready| ready.reason == "ProgressingWithRetry")
    })
    .await;
    assert_eq!(bounds(&env).await, Some((2, 8)));
    assert_eq!(count(&env, "DeregisterScalableTarget"), 0);
}

//! Models on SageMaker: endpoints that come up, are moved from revision to revision, scale and go.

mod by_hand;
mod calls;
mod creation;
mod deletion;
mod edits;
mod failures;
mod first_count;
mod grants;
mod logs;
mod memory;
mod rollback;
mod rollout;
mod scaling;
mod several;

use aiplatform::api::AIPlatform;
use aiplatform::api::status::ModelStatus;
use aws_sdk_applicationautoscaling::types::ServiceNamespace;
use aws_sdk_sagemaker::operation::describe_endpoint::DescribeEndpointOutput;
use serde_json::{Value, json};

use crate::support::test_env::{PASSES, TestEnv, condition, spec};

/// An environment that polls transitions often, and reconciles again on request.
async fn env(name: &str) -> TestEnv {
    TestEnv::with(name, &["--transition-poll", "200ms"]).await
}

/// A spec with one bucket and one model on SageMaker, `rank`, with these fields in place of the usual ones.
fn ranking(fields: Value) -> Value {
    let mut sagemaker = json!({
        "image": image("1"),
        "instance": {"type": "ml.m5.large", "count": 2},
        "autoscaling": {
            "minInstances": 2,
            "maxInstances": 8,
            "target": {"invocationsPerInstance": {"loadTest": {"maxRequestsPerSecond": 20, "safetyFactor": 0.5}}},
        },
    });
    let Value::Object(fields) = fields else { panic!("fields are an object: {fields}") };
    for (field, value) in fields {
        if value.is_null() {
            sagemaker.as_object_mut().expect("an object").remove(&field);
        } else {
            sagemaker[field] = value;
        }
    }
    let mut wanted = spec(json!([{"name": "artifacts", "deletionPolicy": "DeleteWithContents"}]));
    wanted["models"] = json!([{"name": "rank", "sagemaker": sagemaker}]);
    wanted
}

fn image(tag: &str) -> String {
    format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:{tag}")
}

/// Milliseconds that no test takes: what is under way lasts until the test says that it takes less.
const UNTIL_TOLD: u32 = 600_000;

/// Lets an endpoint's transitions take so many milliseconds, those that are under way as well where that is less.
fn transitions_take(env: &TestEnv, milliseconds: u32) {
    let mut timings = json!({});
    for transition in ["create", "update", "rollback", "scale", "delete"] {
        timings[format!("sagemaker.endpoint.{transition}")] = milliseconds.into();
    }
    env.aws.control("timings", timings);
}

fn model(object: &AIPlatform) -> ModelStatus {
    object.status.as_ref().and_then(|status| status.models.first()).expect("the status knows the model").clone()
}

fn endpoint_name(object: &AIPlatform) -> String {
    model(object).endpoint.expect("the status names the endpoint")
}

async fn endpoint(env: &TestEnv, name: &str) -> DescribeEndpointOutput {
    env.aws.sagemaker().describe_endpoint().endpoint_name(name).send().await.expect("the endpoint")
}

/// How many instances there are.
async fn instances(env: &TestEnv, name: &str) -> i32 {
    let endpoint = endpoint(env, name).await;
    endpoint.production_variants().first().and_then(|it| it.current_instance_count).expect("a count")
}

/// Waits until SageMaker says that the endpoint is in this status.
async fn wait_for_status(env: &TestEnv, name: &str, status: &str) {
    let client = env.aws.sagemaker();
    let reached = async || {
        let described = client.describe_endpoint().endpoint_name(name).send().await;
        described.is_ok_and(|endpoint| endpoint.endpoint_status.is_some_and(|it| it.as_str() == status))
    };
    env.wait(status, reached).await;
}

/// The model's revision as the tag of its image, which the tests count up.
async fn image_in_service(env: &TestEnv, name: &str) -> String {
    let client = env.aws.sagemaker();
    let config = endpoint(env, name).await.endpoint_config_name.expect("a configuration");
    let config = client.describe_endpoint_config().endpoint_config_name(config).send().await.expect("it");
    let model = config.production_variants().first().and_then(|it| it.model_name.clone()).expect("a model");
    let model = client.describe_model().model_name(model).send().await.expect("the model");
    let image = model.primary_container.and_then(|it| it.image).expect("an image");
    image.rsplit(':').next().expect("a tag").to_string()
}

/// The names of all models and of all endpoint configurations there are.
async fn pairs(env: &TestEnv) -> (Vec<String>, Vec<String>) {
    let client = env.aws.sagemaker();
    let models = client.list_models().send().await.expect("models").models.unwrap_or_default();
    let configs = client.list_endpoint_configs().send().await.expect("configs").endpoint_configs.unwrap_or_default();
    let configs = configs.into_iter().filter_map(|config| config.endpoint_config_name).collect();
    (models.into_iter().filter_map(|model| model.model_name).collect(), configs)
}

/// The bounds that are registered for scaling, if any are.
async fn bounds(env: &TestEnv) -> Option<(i32, i32)> {
    let call = env.aws.autoscaling().describe_scalable_targets().service_namespace(ServiceNamespace::Sagemaker);
    let targets = call.send().await.expect("targets").scalable_targets.unwrap_or_default();
    assert!(targets.len() <= 1, "{targets:?}");
    targets.first().map(|target| (target.min_capacity, target.max_capacity))
}

/// How often an operation was called.
fn count(env: &TestEnv, operation: &str) -> usize {
    env.aws.calls_since(0).iter().filter(|it| *it == operation).count()
}

/// The parameters of the last call of an operation.
fn last(env: &TestEnv, operation: &str) -> Value {
    let calls = env.aws.calls();
    let call = calls.iter().rev().find(|call| call["operation"] == operation);
    call.unwrap_or_else(|| panic!("{operation} was never called"))["parameters"].clone()
}

/// An endpoint with the first image; its name.
async fn in_service(env: &TestEnv) -> String {
    env.apply("assistant", &ranking(json!({}))).await;
    endpoint_name(&env.wait_ready("assistant").await)
}

/// An endpoint with the first image that went back to it from the second; its name.
async fn rolled_back(env: &TestEnv) -> String {
    let name = in_service(env).await;
    env.aws.control("fail-next-update", json!({"endpoint": name, "reason": "no ping"}));
    env.apply("assistant", &ranking(json!({"image": image("2")}))).await;
    env.wait_stalled("assistant", "RolledBack").await;
    name
}

/// Waits until the operator has made so many passes more, which may take what they see from lists that are shared.
async fn wait_for_passes(env: &TestEnv, times: u64) {
    let passes = || env.operator.metric(PASSES);
    let before = passes();
    env.wait("further passes", async || passes() >= before + times).await;
}

/// The names of the inline policies of the model's execution role.
async fn execution_policies(env: &TestEnv) -> Vec<String> {
    let iam = env.aws.iam();
    let roles = iam.list_roles().path_prefix("/aiplatform/").send().await.expect("roles").roles;
    let role = roles.into_iter().find(|role| role.role_name.contains("-rank-execution-")).expect("a role").role_name;
    iam.list_role_policies().role_name(&role).send().await.expect("policies").policy_names
}

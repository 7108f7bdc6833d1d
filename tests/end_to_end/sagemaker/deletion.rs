//! Endpoints go in an order in which nothing is pulled from under them.

use super::*;

const ORDER: [&str; 6] = [
    "DeregisterScalableTarget",
    "DeleteEndpoint",
    "DeleteEndpointConfig",
    "DeleteModel",
    "DeleteRolePolicy",
    "DeleteRole",
];

#[tokio::test]
async fn everything_goes_in_order_and_nothing_is_left() {
    let env = env("gone").await;
    transitions_take(&env, 300);
    for tag in ["1", "2"] {
        env.apply("assistant", &ranking(json!({"image": image(tag)}))).await;
        env.wait_ready("assistant").await;
    }
    let calls = env.aws.call_count();
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    let calls = env.aws.calls_since(calls);
    let places: Vec<usize> = ORDER.iter().map(|it| calls.iter().position(|call| call == it).expect(it)).collect();
    assert!(places.is_sorted(), "{ORDER:?} at {places:?}");
    assert_eq!(pairs(&env).await, (Vec::new(), Vec::new()));
    assert_eq!(bounds(&env).await, None);
    let endpoints = env.aws.sagemaker().list_endpoints().send().await.expect("a list").endpoints.unwrap_or_default();
    assert!(endpoints.is_empty(), "{endpoints:?}");
}

#[tokio::test]
async fn a_model_taken_out_of_the_spec_goes_and_the_rest_stays() {
    let env = env("removed").await;
    env.apply("assistant", &ranking(json!({}))).await;
    env.wait_ready("assistant").await;
    env.apply("assistant", &spec(json!([{"name": "artifacts", "deletionPolicy": "DeleteWithContents"}]))).await;
    let object = env.wait_ready("assistant").await;
    let kinds: Vec<String> = object.status.expect("a status").resources.into_iter().map(|it| it.kind).collect();
    assert_eq!(kinds, ["Bucket", "LogGroup"], "logs are evidence");
    assert_eq!(pairs(&env).await, (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn an_endpoint_that_is_still_being_created_is_waited_for_and_says_since_when() {
    let env = env("creating").await;
    transitions_take(&env, 600_000);
    env.apply("assistant", &ranking(json!({}))).await;
    let creating = |status: &aiplatform::api::AIPlatformStatus| {
        status.models.first().is_some_and(|model| model.outcome.as_deref() == Some("Creating"))
    };
    let name = endpoint_name(&env.wait_for("assistant", "creating", creating).await);
    env.delete("assistant").await;
    let waiting = env
        .wait_for("assistant", "waiting", |status| {
            status.resources.iter().any(|it| {
                it.kind == "SageMakerEndpoint"
                    && it.message.as_deref().is_some_and(|it| it.contains("Creating since 2"))
            })
        })
        .await;
    let status = waiting.status.expect("a status");
    let endpoint = status.resources.iter().find(|it| it.kind == "SageMakerEndpoint").expect("it");
    assert!(endpoint.since.is_some());
    assert_eq!(count(&env, "DeleteEndpoint"), 0, "SageMaker would refuse it");
    for operation in ["DeleteEndpointConfig", "DeleteModel", "DeleteRole"] {
        assert_eq!(count(&env, operation), 0, "{operation} waits for the endpoint");
    }
    transitions_take(&env, 100);
    wait_for_gone(&env, &name).await;
    env.wait_until_gone("assistant").await;
    assert_eq!(pairs(&env).await, (Vec::new(), Vec::new()));
}

async fn wait_for_gone(env: &TestEnv, name: &str) {
    let client = env.aws.sagemaker();
    env.wait("gone", async || client.describe_endpoint().endpoint_name(name).send().await.is_err()).await;
}

#[tokio::test]
async fn what_is_known_goes_while_the_revisions_cannot_be_listed() {
    for action in ["sagemaker:ListModels", "sagemaker:ListEndpointConfigs"] {
        let env = env("unlisted").await;
        env.apply("assistant", &ranking(json!({}))).await;
        env.wait_ready("assistant").await;
        env.aws.control("deny", json!({"action": action}));
        env.delete("assistant").await;
        env.wait("the role is gone", async || count(&env, "DeleteRole") > 0).await;
        assert!(count(&env, "DeleteModel") > 0 && count(&env, "DeleteEndpointConfig") > 0, "in order");
        let reported = env.wait_stalled("assistant", "AccessDenied").await;
        assert!(reported.contains(action), "{reported}");
        let object = env.api().get("assistant").await.expect("it is held");
        assert!(object.metadata.finalizers.is_some_and(|finalizers| !finalizers.is_empty()));
        env.aws.control("deny", json!({"action": action, "remove": true}));
        env.poke("assistant").await;
        env.wait_until_gone("assistant").await;
        assert_eq!(pairs(&env).await, (Vec::new(), Vec::new()));
    }
}

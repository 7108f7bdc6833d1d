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
    let world = world("gone").await;
    transitions_take(&world, 300);
    for tag in ["1", "2"] {
        world.apply("assistant", &ranking(json!({"image": image(tag)}))).await;
        world.wait_ready("assistant").await;
    }
    let calls = world.aws.calls().len();
    world.delete("assistant").await;
    world.wait_until_gone("assistant").await;
    let calls = world.aws.calls_since(calls);
    let places: Vec<usize> = ORDER.iter().map(|it| calls.iter().position(|call| call == it).expect(it)).collect();
    assert!(places.is_sorted(), "{ORDER:?} at {places:?}");
    assert_eq!(pairs(&world).await, (Vec::new(), Vec::new()));
    assert_eq!(bounds(&world).await, None);
    let endpoints = world.aws.sagemaker().list_endpoints().send().await.expect("a list").endpoints.unwrap_or_default();
    assert!(endpoints.is_empty(), "{endpoints:?}");
}

#[tokio::test]
async fn a_model_taken_out_of_the_spec_goes_and_the_rest_stays() {
    let world = world("removed").await;
    world.apply("assistant", &ranking(json!({}))).await;
    world.wait_ready("assistant").await;
    world.apply("assistant", &spec(json!([{"name": "artifacts", "deletionPolicy": "DeleteWithContents"}]))).await;
    let object = world.wait_ready("assistant").await;
    let kinds: Vec<String> = object.status.expect("a status").resources.into_iter().map(|it| it.kind).collect();
    assert_eq!(kinds, ["Bucket", "LogGroup"], "logs are evidence");
    assert_eq!(pairs(&world).await, (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn an_endpoint_that_is_still_being_created_is_waited_for_and_says_since_when() {
    let world = world("creating").await;
    transitions_take(&world, 600_000);
    world.apply("assistant", &ranking(json!({}))).await;
    let creating = |status: &aiplatform::api::AIPlatformStatus| {
        status.models.first().is_some_and(|model| model.outcome.as_deref() == Some("Creating"))
    };
    let name = endpoint_name(&world.wait_for("assistant", "creating", creating).await);
    world.delete("assistant").await;
    let waiting = world
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
    assert_eq!(count(&world, "DeleteEndpoint"), 0, "SageMaker would refuse it");
    for operation in ["DeleteEndpointConfig", "DeleteModel", "DeleteRole"] {
        assert_eq!(count(&world, operation), 0, "{operation} waits for the endpoint");
    }
    transitions_take(&world, 100);
    wait_for_gone(&world, &name).await;
    world.wait_until_gone("assistant").await;
    assert_eq!(pairs(&world).await, (Vec::new(), Vec::new()));
}

async fn wait_for_gone(world: &World, name: &str) {
    let client = world.aws.sagemaker();
    world.wait("gone", async || client.describe_endpoint().endpoint_name(name).send().await.is_err()).await;
}

#[tokio::test]
async fn what_is_known_goes_while_the_revisions_cannot_be_listed() {
    for action in ["sagemaker:ListModels", "sagemaker:ListEndpointConfigs"] {
        let world = world("unlisted").await;
        world.apply("assistant", &ranking(json!({}))).await;
        world.wait_ready("assistant").await;
        world.aws.control("deny", json!({"action": action}));
        world.delete("assistant").await;
        world.wait("the role is gone", async || count(&world, "DeleteRole") > 0).await;
        assert!(count(&world, "DeleteModel") > 0 && count(&world, "DeleteEndpointConfig") > 0, "in order");
        let told = world.wait_stalled("assistant", "AccessDenied").await;
        assert!(told.contains(action), "{told}");
        let object = world.api().get("assistant").await.expect("it is held");
        assert!(object.metadata.finalizers.is_some_and(|finalizers| !finalizers.is_empty()));
        world.aws.control("deny", json!({"action": action, "remove": true}));
        world.poke("assistant").await;
        world.wait_until_gone("assistant").await;
        assert_eq!(pairs(&world).await, (Vec::new(), Vec::new()));
    }
}

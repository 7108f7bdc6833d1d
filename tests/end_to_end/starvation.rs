//! Nobody waits for others for ever, whatever does not answer and whoever asks for too much.

use std::time::{Duration, Instant};

use aiplatform::api::AIPlatform;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::operator::Operator;
use crate::support::world::{World, condition, environment, spec};

/// Objects that hang, in the tests below.
const HANGING: usize = 200;

/// Far more than it takes on a machine that has nothing else to do, and far less than for ever.
const SOON: Duration = Duration::from_secs(20);

/// A model and a role: nothing that needs S3.
fn without_storage(service_account: &str) -> Value {
    json!({
        "region": "eu-west-1",
        "accountId": "123456789012",
        "ownership": {"team": "support", "contact": "support-ml@example.com", "environment": "test"},
        "models": [{"name": "fast", "bedrock": {"modelId": "anthropic.claude-haiku-4-5-20251001-v1:0"}}],
        "identity": {"irsa": {"oidcProviderArn": "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC"}},
        "access": [{"name": "api", "serviceAccount": {"name": service_account}, "models": ["fast"]}],
    })
}

async fn apply(world: &World, namespace: &str, name: &str, spec: &Value) {
    let api: Api<AIPlatform> = Api::namespaced(world.client.clone(), namespace);
    let object = json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform", "metadata": {"name": name}, "spec": spec});
    api.patch(name, &PatchParams::apply("tests").force(), &Patch::Apply(object)).await.expect("applied");
}

/// A world with two namespaces, in the first of which so many objects are made that wait to be woken.
async fn flooded(name: &str, spec: impl Fn(usize) -> Value) -> (World, String) {
    let mut world = World::new(name).await;
    world.operator.kill();
    let other = world.cluster.namespace(&world.client, name).await;
    let arguments = ["--namespace", &world.namespace, "--namespace", &other, "--cluster-name", "tests"];
    world.operator = Operator::start(&arguments, &environment(world.cluster, &world.aws));
    for number in 0..HANGING {
        let mut spec = spec(number);
        spec["suspend"] = json!(true);
        apply(&world, &world.namespace, &format!("hangs-{number}"), &spec).await;
    }
    (world, other)
}

/// Wakes them all.
async fn wake(world: &World) {
    for number in 0..HANGING {
        let awake = json!({"spec": {"suspend": false}});
        let name = format!("hangs-{number}");
        world.api().patch(&name, &PatchParams::default(), &Patch::Merge(awake)).await.expect("woken");
    }
}

/// How long it takes until an object of this namespace is ready.
async fn time_to_ready(world: &World, namespace: &str, name: &str) -> Duration {
    let api: Api<AIPlatform> = Api::namespaced(world.client.clone(), namespace);
    let began = Instant::now();
    apply(world, namespace, name, &without_storage(name)).await;
    let is_ready = async || {
        let status = api.get(name).await.expect("it").status.unwrap_or_default();
        condition(&status, "Ready").is_some_and(|ready| ready.status == "True")
    };
    world.wait(&format!("{namespace}/{name} is ready"), is_ready).await;
    began.elapsed()
}

async fn reached(world: &World, operation: &str, calls: usize) {
    let enough = async || world.aws.calls_since(0).iter().filter(|name| *name == operation).count() >= calls;
    world.wait(&format!("{calls} calls of {operation}"), enough).await;
}

#[tokio::test]
async fn an_edit_is_looked_at_while_two_hundred_objects_hang() {
    let (world, other) = flooded("hanging", |_| spec(json!([{"name": "a"}]))).await;
    world
        .aws
        .control("faults", json!({"service": "s3", "operation": "GetBucketTagging", "error": "hang", "times": null}));
    wake(&world).await;
    reached(&world, "GetBucketTagging", 8).await;
    for (namespace, name) in [(&other, "elsewhere"), (&world.namespace, "beside-them")] {
        let took = time_to_ready(&world, namespace, name).await;
        eprintln!("{namespace}/{name} ready after {took:?}");
        assert!(took < SOON, "{namespace}/{name} took {took:?}\n{}", world.operator.log());
    }
    let told = |status: &aiplatform::api::AIPlatformStatus| {
        condition(status, "Ready").is_some_and(|ready| {
            ready.reason == "ProgressingWithRetry"
                && ready.message.contains("AWS service s3 in region eu-west-1 does not answer since")
                && ready.message.contains("asked again at")
        })
    };
    world.wait_for("hangs-7", "told that S3 does not answer", told).await;
    assert_eq!(world.operator.page("/readyz").0, 200, "one service of AWS is not all of it");

    world.aws.lift_faults();
    for number in [0, 99, 199] {
        world.poke(&format!("hangs-{number}")).await;
        world.wait_ready(&format!("hangs-{number}")).await;
    }
}

#[tokio::test]
async fn an_edit_is_looked_at_while_each_of_two_hundred_regions_hangs() {
    let region = |number: usize| format!("eu-{}-{}", ["north", "south", "east"][number / 99], number % 99 + 1);
    let (world, other) = flooded("regions", |number| {
        let mut spec = spec(json!([{"name": "a"}]));
        spec["region"] = json!(region(number));
        spec
    })
    .await;
    time_to_ready(&world, &other, "first").await;
    world
        .aws
        .control("faults", json!({"service": "sts", "operation": "GetCallerIdentity", "error": "hang", "times": null}));
    wake(&world).await;
    reached(&world, "GetCallerIdentity", 50).await;
    for (namespace, name) in [(&other, "elsewhere"), (&world.namespace, "beside-them")] {
        let took = time_to_ready(&world, namespace, name).await;
        eprintln!("{namespace}/{name} ready after {took:?}");
        assert!(took < SOON, "{namespace}/{name} took {took:?}\n{}", world.operator.log());
    }
    let asked = world.aws.calls_since(0).into_iter().filter(|operation| operation.starts_with("GetBucket")).count();
    assert_eq!(asked, 0, "a region that does not answer whose the credentials are is asked nothing else");
}

#[tokio::test]
async fn an_annotation_in_a_loop_is_slowed_down_and_told_once() {
    let world = World::new("annotated").await;
    world.apply("assistant", &spec(json!([{"name": "a"}]))).await;
    world.wait_ready("assistant").await;
    let looks = || world.aws.operations().iter().filter(|operation| *operation == "GetBucketTagging").count();
    let (before, began) = (looks(), Instant::now());
    let postponed = async || {
        world.poke("assistant").await;
        world.events("assistant").await.iter().any(|(reason, _)| reason == "Postponed")
    };
    world.wait("it is told", postponed).await;
    for _ in 0..50 {
        world.poke("assistant").await;
    }
    // Five at once, and one for every ten seconds that this has taken.
    let (at_once, most) = (looks() - before, 8 + began.elapsed().as_secs() / 10);
    assert!(at_once as u64 <= most, "{at_once} looks at everything in {:?}", began.elapsed());
    let told = world.events("assistant").await.into_iter().filter(|(reason, _)| reason == "Postponed").count();
    assert_eq!(told, 1);
    world.wait("the last one is looked at in the end", async || looks() - before > at_once).await;
}

#[tokio::test]
async fn one_platform_asks_for_so_much_at_once_and_no_more() {
    let world = World::new("crowded").await;
    let buckets: Vec<Value> = (0..16).map(|number| json!({"name": format!("b-{number}")})).collect();
    world.apply("assistant", &spec(json!(buckets))).await;
    world.wait_ready("assistant").await;
    let before = world.aws.calls().len();
    world.aws.control("latency", json!({"ms": 100}));
    world.poke("assistant").await;
    let calls =
        || world.aws.calls().into_iter().skip(before).filter(|call| call["service"] == "s3").collect::<Vec<_>>();
    world
        .wait("all are looked at", async || calls().iter().filter(|call| !call["result"].is_null()).count() >= 16 * 7)
        .await;
    let times: Vec<(f64, f64)> = calls()
        .iter()
        .filter_map(|call| {
            Some((call["time"].as_f64()?, call["time"].as_f64()? + call["durationMs"].as_f64()? / 1000.0))
        })
        .collect();
    assert!(times.len() >= 16 * 7);
    let most =
        times.iter().map(|(at, _)| times.iter().filter(|(began, ended)| began <= at && at < ended).count()).max();
    assert!(most.is_some_and(|most| most <= 33), "{most:?} calls at once");
}

#[tokio::test]
async fn the_operator_ends_although_aws_does_not_answer() {
    let mut world = World::new("endless").await;
    world.aws.control("faults", json!({"service": "s3", "operation": "*", "error": "hang", "times": null}));
    for number in 0..3 {
        world.apply(&format!("hangs-{number}"), &spec(json!([{"name": "a"}]))).await;
    }
    reached(&world, "GetBucketTagging", 3).await;
    let began = Instant::now();
    assert_eq!(world.operator.terminate().code(), Some(0), "{}", world.operator.log());
    eprintln!("ended after {:?}", began.elapsed());
    world.aws.lift_faults();
    world.restart_operator();
    world.wait_ready("hangs-0").await;
}

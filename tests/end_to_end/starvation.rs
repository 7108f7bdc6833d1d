//! Nobody waits for others for ever, whatever does not answer and whoever asks for too much.

use std::time::{Duration, Instant};

use aiplatform::api::AIPlatform;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::operator::Operator;
use crate::support::test_env::{TestEnv, condition, environment, spec};

/// Objects that hang, in the tests below.
const HANGING: usize = 200;

/// Far more than it takes on a machine that has nothing else to do, and less than a call hangs.
const SOON: Duration = Duration::from_secs(45);

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

async fn apply(env: &TestEnv, namespace: &str, name: &str, spec: &Value) {
    let api: Api<AIPlatform> = Api::namespaced(env.client.clone(), namespace);
    let object = json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform", "metadata": {"name": name}, "spec": spec});
    api.patch(name, &PatchParams::apply("tests").force(), &Patch::Apply(object)).await.expect("applied");
}

/// An environment with two namespaces, in the first of which so many objects are made that wait to be woken.
async fn flooded(name: &str, spec: impl Fn(usize) -> Value) -> (TestEnv, String) {
    let mut env = TestEnv::new(name).await;
    env.operator.kill();
    let other = env.cluster.namespace(&env.client, name).await;
    let arguments = ["--namespace", &env.namespace, "--namespace", &other, "--cluster-name", "tests"];
    env.operator = Operator::start(&arguments, &environment(env.cluster, &env.aws));
    for number in 0..HANGING {
        let mut spec = spec(number);
        spec["suspend"] = json!(true);
        apply(&env, &env.namespace, &format!("hangs-{number}"), &spec).await;
    }
    (env, other)
}

/// Wakes them all.
async fn wake(env: &TestEnv) {
    for number in 0..HANGING {
        let awake = json!({"spec": {"suspend": false}});
        let name = format!("hangs-{number}");
        env.api().patch(&name, &PatchParams::default(), &Patch::Merge(awake)).await.expect("woken");
    }
}

/// How long it takes until an object of this namespace is ready.
async fn time_to_ready(env: &TestEnv, namespace: &str, name: &str) -> Duration {
    let api: Api<AIPlatform> = Api::namespaced(env.client.clone(), namespace);
    let began = Instant::now();
    apply(env, namespace, name, &without_storage(name)).await;
    let is_ready = async || {
        let status = api.get(name).await.expect("it").status.unwrap_or_default();
        condition(&status, "Ready").is_some_and(|ready| ready.status == "True")
    };
    env.wait(&format!("{namespace}/{name} is ready"), is_ready).await;
    began.elapsed()
}

async fn reached(env: &TestEnv, operation: &str, calls: usize) {
    let enough = async || env.aws.calls_since(0).iter().filter(|name| *name == operation).count() >= calls;
    env.wait(&format!("{calls} calls of {operation}"), enough).await;
}

#[tokio::test]
async fn an_edit_is_reconciled_while_two_hundred_objects_hang() {
    let (env, other) = flooded("hanging", |_| spec(json!([{"name": "a"}]))).await;
    env.aws.control("faults", json!({"service": "s3", "operation": "*", "error": "hang", "times": null}));
    wake(&env).await;
    reached(&env, "CreateBucket", 8).await;
    for (namespace, name) in [(&other, "elsewhere"), (&env.namespace, "beside-them")] {
        let took = time_to_ready(&env, namespace, name).await;
        eprintln!("{namespace}/{name} ready after {took:?}");
        assert!(took < SOON, "{namespace}/{name} took {took:?}\n{}", env.operator.log());
    }
    let reported = |status: &aiplatform::api::AIPlatformStatus| {
        condition(status, "Ready").is_some_and(|ready| {
            ready.reason == "ProgressingWithRetry"
                && ready.message.contains("AWS service s3 in region eu-west-1 has not answered since")
                && ready.message.contains("next attempt at")
        })
    };
    env.wait_for("hangs-7", "told that S3 does not answer", reported).await;
    assert_eq!(env.operator.page("/readyz").0, 200, "one service of AWS is not all of it");

    env.aws.lift_faults();
    // A service that did not answer is asked again after a minute at most.
    for number in [0, 99, 199] {
        env.poke(&format!("hangs-{number}")).await;
        env.wait_ready(&format!("hangs-{number}")).await;
    }
}

#[tokio::test]
async fn an_edit_is_reconciled_while_each_of_two_hundred_regions_hangs() {
    let region = |number: usize| format!("eu-{}-{}", ["north", "south", "east"][number / 99], number % 99 + 1);
    let (env, other) = flooded("regions", |number| {
        let mut spec = spec(json!([{"name": "a"}]));
        spec["region"] = json!(region(number));
        spec
    })
    .await;
    time_to_ready(&env, &other, "first").await;
    env.aws
        .control("faults", json!({"service": "sts", "operation": "GetCallerIdentity", "error": "hang", "times": null}));
    wake(&env).await;
    reached(&env, "GetCallerIdentity", 50).await;
    for (namespace, name) in [(&other, "elsewhere"), (&env.namespace, "beside-them")] {
        let took = time_to_ready(&env, namespace, name).await;
        eprintln!("{namespace}/{name} ready after {took:?}");
        assert!(took < SOON, "{namespace}/{name} took {took:?}\n{}", env.operator.log());
    }
    let asked = env.aws.calls_since(0).into_iter().filter(|operation| operation.starts_with("GetBucket")).count();
    assert_eq!(asked, 0, "a region that does not answer whose the credentials are is asked nothing else");
}

#[tokio::test]
async fn an_annotation_in_a_loop_is_slowed_down_and_reported_once() {
    let env = TestEnv::new("annotated").await;
    env.apply("assistant", &spec(json!([{"name": "a"}]))).await;
    env.wait_ready("assistant").await;
    let looks = || env.aws.operations().iter().filter(|operation| *operation == "GetBucketTagging").count();
    let (before, began) = (looks(), Instant::now());
    let postponed = async || {
        env.poke("assistant").await;
        env.events("assistant").await.iter().any(|(reason, _)| reason == "Postponed")
    };
    env.wait("it is told", postponed).await;
    for _ in 0..50 {
        env.poke("assistant").await;
    }
    // Five at once, and one for every ten seconds that this has taken.
    let (at_once, most) = (looks() - before, 8 + began.elapsed().as_secs() / 10);
    assert!(at_once as u64 <= most, "{at_once} looks at everything in {:?}", began.elapsed());
    let reported = env.events("assistant").await.into_iter().filter(|(reason, _)| reason == "Postponed").count();
    assert_eq!(reported, 1);
    let seen = looks();
    env.poke("assistant").await;
    env.wait("the last one is looked at in the end", async || looks() > seen).await;
}

#[tokio::test]
async fn one_platform_asks_for_so_much_at_once_and_no_more() {
    let env = TestEnv::new("crowded").await;
    let buckets: Vec<Value> = (0..16).map(|number| json!({"name": format!("b-{number}")})).collect();
    env.apply("assistant", &spec(json!(buckets))).await;
    env.wait_ready("assistant").await;
    let before = env.aws.call_count();
    env.aws.control("latency", json!({"ms": 100}));
    env.poke("assistant").await;
    let calls = || env.aws.calls().into_iter().skip(before).filter(|call| call["service"] == "s3").collect::<Vec<_>>();
    env.wait("all are looked at", async || calls().iter().filter(|call| !call["result"].is_null()).count() >= 16 * 7)
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
    let mut env = TestEnv::new("endless").await;
    env.aws.control("faults", json!({"service": "s3", "operation": "*", "error": "hang", "times": null}));
    for number in 0..3 {
        env.apply(&format!("hangs-{number}"), &spec(json!([{"name": "a"}]))).await;
    }
    reached(&env, "CreateBucket", 3).await;
    let began = Instant::now();
    assert_eq!(env.operator.terminate().code(), Some(0), "{}", env.operator.log());
    eprintln!("ended after {:?}", began.elapsed());
    env.aws.lift_faults();
    env.restart_operator();
    env.wait_ready("hangs-0").await;
}

//! The operator's own life: ended, killed, replaced, waiting for a cluster or for AWS.

use aiplatform::api::AIPlatform;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::{Api, CustomResourceExt};
use serde_json::{Value, json};

use crate::support::cluster::Cluster;
use crate::support::operator::Operator;
use crate::support::simulator::Simulator;
use crate::support::test_env::{TestEnv, environment, resource_names, spec};

fn two_buckets() -> serde_json::Value {
    let rules = json!({"rules": [{"id": "x", "expiration": {"days": 10}}]});
    spec(json!([{"name": "a", "lifecycle": rules}, {"name": "b", "lifecycle": rules}]))
}

#[tokio::test]
async fn killed_between_any_two_calls_it_converges() {
    let mut env = TestEnv::new("killed").await;
    let mut platform = 0;
    for killed_after in ["CreateBucket", "PutPublicAccessBlock", "PutBucketVersioning", "PutBucketPolicy"] {
        platform += 1;
        let name = format!("platform-{platform}");
        env.aws.control("latency", json!({"ms": 100}));
        let calls = env.aws.operations().len();
        env.apply(&name, &two_buckets()).await;
        let reached = async || env.aws.operations().iter().skip(calls).any(|operation| operation == killed_after);
        env.wait(killed_after, reached).await;
        env.operator.kill();
        env.aws.control("latency", json!({"ms": 0}));
        env.restart_operator();
        let object = env.wait_ready(&name).await;
        let buckets = env.aws.s3().list_buckets().prefix(format!("{}-{name}-", env.namespace)).send().await;
        let buckets = buckets.expect("a list");
        let mut found: Vec<&str> = buckets.buckets().iter().filter_map(|bucket| bucket.name()).collect();
        found.sort_unstable();
        let mut listed = resource_names(&object);
        listed.sort();
        assert_eq!(found, listed, "no duplicate and no orphan after {killed_after}");
    }
}

#[tokio::test]
async fn sigterm_ends_it_after_the_step_in_hand() {
    let mut env = TestEnv::new("sigterm").await;
    env.aws.control("latency", json!({"ms": 150}));
    env.apply("assistant", &two_buckets()).await;
    env.wait("a creation", async || env.aws.operations().iter().any(|operation| operation == "CreateBucket")).await;
    let status = env.operator.terminate();
    assert_eq!(status.code(), Some(0), "{}", env.operator.log());
    let created = env.aws.operations().iter().filter(|operation| *operation == "CreateBucket").count();
    let finished = env.aws.operations().iter().filter(|name| *name == "PutBucketLifecycleConfiguration").count();
    assert_eq!(created, finished, "a step that was begun was ended");
    env.aws.control("latency", json!({"ms": 0}));
    env.restart_operator();
    env.wait_ready("assistant").await;
}

#[test]
fn sigterm_ends_it_while_the_cluster_is_away() {
    let kubeconfig = tempfile::NamedTempFile::new().expect("a file");
    let away = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "away",
        "clusters": [{"name": "away", "cluster": {"server": "http://127.0.0.1:9"}}],
        "contexts": [{"name": "away", "context": {"cluster": "away", "user": "nobody"}}],
        "users": [{"name": "nobody", "user": {"token": "none"}}],
    });
    std::fs::write(kubeconfig.path(), away.to_string()).expect("written");
    let path = kubeconfig.path().to_str().expect("a path").to_string();
    for arguments in [vec![], vec!["--cluster-name", "tests"]] {
        let mut operator = Operator::start(&arguments, &[("KUBECONFIG", path.clone())]);
        operator.wait_for_log("the API server does not answer");
        assert_eq!(operator.page("/readyz").0, 503);
        assert_eq!(operator.terminate().code(), Some(0), "{}", operator.log());
    }
}

#[tokio::test]
async fn readyz_says_what_is_away() {
    let env = TestEnv::new("readyz").await;
    env.wait("ready", async || env.operator.page("/readyz").0 == 200).await;
    assert_eq!(env.operator.page("/healthz").0, 200);
    let lost = Operator::start(
        &["--namespace", &env.namespace],
        &[
            ("KUBECONFIG", env.cluster.operator_kubeconfig()),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:9".into()),
            ("AWS_ACCESS_KEY_ID", "operator".into()),
            ("AWS_SECRET_ACCESS_KEY", "secret".into()),
        ],
    );
    env.wait("AWS is reported away", async || {
        let (status, text) = lost.page("/readyz");
        status == 503 && text.contains("AWS_ENDPOINT_URL") && !text.contains("cluster:")
    })
    .await;
}

/// A control plane whose definition lets anything in, with an operator.
struct Loose {
    namespace: String,
    api: Api<DynamicObject>,
    aws: Simulator,
    operator: Operator,
    _cluster: Cluster,
}

impl Loose {
    async fn new(name: &str) -> Self {
        let cluster = Cluster::start();
        let client = cluster.client().await;
        cluster.install(&client).await;
        loosen_definition(&client).await;
        let namespace = cluster.namespace(&client, name).await;
        let aws = Simulator::start();
        let resource = kube::api::ApiResource::erase::<AIPlatform>(&());
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource);
        wait_loosened(&api).await;
        let arguments = ["--namespace", &namespace, "--cluster-name", "tests"];
        let operator = Operator::start(&arguments, &environment(&cluster, &aws));
        Self { namespace, api, aws, operator, _cluster: cluster }
    }

    async fn apply(&self, name: &str, spec: &Value) {
        let object = json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform", "metadata": {"name": name}, "spec": spec});
        self.api.patch(name, &PatchParams::apply("tests"), &Patch::Apply(object)).await.expect("applied");
    }

    /// Waits until the status of the current generation is as asked.
    async fn wait_for(&self, name: &str, asked: impl Fn(&Value) -> bool) -> Value {
        let began = std::time::Instant::now();
        loop {
            let object = self.api.get(name).await.expect("it");
            let status = object.data.get("status").cloned().unwrap_or_default();
            if status["observedGeneration"].as_i64() == object.metadata.generation && asked(&status) {
                return status;
            }
            assert!(began.elapsed() < crate::support::DEADLINE, "{status:#}\n{}", self.operator.log());
            tokio::time::sleep(crate::support::PERIOD).await;
        }
    }

    async fn wait_ready(&self, name: &str) -> Value {
        self.wait_for(name, |status| status["phase"] == "Ready").await
    }

    async fn wait_unreadable(&self, name: &str) -> Value {
        self.wait_for(name, |status| status["conditions"][0]["reason"] == "InvalidSpec").await
    }

    async fn buckets(&self) -> Vec<String> {
        let found = self.aws.s3().list_buckets().prefix(&self.namespace).send().await.expect("a list");
        found.buckets().iter().filter_map(|bucket| bucket.name().map(ToString::to_string)).collect()
    }
}

#[tokio::test]
async fn an_object_that_does_not_fit_stops_nobody_else() {
    let env = Loose::new("unfit").await;
    env.apply("bad", &json!({"region": 5})).await;
    env.apply("good", &two_buckets()).await;
    env.wait_ready("good").await;
    let status = env.wait_unreadable("bad").await;
    let reported = status["conditions"][0]["message"].as_str().expect("a message");
    assert!(reported.contains("does not fit") && reported.contains("correct the object"), "{reported}");
}

#[tokio::test]
async fn what_was_made_is_known_after_a_spec_that_could_not_be_decoded() {
    let env = Loose::new("undecodable").await;
    let bucket = |name: &str| json!({"name": name, "deletionPolicy": "DeleteWithContents"});
    let mut wanted = spec(json!([bucket("b1"), bucket("b2")]));
    wanted["managementPolicy"] = json!("Full");
    env.apply("assistant", &wanted).await;
    let before = env.wait_ready("assistant").await;
    assert_eq!(env.buckets().await.len(), 2);

    wanted["storage"]["buckets"] = json!([bucket("b1")]);
    wanted["managementPolicy"] = json!("Future");
    env.apply("assistant", &wanted).await;
    let unreadable = env.wait_unreadable("assistant").await;
    for field in ["resources", "accountCheck", "ready", "writtenBy"] {
        assert!(!before[field].is_null(), "{field}: {before:#}");
        assert_eq!(unreadable[field], before[field], "{field}");
    }

    wanted["managementPolicy"] = json!("Full");
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    let left = env.buckets().await;
    assert!(left.len() == 1 && left[0].contains("-b1-"), "{left:?}");

    // On its way out it is held while it cannot be decoded, and goes as soon as it can.
    wanted["managementPolicy"] = json!("Future");
    env.apply("assistant", &wanted).await;
    env.wait_unreadable("assistant").await;
    env.api.delete("assistant", &DeleteParams::default()).await.expect("deleted");
    let is_deleting =
        |status: &Value| status["phase"] == "Deleting" && status["conditions"][0]["reason"] == "InvalidSpec";
    env.wait_for("assistant", is_deleting).await;
    assert_eq!(env.buckets().await, left);
    wanted["managementPolicy"] = json!("Full");
    env.apply("assistant", &wanted).await;
    let began = std::time::Instant::now();
    while env.api.get_opt("assistant").await.expect("an answer").is_some() {
        assert!(began.elapsed() < crate::support::DEADLINE, "{}", env.operator.log());
        tokio::time::sleep(crate::support::PERIOD).await;
    }
    assert_eq!(env.buckets().await, Vec::<String>::new());
}

/// A definition from another time, which lets anything in.
async fn loosen_definition(client: &kube::Client) {
    let mut definition = AIPlatform::crd();
    for version in &mut definition.spec.versions {
        let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let validation = json!({"openAPIV3Schema": schema});
        version.schema = Some(serde_json::from_value(validation).expect("a schema"));
    }
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = AIPlatform::crd_name();
    definitions.patch(name, &PatchParams::apply("tests").force(), &Patch::Apply(definition)).await.expect("taken");
    let served =
        kube::runtime::wait::await_condition(definitions, name, kube::runtime::conditions::is_crd_established());
    tokio::time::timeout(crate::support::DEADLINE, served).await.expect("in time").expect("served");
}

/// Waits until the API server takes what the definition has lately let in.
async fn wait_loosened(api: &Api<DynamicObject>) {
    let object = json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform", "metadata": {"name": "any"}, "spec": {"region": 5}});
    let parameters = PatchParams::apply("tests").dry_run();
    let began = std::time::Instant::now();
    while let Err(error) = api.patch("any", &parameters, &Patch::Apply(&object)).await {
        assert!(began.elapsed() < crate::support::DEADLINE, "{error}");
        tokio::time::sleep(crate::support::PERIOD).await;
    }
}

#[tokio::test]
async fn a_clock_that_is_off_by_an_hour_is_an_obstacle_and_work_goes_on() {
    let env = TestEnv::new("clock").await;
    env.wait("ready", async || env.operator.page("/readyz").0 == 200).await;
    env.aws.control("clock", json!({"aheadSeconds": 3600}));
    env.apply("assistant", &two_buckets()).await;
    env.wait_ready("assistant").await;
    let reported = async || {
        let (status, text) = env.operator.page("/readyz");
        status == 503 && text.contains("clock: it is 3") && text.contains("behind that of AWS") && text.contains("NTP")
    };
    env.wait("the obstacle", reported).await;
    assert_eq!(env.operator.metric("aiplatform_obstacle{part=\"clock\"}"), 1);
    assert!(env.operator.page("/metrics").1.contains("aiplatform_clock_skew_seconds -3"));
    env.aws.control("clock", json!({"aheadSeconds": 7200}));
    env.poke("assistant").await;
    env.wait("it is further off", async || env.operator.page("/readyz").1.contains("clock: it is 7")).await;
    let lines = env.operator.log().lines().filter(|line| line.contains("behind that of AWS")).count();
    assert_eq!(lines, 1, "it is said once: {}", env.operator.log());
}

#[tokio::test]
async fn missing_credentials_are_an_obstacle_and_appear_without_a_restart() {
    let mut env = TestEnv::new("credentials").await;
    env.operator.kill();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("credentials");
    let mut variables = environment(env.cluster, &env.aws).to_vec();
    variables.retain(|(name, _)| !name.starts_with("AWS_ACCESS") && !name.starts_with("AWS_SECRET"));
    variables.push(("AWS_SHARED_CREDENTIALS_FILE", file.to_str().expect("a path").into()));
    env.operator = Operator::start(&["--namespace", &env.namespace, "--cluster-name", "tests"], &variables);
    let reported = async || {
        let (status, text) = env.operator.page("/readyz");
        status == 503 && text.lines().any(|line| line.starts_with("AWS: ") && line.contains("AWS_PROFILE"))
    };
    env.wait("the obstacle", reported).await;
    assert_eq!(env.operator.metric("aiplatform_obstacle{part=\"aws\"}"), 1);
    assert_eq!(env.operator.metric("aiplatform_aws_credentials_valid"), 0);
    let lines =
        env.operator.log().lines().filter(|line| line.contains("not ready: ") && line.contains("AWS_PROFILE")).count();
    assert_eq!(lines, 1, "{}", env.operator.log());
}

#[tokio::test]
async fn a_kubeconfig_that_nobody_takes_is_an_obstacle_with_a_way_out() {
    let mut env = TestEnv::new("unauthorized").await;
    env.operator.kill();
    let kubeconfig =
        env.cluster.kubeconfig_with(env.cluster.kubeconfig(), "unauthorized", "\"token\": \"", "\"token\": \"expired-");
    let mut variables = environment(env.cluster, &env.aws).to_vec();
    variables.retain(|(name, _)| *name != "KUBECONFIG");
    variables.push(("KUBECONFIG", kubeconfig));
    env.operator = Operator::start(&["--namespace", &env.namespace, "--cluster-name", "tests"], &variables);
    let reported = async || {
        let (status, text) = env.operator.page("/readyz");
        status == 503
            && text.lines().any(|line| line.contains("does not take the credentials") && line.contains("renew"))
    };
    env.wait("the obstacle", reported).await;
    assert_eq!(env.operator.page("/healthz").0, 200, "it keeps running");
    assert_eq!(env.operator.metric("aiplatform_obstacle{part=\"watch\"}"), 1);
}

#[test]
fn guardrails_that_cannot_be_read_end_it_with_one_line() {
    for (path, part) in [("no-such-file.yaml", "cannot be read"), ("/dev/zero", "is a device")] {
        let output = crate::support::operator::command().args(["run", "--guardrails", path]).output().expect("it runs");
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{complaint}");
        assert_eq!(complaint.trim_end().lines().count(), 1, "{complaint}");
        assert!(complaint.contains(path) && complaint.contains(part), "{complaint}");
    }
}

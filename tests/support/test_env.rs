//! Everything one end-to-end test needs: a namespace on the real API server, a simulator of its own, an operator.

use std::io::Write;
use std::time::{Duration, Instant};

use aiplatform::api::status::AIPlatformStatus;
use aiplatform::api::{AIPlatform, RECONCILE_AT};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempPath};

use super::cluster::{self, Cluster};
use super::operator::Operator;
use super::simulator::Simulator;
use super::{DEADLINE, PERIOD};

/// The cluster's name in owner tags.
pub const CLUSTER: &str = "tests";

/// The metric that counts passes.
pub const PASSES: &str = "aiplatform_reconcile_duration_seconds_count";

/// Longer than it takes until what changed in the cluster, or was written a moment ago, is looked at.
const WHILE: Duration = Duration::from_millis(1_200);

/// The environment of one test.
pub struct TestEnv {
    /// The control plane.
    pub cluster: &'static Cluster,
    /// The test's own AWS.
    pub aws: Simulator,
    /// The test's own namespace, which is all that its operator watches.
    pub namespace: String,
    /// A client of the API server.
    pub client: Client,
    /// The operator; killed and replaced by some tests.
    pub operator: Operator,
    arguments: Vec<String>,
    guardrails: Option<TempPath>,
}

impl TestEnv {
    /// An environment whose operator reconciles again only on request.
    pub async fn new(name: &str) -> Self {
        Self::with(name, &[]).await
    }

    /// An environment whose operator has further arguments.
    pub async fn with(name: &str, arguments: &[&str]) -> Self {
        Self::on(cluster::shared(), name, arguments).await
    }

    /// An environment on another control plane than the one that most tests share.
    pub async fn on(cluster: &'static Cluster, name: &str, arguments: &[&str]) -> Self {
        let client = cluster.client().await;
        cluster.install(&client).await;
        let namespace = cluster.namespace(&client, name).await;
        let aws = Simulator::start();
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let operator = start_operator(cluster, &aws, &namespace, &arguments);
        Self { cluster, aws, namespace, client, operator, arguments, guardrails: None }
    }

    /// An environment whose operator has guardrails.
    pub async fn guarded(name: &str, guardrails: &str) -> Self {
        let file = file(guardrails);
        let env = Self::with(name, &["--guardrails", file.to_str().expect("a path")]).await;
        Self { guardrails: Some(file), ..env }
    }

    /// The path of the guardrails.
    pub fn guardrails(&self) -> &str {
        self.guardrails.as_ref().and_then(|file| file.to_str()).expect("the operator has guardrails")
    }

    /// Starts another operator, with the same arguments, in place of the one that is there.
    pub fn restart_operator(&mut self) {
        self.operator.kill();
        self.operator = start_operator(self.cluster, &self.aws, &self.namespace, &self.arguments);
    }

    /// Starts another operator, with these arguments, in place of the one that is there.
    pub fn restart_with(&mut self, arguments: &[&str]) {
        self.arguments = arguments.iter().map(ToString::to_string).collect();
        self.restart_operator();
    }

    /// The objects of this test.
    pub fn api(&self) -> Api<AIPlatform> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Applies an object with this spec, as `kubectl apply --server-side` does.
    pub async fn apply(&self, name: &str, spec: &Value) -> AIPlatform {
        self.try_apply(name, spec).await.unwrap_or_else(|error| panic!("the API server refuses {spec:#}: {error}"))
    }

    /// Applies an object that the API server may refuse.
    pub async fn try_apply(&self, name: &str, spec: &Value) -> Result<AIPlatform, kube::Error> {
        let object = json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform", "metadata": {"name": name}, "spec": spec});
        self.api().patch(name, &PatchParams::apply("tests").force(), &Patch::Apply(object)).await
    }

    /// Asks for a pass at once, and waits for nothing.
    pub async fn poke(&self, name: &str) {
        let now = format!("{:?}", Instant::now());
        let patch = json!({"metadata": {"annotations": {RECONCILE_AT: now}}});
        self.api().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.expect("an annotation can be set");
    }

    /// Waits until no pass is under way or begins within a while.
    pub async fn at_rest(&self) {
        let seen = || (self.operator.metric(PASSES), self.operator.metric("aiplatform_reconciles_in_progress"));
        let mut before = seen();
        self.wait("it is at rest", async || {
            tokio::time::sleep(WHILE).await;
            let now = seen();
            let is_at_rest = now == before && now.1 == 0;
            before = now;
            is_at_rest
        })
        .await;
    }

    /// Lets the operator look at a platform once more, and waits until it has done what comes of that. It looks five times
    /// at once, and then once in ten seconds: where a test asks more often, it has to wait for what it asks for.
    pub async fn look(&self, name: &str) {
        self.at_rest().await;
        let before = self.operator.metric(PASSES);
        self.poke(name).await;
        self.wait("a further pass", async || self.operator.metric(PASSES) > before).await;
        self.at_rest().await;
    }

    /// Asks for the deletion, and waits for nothing.
    pub async fn delete(&self, name: &str) {
        self.api().delete(name, &DeleteParams::default()).await.expect("it can be deleted");
    }

    /// Waits until the object is gone.
    pub async fn wait_until_gone(&self, name: &str) {
        self.wait(&format!("{name} is gone"), async || self.api().get_opt(name).await.expect("an answer").is_none())
            .await;
    }

    /// Waits until the status of the current generation is as asked.
    pub async fn wait_for(&self, name: &str, what: &str, asked: impl Fn(&AIPlatformStatus) -> bool) -> AIPlatform {
        let began = Instant::now();
        loop {
            let object = self.api().get(name).await.expect("the object");
            if let Some(status) = &object.status
                && status.observed_generation == object.metadata.generation
                && asked(status)
            {
                return object;
            }
            assert!(
                began.elapsed() < DEADLINE,
                "{name} is not {what}: {}\n{}",
                serde_json::to_string_pretty(&object.status).unwrap_or_default(),
                self.operator.log()
            );
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// Waits until the object is ready.
    pub async fn wait_ready(&self, name: &str) -> AIPlatform {
        self.wait_for(name, "ready", |status| condition(status, "Ready").is_some_and(|ready| ready.status == "True"))
            .await
    }

    /// Waits until the object is stalled for this reason, and returns the message.
    pub async fn wait_stalled(&self, name: &str, reason: &str) -> String {
        let stalled =
            |status: &AIPlatformStatus| condition(status, "Stalled").is_some_and(|stalled| stalled.reason == reason);
        let object = self.wait_for(name, &format!("stalled with {reason}"), stalled).await;
        let status = object.status.expect("a status");
        assert_eq!(condition(&status, "Ready").map(|ready| ready.status.as_str()), Some("False"));
        assert!(condition(&status, "Reconciling").is_none(), "stalled objects are not Reconciling");
        condition(&status, "Stalled").expect("it is stalled").message.clone()
    }

    /// Waits for anything else.
    pub async fn wait(&self, what: &str, mut done: impl AsyncFnMut() -> bool) {
        let began = Instant::now();
        while !done().await {
            assert!(began.elapsed() < DEADLINE, "never happened: {what}\n{}", self.operator.log());
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// The annotations of a service account in the test's namespace, if it is there.
    pub async fn service_account(&self, name: &str) -> Option<std::collections::BTreeMap<String, String>> {
        use k8s_openapi::api::core::v1::ServiceAccount;
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.namespace);
        let account = accounts.get_opt(name).await.expect("an answer")?;
        Some(account.metadata.annotations.unwrap_or_default())
    }

    /// The reasons of the events about an object.
    pub async fn events(&self, name: &str) -> Vec<(String, String)> {
        use k8s_openapi::api::events::v1::Event;
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let events = events.list(&kube::api::ListParams::default()).await.expect("events");
        let about = |event: &Event| event.regarding.as_ref().is_some_and(|object| object.name.as_deref() == Some(name));
        let reported = events.items.into_iter().filter(about);
        reported.map(|event| (event.reason.unwrap_or_default(), event.note.unwrap_or_default())).collect()
    }
}

/// Guardrails under which every bucket may be taken over.
pub const ANY_BUCKET: &str = "rules: [{adoptableBuckets: [\"*\"]}]";

/// A condition of a status.
pub fn condition<'a>(status: &'a AIPlatformStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == kind)
}

/// The names in AWS of an object's resources, in the order of its status.
pub fn resource_names(object: &AIPlatform) -> Vec<String> {
    let resources = object.status.iter().flat_map(|status| &status.resources);
    resources.map(|resource| resource.name.clone()).collect()
}

/// The version of an object, which every write moves.
pub fn version(object: &AIPlatform) -> String {
    object.resource_version().expect("a version")
}

/// A spec with these buckets.
pub fn spec(buckets: Value) -> Value {
    json!({
        "region": "eu-west-1",
        "accountId": "123456789012",
        "ownership": {"team": "support", "contact": "support-ml@example.com", "environment": "test"},
        "storage": {"buckets": buckets},
    })
}

/// A file with this text, which goes when its path is dropped.
pub fn file(text: &str) -> TempPath {
    let mut file = NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("written");
    file.into_temp_path()
}

fn start_operator(cluster: &Cluster, aws: &Simulator, namespace: &str, arguments: &[String]) -> Operator {
    let mut all = vec!["--namespace", namespace, "--cluster-name", CLUSTER];
    all.extend(arguments.iter().map(String::as_str));
    Operator::start(&all, &environment(cluster, aws))
}

/// Where the operator finds its cluster and its AWS.
pub fn environment(cluster: &Cluster, aws: &Simulator) -> [(&'static str, String); 5] {
    [
        ("KUBECONFIG", cluster.operator_kubeconfig()),
        ("AWS_ENDPOINT_URL", aws.url().to_string()),
        ("AWS_ACCESS_KEY_ID", "operator".into()),
        ("AWS_SECRET_ACCESS_KEY", "secret".into()),
        ("AWS_REGION", "eu-west-1".into()),
    ]
}

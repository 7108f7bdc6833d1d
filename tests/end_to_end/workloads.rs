//! Objects that serve models in the cluster, on a real control plane with nodes: how they are written, compared, judged
//! and deleted. The adapter is driven with declarations made by hand.

mod comparison;
mod creation;
mod optional_apis;
mod replicas;
mod rollouts;
mod scale;
mod specs;
mod watches;

use std::time::Instant;

use aiplatform::api::{DeletionPolicy, ManagementPolicy};
use aiplatform::document::Document;
use aiplatform::features::inference::deployment::Rollout;
use aiplatform::features::inference::{
    Deployment, HorizontalPodAutoscaler, Manifest, NetworkPolicy, PodDisruptionBudget, PodMonitor, ScaledObject,
    Service,
};
use aiplatform::kind::Backend;
use aiplatform::outcome::Applied;
use aiplatform::plan::{Action, Intent, Plan, Step, plan};
use aiplatform::provider::cluster::Cluster as Adapter;
use aiplatform::resource::{Departure, Desired, Freshness, Key, Kind, Observations, Observed, Request, Resource};
use aiplatform::scope::Scope;
use aiplatform::tags;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use crate::support::cluster::{self, Cluster};
use crate::support::test_env::CLUSTER;
use crate::support::{DEADLINE, PERIOD};

const PLATFORM: &str = "assistant";
const MODEL: &str = "local";
/// The label by which a test says that it plays the kubelet of a pod itself.
const KUBELET: &str = "tests.aiplatform.dev/kubelet";

/// Changes the spec of a Deployment that is declared.
fn edit(deployment: &mut Deployment, change: impl FnOnce(&mut Value)) {
    let mut spec = deployment.manifest.spec.content();
    change(&mut spec);
    deployment.manifest.spec = Document::new(&spec);
}

/// A namespace of a control plane, and the adapter.
struct Env {
    cluster: &'static Cluster,
    namespace: String,
    client: Client,
    adapter: Adapter,
}

impl Env {
    async fn new(name: &str) -> Self {
        Self::on(cluster::with_nodes(), name).await
    }

    async fn on(cluster: &'static Cluster, name: &str) -> Self {
        let client = cluster.client().await;
        let namespace = cluster.namespace(&client, name).await;
        Self { cluster, namespace, adapter: Adapter::new(client.clone()), client }
    }

    fn scope(&self) -> Scope {
        Scope {
            region: "eu-west-1".into(),
            account_id: "123456789012".into(),
            owner: format!("{CLUSTER}/{}/{PLATFORM}", self.namespace),
            uid: String::new(),
            assume_role: None,
        }
    }

    fn manifest(&self, name: &str, spec: Value) -> Manifest {
        Manifest::new(&self.namespace, PLATFORM, name, spec).labelled([(tags::MODEL_LABEL, MODEL)])
    }

    /// A Deployment of this revision; without replicas in its spec unless they are given.
    fn deployment(&self, revision: &str, replicas: Option<i32>) -> Deployment {
        self.manifest(MODEL, deployment_spec(revision, replicas)).into()
    }

    /// The same whose kubelet the test plays.
    fn held(&self, revision: &str, replicas: i32) -> Deployment {
        let mut deployment = self.deployment(revision, Some(replicas));
        edit(&mut deployment, |spec| spec["template"]["metadata"]["labels"][KUBELET] = json!("test"));
        deployment
    }

    async fn observe(&self, key: &Key) -> Observed {
        let request = Request {
            key: key.clone(),
            adopt: false,
            pruning: false,
            may_be_made: false,
            thorough: true,
            omitted: &[],
            freshness: Freshness::Current,
            departure: Departure::default(),
            vpc_id: None,
        };
        self.adapter.observe(&self.scope(), &request).await.expect("an answer")
    }

    async fn plan_of(&self, desired: &[Resource], known: &[Key], intent: &Intent) -> Plan {
        let desired: Vec<Desired> = desired.iter().cloned().map(Desired::made).collect();
        let mut observations = Observations::new();
        for key in desired.iter().map(|desired| desired.resource.key()).chain(known.iter().cloned()) {
            observations.insert(key.clone(), self.observe(&key).await);
        }
        plan(&self.namespace, PLATFORM, &desired, &observations, intent)
    }

    /// The step for one resource, on what is seen now.
    async fn step(&self, desired: impl Into<Resource>) -> Step {
        let mut plan = self.plan_of(&[desired.into()], &[], &Intent::keep(ManagementPolicy::Full)).await;
        plan.steps.pop().expect("a step")
    }

    /// Plans and takes the step for one resource.
    async fn put(&self, desired: impl Into<Resource>) -> Step {
        let step = self.step(desired).await;
        if step.is_taken() {
            self.adapter.apply(&self.scope(), &step).await.unwrap_or_else(|error| panic!("{error}"));
        }
        step
    }

    /// Takes a resource away that is no longer declared.
    async fn prune(&self, key: &Key) -> Applied {
        let plan = self.plan_of(&[], std::slice::from_ref(key), &Intent::keep(ManagementPolicy::Full)).await;
        let Some(step) = plan.steps.first() else { return Applied::Gone };
        self.adapter.apply(&self.scope(), step).await.expect("deleted")
    }

    fn api(&self, kind: Kind) -> Api<DynamicObject> {
        let Backend::Cluster(api) = kind.info().backend else { panic!("{kind} is not in the cluster") };
        let gvk = GroupVersionKind::gvk(api.group, api.version, api.kind);
        let resource = ApiResource::from_gvk_with_plural(&gvk, api.plural);
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    async fn live(&self, kind: Kind, name: &str) -> Value {
        serde_json::to_value(self.api(kind).get(name).await.expect("it is there")).expect("JSON")
    }

    fn kubectl(&self, arguments: &[&str]) -> String {
        let arguments: Vec<&str> = ["-n", &self.namespace].into_iter().chain(arguments.iter().copied()).collect();
        self.cluster.kubectl(&arguments, "").expect("done")
    }

    /// Makes a quota, and waits until it holds.
    async fn hold_by_quota(&self, hard: &str) {
        self.kubectl(&["create", "quota", "none", &format!("--hard={hard}")]);
        let began = Instant::now();
        while self.kubectl(&["get", "quota", "none", "-o", "jsonpath={.status.used}"]).is_empty() {
            assert!(began.elapsed() < DEADLINE, "the quota does not hold");
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// Waits until an observation is as asked.
    async fn wait(&self, key: &Key, what: &str, asked: impl Fn(&Observed) -> bool) -> Observed {
        let began = Instant::now();
        loop {
            let observed = self.observe(key).await;
            if asked(&observed) {
                return observed;
            }
            assert!(began.elapsed() < DEADLINE, "{key} is not {what}: {observed:#?}");
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// The pods of a revision that are not on their way out.
    async fn pods(&self, revision: &str) -> Vec<String> {
        let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let selector = ListParams::default().labels(&format!("{}={revision}", tags::REVISION_LABEL));
        let listed = pods.list(&selector).await.expect("a list");
        listed.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).map(|pod| pod.name_any()).collect()
    }

    /// Sets the status of every pod of a revision, as a kubelet does, once there are so many.
    async fn play_kubelet(&self, revision: &str, count: usize, status: &Value) {
        let began = Instant::now();
        let mut names = self.pods(revision).await;
        while names.len() < count {
            assert!(began.elapsed() < DEADLINE, "there are {} pods of {revision}", names.len());
            tokio::time::sleep(PERIOD).await;
            names = self.pods(revision).await;
        }
        let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        for name in names {
            let patch = Patch::Merge(json!({"status": status}));
            pods.patch_status(&name, &PatchParams::default(), &patch).await.expect("a status");
        }
    }
}

fn key<T: aiplatform::kind::Listed>(resource: &T) -> Key {
    T::key_of(resource.name())
}

fn rollout(observed: &Observed) -> &Rollout {
    observed.facts_of::<Deployment>().expect("facts")
}

fn words(observed: &Observed) -> String {
    match &observed.state {
        aiplatform::resource::ObservedState::Progressing(words)
        | aiplatform::resource::ObservedState::Failed(words) => words.clone(),
        other => panic!("{other:?}"),
    }
}

fn deployment_spec(revision: &str, replicas: Option<i32>) -> Value {
    let labels =
        json!({"app": MODEL, tags::PLATFORM_LABEL: PLATFORM, tags::MODEL_LABEL: MODEL, tags::REVISION_LABEL: revision});
    let mut spec = json!({
        "selector": {"matchLabels": {"app": MODEL}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{
                "name": "engine",
                "image": format!("example.invalid/engine:{revision}"),
                "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "ports": [{"name": "http", "containerPort": 8000}],
            }]},
        },
    });
    if let Some(replicas) = replicas {
        spec["replicas"] = json!(replicas);
    }
    spec
}

/// Every kind, with whatever the API servers fill in, drop or spell anew.
fn everything(env: &Env, name: &str) -> Vec<Resource> {
    let selector = json!({"matchLabels": {"app": name}});
    let mut spec = deployment_spec("r1", Some(2));
    spec["selector"] = selector.clone();
    spec["progressDeadlineSeconds"] = json!(1800);
    let template = &mut spec["template"];
    template["metadata"]["labels"]["app"] = json!(name);
    template["metadata"]["annotations"] = json!({"prometheus.io/scrape": "true"});
    template["spec"] = json!({
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "hostNetwork": false,
        "terminationGracePeriodSeconds": 60,
        "nodeSelector": {},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "securityContext": {"runAsNonRoot": true, "runAsUser": 1000, "fsGroup": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": selector.clone()}],
        "initContainers": [{"name": "weights", "image": "example.invalid/fetch:1", "command": ["fetch"], "args": []}],
        "containers": [
            {
                "name": "engine",
                "image": "example.invalid/engine:1",
                "args": ["--max-model-len", "8192"],
                "env": [
                    {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                    {"name": "LIMIT", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}},
                    {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf", "key": "token"}}},
                    {"name": "EMPTY", "value": ""},
                    {"name": "ADDRESS", "value": "$(POD):8000"},
                ],
                "ports": [{"name": "http", "containerPort": 8000}],
                "resources": {
                    "requests": {"cpu": "0.5", "memory": "1024Mi", "nvidia.com/gpu": 1},
                    "limits": {"cpu": "1000m", "memory": "1024Mi", "nvidia.com/gpu": "1"},
                },
                "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": false, "capabilities": {"drop": ["ALL"]}},
                "startupProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 10, "failureThreshold": 180},
                "lifecycle": {"preStop": {"sleep": {"seconds": 15}}},
                "volumeMounts": [
                    {"name": "shared-memory", "mountPath": "/dev/shm"},
                    {"name": "weights", "mountPath": "/models", "readOnly": false},
                ],
            },
            {"name": "agent", "image": "example.invalid/agent:1"},
        ],
        "volumes": [
            {"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": "2048Mi"}},
            {"name": "weights", "emptyDir": {}},
            {"name": "identity", "projected": {"sources": [{"serviceAccountToken": {"path": "token", "audience": "sts.amazonaws.com"}}]}},
        ],
    });
    let deployment = Deployment::from(env.manifest(name, spec));
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": name});
    let service = json!({"selector": {"app": name}, "ports": [{"name": "http", "port": 8000, "targetPort": "http"}]});
    let policy = json!({
        "podSelector": selector.clone(),
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 8000}]}],
        "egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}, {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": []}}]}],
    });
    let by_metrics = json!({
        "scaleTargetRef": target,
        "minReplicas": 1,
        "maxReplicas": 4,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}},
            {"type": "Pods", "pods": {"metric": {"name": "waiting"}, "target": {"type": "AverageValue", "averageValue": "5000m"}}}],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300, "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}},
    });
    let by_queue = json!({
        "scaleTargetRef": {"name": name},
        "minReplicaCount": 0,
        "maxReplicaCount": 4,
        "fallback": {"failureThreshold": 3, "replicas": 2},
        "triggers": [{"type": "prometheus", "metadata": {"serverAddress": "http://prometheus", "query": "sum(x)", "threshold": "5"}}],
    });
    let monitor = json!({
        "selector": selector,
        "podMetricsEndpoints": [{"port": "http", "path": "/metrics", "interval": "15s",
            "relabelings": [{"sourceLabels": ["__meta_kubernetes_pod_name"], "targetLabel": "pod"}]}],
    });
    vec![
        NetworkPolicy(env.manifest(name, policy)).into(),
        Service(env.manifest(name, service)).into(),
        deployment.into(),
        PodDisruptionBudget(
            env.manifest(name, json!({"maxUnavailable": 1, "selector": {"matchLabels": {"app": name}}})),
        )
        .into(),
        HorizontalPodAutoscaler(env.manifest(name, by_metrics)).into(),
        ScaledObject(env.manifest(name, by_queue)).into(),
        PodMonitor(env.manifest(name, monitor)).into(),
    ]
}

/// Installs the APIs of KEDA and of the Prometheus operator.
async fn install_optional_apis(cluster: &Cluster, adapter: &Adapter) {
    for file in ["scaledobjects", "podmonitors"] {
        let path = format!("{}/tests/cluster/crds/{file}.yaml", env!("CARGO_MANIFEST_DIR"));
        cluster.kubectl(&["apply", "--server-side", "-f", &path], "").expect("the definition is taken");
    }
    let began = Instant::now();
    for (_, api) in aiplatform::lookup::optional_kinds() {
        while !adapter.serves(&api).await.expect("an answer") {
            assert!(began.elapsed() < DEADLINE, "{api:?} is not served");
            tokio::time::sleep(PERIOD).await;
        }
    }
}

fn is_update(step: &Step) -> bool {
    matches!(step.action, Action::Update(_))
}

fn deleting(desired: &[Resource]) -> Intent {
    let desired: Vec<Desired> = desired.iter().cloned().map(Desired::made).collect();
    Intent::delete(ManagementPolicy::Full, DeletionPolicy::Delete, &desired)
}

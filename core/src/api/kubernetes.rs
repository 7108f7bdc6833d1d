//! `spec.models[].kubernetes`: a model served by pods in the cluster that the platform's object is in.
//!
//! Names, quantities and label values follow the Kubernetes API's own rules.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A model served by pods in the cluster.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.replicas) || !has(self.autoscaling)", "replicas goes without autoscaling: the autoscaler owns the number of pods"))]
#[x_kube(validation = ("self.engine != 'Custom' || has(self.image)", "the Custom engine has no default image: name one"))]
#[x_kube(validation = ("self.engine == 'Custom' || has(self.source)", "source says where the weights are; only the Custom engine goes without"))]
#[x_kube(validation = ("self.engine != 'TorchServe' || !has(self.source) || !has(self.source.huggingFace)", "TorchServe serves model archives (.mar) from s3 or a pvc, and downloads nothing from Hugging Face"))]
#[x_kube(validation = ("self.engine != 'TorchServe' || !has(self.apiKeySecretRef)", "TorchServe takes no API key: leave apiKeySecretRef out"))]
#[x_kube(validation = ("!has(self.autoscaling) || has(self.autoscaling.target.cpuPercent) || self.engine in ['VLLM', 'TGI']", "queueDepth and concurrentRequests are metrics of VLLM and TGI: scale this engine by cpuPercent"))]
#[x_kube(validation = ("!has(self.autoscaling) || !has(self.autoscaling.target.cpuPercent) || (has(self.resources) && has(self.resources.cpu))", "cpuPercent is a share of resources.cpu: set it"))]
pub struct Kubernetes {
    /// The engine that serves the model.
    pub engine: Engine,
    /// The container image. Without it, the release of the engine that this version of aiplatform is tested with;
    /// Custom has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = IMAGE))]
    pub image: Option<String>,
    /// Location of the weights. Optional for Custom, whose image may hold them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The name by which clients ask for the model. Without it, the model's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z0-9]([A-Za-z0-9._/:-]*[A-Za-z0-9])?$"))]
    pub served_name: Option<String>,
    /// Further arguments of the engine. Those that have a field here, or that aiplatform sets, are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(max = 4096)))]
    pub args: Vec<String>,
    /// Further environment variables of the engine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<EnvVar>,
    /// The key that clients must present, in a secret of the platform's namespace. vLLM asks for it on the API of
    /// `OpenAI` and not on every path: who may reach the pods at all is said by `allowFrom`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_secret_ref: Option<SecretKeyRef>,
    /// Resources of each pod.
    #[serde(default)]
    pub resources: Resources,
    /// Labels that a node must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = {"type": "string", "maxLength": 63, "pattern": LABEL_VALUE}))]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that the pods tolerate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub tolerations: Vec<Toleration>,
    /// Seconds that the engine may take to load the model before it is restarted.
    #[serde(default = "startup_timeout")]
    #[schemars(range(min = 30, max = 86400))]
    pub startup_timeout_seconds: i32,
    /// Number of pods. Without it, and without autoscaling, one is made and the number is left to whoever changes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: Option<i32>,
    /// Autoscaling of the number of pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<PodAutoscaling>,
    /// Rollout of a new revision. Without it, one pod after the other is replaced, and no node has to have spare GPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<PodRollout>,
    /// Pods that may call the model. Without it, those of the platform's own namespace. Consumers in `spec.access` whose
    /// service account is in another namespace are let in, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub allow_from: Vec<Peer>,
}

/// An engine that serves models.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
pub enum Engine {
    /// vLLM, with the API of `OpenAI`.
    #[serde(rename = "VLLM")]
    Vllm,
    /// Text Generation Inference of Hugging Face.
    #[serde(rename = "TGI")]
    Tgi,
    /// `TorchServe`, for model archives.
    TorchServe,
    /// A server of your own: it listens on port 8000 and answers `GET /health`.
    Custom,
}

/// The location of the weights: exactly one.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("[has(self.huggingFace), has(self.s3), has(self.pvc)].filter(x, x).size() == 1", "source takes exactly one of huggingFace, s3 and pvc"))]
pub struct Source {
    /// A repository on the Hugging Face Hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hugging_face: Option<HuggingFace>,
    /// Objects in S3, copied into each pod when it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3Source>,
    /// A volume in the platform's namespace, mounted read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pvc: Option<PvcSource>,
}

/// A repository on the Hugging Face Hub.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HuggingFace {
    /// The repository: `OWNER/NAME`.
    #[schemars(length(min = 3, max = 193), regex(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$"))]
    pub repo: String,
    /// A commit, tag or branch. Only a commit stays what it is; without it, the main branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = "^[A-Za-z0-9][A-Za-z0-9._/-]*$"))]
    pub revision: Option<String>,
    /// The token for a repository that is not public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_secret_ref: Option<SecretKeyRef>,
}

/// Objects in S3: in a bucket of the platform, or anywhere.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.uri) != (has(self.bucket) && has(self.prefix)) && has(self.bucket) == has(self.prefix)", "s3 takes either bucket and prefix, or uri"))]
pub struct S3Source {
    /// A bucket of the platform, by its name in `spec.storage.buckets`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub bucket: Option<String>,
    /// The prefix of the keys, which ends in `/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 900), regex(pattern = r"^[^/*?$][^*?$]*/$"))]
    pub prefix: Option<String>,
    /// The same as a URI, for a bucket that is not the platform's. The operator's guardrails must allow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 1024),
        regex(pattern = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^/*?$][^*?$]*/$")
    )]
    pub uri: Option<String>,
    /// The image that copies the objects: one with the AWS CLI, as `aws`. Without it, AWS's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = IMAGE))]
    pub image: Option<String>,
}

/// A volume in the platform's namespace.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PvcSource {
    /// The persistent volume claim.
    #[schemars(length(min = 1, max = 253), regex(pattern = SUBDOMAIN))]
    pub claim_name: String,
    /// The folder in it that holds the model.
    #[serde(default = "root", skip_serializing_if = "is_root")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^/[^*?$]*$"))]
    pub path: String,
}

/// A key of a secret in the platform's namespace.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// The secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = SUBDOMAIN))]
    pub name: String,
    /// The key in it.
    #[schemars(length(min = 1, max = 253), regex(pattern = DATA_KEY))]
    pub key: String,
}

/// An environment variable.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!(has(self.value) && has(self.valueFrom))", "an environment variable takes value or valueFrom, and not both"))]
pub struct EnvVar {
    /// Its name.
    #[schemars(length(min = 1, max = 256), regex(pattern = "^[A-Za-z_][A-Za-z0-9_.-]*$"))]
    pub name: String,
    /// Its value. Nothing that is secret: it can be read in the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub value: Option<String>,
    /// The place of its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<EnvSource>,
}

/// The place of a value: exactly one.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.secretKeyRef) != has(self.configMapKeyRef)", "valueFrom takes exactly one of secretKeyRef and configMapKeyRef"))]
pub struct EnvSource {
    /// A key of a secret in the platform's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKeyRef>,
    /// A key of a config map in the platform's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<SecretKeyRef>,
}

/// Resources of a pod.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// GPUs, or other devices of [`Resources::gpu_resource`]; 0 serves on the CPU.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 64))]
    pub gpus: i32,
    /// The name under which nodes offer them.
    #[serde(default = "gpu_resource")]
    #[schemars(
        length(min = 3, max = 317),
        regex(pattern = "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")
    )]
    pub gpu_resource: String,
    /// CPUs that are set aside for the pod, as a quantity. It may use more where the node has more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = QUANTITY))]
    pub cpu: Option<String>,
    /// Memory that is set aside for the pod and that it may not pass, as a quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = QUANTITY))]
    pub memory: Option<String>,
    /// Size of `/dev/shm`, as a quantity; it counts as memory of the pod.
    #[serde(default = "shared_memory")]
    #[schemars(length(min = 1, max = 32), regex(pattern = QUANTITY))]
    pub shared_memory: String,
}

impl Default for Resources {
    fn default() -> Self {
        Self { gpus: one(), gpu_resource: gpu_resource(), cpu: None, memory: None, shared_memory: shared_memory() }
    }
}

/// A taint of nodes that pods tolerate.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.key) || (has(self.operator) && self.operator == 'Exists')", "a toleration without a key tolerates everything: its operator is Exists"))]
#[x_kube(validation = ("!has(self.value) || !has(self.operator) || self.operator != 'Exists'", "a toleration whose operator is Exists takes no value"))]
#[x_kube(validation = ("!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')", "tolerationSeconds goes with the effect NoExecute"))]
pub struct Toleration {
    /// The key of the taint. Without it, every key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 317))]
    pub key: Option<String>,
    /// `Equal`, or `Exists` for any value. Without it, `Equal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<TolerationOperator>,
    /// The value of the taint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63), regex(pattern = LABEL_VALUE))]
    pub value: Option<String>,
    /// The effect of the taint. Without it, every effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
    /// Seconds after which a pod is evicted all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toleration_seconds: Option<i64>,
}

/// The comparison of a toleration.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum TolerationOperator {
    /// The value is the same.
    Equal,
    /// Any value.
    Exists,
}

/// The effect of a taint.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum TaintEffect {
    /// New pods stay away.
    NoSchedule,
    /// New pods stay away where they can.
    PreferNoSchedule,
    /// Pods are evicted.
    NoExecute,
}

/// Autoscaling of the number of pods.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.minReplicas <= self.maxReplicas", "minReplicas is at most maxReplicas"))]
pub struct PodAutoscaling {
    /// Minimum number of pods.
    #[schemars(range(min = 1, max = 1000))]
    pub min_replicas: i32,
    /// Maximum number of pods.
    #[schemars(range(min = 1, max = 1000))]
    pub max_replicas: i32,
    /// Metric and target value.
    pub target: PodTarget,
}

/// The metric that the number of pods follows, with its target value: exactly one.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("[has(self.queueDepth), has(self.cpuPercent), has(self.concurrentRequests)].filter(x, x).size() == 1", "target takes exactly one of queueDepth, cpuPercent and concurrentRequests"))]
pub struct PodTarget {
    /// Requests that wait in each pod's queue, on average. Needs KEDA in the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub queue_depth: Option<i32>,
    /// CPU that is used, in percent of `resources.cpu`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub cpu_percent: Option<i32>,
    /// Requests that each pod works on at the same time, on average. Needs KEDA in the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub concurrent_requests: Option<i32>,
}

/// Rollout of a new revision.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodRollout {
    /// Pods of the new revision that are started before one of the old ones is stopped. Each needs GPUs of its own. At
    /// 0, one pod is stopped before its successor starts.
    #[schemars(range(min = 0, max = 100))]
    pub max_surge: i32,
}

/// Pods that may call a model.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("(has(self.namespaceLabels) && size(self.namespaceLabels) > 0) || (has(self.podLabels) && size(self.podLabels) > 0)", "an entry of allowFrom without labels would let everybody in: set namespaceLabels or podLabels"))]
pub struct Peer {
    /// Labels of their namespace. Without them, the platform's own namespace.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = {"type": "string", "maxLength": 63, "pattern": LABEL_VALUE}))]
    pub namespace_labels: BTreeMap<String, String>,
    /// Labels of the pods. Without them, all pods of those namespaces.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = {"type": "string", "maxLength": 63, "pattern": LABEL_VALUE}))]
    pub pod_labels: BTreeMap<String, String>,
}

/// A container image, as container runtimes read it.
pub const IMAGE: &str =
    r"^[a-zA-Z0-9]([a-zA-Z0-9._:/-]*[a-zA-Z0-9])?(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$";

/// A quantity of the Kubernetes API that is not negative.
pub const QUANTITY: &str = r"^([0-9]+([.][0-9]*)?|[.][0-9]+)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][0-9]{1,2})?$";

/// The value of a label.
pub const LABEL_VALUE: &str = "^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$";

/// The name of most objects.
pub const SUBDOMAIN: &str = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*$";

/// The key of something in a secret or a config map: neither `.` nor anything that begins with `..`.
///
/// Source: `IsConfigMapKey` of k8s.io/apimachinery.
pub const DATA_KEY: &str = "^[.]?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$";

fn startup_timeout() -> i32 {
    1800
}

fn one() -> i32 {
    1
}

fn gpu_resource() -> String {
    "nvidia.com/gpu".into()
}

fn shared_memory() -> String {
    "2Gi".into()
}

fn root() -> String {
    "/".into()
}

fn is_root(path: &str) -> bool {
    path == "/"
}

//! `spec.models[].sagemaker`: a model served by an Amazon SageMaker endpoint.
//!
//! Limits and patterns are those of SageMaker's and Application Auto Scaling's API references.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::autoscaling::Autoscaling;

/// A model on a SageMaker endpoint of its own.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.instance) != has(self.serverless)", "a SageMaker model takes exactly one of instance and serverless"))]
#[x_kube(validation = ("!has(self.serverless) || (!has(self.async) && !has(self.dataCapture) && !self.networkIsolation)", "serverless goes without async, dataCapture and networkIsolation: SageMaker has none of them for serverless endpoints"))]
#[x_kube(validation = ("!has(self.serverless) || !has(self.rollout) || self.rollout.strategy != 'Rolling'", "serverless goes without a Rolling rollout: there are no instances to replace in batches"))]
#[x_kube(validation = ("!has(self.serverless) || !has(self.modelData) || (has(self.modelData.key) ? self.modelData.key.endsWith('.tar.gz') : !has(self.modelData.uri) || self.modelData.uri.endsWith('.tar.gz'))", "a serverless endpoint takes only a compressed artifact: a key or uri that ends in .tar.gz"))]
#[x_kube(validation = ("!has(self.serverless) || !has(self.autoscaling) || has(self.serverless.provisionedConcurrency)", "a serverless endpoint scales its provisioned concurrency: set serverless.provisionedConcurrency, or leave autoscaling out"))]
#[x_kube(validation = ("!has(self.autoscaling) || has(self.serverless) == has(self.autoscaling.target.provisionedConcurrencyUtilization)", "provisionedConcurrencyUtilization is the target of serverless endpoints, and of no others"))]
#[x_kube(validation = ("!has(self.serverless) || !has(self.autoscaling) || (self.autoscaling.maxInstances <= self.serverless.maxConcurrency && (!has(self.autoscaling.schedules) || self.autoscaling.schedules.all(s, (!has(s.minInstances) || s.minInstances <= self.serverless.maxConcurrency) && (!has(s.maxInstances) || s.maxInstances <= self.serverless.maxConcurrency))))", "provisioned concurrency scales up to serverless.maxConcurrency at most"))]
#[x_kube(validation = ("!has(self.instance) || !has(self.autoscaling) || !self.instance.type.matches('^ml[.]t[0-9]')", "Application Auto Scaling scales no burstable instances (ml.t2, ml.t3): take another type, or leave autoscaling out"))]
pub struct SageMaker {
    /// The container image, in Amazon ECR of the platform's region: `ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG`.
    #[schemars(length(min = 1, max = 255), regex(pattern = IMAGE))]
    pub image: String,
    /// Location of the model artifact. Without it, everything is in the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_data: Option<ModelData>,
    /// Environment variables of the container.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 100, "additionalProperties" = {"type": "string", "maxLength": 1024}))]
    pub environment: BTreeMap<String, String>,
    /// A role of your own for the container, which the operator's guardrails must allow. Without it, one is made that
    /// can do exactly what this model needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = super::access::ROLE_ARN))]
    pub execution_role_arn: Option<String>,
    /// Cuts the container off from every network, AWS's own services included.
    #[serde(default)]
    pub network_isolation: bool,
    /// Instances that it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Instance>,
    /// Serverless capacity, in place of instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serverless: Option<Serverless>,
    /// Makes the endpoint asynchronous: requests and answers are objects in S3.
    #[serde(default, rename = "async", skip_serializing_if = "Option::is_none")]
    pub asynchronous: Option<Async>,
    /// Keeps requests and answers in S3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_capture: Option<DataCapture>,
    /// Autoscaling of the number of instances. Without it, the number stays what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// Rollout of a new revision. Without it, all at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// The log group of the endpoint. Without it, the group keeps what is logged for 90 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs: Option<Logs>,
    /// Number of superseded revisions that stay, so that going back to one is a single update.
    #[serde(default = "one")]
    #[schemars(with = "i32", range(min = 0, max = 10))]
    pub keep_revisions: u8,
}

/// The log group of an endpoint. It stays when the platform goes.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Logs {
    /// Days that log events are kept: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192,
    /// 2557, 2922, 3288 or 3653.
    #[serde(default = "retention_days")]
    #[schemars(range(min = 1, max = 3653), extend("enum" = crate::features::sagemaker::log_group::RETENTION_DAYS))]
    pub retention_days: i32,
    /// A KMS key that encrypts the log group, in the platform's region, whose policy lets CloudWatch Logs use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = r"^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+$"))]
    pub kms_key_arn: Option<String>,
}

impl Default for Logs {
    fn default() -> Self {
        Self { retention_days: retention_days(), kms_key_arn: None }
    }
}

fn retention_days() -> i32 {
    90
}

/// An artifact: in a bucket of the platform, or anywhere in S3.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.uri) != (has(self.bucket) && has(self.key)) && has(self.bucket) == has(self.key)", "modelData takes either bucket and key, or uri"))]
pub struct ModelData {
    /// A bucket of the platform, by its name in `spec.storage.buckets`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub bucket: Option<String>,
    /// The object's key, which ends in `.tar.gz`; or a prefix that ends in `/`, for an artifact that is not compressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 900), regex(pattern = r"^[^/*?$][^*?$]*(/|[.]tar[.]gz)$"))]
    pub key: Option<String>,
    /// The same as a URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 1024),
        regex(pattern = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^/*?$][^*?$]*(/|[.]tar[.]gz)$")
    )]
    pub uri: Option<String>,
}

/// Instances.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// The type, such as `ml.g5.xlarge`.
    #[serde(rename = "type")]
    #[schemars(length(max = 40), regex(pattern = r"^ml[.][a-z0-9-]{1,20}[.][a-z0-9-]{1,20}$"))]
    pub kind: String,
    /// Initial number of instances. After that the number belongs to autoscaling and to people, until it is changed
    /// here.
    #[serde(default = "one_instance")]
    #[schemars(range(min = 1, max = 1000))]
    pub count: i32,
    /// Size of each instance's volume. Types with disks of their own have no other: there it is left out.
    #[serde(default, rename = "volumeSizeGiB", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 512))]
    pub volume_size_gib: Option<i32>,
    /// Seconds that the container may take until it answers health checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 3600))]
    pub startup_timeout_seconds: Option<i32>,
    /// Seconds that an instance may take to download the artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 3600))]
    pub model_download_timeout_seconds: Option<i32>,
}

/// No instances: SageMaker runs the container when it is called.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.provisionedConcurrency) || self.provisionedConcurrency <= self.maxConcurrency", "provisionedConcurrency is at most maxConcurrency"))]
pub struct Serverless {
    /// Memory: 1024, 2048, 3072, 4096, 5120 or 6144.
    #[serde(rename = "memoryMiB")]
    #[schemars(range(min = 1024, max = 6144), extend("multipleOf" = 1024))]
    pub memory_mib: i32,
    /// Calls that are answered at the same time, at most.
    #[schemars(range(min = 1, max = 200))]
    pub max_concurrency: i32,
    /// Calls for which it is always warm, at first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 200))]
    pub provisioned_concurrency: Option<i32>,
}

/// Requests and answers as objects in S3.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Async {
    /// Destination of answers. Requests are read below the same prefix.
    pub output: Destination,
    /// Calls that an instance works on at the same time, at most. Without it, SageMaker decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_concurrent_invocations_per_instance: Option<i32>,
}

/// Requests and answers kept in S3.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataCapture {
    /// Destination of what is captured.
    pub destination: Destination,
    /// Percentage of calls that are captured.
    #[serde(default = "all_of_them")]
    #[schemars(range(min = 1, max = 100))]
    pub sampling_percent: i32,
}

/// A prefix in a bucket of the platform.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Destination {
    /// The bucket, by its name in `spec.storage.buckets`.
    #[schemars(length(min = 1, max = 63))]
    pub bucket: String,
    /// The prefix, which ends in `/`.
    #[schemars(length(min = 1, max = 400), regex(pattern = r"^[^/*?$][^*?$]*/$"))]
    pub prefix: String,
}

/// Strategy by which a new revision takes over.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.stepPercent) == (self.strategy != 'AllAtOnce')", "stepPercent goes with Canary, Linear and Rolling, and not with AllAtOnce"))]
#[x_kube(validation = ("!has(self.stepPercent) || self.stepPercent >= (self.strategy == 'Canary' ? 1 : self.strategy == 'Linear' ? 10 : 5)", "stepPercent is 1 to 50 for Canary, 10 to 50 for Linear, 5 to 50 for Rolling"))]
#[x_kube(validation = ("!has(self.maximumExecutionSeconds) || self.maximumExecutionSeconds > (has(self.waitSeconds) ? self.waitSeconds : self.strategy == 'AllAtOnce' ? 0 : 300) + (has(self.terminationWaitSeconds) ? self.terminationWaitSeconds : 0)", "maximumExecutionSeconds is more than waitSeconds (300 unless set; AllAtOnce 0) and terminationWaitSeconds together"))]
#[x_kube(validation = ("!has(self.terminationWaitSeconds) || self.strategy != 'Rolling'", "terminationWaitSeconds does not go with Rolling: there are never two whole fleets"))]
pub struct Rollout {
    /// All at once, some first (Canary), in equal steps (Linear), or in batches without a second fleet (Rolling).
    #[serde(default)]
    pub strategy: Strategy,
    /// Percentage of the capacity that moves in a step. Canary 1 to 50, Linear 10 to 50, Rolling 5 to 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 50))]
    pub step_percent: Option<i32>,
    /// Seconds that each step is watched before the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub wait_seconds: Option<i32>,
    /// Seconds that the old fleet stays after the last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub termination_wait_seconds: Option<i32>,
    /// Seconds that all of it may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 600, max = 28800))]
    pub maximum_execution_seconds: Option<i32>,
    /// Names of the alarms that send the endpoint back to the old revision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), inner(length(min = 1, max = 255)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub rollback_alarms: Vec<String>,
}

/// A way of taking over.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum Strategy {
    /// The new fleet takes over in one step.
    #[default]
    AllAtOnce,
    /// Some of the traffic first, then the rest.
    Canary,
    /// In equal steps.
    Linear,
    /// In batches, each replacing as many old instances.
    Rolling,
}

/// An image in Amazon ECR, by tag or by digest. Source of what a repository is called: `CreateRepository`, Amazon ECR API
/// reference.
pub const IMAGE: &str = r"^[0-9]{12}[.]dkr[.]ecr(-fips)?[.][a-z0-9-]+[.]amazonaws[.](com|com[.]cn|eu)/[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*([:@][A-Za-z0-9_.:-]+)?$";

fn one() -> u8 {
    1
}

fn one_instance() -> i32 {
    1
}

fn all_of_them() -> i32 {
    100
}

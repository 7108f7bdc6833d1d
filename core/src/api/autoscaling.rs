//! `spec.models[].sagemaker.autoscaling`: how many instances, or how much provisioned concurrency, serve a model.
//!
//! The API server compares whole numbers with a minimum's whole part alone, and so would take 0 where 0.01 is the
//! least: that is why numbers that may have a fraction have a rule beside their minimum.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Target-tracking autoscaling of the number of instances (of a serverless endpoint: its provisioned concurrency).
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.minInstances <= self.maxInstances", "minInstances is at most maxInstances"))]
#[x_kube(validation = ("self.minInstances >= 1", "minInstances is at least 1: scaling to zero needs a step policy and an alarm that wake the endpoint, which aiplatform does not make yet"))]
pub struct Autoscaling {
    /// Minimum instances.
    #[schemars(range(min = 0, max = 1000))]
    pub min_instances: i32,
    /// Maximum instances.
    #[schemars(range(min = 1, max = 1000))]
    pub max_instances: i32,
    /// Metric and target value for target tracking.
    pub target: Target,
    /// Seconds after a scale-in before the next. Without it, Application Auto Scaling's 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub scale_in_cooldown_seconds: Option<i32>,
    /// Seconds after a scale-out before the next. Without it, Application Auto Scaling's 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub scale_out_cooldown_seconds: Option<i32>,
    /// Disables scaling in, so that the target only ever adds instances.
    #[serde(default)]
    pub disable_scale_in: bool,
    /// Other bounds at certain times. Each holds until another one begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub schedules: Vec<Schedule>,
}

/// Metric and target value that Application Auto Scaling tracks: exactly one.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("[has(self.invocationsPerInstance), has(self.concurrentRequestsPerModel), has(self.provisionedConcurrencyUtilization)].filter(x, x).size() == 1", "target takes exactly one of invocationsPerInstance, concurrentRequestsPerModel and provisionedConcurrencyUtilization"))]
pub struct Target {
    /// Calls that each instance answers in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocations_per_instance: Option<Invocations>,
    /// Calls that each copy of the model works on at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent_requests_per_model: Option<TargetValue>,
    /// Utilization of the provisioned concurrency, of 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioned_concurrency_utilization: Option<Utilization>,
}

/// Calls per instance and minute: a number, or what a load test found.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.value) != has(self.loadTest)", "invocationsPerInstance takes exactly one of value and loadTest"))]
pub struct Invocations {
    /// Calls per minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.01, max = 1_000_000_000.0))]
    #[x_kube(validation = ("self > 0.0", "is more than 0"))]
    pub value: Option<f64>,
    /// Result of a load test against one instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_test: Option<LoadTest>,
}

/// A load test of one instance. The target is requests per second x safety factor x 60.
///
/// Source: "Load testing your auto scaling configuration", Amazon SageMaker developer guide.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct LoadTest {
    /// Maximum requests per second that one instance answered well.
    #[schemars(range(min = 0.01, max = 1_000_000.0))]
    #[x_kube(validation = ("self > 0.0", "is more than 0"))]
    pub max_requests_per_second: f64,
    /// Share of that to plan with.
    #[serde(default = "half")]
    #[schemars(range(min = 0.01, max = 1.0))]
    #[x_kube(validation = ("self > 0.0", "is more than 0"))]
    pub safety_factor: f64,
}

/// A value to keep.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TargetValue {
    /// The value.
    #[schemars(range(min = 0.01, max = 1_000_000_000.0))]
    #[x_kube(validation = ("self > 0.0", "is more than 0"))]
    pub value: f64,
}

/// A share to keep.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Utilization {
    /// The share, such as 0.7.
    #[schemars(range(min = 0.01, max = 1.0))]
    #[x_kube(validation = ("self > 0.0", "is more than 0"))]
    pub value: f64,
}

/// Other bounds from a certain time on.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.minInstances) || has(self.maxInstances)", "a schedule sets minInstances, maxInstances or both"))]
#[x_kube(validation = ("!has(self.minInstances) || !has(self.maxInstances) || self.minInstances <= self.maxInstances", "minInstances is at most maxInstances"))]
pub struct Schedule {
    /// Its name, unique in the model.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub name: String,
    /// Schedule: `cron(minutes hours day-of-month month day-of-week year)`, `rate(value unit)` or
    /// `at(yyyy-mm-ddThh:mm:ss)`.
    #[schemars(length(min = 1, max = 256), regex(pattern = r"^(at|rate|cron)\(.+\)$"))]
    pub schedule: String,
    /// The time zone of `schedule`, such as Europe/Dublin. Without it, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9_+/-]+$"))]
    pub timezone: Option<String>,
    /// Minimum instances from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub min_instances: Option<i32>,
    /// Maximum instances from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_instances: Option<i32>,
}

fn half() -> f64 {
    0.5
}

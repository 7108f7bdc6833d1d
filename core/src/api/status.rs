//! `status`: what the operator answers. Written by [`crate::status`], read by people, Argo CD and Flux.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Observed state of a platform, and what the operator did last.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AIPlatformStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// One word for people; machines read the conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Resources that are ready, of all: `17/18`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<String>,
    /// Result of the check that the operator's credentials belong to `spec.accountId`. Nothing is made before, so an
    /// object on which it is `Pending` can always be deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_check: Option<AccountCheck>,
    /// Effect of a deletion of the object on AWS, as the last spec says that was valid and permitted: `Delete`, or
    /// `Retain`, also where its managementPolicy allows no deletion. A spec that is not accepted cannot loosen it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<String>,
    /// `Ready` always; `Reconciling` and `Stalled` only while they are true; one more per part in use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Models that are ready, of all: `2/2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models_ready: Option<String>,
    /// The models, each with how to reach it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<ModelStatus>,
    /// The consumers, each with its role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<AccessStatus>,
    /// Everything that is declared, and what is left of what was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceStatus>,
    /// The steps not taken: all of them under Observe, else those that wait, are blocked or refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plan: Vec<PlannedStep>,
    /// The version of the operator that wrote this. While resources are listed whose kinds an older version does not
    /// know, it stays the one that knew them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_by: Option<String>,
}

/// One word on how the platform is.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum Phase {
    /// Not observed yet.
    Pending,
    /// On its way.
    Progressing,
    /// As declared.
    Ready,
    /// Something failed and is tried again.
    Degraded,
    /// Somebody has to act.
    Stalled,
    /// Stopped by `spec.suspend`.
    Suspended,
    /// On its way out.
    Deleting,
    /// A word of a later version.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// Result of the check of the account.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum AccountCheck {
    /// Never yet: nothing was made.
    Pending,
    /// It was, so something may have been made.
    Passed,
}

/// One model of the platform.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelStatus {
    /// Its name in the spec.
    pub name: String,
    /// Backend that serves it, such as `Bedrock`.
    pub backend: String,
    /// Readiness: it is seen to serve what is declared.
    pub ready: bool,
    /// Identifier to call: the id of the model or the inference profile, the name of the endpoint, or a URL in the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The revision that answers calls, where the backend has revisions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The revision that was tried last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempted_revision: Option<String>,
    /// Number of instances or pods that serve it; of a serverless endpoint, its provisioned concurrency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<Instances>,
    /// Outcome of the last attempt: the endpoint's status, or `RolledBack`. `Unknown` where nothing was observed,
    /// so that the model counts neither as ready nor as not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Reason, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Numbers of instances.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Instances {
    /// Current number.
    pub current: i32,
    /// Number it is on its way to.
    pub desired: i32,
}

/// One consumer of the platform.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessStatus {
    /// Its name in the spec.
    pub name: String,
    /// Its role.
    pub role_arn: String,
    /// SHA-256 of everything its role allows, so that a change is seen at a glance.
    pub policy_sha256: String,
    /// Its service account, as `<namespace>/<name>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// The annotation to set on a service account in another namespace, which the operator does not touch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotation: Option<String>,
}

/// One resource of the platform.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceStatus {
    /// Its kind, such as `Bucket`.
    pub kind: String,
    /// Its name in AWS or the cluster.
    pub name: String,
    /// The identifier AWS chose, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// State: `Ready`, `Progressing`, `Failed`, `Blocked`, `Refused`, `Retained` or `Deleting`.
    #[schemars(with = "String")]
    pub state: State,
    /// Reason in one word, unless it is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Reason in a sentence, with what AWS said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Of a bucket: what the spec said of its end when it last declared it. The more careful of this and of the
    /// bucket's own tag holds once the bucket is no longer declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<String>,
    /// Set while no step was ever taken for it, so that nothing can have been made. It is left out from just before the
    /// first step on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub never_attempted: bool,
    /// Since when it is in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
}

/// State of a resource. The schema lets words of later versions pass, or their statuses could not be written any more.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// As declared.
    Ready,
    /// On its way.
    Progressing,
    /// The last step failed.
    Failed,
    /// Waits for another resource.
    Blocked,
    /// Not touched, because it is not ours or may not be changed.
    Refused,
    /// No longer declared, and kept.
    Retained,
    /// On its way out.
    Deleting,
    /// A word of a later version, kept as it is.
    #[serde(untagged)]
    Other(String),
}

/// A step that was not taken.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStep {
    /// Action that would be taken: `Create`, `Update`, `Delete`, `Wait`, `Blocked` or `Refuse`.
    pub action: String,
    /// The kind of the resource.
    pub kind: String,
    /// The name of the resource.
    pub name: String,
    /// The fields an update would change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// Reason why it was not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

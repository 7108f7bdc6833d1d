//! The custom resource `aiplatforms.aiplatform.dev/v1alpha1`: what users write and what the operator answers.
//!
//! The schema and CEL rules here are what the API server enforces. Everything it cannot know is found by
//! [`crate::platform::validate`].

#![expect(clippy::duplicated_attributes, reason = "every printer column has a name and a type")]

pub mod access;
pub mod autoscaling;
pub mod kubernetes;
pub mod models;
pub mod network;
pub mod sagemaker;
pub mod status;
pub mod storage;

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

pub use access::{AssumeRole, Consumer, Identity};
pub use models::Model;
pub use network::Network;
pub use status::AIPlatformStatus;
pub use storage::Storage;

/// The annotation whose every new value asks for a pass at once.
pub const RECONCILE_AT: &str = "aiplatform.dev/reconcile-at";

/// The finalizer that keeps an object until nothing of it is left in AWS.
pub const FINALIZER: &str = "aiplatform.dev/cleanup";

/// The production platform of one AI product on AWS.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "aiplatform.dev",
    version = "v1alpha1",
    kind = "AIPlatform",
    plural = "aiplatforms",
    singular = "aiplatform",
    shortname = "aip",
    category = "aiplatform",
    namespaced,
    status = "AIPlatformStatus",
    derive = "PartialEq",
    doc = "AIPlatform describes the production platform of one AI product on AWS. The operator makes AWS match it, keeps it matching, and takes it away when the object goes.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status",
        description = "Whether everything declared is there and in sync"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason",
        description = "Why it is ready, or what it waits for"
    ),
    printcolumn(
        name = "Resources",
        type_ = "string",
        json_path = ".status.ready",
        description = "Resources that are ready, of all"
    ),
    printcolumn(
        name = "Models",
        type_ = "string",
        json_path = ".status.modelsReady",
        description = "Models that are ready, of all",
        priority = 1
    ),
    printcolumn(name = "Region", type_ = "string", json_path = ".spec.region", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.access) || self.access.all(c, !has(c.models) || c.models.all(m, has(self.models) && self.models.exists(d, d.name == m)))", "access names a model that spec.models does not declare"))]
#[x_kube(validation = ("!has(self.access) || self.access.all(c, !has(c.buckets) || c.buckets.all(b, has(self.storage) && has(self.storage.buckets) && self.storage.buckets.exists(d, d.name == b.name)))", "access names a bucket that spec.storage.buckets does not declare"))]
#[x_kube(validation = ("has(self.identity) || !has(self.access) || self.access.all(c, !has(c.serviceAccount) || ((!has(c.buckets) || size(c.buckets) == 0) && has(c.models) && c.models.all(m, has(self.models) && self.models.exists(d, d.name == m && has(d.kubernetes)))))", "a consumer with a serviceAccount needs spec.identity, unless it uses nothing but models in the cluster"))]
#[x_kube(validation = ("!has(self.models) || self.models.all(m, !has(m.kubernetes) || !has(m.kubernetes.source) || !has(m.kubernetes.source.s3) || has(self.identity))", "a model in the cluster whose weights are in s3 needs spec.identity: it says how its pods get AWS credentials"))]
#[x_kube(validation = ("!has(self.models) || self.models.all(m, !has(m.kubernetes) || !has(m.kubernetes.source) || !has(m.kubernetes.source.s3) || !has(m.kubernetes.source.s3.bucket) || (has(self.storage) && has(self.storage.buckets) && self.storage.buckets.exists(d, d.name == m.kubernetes.source.s3.bucket)))", "source.s3 names a bucket that spec.storage.buckets does not declare"))]
#[x_kube(validation = ("!has(self.models) || self.models.all(m, !has(m.sagemaker) || !has(m.sagemaker.modelData) || !has(m.sagemaker.modelData.bucket) || (has(self.storage) && has(self.storage.buckets) && self.storage.buckets.exists(d, d.name == m.sagemaker.modelData.bucket)))", "modelData names a bucket that spec.storage.buckets does not declare"))]
#[x_kube(validation = ("!has(self.models) || self.models.all(m, !has(m.sagemaker) || !has(m.sagemaker.async) || (has(self.storage) && has(self.storage.buckets) && self.storage.buckets.exists(d, d.name == m.sagemaker.async.output.bucket)))", "async.output names a bucket that spec.storage.buckets does not declare"))]
#[x_kube(validation = ("!has(self.models) || self.models.all(m, !has(m.sagemaker) || !has(m.sagemaker.dataCapture) || (has(self.storage) && has(self.storage.buckets) && self.storage.buckets.exists(d, d.name == m.sagemaker.dataCapture.destination.bucket)))", "dataCapture.destination names a bucket that spec.storage.buckets does not declare"))]
#[x_kube(validation = ("!has(self.storage) || !has(self.storage.buckets) || !self.storage.buckets.exists(b, has(b.vpcEndpointOnly) && b.vpcEndpointOnly) || (has(self.network) && (!has(self.network.endpoints) || !has(self.network.endpoints.auto) || self.network.endpoints.auto || (has(self.network.endpoints.additional) && self.network.endpoints.additional.exists(e, e.service == 's3'))))", "vpcEndpointOnly needs an endpoint for S3: declare spec.network, with endpoints.auto or with s3 in endpoints.additional"))]
#[x_kube(validation = (models::REGION_OF_PROFILES, "a model names an inference profile or a guardrail profile of another geography than spec.region: take the profile of the region's own geography, or a global one"))]
pub struct AIPlatformSpec {
    /// The AWS region everything is made in. Immutable; the partition (aws, aws-cn, aws-us-gov, ...) follows from it.
    #[schemars(length(max = 32), regex(pattern = REGION))]
    #[x_kube(validation = ("self == oldSelf", "region is immutable: make a second AIPlatform for another region"))]
    pub region: String,

    /// The AWS account everything is made in, 12 digits in quotes. Immutable; checked against the operator's
    /// credentials before any write.
    #[schemars(regex(pattern = "^[0-9]{12}$"))]
    #[x_kube(validation = ("self == oldSelf", "accountId is immutable: make a second AIPlatform for another account"))]
    pub account_id: String,

    /// Operations that the operator may carry out: everything (Full), everything but deletion (NoDelete), or none, showing its plan
    /// in status (Observe).
    #[serde(default)]
    pub management_policy: ManagementPolicy,

    /// Effect of deleting this object on AWS. Buckets have a field of their own, and Retain wins.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// Stops every pass: no AWS call is made until it is false again.
    #[serde(default)]
    pub suspend: bool,

    /// Ownership of the platform; becomes tags on everything.
    pub ownership: Ownership,

    /// Further tags on everything. Keys may not begin with `aws:` or `aiplatform.dev/`, and no two may
    /// differ in case alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = {"type": "string", "maxLength": 256, "pattern": TAG_VALUE}))]
    #[x_kube(validation = ("self.all(k, size(k) <= 128 && !k.lowerAscii().startsWith('aws:') && !k.lowerAscii().startsWith('aiplatform.dev/'))", "tag keys have at most 128 characters and may not begin with aws: (AWS's own) or aiplatform.dev/ (ours), in upper or lower case"))]
    #[x_kube(validation = ("self.all(k, self.exists_one(o, o.lowerAscii() == k.lowerAscii()))", "two tag keys may not differ in case alone: IAM takes them for one"))]
    pub tags: BTreeMap<String, String>,

    /// Source of AWS credentials for pods. Needed by consumers with a service account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,

    /// A managed policy that bounds what every role made here can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = access::POLICY_ARN))]
    pub permissions_boundary_arn: Option<String>,

    /// A role that the operator works through, for another account. The operator's guardrails must allow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assume_role: Option<AssumeRole>,

    /// Private paths to the models and to the services that the platform uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,

    /// Artifact storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,

    /// Models that the platform serves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub models: Vec<Model>,

    /// Consumers and their access. Each consumer gets a role that can do exactly what stands here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub access: Vec<Consumer>,
}

/// Operations that the operator may carry out.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, schemars::JsonSchema)]
pub enum ManagementPolicy {
    /// Create, update and delete.
    #[default]
    Full,
    /// Create and update, never delete.
    NoDelete,
    /// Plan only; the plan is shown in status.
    Observe,
}

/// Effect of deleting the object on AWS.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, schemars::JsonSchema)]
pub enum DeletionPolicy {
    /// Everything goes, but for what has a policy of its own.
    #[default]
    Delete,
    /// Everything stays in AWS, with its tags.
    Retain,
}

/// Ownership of a platform. Every value becomes a tag, so AWS's rules for tag values hold.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ownership {
    /// The team that owns the platform.
    #[schemars(length(min = 1, max = 256), regex(pattern = TAG_VALUE))]
    pub team: String,
    /// Contact of the team.
    #[schemars(length(min = 1, max = 256), regex(pattern = TAG_VALUE))]
    pub contact: String,
    /// The environment, such as prod or dev.
    #[schemars(length(min = 1, max = 256), regex(pattern = TAG_VALUE))]
    pub environment: String,
    /// Cost center.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = TAG_VALUE))]
    pub cost_center: Option<String>,
    /// URL of the runbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = TAG_VALUE))]
    pub runbook: Option<String>,
    /// Classification of the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = TAG_VALUE))]
    pub data_classification: Option<String>,
}

/// Characters that AWS allows in a tag value: letters, digits, spaces and a few signs.
pub const TAG_VALUE: &str = r"^[\p{L}\p{Z}\p{N}_.:/=+@-]*$";

/// The name of an AWS region.
pub const REGION: &str = r"^[a-z]{2,4}(-[a-z]+){1,2}-[0-9]{1,2}$";

fn yes() -> bool {
    true
}

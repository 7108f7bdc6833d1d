//! `spec.identity`, `spec.assumeRole` and `spec.access`: who may use what of the platform.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Source of AWS credentials for pods of this cluster: exactly one of the two.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.irsa) != has(self.podIdentity)", "identity takes exactly one of irsa and podIdentity"))]
pub struct Identity {
    /// IAM roles for service accounts: the cluster's OpenID Connect provider vouches for the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub irsa: Option<Irsa>,
    /// EKS Pod Identity: EKS vouches for the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_identity: Option<PodIdentity>,
}

/// The cluster's OpenID Connect provider.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Irsa {
    /// ARN of the provider in IAM.
    #[schemars(length(max = 512), regex(pattern = r"^arn:[a-z-]+:iam::[0-9]{12}:oidc-provider/.+$"))]
    pub oidc_provider_arn: String,
}

/// The cluster whose pods get credentials.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodIdentity {
    /// ARN of the EKS cluster.
    #[schemars(
        length(max = 512),
        regex(pattern = r"^arn:[a-z-]+:eks:[a-z0-9-]+:[0-9]{12}:cluster/[0-9A-Za-z][A-Za-z0-9_-]*$")
    )]
    pub cluster_arn: String,
}

/// A role in another account that the operator works through.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssumeRole {
    /// ARN of the role.
    #[schemars(length(max = 512), regex(pattern = ROLE_ARN))]
    pub role_arn: String,
    /// External id that the role's trust policy asks for (`sts:ExternalId`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 1224), regex(pattern = r"^[A-Za-z0-9_+=,.@:/-]*$"))]
    pub external_id: Option<String>,
}

/// Somebody who may use models and buckets of the platform, through a role of their own.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.serviceAccount) != (has(self.principalArns) && size(self.principalArns) > 0)", "a consumer has exactly one of serviceAccount and principalArns"))]
pub struct Consumer {
    /// Its name, unique in the platform; part of its role's name.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub name: String,
    /// The pods of this service account. Needs `spec.identity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<ServiceAccountRef>,
    /// IAM users and roles that may take the consumer's role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(max = 512), regex(pattern = PRINCIPAL_ARN))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub principal_arns: Vec<String>,
    /// Names of models it may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub models: Vec<String>,
    /// Buckets it may use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub buckets: Vec<BucketAccess>,
}

/// A service account of this cluster.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccountRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub name: String,
    /// Its namespace. Default: the platform's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub namespace: Option<String>,
}

/// A bucket, or a part of it, that a consumer may use.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BucketAccess {
    /// Logical name of a bucket in `spec.storage.buckets`.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Only keys that begin with this. Default: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = r"^[^*?$]*$"))]
    pub prefix: Option<String>,
    /// Access mode.
    #[serde(default)]
    pub mode: Mode,
}

/// Access of a consumer to objects.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
pub enum Mode {
    /// List and get.
    #[default]
    Read,
    /// List, get, put and delete.
    ReadWrite,
}

/// The ARN of a role. No part of its path is empty or of dots alone, here as in the others.
pub const ROLE_ARN: &str = r"^arn:[a-z-]+:iam::[0-9]{12}:role(/[.]*[A-Za-z0-9_+=,@-][A-Za-z0-9_+=,.@-]*)+$";

/// The ARN of a role or a user.
pub const PRINCIPAL_ARN: &str = r"^arn:[a-z-]+:iam::[0-9]{12}:(role|user)(/[.]*[A-Za-z0-9_+=,@-][A-Za-z0-9_+=,.@-]*)+$";

/// The ARN of a managed policy, of a customer or of AWS.
pub const POLICY_ARN: &str = r"^arn:[a-z-]+:iam::([0-9]{12}|aws):policy(/[.]*[A-Za-z0-9_+=,@-][A-Za-z0-9_+=,.@-]*)+$";

//! An IAM role with its inline policies.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::policy::Policy;
use crate::tags::Tags;

/// The names of the fields that are written by calls of their own, as they stand in diffs.
pub mod field {
    /// Tags.
    pub const TAGS: &str = "tags";
    /// Trust policy.
    pub const TRUST: &str = "trust";
    /// Permissions boundary.
    pub const BOUNDARY: &str = "permissionsBoundary";
    /// Inline policies.
    pub const POLICIES: &str = "policies";
}

/// A role. Policies that others attached are not in it; inline policies are all ours, because the role is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Role {
    /// Its name, unique in the account.
    pub name: String,
    /// Its ARN, which names its path.
    pub arn: String,
    /// Tags that are ours.
    pub tags: Tags,
    /// Who may take it.
    pub trust: Policy,
    /// What bounds it.
    pub permissions_boundary: Option<String>,
    /// What it can do, by the names of the inline policies.
    pub policies: BTreeMap<String, Policy>,
}

/// The model that a role is made for: what its policies for single revisions are computed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Its name in the spec.
    pub model: String,
    /// The name of its endpoint.
    pub endpoint: String,
    /// Its path in the spec, such as `spec.models[0].sagemaker`.
    pub path: String,
    /// The platform's region.
    pub region: String,
    /// The platform's account.
    pub account_id: String,
}

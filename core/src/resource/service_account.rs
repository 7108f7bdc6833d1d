//! A Kubernetes service account, of which only what binds it to a role is ours.

use serde::Serialize;

/// The annotation by which EKS gives the pods of a service account a role (IRSA).
pub const ROLE_ANNOTATION: &str = "eks.amazonaws.com/role-arn";

/// A service account in the platform's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The platform that bound it, as in owner tags.
    pub owner: String,
    /// The role in its annotation, where annotations bind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// The role it needs to be there.
    #[serde(skip)]
    pub role: Option<String>,
}

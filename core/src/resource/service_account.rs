//! A Kubernetes service account, of which only what binds it to a role is ours.

use serde::Serialize;

use super::{Key, Kind, Removal, Role, TAGS};
use crate::kind::{
    Backend, Busy, DELETION_POLICY, Identity, Info, Listed, Managed, Nothing, OwnedBy, Part, Reads, Reliance,
};

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

impl Managed for ServiceAccount {
    const INFO: Info = Info {
        name: "ServiceAccount",
        noun: "service account",
        part: Part::Access,
        backend: Backend::Cluster,
        identity: Identity::Name,
        owned_by: OwnedBy::Annotation,
        adopted_by: None,
        busy: Busy::RefusesWrites,
        reads: Reads::Resync,
        removal: Removal::WhenEmpty,
        kept_because: DELETION_POLICY,
        refers_to: &[Kind::Role],
        relied_on: Reliance::AllBut(&[TAGS]),
        arns: None,
        permissions: &[],
    };
    type Write = Nothing;
    type Facts = Nothing;

    fn name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    fn needs(&self) -> Vec<Key> {
        self.role.as_deref().map(Role::key_of).into_iter().collect()
    }
}

//! A Kubernetes service account, of which only what binds it to a role is ours.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Key, Kind, ObservedState, Removal, Resource, Role, TAGS};
use crate::kind::{
    Backend, Busy, ClusterApi, DELETION_POLICY, Extent, Identity, Info, Listed, Managed, Nothing, OwnedBy, Part, Reads,
    Reliance,
};
use crate::tags;

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
        backend: Backend::Cluster(ClusterApi {
            group: "",
            version: "v1",
            kind: "ServiceAccount",
            plural: "serviceaccounts",
            extent: Extent::Fields,
            body,
            read,
            readiness: |_| ObservedState::Ready,
            claimed: |annotations| annotations.get(ROLE_ANNOTATION).map(|role| format!("whoever bound it to {role}")),
        }),
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

fn body(resource: &Resource) -> Option<Value> {
    let Resource::ServiceAccount(account) = resource else { return None };
    let mut annotations = json!({});
    if let Some(role) = &account.role_arn {
        annotations[ROLE_ANNOTATION] = json!(role);
    }
    Some(json!({"metadata": {"annotations": annotations}}))
}

fn read(name: &str, managed: &Value) -> Option<Resource> {
    let (namespace, name) = name.split_once('/')?;
    let annotations = managed.get("metadata").and_then(|metadata| metadata.get("annotations"));
    let annotation = |key: &str| Some(annotations?.get(key)?.as_str()?.to_string());
    let role_arn = annotation(ROLE_ANNOTATION);
    let account = ServiceAccount {
        namespace: namespace.into(),
        name: name.into(),
        owner: annotation(tags::OWNER).unwrap_or_default(),
        role: role_arn.as_deref().and_then(|role| role.rsplit('/').next()).map(Into::into),
        role_arn,
    };
    Some(account.into())
}

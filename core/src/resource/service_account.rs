//! A Kubernetes service account, of which only what binds it to a role is ours.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Key, Kind, Removal, Resource, Role, TAGS};
use crate::kind::{
    Audited, Backend, BeforeDeletion, Busy, ClusterApi, Creation, DELETION_POLICY, Extent, Identity, Info, Listed,
    MakesRole, Managed, ManagedFields, Nothing, OwnedBy, Part, Reads, Reliance,
};
use crate::tags;

/// The annotation by which EKS gives the pods of a service account a role (IRSA).
pub const ROLE_ANNOTATION: &str = "eks.amazonaws.com/role-arn";

/// The field that says whether pods get a token for the API server.
const AUTOMOUNT: &str = "automountServiceAccountToken";

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
    /// Its labels, where it is the platform's own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// True when pods get a token for the API server; absent where nothing says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automount_service_account_token: Option<bool>,
    /// The role it needs to be there.
    #[serde(skip)]
    pub role: Option<String>,
    /// Of one that was observed: true when it was there before the platform, so that it may have rights that are not the
    /// platform's to use.
    #[serde(skip)]
    pub predates_platform: bool,
}

impl Managed for ServiceAccount {
    const INFO: Info = Info {
        name: "ServiceAccount",
        noun: "service account",
        part: Part::Access,
        backend: Backend::Cluster(ClusterApi {
            kind: "ServiceAccount",
            plural: "serviceaccounts",
            extent: Extent::Fields,
            body,
            read,
            claimed: |annotations| annotations.get(ROLE_ANNOTATION).map(|role| format!("whoever bound it to {role}")),
            ..ClusterApi::PLAIN
        }),
        identity: Identity::Name,
        owned_by: OwnedBy::Annotation,
        adopted_by: None,
        busy: Busy::RefusesWrites,
        creation: Creation::ReadFirst,
        before_deletion: BeforeDeletion::Read,
        leaves: &[],
        reads: Reads::Resync,
        rests_on_events: false,
        removal: Removal::WhenEmpty,
        has_deletion_policy: false,
        kept_because: DELETION_POLICY,
        refers_to: &[Kind::Role],
        relied_on: Reliance::AllBut(&[TAGS]),
        makes_role: MakesRole::No,
        audited: Audited::Everything,
        arns: None,
        permissions: &[],
        changed_by: &[],
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
    let mut body = json!({"metadata": {"annotations": annotations}});
    if !account.labels.is_empty() {
        body["metadata"]["labels"] = json!(account.labels);
    }
    if let Some(automount) = account.automount_service_account_token {
        body[AUTOMOUNT] = json!(automount);
    }
    Some(body)
}

fn read(name: &str, ManagedFields { object: managed, .. }: &ManagedFields) -> Option<Resource> {
    let (namespace, name) = name.split_once('/')?;
    let metadata = |name: &str| managed.get("metadata").and_then(|metadata| metadata.get(name));
    let annotations = metadata("annotations");
    let labels = metadata("labels").and_then(Value::as_object).into_iter().flatten();
    let annotation = |key: &str| Some(annotations?.get(key)?.as_str()?.to_string());
    let role_arn = annotation(ROLE_ANNOTATION);
    let account = ServiceAccount {
        namespace: namespace.into(),
        name: name.into(),
        owner: annotation(tags::OWNER).unwrap_or_default(),
        labels: labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_string()))).collect(),
        automount_service_account_token: managed.get(AUTOMOUNT).and_then(Value::as_bool),
        role: role_arn.as_deref().and_then(|role| role.rsplit('/').next()).map(Into::into),
        role_arn,
        predates_platform: annotation(tags::CREATED).is_none(),
    };
    Some(account.into())
}

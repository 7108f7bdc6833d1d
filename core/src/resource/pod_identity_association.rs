//! The binding of a service account to a role by EKS Pod Identity.

use serde::Serialize;

use super::{Key, Kind, Removal, Role, TAGS};
use crate::drift_events::naming::{RecordedCalls, with_arns, with_ids};
use crate::kind::{
    Audited, Backend, BeforeDeletion, Busy, Creation, DELETION_POLICY, Identity, Info, Listed, MakesRole, Managed,
    Nothing, OwnedBy, Part, Reads, Reliance, Service,
};
use crate::permissions;
use crate::tags::Tags;

/// The names of the fields that are written by calls of their own, as they stand in diffs.
pub mod field {
    /// Tags.
    pub const TAGS: &str = "tags";
    /// The role.
    pub const ROLE: &str = "roleArn";
    /// A further role that is taken with the first.
    pub const TARGET_ROLE: &str = "targetRoleArn";
    /// The session policy.
    pub const POLICY: &str = "policy";
    /// True when the session says nothing of the pod.
    pub const DISABLE_SESSION_TAGS: &str = "disableSessionTags";

    /// The fields that one call of `UpdatePodIdentityAssociation` writes.
    pub const BINDING: [&str; 4] = [ROLE, TARGET_ROLE, POLICY, DISABLE_SESSION_TAGS];
}

/// An association. EKS allows one for each service account of a cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodIdentityAssociation {
    /// Its name, see [`ServiceAccountId::name`].
    #[serde(skip)]
    pub name: String,
    /// The service account it is for.
    #[serde(flatten)]
    pub service_account_id: ServiceAccountId,
    /// The role its pods get.
    pub role_arn: String,
    /// A role that EKS takes with the first and gives to the pods in its place. None is ever made here: it would lead
    /// the pods around everything that is declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_role_arn: Option<String>,
    /// A policy that narrows what the pods may do. None is ever made here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// True when EKS leaves out the session tags that say which pod it is, on which the role's trust policy relies.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_session_tags: bool,
    /// Tags that are ours.
    pub tags: Tags,
}

/// The identity of a service account: its cluster, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccountId {
    /// The cluster's region.
    pub region: String,
    /// The cluster's name.
    pub cluster: String,
    /// The service account's namespace.
    pub namespace: String,
    /// The service account's name.
    pub service_account: String,
}

impl ServiceAccountId {
    /// The name of the association: `<cluster>/<namespace>/<service account>`, and `<region>:` before it when that is
    /// not the platform's.
    #[must_use]
    pub fn name(&self, platform_region: &str) -> String {
        let Self { region, cluster, namespace, service_account } = self;
        let elsewhere = if region == platform_region { String::new() } else { format!("{region}:") };
        format!("{elsewhere}{cluster}/{namespace}/{service_account}")
    }

    /// The service account of an association of that name.
    #[must_use]
    pub fn parse(name: &str, platform_region: &str) -> Option<Self> {
        let (region, rest) = name.split_once(':').unwrap_or((platform_region, name));
        let mut parts = rest.splitn(3, '/').map(ToString::to_string);
        Some(Self {
            region: region.into(),
            cluster: parts.next()?,
            namespace: parts.next()?,
            service_account: parts.next()?,
        })
    }
}

impl Managed for PodIdentityAssociation {
    const INFO: Info = Info {
        name: "PodIdentityAssociation",
        noun: "pod identity association",
        part: Part::Access,
        backend: Backend::Aws(Service::Eks),
        identity: Identity::AssignedByAws,
        owned_by: OwnedBy::Tag,
        adopted_by: None,
        busy: Busy::RefusesWrites,
        creation: Creation::ReadFirst,
        before_deletion: BeforeDeletion::Read,
        leaves: &[],
        reads: Reads::Resync,
        rests_on_events: true,
        removal: Removal::WhenEmpty,
        has_deletion_policy: false,
        kept_because: DELETION_POLICY,
        refers_to: &[Kind::Role],
        relied_on: Reliance::AllBut(&[TAGS]),
        makes_role: MakesRole::No,
        audited: Audited::Everything,
        arns: None,
        permissions: permissions::eks::PERMISSIONS,
        changed_by: &[
            RecordedCalls {
                names: &["DeletePodIdentityAssociation", "UpdatePodIdentityAssociation"],
                about: |parameters| with_ids(parameters, "associationId"),
            },
            RecordedCalls {
                names: &["TagResource", "UntagResource"],
                about: |parameters| with_arns(parameters, "resourceArn"),
            },
        ],
    };
    type Write = Nothing;
    type Facts = Nothing;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn needs(&self) -> Vec<Key> {
        self.role_arn.rsplit('/').next().map(Role::key_of).into_iter().collect()
    }

    fn tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_account_is_found_by_its_name() {
        for region in ["eu-west-1", "us-east-1"] {
            let service_account_id = ServiceAccountId {
                region: region.into(),
                cluster: "prod".into(),
                namespace: "support".into(),
                service_account: "api".into(),
            };
            assert_eq!(
                ServiceAccountId::parse(&service_account_id.name("eu-west-1"), "eu-west-1"),
                Some(service_account_id)
            );
        }
        assert_eq!(ServiceAccountId::parse("prod/support", "eu-west-1"), None);
    }
}

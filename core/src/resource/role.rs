//! An IAM role with its inline policies.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Removal, TAGS};
use crate::drift_events::naming::{RecordedCalls, named};
use crate::kind::{
    Audited, Backend, BeforeDeletion, Busy, Creation, DELETION_POLICY, Identity, Info, MakesRole, Managed, Nothing,
    OwnedBy, Part, Reads, Reliance, Service,
};
use crate::names::hex_digest;
use crate::permissions;
use crate::policy::{self, Policy};
use crate::tags::Tags;

/// The names of the fields that are written by calls of their own, as they stand in diffs.
pub mod field {
    /// All of them, in the order in which they are written: what narrows the role first.
    pub const ALL: [&str; 4] = [BOUNDARY, TRUST, POLICIES, TAGS];
    /// Tags.
    pub const TAGS: &str = "tags";
    /// Trust policy.
    pub const TRUST: &str = "trust";
    /// Permissions boundary.
    pub const BOUNDARY: &str = "permissionsBoundary";
    /// Inline policies.
    pub const POLICIES: &str = "policies";
}

/// Managed policies that others attached, as a part that could not be read or taken away.
pub const ATTACHED: &str = "attachedPolicies";

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
    /// The trust policy.
    pub trust: Policy,
    /// The permissions boundary.
    pub permissions_boundary: Option<String>,
    /// The inline policies, by name.
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

/// The text before the marks in the Sid of a trust policy that leaves somebody out.
const WITHOUT: &str = "Without";

/// Hexadecimal digits of one mark.
const MARK_LENGTH: usize = 12;

/// The mark of a principal that a trust policy leaves out.
#[must_use]
pub fn mark_of(principal: &str) -> String {
    hex_digest(principal, MARK_LENGTH)
}

/// The Sid of a trust policy that leaves these principals out.
#[must_use]
pub fn marked(sid: &str, left_out: &[String]) -> String {
    let marks: Vec<String> = left_out.iter().map(|principal| mark_of(principal)).collect();
    format!("{sid}{WITHOUT}{}", marks.concat())
}

/// The marks of the principals that a trust policy leaves out.
#[must_use]
pub fn left_out(trust: &Policy) -> Vec<String> {
    let statements = policy::statements(&trust.as_written());
    let marks = statements.iter().filter_map(|statement| {
        let (_, marks) = statement.get("Sid").and_then(Value::as_str)?.split_once(WITHOUT)?;
        let is_mark = marks.len().is_multiple_of(MARK_LENGTH) && marks.chars().all(|c| c.is_ascii_hexdigit());
        let split = |at: usize| marks.get(at * MARK_LENGTH..(at + 1) * MARK_LENGTH).map(ToString::to_string);
        is_mark.then(|| (0..marks.len() / MARK_LENGTH).filter_map(split).collect::<Vec<_>>())
    });
    marks.flatten().collect()
}

impl Managed for Role {
    const INFO: Info = Info {
        name: "Role",
        noun: "role",
        part: Part::Access,
        backend: Backend::Aws(Service::Iam),
        identity: Identity::Name,
        owned_by: OwnedBy::Tag,
        adopted_by: None,
        busy: Busy::RefusesWrites,
        creation: Creation::RefusedWhereTaken,
        before_deletion: BeforeDeletion::Read,
        leaves: &[],
        reads: Reads::Resync,
        rests_on_events: false,
        removal: Removal::WhenEmpty,
        has_deletion_policy: false,
        kept_because: DELETION_POLICY,
        refers_to: &[],
        relied_on: Reliance::AllBut(&[TAGS, ATTACHED]),
        makes_role: MakesRole::Itself,
        audited: Audited::Everything,
        arns: None,
        permissions: permissions::iam::PERMISSIONS,
        changed_by: &[RecordedCalls {
            names: &[
                "AttachRolePolicy",
                "CreateRole",
                "DeleteRole",
                "DeleteRolePermissionsBoundary",
                "DeleteRolePolicy",
                "DetachRolePolicy",
                "PutRolePermissionsBoundary",
                "PutRolePolicy",
                "TagRole",
                "UntagRole",
                "UpdateAssumeRolePolicy",
            ],
            about: |parameters| named(parameters, "roleName"),
        }],
    };
    type Write = Nothing;
    type Facts = Nothing;

    fn name(&self) -> String {
        self.name.clone()
    }

    /// Policies are compared by what they mean.
    fn comparable(&self) -> Value {
        let mut fields = serde_json::to_value(self).unwrap_or_default();
        fields["trust"] = self.trust.meaning();
        let left_out = left_out(&self.trust);
        if !left_out.is_empty() {
            fields["trust"]["LeftOut"] = json!(left_out);
        }
        for (name, policy) in &self.policies {
            fields["policies"][name] = policy.meaning();
        }
        fields
    }

    fn arn(&self) -> Option<String> {
        Some(self.arn.clone())
    }

    fn tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }

    fn policies(&self) -> Option<&BTreeMap<String, Policy>> {
        Some(&self.policies)
    }

    fn policies_mut(&mut self) -> Option<&mut BTreeMap<String, Policy>> {
        Some(&mut self.policies)
    }
}

//! AWS IAM: roles with their inline policies.
//!
//! IAM answers with what it will be, not yet with what it is everywhere: who needs a role right after it was made tries
//! again, nothing here waits.

mod read;
mod write;

use std::fmt::Display;

use aws_config::SdkConfig;
use aws_sdk_iam::Client;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::failure;
use crate::arn;
use crate::diff::Change;
use crate::grants::ROLE_PATH;
use crate::operator_policy::{Need, On, When};
use crate::plan::{Action, Step};
use crate::provider::{Applied, Class, Error, Failures, Place};
use crate::resource::Resource;

/// The IAM actions behind the calls of this adapter.
pub mod action {
    /// `GetRole`.
    pub const GET: &str = "iam:GetRole";
    /// `CreateRole`.
    pub const CREATE: &str = "iam:CreateRole";
    /// `DeleteRole`.
    pub const DELETE: &str = "iam:DeleteRole";
    /// `UpdateAssumeRolePolicy`.
    pub const UPDATE_TRUST: &str = "iam:UpdateAssumeRolePolicy";
    /// `PutRolePermissionsBoundary`.
    pub const PUT_BOUNDARY: &str = "iam:PutRolePermissionsBoundary";
    /// `DeleteRolePermissionsBoundary`.
    pub const DELETE_BOUNDARY: &str = "iam:DeleteRolePermissionsBoundary";
    /// `TagRole`, and tags in `CreateRole`.
    pub const TAG: &str = "iam:TagRole";
    /// `UntagRole`.
    pub const UNTAG: &str = "iam:UntagRole";
    /// `ListRolePolicies`.
    pub const LIST_POLICIES: &str = "iam:ListRolePolicies";
    /// `GetRolePolicy`.
    pub const GET_POLICY: &str = "iam:GetRolePolicy";
    /// `PutRolePolicy`.
    pub const PUT_POLICY: &str = "iam:PutRolePolicy";
    /// `DeleteRolePolicy`.
    pub const DELETE_POLICY: &str = "iam:DeleteRolePolicy";
    /// `ListAttachedRolePolicies`.
    pub const LIST_ATTACHED: &str = "iam:ListAttachedRolePolicies";
    /// `DetachRolePolicy`.
    pub const DETACH: &str = "iam:DetachRolePolicy";
}

/// What the calls of this adapter need.
pub const NEEDS: &[Need] = &[
    // The call names no path, and IAM knows that of a role only when there is one.
    Need {
        sid: "FindRoles",
        actions: &[action::GET],
        on: &[On::RoleOfAnyPath],
        when: &[],
        reason: "sees whether a role is there, whose it is and whom it trusts; of one that is not there, IAM knows no path",
    },
    Need {
        sid: "ReadRoles",
        actions: &[action::LIST_POLICIES, action::GET_POLICY, action::LIST_ATTACHED],
        on: &[On::Role],
        when: &[],
        reason: "sees what a role can do",
    },
    Need {
        sid: "MakeRoles",
        actions: &[action::CREATE],
        on: &[On::Role],
        when: &[When::OwnerAsked, When::Bounded],
        reason: "makes roles, never without the tag that says whose they are",
    },
    Need {
        sid: "TagNewRoles",
        actions: &[action::TAG],
        on: &[On::Role],
        when: &[When::OwnerAsked, When::OwnerTaggedIfAny],
        reason: "tags a role in the call that makes it, and takes none from another cluster",
    },
    // IAM takes a while to know a new role's tags everywhere, and the policies are put right after the role is made.
    Need {
        sid: "WriteRolePolicies",
        actions: &[action::PUT_POLICY],
        on: &[On::Role],
        when: &[When::OwnerTaggedIfAny, When::Bounded],
        reason: "says what a role can do, right after it was made: before IAM knows its tags everywhere",
    },
    // It is put back before anything else is: without it IAM would refuse the policies.
    Need {
        sid: "BindOwnRoles",
        actions: &[action::PUT_BOUNDARY],
        on: &[On::Role],
        when: &[When::OwnerTagged, When::Bounded],
        reason: "puts back what bounds a role, only of roles with our tag",
    },
    Need {
        sid: "UnbindOwnRoles",
        actions: &[action::DELETE_BOUNDARY],
        on: &[On::Role],
        when: &[When::OwnerTagged, When::Unbounded],
        reason: "takes off the boundary that a platform no longer names; where every role has one, nobody may",
    },
    // Whom a role trusts changes nothing about what it can do at most, and a role that was made before there was a
    // boundary has to go without one.
    Need {
        sid: "ChangeOwnRoles",
        actions: &[
            action::TAG,
            action::UNTAG,
            action::UPDATE_TRUST,
            action::DELETE_POLICY,
            action::DETACH,
            action::DELETE,
        ],
        on: &[On::Role],
        when: &[When::OwnerTagged, When::OwnerAskedIfAny],
        reason: "puts tags and trust back, takes policies away and deletes roles, only those with our tag",
    },
];

/// IAM of one partition.
pub(super) struct Iam {
    client: Client,
}

impl Iam {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }

    pub(super) async fn apply(&self, place: &Place, step: &Step) -> Result<Applied, Failures> {
        let target = Target::new(place, &step.key.name);
        match (&step.action, &step.desired, &step.observed) {
            (Action::Create, Some(Resource::Role(desired)), _) => self.create(&target, desired).await,
            (Action::Update(changes), Some(Resource::Role(desired)), Some(Resource::Role(observed))) => {
                let fields = changes.iter().map(Change::field).collect();
                self.update(&target, step, (desired, observed), &fields).await
            }
            (Action::Delete { .. }, ..) => self.delete(&target).await,
            _ => Err(Error::unknown_step(step).into()),
        }
    }
}

/// A role and where it is.
struct Target<'a> {
    place: &'a Place,
    role: &'a str,
}

impl<'a> Target<'a> {
    fn new(place: &'a Place, role: &'a str) -> Self {
        Self { place, role }
    }

    fn arn(&self) -> String {
        arn::role(&self.place.region, &self.place.account_id, ROLE_PATH, self.role)
    }

    fn failure<E>(&self, action: &str, error: &SdkError<E, Response>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let about = |code: &str, message: &str| classified(action, code, message);
        failure::classify_by_message(action, &self.arn(), error, about)
    }

    fn unexpected(&self, action: &str, what: impl Display) -> Error {
        failure::unexpected(action, &self.arn(), what)
    }
}

/// IAM's error codes. Source: "Errors" of each operation in the IAM API reference.
fn classified(action: &str, code: &str, message: &str) -> Option<Class> {
    Some(match code {
        // The role may be there: it is the boundary that is not, and somebody has to make it or name another.
        "NoSuchEntity" if [action::CREATE, action::PUT_BOUNDARY].contains(&action) && message.contains("Scope ARN") => {
            Class::Invalid
        }
        "NoSuchEntity" => Class::NotFound,
        "LimitExceeded" | "LimitExceededException" => Class::Quota,
        // Somebody put the role into an instance profile, which only they can take away.
        "DeleteConflict" if message.contains("instance profile") => Class::Invalid,
        // Made by somebody else meanwhile, or by ourselves in a call whose answer was lost: the next look tells.
        "EntityAlreadyExists" | "ConcurrentModification" | "DeleteConflict" | "EntityTemporarilyUnmodifiable" => {
            Class::Conflict
        }
        "ServiceFailure" => Class::Transient,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_tells_what_the_code_leaves_open() {
        let boundary = "Scope ARN: arn:aws:iam::1:policy/x does not exist or is not attachable.";
        for (action, code, message, expected) in [
            (action::CREATE, "NoSuchEntity", boundary, Some(Class::Invalid)),
            (action::PUT_BOUNDARY, "NoSuchEntity", boundary, Some(Class::Invalid)),
            (action::PUT_BOUNDARY, "NoSuchEntity", "The role with name r cannot be found.", Some(Class::NotFound)),
            (action::GET, "NoSuchEntity", "The role with name r cannot be found.", Some(Class::NotFound)),
            (
                action::DELETE,
                "DeleteConflict",
                "Cannot delete entity, must detach all policies first.",
                Some(Class::Conflict),
            ),
            (
                action::DELETE,
                "DeleteConflict",
                "Cannot delete entity, must remove roles from instance profile first.",
                Some(Class::Invalid),
            ),
            (action::PUT_POLICY, "MalformedPolicyDocument", "", None),
        ] {
            assert_eq!(classified(action, code, message), expected, "{action} {code} {message}");
        }
    }
}

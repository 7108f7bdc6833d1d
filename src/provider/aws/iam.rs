//! AWS IAM: roles with their inline policies.
//!
//! IAM answers with what it will be, not yet with what it is everywhere: who needs a role right after it was made tries
//! again, nothing here waits.

mod read;
mod snapshot;
mod write;

use std::fmt::Display;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_iam::Client;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::failure;
use super::requests::Measured;
use super::snapshots::Snapshot;
use crate::arn;
use crate::diff::Change;
use crate::failure::{Class, Error};
use crate::failures::Failures;
use crate::grants::ROLE_PATH;
use crate::outcome::Applied;
pub use crate::permissions::iam::action;
use crate::plan::{Action, Step};
use crate::resource::Resource;
use crate::scope::Scope;
use snapshot::ListedRole;

/// IAM of one partition.
pub(super) struct Iam {
    client: Client,
    roles: Snapshot<ListedRole>,
}

impl Iam {
    pub(super) fn new(config: &SdkConfig, measured: Measured, shared_for: Duration) -> Self {
        let config = aws_sdk_iam::config::Builder::from(config).interceptor(measured).build();
        Self { client: Client::from_conf(config), roles: Snapshot::new(action::LIST_DETAILS, shared_for) }
    }

    pub(super) async fn apply(&self, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
        let target = Target::new(scope, &step.key.name);
        let _touching = self.roles.touch(target.role);
        match (&step.action, &step.desired, &step.observed) {
            (Action::Create, Some(Resource::Role(desired)), _) => self.create(&target, desired).await,
            (Action::Update(changes), Some(Resource::Role(desired)), Some(Resource::Role(observed))) => {
                let fields = changes.iter().map(Change::field).collect();
                self.update(&target, step, (desired, observed), &fields).await
            }
            (Action::Delete { .. }, _, Some(Resource::Role(observed))) => self.delete(&target, Some(observed)).await,
            (Action::Delete { .. }, ..) => self.delete(&target, None).await,
            _ => Err(Error::unknown_step(step).into()),
        }
    }
}

/// A role and where it is.
struct Target<'a> {
    scope: &'a Scope,
    role: &'a str,
}

impl<'a> Target<'a> {
    fn new(scope: &'a Scope, role: &'a str) -> Self {
        Self { scope, role }
    }

    fn arn(&self) -> String {
        arn::role(&self.scope.region, &self.scope.account_id, ROLE_PATH, self.role)
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
        // Made by somebody else meanwhile, or by ourselves in a call whose answer was lost: the next pass finds out.
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
    fn the_message_reports_what_the_code_leaves_open() {
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

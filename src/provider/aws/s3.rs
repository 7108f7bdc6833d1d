//! Amazon S3: buckets and everything about them.
//!
//! Every call names the account it expects to own the bucket, so that a bucket of the same name elsewhere is never
//! read or changed by mistake.

mod contents;
mod lifecycle;
mod read;
mod write;

use std::fmt::Display;

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::failure;
use super::requests::Measured;
use crate::arn;
use crate::diff::Change;
use crate::failure::{Class, Error};
use crate::failures::Failures;
use crate::outcome::Applied;
pub use crate::permissions::s3::action;
use crate::plan::{Action, Step};
use crate::resource::{Owner, Resource};
use crate::scope::Scope;

/// S3 in one region.
pub(super) struct S3 {
    client: Client,
}

impl S3 {
    pub(super) fn new(config: &SdkConfig, path_style: bool, measured: Measured) -> Self {
        let config = aws_sdk_s3::config::Builder::from(config).force_path_style(path_style).interceptor(measured);
        let config = config.build();
        Self { client: Client::from_conf(config) }
    }

    pub(super) async fn apply(&self, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
        let target = Target::new(scope, &step.key.name);
        match (&step.action, &step.desired) {
            (Action::Create, Some(Resource::Bucket(desired))) => self.create(&target, step, desired).await,
            (Action::Update(changes), Some(Resource::Bucket(desired))) => {
                let fields = changes.iter().map(Change::field).collect();
                self.update(&target, step, desired, fields).await
            }
            (Action::Delete { with_contents }, _) => self.delete(&target, *with_contents).await,
            _ => Err(Error::unknown_step(step).into()),
        }
    }
}

/// A bucket and the account that must own it.
struct Target<'a> {
    scope: &'a Scope,
    bucket: &'a str,
}

impl<'a> Target<'a> {
    fn new(scope: &'a Scope, bucket: &'a str) -> Self {
        Self { scope, bucket }
    }

    fn account(&self) -> &'a str {
        &self.scope.account_id
    }

    fn arn(&self) -> String {
        arn::bucket(&self.scope.region, self.bucket)
    }

    /// Turns what the SDK says into what it means.
    fn failure<E>(&self, action: &str, error: &SdkError<E, Response>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let mut failed = failure::classify(action, &self.arn(), error, table);
        if action == action::PUT_VERSIONING && failed.code == "InvalidBucketState" {
            failed.message.push_str("; versioning of such a bucket is never suspended: set versioning: true");
        }
        failed
    }

    /// Fails unless the bucket is ours.
    fn owned(&self, action: &str, owner: &Owner) -> Result<(), Error> {
        match owner {
            Owner::Ours => Ok(()),
            Owner::Theirs(holder) => Err(Error::owner_changed(action, &self.arn(), Some(holder))),
            Owner::Nobody => Err(Error::owner_changed(action, &self.arn(), None)),
        }
    }

    fn unexpected(&self, action: &str, what: impl Display) -> Error {
        failure::unexpected(action, &self.arn(), what)
    }
}

/// S3's error codes. Source: "List of error codes", Amazon S3 API reference. A state of the bucket, such as Object Lock,
/// does not pass by itself.
fn table(code: &str) -> Option<Class> {
    Some(match code {
        "NoSuchBucket" | "NotFound" | "NoSuchUpload" => Class::NotFound,
        "BucketAlreadyExists" => Class::NotOwned,
        "BucketAlreadyOwnedByYou" | "OperationAborted" | "ConditionalRequestConflict" | "BucketNotEmpty" => {
            Class::Conflict
        }
        "InvalidBucketState" => Class::Invalid,
        "TooManyBuckets" => Class::Quota,
        "AllAccessDisabled" | "AccountProblem" | "NotSignedUp" => Class::Denied,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_passes_only_where_its_code_says_so() {
        let class = |code| failure::of_item(code, table);
        for code in ["OperationAborted", "BucketAlreadyOwnedByYou", "ConditionalRequestConflict"] {
            assert_eq!(class(code), Class::Conflict, "{code}");
        }
        assert_eq!(class("InvalidBucketState"), Class::Invalid, "Object Lock does not go away");
        assert_eq!((class("SlowDown"), class("AccessDenied")), (Class::Throttled, Class::Denied));
        assert_eq!(class("Novelty"), Class::Invalid, "what nobody knows is for a person");
        assert_eq!(Class::of_status(409), Class::Invalid, "the status alone says nothing");
    }
}

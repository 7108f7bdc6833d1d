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
use crate::arn;
use crate::diff::Change;
use crate::operator_policy::{Need, On, When};
use crate::plan::{Action, Step};
use crate::provider::{Applied, Class, Error, Failures, Parts, Place};
use crate::resource::Resource;

/// The IAM actions behind the calls of this file. Several differ from the name of the API operation: see "Actions,
/// resources, and condition keys for Amazon S3" in the Service Authorization Reference.
pub mod action {
    /// `CreateBucket`.
    pub const CREATE: &str = "s3:CreateBucket";
    /// `DeleteBucket`.
    pub const DELETE: &str = "s3:DeleteBucket";
    /// `GetBucketTagging`.
    pub const GET_TAGGING: &str = "s3:GetBucketTagging";
    /// `PutBucketTagging`.
    pub const PUT_TAGGING: &str = "s3:PutBucketTagging";
    /// Tags in `CreateBucket`.
    pub const TAG: &str = "s3:TagResource";
    /// `GetPublicAccessBlock`.
    pub const GET_PUBLIC_ACCESS_BLOCK: &str = "s3:GetBucketPublicAccessBlock";
    /// `PutPublicAccessBlock`.
    pub const PUT_PUBLIC_ACCESS_BLOCK: &str = "s3:PutBucketPublicAccessBlock";
    /// `GetBucketOwnershipControls`.
    pub const GET_OWNERSHIP: &str = "s3:GetBucketOwnershipControls";
    /// `PutBucketOwnershipControls`, and object ownership in `CreateBucket`.
    pub const PUT_OWNERSHIP: &str = "s3:PutBucketOwnershipControls";
    /// `GetBucketEncryption`.
    pub const GET_ENCRYPTION: &str = "s3:GetEncryptionConfiguration";
    /// `PutBucketEncryption`.
    pub const PUT_ENCRYPTION: &str = "s3:PutEncryptionConfiguration";
    /// `GetBucketVersioning`.
    pub const GET_VERSIONING: &str = "s3:GetBucketVersioning";
    /// `PutBucketVersioning`.
    pub const PUT_VERSIONING: &str = "s3:PutBucketVersioning";
    /// `GetBucketPolicy`.
    pub const GET_POLICY: &str = "s3:GetBucketPolicy";
    /// `PutBucketPolicy`.
    pub const PUT_POLICY: &str = "s3:PutBucketPolicy";
    /// `DeleteBucketPolicy`.
    pub const DELETE_POLICY: &str = "s3:DeleteBucketPolicy";
    /// `GetBucketLifecycleConfiguration`.
    pub const GET_LIFECYCLE: &str = "s3:GetLifecycleConfiguration";
    /// `PutBucketLifecycleConfiguration` and `DeleteBucketLifecycle`.
    pub const PUT_LIFECYCLE: &str = "s3:PutLifecycleConfiguration";
    /// `ListBuckets`.
    pub const LIST: &str = "s3:ListAllMyBuckets";
    /// `ListObjectVersions`.
    pub const LIST_VERSIONS: &str = "s3:ListBucketVersions";
    /// `ListMultipartUploads`.
    pub const LIST_UPLOADS: &str = "s3:ListBucketMultipartUploads";
    /// `DeleteObjects` and `DeleteObject`, for each version.
    pub const DELETE_VERSION: &str = "s3:DeleteObjectVersion";
    /// `AbortMultipartUpload`.
    pub const ABORT_UPLOAD: &str = "s3:AbortMultipartUpload";
}

/// What the calls of this adapter need. Tags decide nothing here: S3 looks at a bucket's tags only where attribute-based
/// access control was switched on for that bucket.
pub const NEEDS: &[Need] = &[
    Need {
        sid: "ReadBuckets",
        actions: &[
            action::GET_TAGGING,
            action::GET_PUBLIC_ACCESS_BLOCK,
            action::GET_OWNERSHIP,
            action::GET_ENCRYPTION,
            action::GET_VERSIONING,
            action::GET_POLICY,
            action::GET_LIFECYCLE,
            action::LIST_VERSIONS,
            action::LIST_UPLOADS,
        ],
        on: &[On::Bucket],
        when: &[When::InAccount],
        reason: "sees whose a bucket is, how it is set up, and whether it is empty before it goes",
    },
    Need {
        sid: "ListBuckets",
        actions: &[action::LIST],
        on: &[On::BucketList],
        when: &[],
        reason: "tells a bucket of another account from one of its own that it may not read; IAM knows no resource for it",
    },
    Need {
        sid: "MakeBuckets",
        actions: &[action::CREATE, action::TAG, action::PUT_OWNERSHIP],
        on: &[On::Bucket],
        when: &[When::InAccount],
        reason: "makes buckets; tags and object ownership in the same call are permissions of their own",
    },
    Need {
        sid: "ChangeBuckets",
        actions: &[
            action::PUT_TAGGING,
            action::PUT_PUBLIC_ACCESS_BLOCK,
            action::PUT_ENCRYPTION,
            action::PUT_VERSIONING,
            action::PUT_POLICY,
            action::DELETE_POLICY,
            action::PUT_LIFECYCLE,
            action::DELETE,
        ],
        on: &[On::Bucket],
        when: &[When::InAccount],
        reason: "sets buckets up as declared, puts back what drifts, and deletes them when they are empty",
    },
    Need {
        sid: "DeleteContents",
        actions: &[action::DELETE_VERSION, action::ABORT_UPLOAD],
        on: &[On::Contents],
        when: &[When::InAccount],
        reason: "empties buckets whose deletionPolicy is DeleteWithContents",
    },
];

/// S3 in one region.
pub(super) struct S3 {
    client: Client,
}

impl S3 {
    pub(super) fn new(config: &SdkConfig, path_style: bool) -> Self {
        let config = aws_sdk_s3::config::Builder::from(config).force_path_style(path_style).build();
        Self { client: Client::from_conf(config) }
    }

    pub(super) async fn apply(&self, place: &Place, step: &Step) -> Result<Applied, Failures> {
        let target = Target::new(place, &step.key.name);
        match (&step.action, &step.desired) {
            (Action::Create, Some(Resource::Bucket(desired))) => self.create(&target, step, desired).await,
            (Action::Update(changes), Some(Resource::Bucket(desired))) => {
                let fields = changes.iter().map(Change::field).collect();
                self.write_parts(&target, step, desired, &fields, Parts::default()).await
            }
            (Action::Delete { with_contents }, _) => self.delete(&target, *with_contents).await,
            _ => Err(Error::unknown_step(step).into()),
        }
    }
}

/// A bucket and the account that must own it.
struct Target<'a> {
    place: &'a Place,
    bucket: &'a str,
}

impl<'a> Target<'a> {
    fn new(place: &'a Place, bucket: &'a str) -> Self {
        Self { place, bucket }
    }

    fn account(&self) -> &'a str {
        &self.place.account_id
    }

    fn arn(&self) -> String {
        arn::bucket(&self.place.region, self.bucket)
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

//! Permissions that the calls to Amazon S3 need.

use crate::operator_policy::{Condition, Permission, ResourcePattern};

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

/// The permissions that the calls of this adapter need. Tags decide nothing here: S3 looks at a bucket's tags only
/// where attribute-based access control was switched on for that bucket.
pub const PERMISSIONS: &[Permission] = &[
    Permission {
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
        resources: &[ResourcePattern::Bucket],
        conditions: &[Condition::ResourceAccount],
        reason: "sees whose a bucket is, how it is set up, and whether it is empty before it goes",
    },
    Permission {
        sid: "ListBuckets",
        actions: &[action::LIST],
        resources: &[ResourcePattern::BucketList],
        conditions: &[],
        reason: "tells a bucket of another account from one of its own that it may not read; IAM knows no resource for it",
    },
    Permission {
        sid: "MakeBuckets",
        actions: &[action::CREATE, action::TAG, action::PUT_OWNERSHIP],
        resources: &[ResourcePattern::Bucket],
        conditions: &[Condition::ResourceAccount],
        reason: "makes buckets; tags and object ownership in the same call are permissions of their own",
    },
    Permission {
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
        resources: &[ResourcePattern::Bucket],
        conditions: &[Condition::ResourceAccount],
        reason: "sets buckets up as declared, puts back what drifts, and deletes them when they are empty",
    },
    Permission {
        sid: "DeleteContents",
        actions: &[action::DELETE_VERSION, action::ABORT_UPLOAD],
        resources: &[ResourcePattern::Contents],
        conditions: &[Condition::ResourceAccount],
        reason: "empties buckets whose deletionPolicy is DeleteWithContents",
    },
];

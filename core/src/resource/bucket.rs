//! An S3 bucket with everything about it, in canonical form.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{Key, Removal};
use crate::arn;
use crate::drift_events::naming::{RecordedCalls, named};
use crate::kind::{
    Audited, Backend, BeforeDeletion, Busy, Creation, DELETION_POLICY, Identity, Info, MakesRole, Managed, Nothing,
    OwnedBy, Part, Reads, Reliance, Service,
};
use crate::permissions;
use crate::policy;
use crate::tags::Tags;

/// Lifecycle rules of ours are known by this prefix of their id.
pub const RULE_PREFIX: &str = "aip-";

/// The Sid of the statement that denies everything without TLS.
pub const TLS_ONLY: &str = "AipTlsOnly";

/// The Sid of the statement that denies object access which does not come through the platform's VPC endpoints.
pub const VPC_ENDPOINT_ONLY: &str = "AipVpcEndpointOnly";

/// The Sids of all statements that we write, or ever wrote, into a bucket policy. All others are somebody else's,
/// whatever they begin with.
pub const SIDS: [&str; 2] = [TLS_ONLY, VPC_ENDPOINT_ONLY];

/// The Sid of a statement, if it is one of ours.
#[must_use]
pub fn our_sid(statement: &Value) -> Option<&'static str> {
    let sid = statement.get("Sid")?.as_str()?;
    SIDS.into_iter().find(|ours| *ours == sid)
}

/// The names of the fields that are written by a call of their own, as they stand in diffs.
pub mod field {
    /// All of them, in the order in which they are written: what closes something first, versions before rules that
    /// delete.
    pub const ALL: [&str; 7] = [PUBLIC_ACCESS_BLOCK, POLICY, OBJECT_OWNERSHIP, TAGS, ENCRYPTION, VERSIONING, LIFECYCLE];

    /// Tags.
    pub const TAGS: &str = "tags";
    /// Public access block.
    pub const PUBLIC_ACCESS_BLOCK: &str = "publicAccessBlock";
    /// Object ownership.
    pub const OBJECT_OWNERSHIP: &str = "objectOwnership";
    /// Default encryption.
    pub const ENCRYPTION: &str = "encryption";
    /// Versioning.
    pub const VERSIONING: &str = "versioning";
    /// Bucket policy.
    pub const POLICY: &str = "policy";
    /// Lifecycle rules.
    pub const LIFECYCLE: &str = "lifecycle";
}

/// A bucket. Rules, statements and tags of others are not in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bucket {
    /// Its name, unique in the world.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Tags that are ours.
    pub tags: Tags,
    /// The public access block.
    pub public_access_block: PublicAccessBlock,
    /// `BucketOwnerEnforced` switches access control lists off.
    pub object_ownership: Option<String>,
    /// Default encryption of new objects.
    pub encryption: Option<Encryption>,
    /// True when old versions are kept. A bucket that was never versioned and one whose versioning is suspended are the
    /// same to us.
    pub versioning: bool,
    /// Statements of the bucket policy that are ours, by Sid, as they are written.
    pub policy: BTreeMap<String, Value>,
    /// Lifecycle rules that are ours, by id without prefix.
    pub lifecycle: BTreeMap<String, LifecycleRule>,
    /// Statements that are written once what they name is there, by Sid: they are shown, and neither compared nor written.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub pending_policy: BTreeMap<String, Value>,
    /// The VPC endpoints through which alone objects are accessed, where the spec wants it so. What of it is in force
    /// stands in `policy`.
    #[serde(skip)]
    pub vpc_endpoint_only: Option<VpcEndpointOnly>,
}

/// The limits of object access to VPC endpoints of the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VpcEndpointOnly {
    /// The endpoints.
    pub endpoints: Vec<Key>,
    /// The principals that are excepted, as ARN patterns, where they are known.
    pub excepted: Option<Vec<String>>,
}

impl Bucket {
    /// A bucket of which only the tags are known.
    #[must_use]
    pub fn bare(name: &str, region: &str, tags: Tags) -> Self {
        Self {
            name: name.into(),
            region: region.into(),
            tags,
            public_access_block: PublicAccessBlock::default(),
            object_ownership: None,
            encryption: None,
            versioning: false,
            policy: BTreeMap::new(),
            lifecycle: BTreeMap::new(),
            pending_policy: BTreeMap::new(),
            vpc_endpoint_only: None,
        }
    }
}

/// The one region whose buckets are made without naming it, and where making a bucket again that the account has already
/// is answered with success. Source: `CreateBucket`, Amazon S3 API reference.
pub const UNNAMED_REGION: &str = "us-east-1";

/// The four switches of S3's public access block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "AWS has these four switches")]
pub struct PublicAccessBlock {
    /// New public access control lists are refused.
    pub block_public_acls: bool,
    /// Public access control lists are ignored.
    pub ignore_public_acls: bool,
    /// New public bucket policies are refused.
    pub block_public_policy: bool,
    /// A public bucket policy only serves this account.
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// All four on, as they are in every new bucket. Source: "Default settings for new S3 buckets FAQ", Amazon S3 User
    /// Guide.
    pub const ALL: Self = Self {
        block_public_acls: true,
        ignore_public_acls: true,
        block_public_policy: true,
        restrict_public_buckets: true,
    };
}

impl Encryption {
    /// True for S3's own keys, by which every new bucket encrypts. Source: "Default encryption FAQ", Amazon S3 User Guide.
    #[must_use]
    pub fn is_that_of_new_buckets(&self) -> bool {
        self.algorithm == "AES256" && self.kms_key_arn.is_none()
    }
}

/// Default encryption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Encryption {
    /// `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub algorithm: String,
    /// The KMS key, when it is not S3's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
    /// True when S3 asks KMS once per bucket key instead of once per object. Means nothing without KMS.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub bucket_key: bool,
}

impl Encryption {
    /// Keys that S3 manages.
    #[must_use]
    pub fn sse_s3() -> Self {
        Self { algorithm: "AES256".into(), kms_key_arn: None, bucket_key: false }
    }

    /// A key of KMS.
    #[must_use]
    pub fn kms(key_arn: &str) -> Self {
        Self { algorithm: "aws:kms".into(), kms_key_arn: Some(key_arn.into()), bucket_key: true }
    }
}

/// One lifecycle rule, wide enough to hold what somebody may have made of it by hand.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LifecycleRule {
    /// True when it does anything.
    pub enabled: bool,
    /// The objects that it is for.
    #[serde(skip_serializing_if = "Filter::is_empty")]
    pub filter: Filter,
    /// Changes of storage class, in AWS's order of application.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transitions: Vec<Transition>,
    /// The expiration of current versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration: Option<Expiration>,
    /// Changes of storage class of old versions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub noncurrent_transitions: Vec<NoncurrentTransition>,
    /// The expiration of old versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noncurrent_expiration: Option<NoncurrentExpiration>,
    /// Days after which unfinished uploads go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abort_incomplete_multipart_upload_days: Option<i32>,
}

impl LifecycleRule {
    /// Puts the lists into one order, so that two rules that mean the same are equal.
    pub fn canonicalise(&mut self) {
        self.transitions.sort();
        self.noncurrent_transitions.sort();
    }
}

/// The objects that a rule is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Filter {
    /// Keys that begin with this; an empty prefix is every key and is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Objects with all these tags.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: Tags,
    /// Objects larger than this, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_size_greater_than: Option<i64>,
    /// Objects smaller than this, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_size_less_than: Option<i64>,
}

impl Filter {
    /// True when it lets every object through.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A change of storage class.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Transition {
    /// Days after the object was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<i32>,
    /// On this day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// The storage class.
    pub storage_class: String,
}

/// The expiration of current versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Expiration {
    /// Days after the object was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<i32>,
    /// On this day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Delete markers that no version stands behind any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub expired_object_delete_marker: bool,
}

/// A change of storage class of old versions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NoncurrentTransition {
    /// Days after the version was replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<i32>,
    /// The number of newer versions that stay where they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newer_versions: Option<i32>,
    /// The storage class.
    pub storage_class: String,
}

/// The expiration of old versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NoncurrentExpiration {
    /// Days after the version was replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<i32>,
    /// The number of newer versions that are kept regardless.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newer_versions: Option<i32>,
}

impl Managed for Bucket {
    const INFO: Info = Info {
        name: "Bucket",
        noun: "bucket",
        part: Part::Storage,
        backend: Backend::Aws(Service::S3),
        identity: Identity::Name,
        owned_by: OwnedBy::Tag,
        adopted_by: Some("adopt: true"),
        busy: Busy::RefusesWrites,
        creation: Creation::RefusedWhereTaken,
        before_deletion: BeforeDeletion::Remembered,
        leaves: &[],
        // What lets somebody in is read at each resync. Versions that are there stay when versioning is suspended, S3
        // carries out lifecycle rules once a day, and neither tags nor a key let anybody read.
        reads: Reads::ResyncBut(&[field::TAGS, field::ENCRYPTION, field::VERSIONING, field::LIFECYCLE]),
        rests_on_events: true,
        removal: Removal::Retain,
        has_deletion_policy: true,
        kept_because: DELETION_POLICY,
        refers_to: &[],
        relied_on: Reliance::Existence,
        makes_role: MakesRole::No,
        audited: Audited::Fields(&[field::POLICY]),
        arns: None,
        permissions: permissions::s3::PERMISSIONS,
        // "Amazon S3 CloudTrail events" in the Amazon S3 User Guide.
        changed_by: &[RecordedCalls {
            names: &[
                "CreateBucket",
                "DeleteBucket",
                "DeleteBucketEncryption",
                "DeleteBucketLifecycle",
                "DeleteBucketOwnershipControls",
                "DeleteBucketPolicy",
                "DeleteBucketPublicAccessBlock",
                "DeleteBucketTagging",
                "PutBucketAcl",
                "PutBucketEncryption",
                "PutBucketLifecycle",
                "PutBucketOwnershipControls",
                "PutBucketPolicy",
                "PutBucketPublicAccessBlock",
                "PutBucketTagging",
                "PutBucketVersioning",
            ],
            about: |parameters| named(parameters, "bucketName"),
        }],
    };
    type Write = Nothing;
    type Facts = Nothing;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn comparable(&self) -> Value {
        let mut fields = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = fields.as_object_mut() {
            fields.remove("pendingPolicy");
        }
        for (sid, statement) in &self.policy {
            fields["policy"][sid] = policy::statement_meaning(statement);
        }
        fields
    }

    fn take_part(&mut self, part: &str, earlier: &Self) -> bool {
        match part {
            field::TAGS => self.tags.clone_from(&earlier.tags),
            field::ENCRYPTION => self.encryption.clone_from(&earlier.encryption),
            field::VERSIONING => self.versioning = earlier.versioning,
            field::LIFECYCLE => self.lifecycle.clone_from(&earlier.lifecycle),
            _ => return false,
        }
        true
    }

    fn may_overwrite(&self) -> bool {
        self.region == UNNAMED_REGION
    }

    fn arn(&self) -> Option<String> {
        Some(arn::bucket(&self.region, &self.name))
    }

    fn tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }
}

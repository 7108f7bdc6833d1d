//! `spec.storage`: S3 buckets and their lifecycle rules.
//!
//! The lifecycle rules that AWS would refuse are refused here by the API server, with AWS's reason. The sources of
//! each are in the Amazon S3 API reference (`PutBucketLifecycleConfiguration`) and user guide ("Transitioning
//! objects").

#![expect(clippy::struct_excessive_bools, reason = "a bucket has these switches")]

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Artifact storage.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// Buckets, each with a logical name that the rest of the spec refers to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub buckets: Vec<Bucket>,
}

/// One S3 bucket: private, encrypted, with access control lists off.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Bucket {
    /// Logical name, referred to elsewhere in the spec.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub name: String,
    /// The bucket's name in AWS, which is unique in the world. Default: generated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 63), regex(pattern = r"^[a-z0-9][a-z0-9.-]*[a-z0-9]$"))]
    #[x_kube(validation = ("!self.contains('..') && !self.contains('.-') && !self.contains('-.')", "S3 allows a dot in a bucket name only between letters and digits"))]
    #[x_kube(validation = (r"!self.matches('^[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+$')", "S3 refuses a bucket name that looks like an IP address"))]
    #[x_kube(validation = (r"!self.matches('^(xn--|sthree-|amzn-s3-demo-)|(-s3alias|--ol-s3|\\.mrap|--x-s3|--table-s3|-an)$')", "S3 reserves the prefixes xn--, sthree-, amzn-s3-demo- and the suffixes -s3alias, --ol-s3, .mrap, --x-s3, --table-s3, -an"))]
    pub bucket_name: Option<String>,
    /// Manage a bucket that already exists in this account. Without it such a bucket is left alone and the platform
    /// stalls.
    #[serde(default)]
    pub adopt: bool,
    /// Keep old versions of objects.
    #[serde(default = "super::yes")]
    pub versioning: bool,
    /// Default: encrypted with keys that S3 manages (SSE-S3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// Refuse requests that do not use TLS.
    #[serde(default = "super::yes")]
    pub tls_only: bool,
    /// Refuse requests for objects that do not come through the S3 endpoints of `spec.network`. In force once an
    /// endpoint is available. AWS services and the operator itself are excepted.
    #[serde(default)]
    pub vpc_endpoint_only: bool,
    /// Effect of no longer declaring the bucket.
    #[serde(default)]
    pub deletion_policy: BucketDeletionPolicy,
    /// Lifecycle rules: when objects change their storage class and when they expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
}

/// Encryption with a key of AWS KMS.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Encryption {
    /// The key, in the platform's region.
    #[schemars(
        length(max = 2048),
        regex(pattern = r"^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:(key|alias)/[a-zA-Z0-9/_-]+$")
    )]
    pub kms_key_arn: String,
}

/// Effect of no longer declaring a bucket.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum BucketDeletionPolicy {
    /// It stays, with its objects and tags.
    #[default]
    Retain,
    /// It goes when it is empty, and blocks the deletion until then.
    Delete,
    /// It goes, and everything in it before.
    DeleteWithContents,
}

/// Lifecycle rules. Rules that others put on the bucket are kept.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Lifecycle {
    /// The rules; AWS knows them as `aip-<id>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["id".into()]))]
    pub rules: Vec<LifecycleRule>,
}

/// Each storage class once in a list of transitions.
const ONE_OF_EACH_CLASS: &str = "self.all(t, self.exists_one(o, o.storageClass == t.storageClass))";

/// Objects only move down the waterfall of storage classes.
const DOWNWARDS: &str = "self.all(a, self.all(b, a.days >= b.days || !(a.storageClass in ['DEEP_ARCHIVE'] || (a.storageClass == 'GLACIER' && b.storageClass != 'DEEP_ARCHIVE') || (a.storageClass == 'GLACIER_IR' && !(b.storageClass in ['GLACIER', 'DEEP_ARCHIVE'])) || (a.storageClass == 'ONEZONE_IA' && !(b.storageClass in ['GLACIER', 'DEEP_ARCHIVE'])) || (a.storageClass == 'INTELLIGENT_TIERING' && b.storageClass == 'STANDARD_IA'))))";

/// Days that objects stay in a class before the same rule moves them on.
const LONG_ENOUGH: &str = "self.all(a, self.all(b, a.days >= b.days || b.days - a.days >= (a.storageClass in ['STANDARD_IA', 'ONEZONE_IA'] ? 30 : a.storageClass in ['GLACIER_IR', 'GLACIER'] ? 90 : 0)))";

/// No two transitions on the same day.
const ONE_A_DAY: &str = "self.all(a, self.exists_one(b, b.days == a.days))";

/// One lifecycle rule: a filter and at least one action.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("(has(self.transitions) && size(self.transitions) > 0) || has(self.expiration) || (has(self.noncurrentTransitions) && size(self.noncurrentTransitions) > 0) || has(self.noncurrentExpiration) || has(self.abortIncompleteMultipartUploadDays)", "at least one action needs to be specified in a rule: transitions, expiration, noncurrentTransitions, noncurrentExpiration or abortIncompleteMultipartUploadDays"))]
#[x_kube(validation = ("!(has(self.expiration) && has(self.expiration.expiredObjectDeleteMarker)) || !has(self.filter) || (!has(self.filter.objectSizeGreaterThan) && !has(self.filter.objectSizeLessThan) && (!has(self.filter.tags) || size(self.filter.tags) == 0))", "expiration.expiredObjectDeleteMarker cannot be specified with tags or object sizes in the filter"))]
#[x_kube(validation = ("!has(self.abortIncompleteMultipartUploadDays) || !has(self.filter) || (!has(self.filter.objectSizeGreaterThan) && !has(self.filter.objectSizeLessThan) && (!has(self.filter.tags) || size(self.filter.tags) == 0))", "abortIncompleteMultipartUploadDays cannot be specified with tags or object sizes in the filter"))]
#[x_kube(validation = ("!has(self.transitions) || !has(self.expiration) || !has(self.expiration.date) || size(self.transitions) == 0", "a rule may not mix dates and days: give expiration.days, or put the transitions into a rule of their own"))]
#[x_kube(validation = ("!has(self.transitions) || !has(self.expiration) || !has(self.expiration.days) || self.transitions.all(t, t.days < self.expiration.days)", "expiration.days must be greater than the days of every transition"))]
#[x_kube(validation = ("!has(self.noncurrentTransitions) || !has(self.noncurrentExpiration) || self.noncurrentTransitions.all(t, t.days < self.noncurrentExpiration.days)", "noncurrentExpiration.days must be greater than the days of every noncurrent transition"))]
pub struct LifecycleRule {
    /// The rule's name, unique in the bucket: anything that S3 takes behind `aip-`, without control characters, and
    /// without blanks at its ends.
    #[schemars(length(min = 1, max = 251), regex(pattern = r"^[^\p{Cc}\p{Z}]([^\p{Cc}]*[^\p{Cc}\p{Z}])?$"))]
    pub id: String,
    /// A rule that is not enabled is kept in AWS but does nothing.
    #[serde(default = "super::yes")]
    pub enabled: bool,
    /// Objects that the rule is for; all of them by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// Transitions of current versions to other storage classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 6))]
    #[x_kube(validation = Rule::new(ONE_OF_EACH_CLASS).message("storageClass must be different for the transitions of one rule"))]
    #[x_kube(validation = Rule::new(DOWNWARDS).message("objects only move down: STANDARD_IA, INTELLIGENT_TIERING, ONEZONE_IA, GLACIER_IR, GLACIER, DEEP_ARCHIVE, and not from ONEZONE_IA to GLACIER_IR"))]
    #[x_kube(validation = Rule::new(LONG_ENOUGH).message("objects stay at least 30 days in STANDARD_IA and ONEZONE_IA, and 90 days in GLACIER_IR and GLACIER, before the same rule moves them on"))]
    #[x_kube(validation = Rule::new(ONE_A_DAY).message("two transitions of one rule may not have the same days"))]
    pub transitions: Vec<Transition>,
    /// Expiration of current versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<Expiration>,
    /// Transitions of noncurrent versions to other storage classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 6))]
    #[x_kube(validation = Rule::new(ONE_OF_EACH_CLASS).message("storageClass must be different for the transitions of one rule"))]
    #[x_kube(validation = Rule::new(DOWNWARDS).message("objects only move down: STANDARD_IA, INTELLIGENT_TIERING, ONEZONE_IA, GLACIER_IR, GLACIER, DEEP_ARCHIVE, and not from ONEZONE_IA to GLACIER_IR"))]
    #[x_kube(validation = Rule::new(LONG_ENOUGH).message("objects stay at least 30 days in STANDARD_IA and ONEZONE_IA, and 90 days in GLACIER_IR and GLACIER, before the same rule moves them on"))]
    #[x_kube(validation = Rule::new(ONE_A_DAY).message("two transitions of one rule may not have the same days"))]
    pub noncurrent_transitions: Vec<NoncurrentTransition>,
    /// Expiration of noncurrent versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noncurrent_expiration: Option<NoncurrentExpiration>,
    /// Days after which an upload that was never finished goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub abort_incomplete_multipart_upload_days: Option<i32>,
}

/// Objects that a rule is for. Everything given must hold.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.objectSizeGreaterThan) || !has(self.objectSizeLessThan) || self.objectSizeGreaterThan < self.objectSizeLessThan", "objectSizeLessThan has to be a value greater than objectSizeGreaterThan"))]
pub struct Filter {
    /// Objects whose key begins with this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub prefix: Option<String>,
    /// Objects that carry all of these tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 10))]
    pub tags: BTreeMap<String, String>,
    /// Objects larger than this, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_099_511_627_776_000i64))]
    pub object_size_greater_than: Option<i64>,
    /// Objects smaller than this, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_099_511_627_776_000i64))]
    pub object_size_less_than: Option<i64>,
}

/// A change of storage class.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!(self.storageClass in ['STANDARD_IA', 'ONEZONE_IA']) || self.days >= 30", "days must be greater than or equal to 30 for storageClass STANDARD_IA and ONEZONE_IA"))]
pub struct Transition {
    /// Days after the object was made.
    #[schemars(range(min = 0))]
    pub days: i32,
    /// Storage class that objects move to.
    pub storage_class: StorageClass,
}

/// A change of storage class of old versions.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!(self.storageClass in ['STANDARD_IA', 'ONEZONE_IA']) || self.days >= 30", "days must be greater than or equal to 30 for storageClass STANDARD_IA and ONEZONE_IA"))]
pub struct NoncurrentTransition {
    /// Days after the version was replaced.
    #[schemars(range(min = 0))]
    pub days: i32,
    /// Number of newer versions that stay where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub newer_versions: Option<i32>,
    /// Storage class that versions move to.
    pub storage_class: StorageClass,
}

/// A storage class that a lifecycle rule can move objects to.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StorageClass {
    /// Infrequent access.
    StandardIa,
    /// S3 chooses by use.
    IntelligentTiering,
    /// Infrequent access in one zone.
    OnezoneIa,
    /// Archive, readable at once.
    GlacierIr,
    /// Archive, readable in minutes to hours.
    Glacier,
    /// Archive, readable in hours.
    DeepArchive,
}

/// Expiration of current versions: exactly one of the three.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("(has(self.days) ? 1 : 0) + (has(self.date) ? 1 : 0) + (has(self.expiredObjectDeleteMarker) ? 1 : 0) == 1", "expiration takes exactly one of days, date and expiredObjectDeleteMarker"))]
pub struct Expiration {
    /// Days after the object was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub days: Option<i32>,
    /// On this day, at midnight UTC: `2027-01-01`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"))]
    pub date: Option<String>,
    /// Remove delete markers that no version stands behind any more. Only `true` means anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = ("self", "expiredObjectDeleteMarker can only be true: leave it out instead"))]
    pub expired_object_delete_marker: Option<bool>,
}

/// Expiration of noncurrent versions.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoncurrentExpiration {
    /// Days after the version was replaced.
    #[schemars(range(min = 1))]
    pub days: i32,
    /// Number of newer versions that are kept regardless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub newer_versions: Option<i32>,
}

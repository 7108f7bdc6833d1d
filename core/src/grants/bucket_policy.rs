//! The policy of a bucket, which holds for everybody.

use crate::arn;
use crate::platform::Bucket;
use crate::policy::Statement;
use crate::resource::bucket::{TLS_ONLY, VPC_ENDPOINT_ONLY};
use crate::resource::reference::KNOWN_AFTER_APPLY;

/// All actions on objects, those that AWS adds later among them: with a resource that is an object, no action on the bucket
/// is meant. Actions on the bucket are left alone, so that no denial of these can keep anybody from changing the policy that
/// it stands in.
///
/// Source: "Actions, resources, and condition keys for Amazon S3", Service Authorization Reference.
pub const OBJECT_ACTIONS: [&str; 5] =
    ["s3:*MultipartUpload*", "s3:*Object*", "s3:BypassGovernanceRetention", "s3:InitiateReplication", "s3:Replicate*"];

/// Our statements in the policy of a bucket that hold from the beginning; `path` is the bucket's in the spec.
#[must_use]
pub fn bucket_policy(region: &str, bucket: &Bucket, path: &str) -> Vec<Statement> {
    let arn = arn::bucket(region, &bucket.bucket_name);
    let everything = vec![arn.clone(), format!("{arn}/*")];
    let because = "nobody reads or writes the bucket without TLS";
    let tls_only = Statement::allow(TLS_ONLY, &["s3:*"], everything, because)
        .denying()
        .by("AWS", vec!["*".into()])
        .when("Bool", "aws:SecureTransport", vec!["false".into()])
        .since(&format!("{path}.tlsOnly"));
    bucket.tls_only.then_some(tls_only).into_iter().collect()
}

/// The denial of object access that does not come through these VPC endpoints, for everybody but these principals, given
/// as ARN patterns. What AWS services do is excepted too: they come through no endpoint. `None` stands for what is not
/// known yet.
///
/// Conditions of one statement hold together, and an absent key counts as one that does not match: an anonymous request
/// carries none of them, and is denied. Sources: "Controlling access from VPC endpoints with bucket policies", Amazon S3
/// user guide; "aws:PrincipalIsAWSService", AWS global condition context keys; "Multivalued conditions" and "`IfExists`
/// condition operators", IAM user guide.
#[must_use]
pub fn vpc_endpoint_only(
    region: &str,
    bucket_name: &str,
    endpoint_ids: Option<Vec<String>>,
    excepted: Option<Vec<String>>,
) -> Statement {
    let objects = vec![format!("{}/*", arn::bucket(region, bucket_name))];
    let because = "objects are read and written only through the platform's VPC endpoints for S3; AWS services and the \
                   operator, which empties the bucket where it is to go with its contents, are excepted";
    let or_later = |values: Option<Vec<String>>| values.unwrap_or_else(|| vec![KNOWN_AFTER_APPLY.into()]);
    Statement::allow(VPC_ENDPOINT_ONLY, &OBJECT_ACTIONS, objects, because)
        .denying()
        .by("AWS", vec!["*".into()])
        .when("StringNotEquals", "aws:SourceVpce", or_later(endpoint_ids))
        .when("BoolIfExists", "aws:PrincipalIsAWSService", vec!["false".into()])
        .when("BoolIfExists", "aws:ViaAWSService", vec!["false".into()])
        .when("ArnNotLike", "aws:PrincipalArn", or_later(excepted))
}

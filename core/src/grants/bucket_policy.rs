//! The policy of a bucket, which holds for everybody.

use crate::arn;
use crate::platform::Bucket;
use crate::policy::Statement;
use crate::resource::bucket::TLS_ONLY;

/// Our statements in the policy of a bucket; `path` is the bucket's in the spec.
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

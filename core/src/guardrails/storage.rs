//! Guardrails for buckets: names, buckets that exist, and keys.

use super::{Rule, any, refusal};
use crate::names::{self, BUCKET_LIMIT};
use crate::platform::{Bucket, Platform, Problem};

pub(super) fn refused(rule: &Rule, platform: &Platform, advice: &str) -> Vec<Problem> {
    let each =
        |(index, bucket)| refused_bucket(rule, platform, bucket, &format!("spec.storage.buckets[{index}]"), advice);
    platform.buckets.iter().enumerate().flat_map(each).collect()
}

fn refused_bucket(rule: &Rule, platform: &Platform, bucket: &Bucket, path: &str, advice: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let name = &bucket.bucket_name;
    if let Some(names) = rule.bucket_names.as_ref().filter(|names| is_chosen(platform, bucket) && !any(names, name)) {
        problems.push(refusal(format!("{path}.bucketName"), name, names, advice));
    }
    if bucket.adopt && !any(&rule.adoptable_buckets, name) {
        problems.push(refusal(format!("{path}.adopt"), name, &rule.adoptable_buckets, advice));
    }
    if let (Some(key), Some(keys)) = (&bucket.kms_key_arn, &rule.kms_keys)
        && !any(keys, key)
    {
        problems.push(refusal(format!("{path}.encryption.kmsKeyArn"), key, keys, advice));
    }
    problems
}

/// True when the name in AWS is the spec's own choice.
fn is_chosen(platform: &Platform, bucket: &Bucket) -> bool {
    let Platform { account_id, region, namespace, name, .. } = platform;
    bucket.bucket_name != names::generated(account_id, region, namespace, name, &bucket.name, BUCKET_LIMIT)
}

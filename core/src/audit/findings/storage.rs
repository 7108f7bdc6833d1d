//! Findings about storage.

use super::{Context, Hit, hit};
use crate::api::storage::BucketDeletionPolicy;
use crate::desire::inference::weights_uri;
use crate::grants::model_buckets::used;
use crate::platform::Bucket;

/// A hit for each bucket that `is_so`, with the same message.
fn each(context: &Context, is_so: impl Fn(&Bucket) -> bool, message: impl Fn(&Bucket) -> String) -> Vec<Hit> {
    let buckets = context.platform.buckets.iter().filter(|bucket| is_so(bucket));
    buckets.map(|bucket| hit(format!("bucket {}", bucket.name), message(bucket))).collect()
}

pub(super) fn without_tls(context: &Context) -> Vec<Hit> {
    each(context, |bucket| !bucket.tls_only, |_| "may be used without TLS: leave tlsOnly at true".into())
}

pub(super) fn without_key(context: &Context) -> Vec<Hit> {
    if !context.is_sensitive() {
        return Vec::new();
    }
    let classification = context.platform.ownership.data_classification.as_deref().unwrap_or_default();
    each(
        context,
        |bucket| bucket.kms_key_arn.is_none(),
        |_| format!("holds {classification} data under keys that S3 manages: set encryption.kmsKeyArn"),
    )
}

pub(super) fn deleted_with_contents(context: &Context) -> Vec<Hit> {
    if !context.is_production() {
        return Vec::new();
    }
    each(
        context,
        |bucket| bucket.deletion_policy == BucketDeletionPolicy::DeleteWithContents,
        |_| "goes with everything in it when it is no longer declared: deletionPolicy Retain keeps it".into(),
    )
}

pub(super) fn without_versioning(context: &Context) -> Vec<Hit> {
    if !context.is_production() {
        return Vec::new();
    }
    each(context, |bucket| !bucket.versioning, |_| "keeps no old versions: leave versioning at true".into())
}

pub(super) fn adopted(context: &Context) -> Vec<Hit> {
    each(
        context,
        |bucket| bucket.adopt,
        |bucket| {
            format!(
                "{} existed before: its objects and the statements of others in its policy stay",
                bucket.bucket_name
            )
        },
    )
}

fn key(bucket: &Bucket) -> &str {
    bucket.kms_key_arn.as_deref().unwrap_or_default()
}

pub(super) fn key_by_alias(context: &Context) -> Vec<Hit> {
    each(
        context,
        |bucket| key(bucket).contains(":alias/"),
        |bucket| format!("is encrypted with {}: name the key itself", key(bucket)),
    )
}

pub(super) fn foreign_key(context: &Context) -> Vec<Hit> {
    let account = |bucket: &Bucket| key(bucket).split(':').nth(4).unwrap_or_default().to_string();
    each(
        context,
        |bucket| !account(bucket).is_empty() && account(bucket) != context.platform.account_id,
        |bucket| format!("is encrypted with a key of account {}, whose key policy is not seen here", account(bucket)),
    )
}

pub(super) fn nothing_expires(context: &Context) -> Vec<Hit> {
    each(
        context,
        |bucket| !bucket.rules.iter().any(|rule| rule.enabled),
        |_| "has no lifecycle rule in force: say how long its objects are kept".into(),
    )
}

pub(super) fn old_versions_stay(context: &Context) -> Vec<Hit> {
    each(
        context,
        |bucket| {
            let mut rules = bucket.rules.iter().filter(|rule| rule.enabled).peekable();
            bucket.versioning && rules.peek().is_some() && !rules.any(|rule| rule.noncurrent_expiration.is_some())
        },
        |_| "keeps every old version for ever: add noncurrentExpiration to a lifecycle rule".into(),
    )
}

pub(super) fn unused(context: &Context) -> Vec<Hit> {
    let models = context.platform.models.iter().filter_map(|model| model.sagemaker());
    let worked_with: Vec<&str> =
        models.flat_map(|model| used(context.platform, model)).map(|(_, bucket, _)| bucket.name.as_str()).collect();
    let loaded = |bucket: &Bucket| {
        let sources =
            context.platform.models.iter().filter_map(|model| model.kubernetes()?.source.as_ref()?.s3.as_ref());
        let uris = sources.filter_map(|source| weights_uri(context.platform, source));
        uris.into_iter().any(|uri| uri.starts_with(&format!("s3://{}/", bucket.bucket_name)))
    };
    let consumed = |bucket: &Bucket| {
        context.platform.access.iter().any(|consumer| consumer.buckets.iter().any(|access| access.name == bucket.name))
    };
    each(
        context,
        |bucket| !consumed(bucket) && !loaded(bucket) && !worked_with.contains(&bucket.name.as_str()),
        |_| "no consumer may use it, and no model does".into(),
    )
}

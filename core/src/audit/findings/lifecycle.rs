//! Findings about lifecycle rules that take away what is still needed.

use super::{Context, Hit, hit};
use crate::api::storage::{Expiration, LifecycleRule, StorageClass};
use crate::grants::model_buckets::{Use, used};
use crate::platform::{Bucket, lifecycle};

/// The artifacts in buckets of the platform: the model, the bucket, and the key, which ends in `/` where it is a prefix.
fn artifacts<'a>(context: &Context<'a>) -> impl Iterator<Item = (&'a str, &'a Bucket, String)> {
    let platform = context.platform;
    let models = platform.models.iter().filter_map(|model| Some((model.name.as_str(), model.sagemaker()?)));
    models.flat_map(move |(name, model)| {
        let loaded = used(platform, model).into_iter().filter(|(how, ..)| *how == Use::ModelData);
        loaded.map(move |(_, bucket, key)| (name, bucket, key))
    })
}

/// Rules in force, with their buckets.
fn rules<'a>(context: &Context<'a>) -> impl Iterator<Item = (&'a Bucket, &'a LifecycleRule)> {
    let buckets = context.platform.buckets.iter();
    buckets.flat_map(|bucket| bucket.rules.iter().filter(|rule| rule.enabled).map(move |rule| (bucket, rule)))
}

/// The effect of a rule that leaves current versions unreadable, in words. Old versions and unfinished uploads are
/// not loaded by any model, and a delete marker without versions hides nothing.
fn takes(rule: &LifecycleRule) -> Option<String> {
    let archive = |class| matches!(class, StorageClass::Glacier | StorageClass::DeepArchive);
    let archives = rule.transitions.iter().filter(|transition| archive(transition.storage_class));
    let moves = archives.map(|transition| {
        format!("moves it to {} after {}", lifecycle::name(transition.storage_class), days(transition.days))
    });
    let deletes = match &rule.expiration {
        Some(Expiration { days: Some(count), .. }) => Some(format!("deletes it after {}", days(*count))),
        Some(Expiration { date: Some(date), .. }) => Some(format!("deletes it from {date} on")),
        _ => None,
    };
    let taken: Vec<String> = moves.chain(deletes).collect();
    (!taken.is_empty()).then(|| taken.join(" and "))
}

fn days(count: i32) -> String {
    if count == 1 { "1 day".into() } else { format!("{count} days") }
}

/// The reason for which nobody can say whether a rule is for an artifact below its prefix, if so.
fn unknown(rule: &LifecycleRule, key: &str) -> Option<&'static str> {
    let filter = rule.filter.as_ref()?;
    if !filter.tags.is_empty() {
        return Some("where the object carries the tags of its filter, which is not seen here");
    }
    if filter.object_size_greater_than.is_some() || filter.object_size_less_than.is_some() {
        return Some("where the object has the size of its filter, which is not seen here");
    }
    let prefix = filter.prefix.as_deref().unwrap_or_default();
    (prefix.len() > key.len()).then_some("where the artifact has files below its prefix, which is not seen here")
}

/// True when a prefix is that of an object, or of anything below a prefix.
fn covers(prefix: &str, key: &str) -> bool {
    key.starts_with(prefix) || key.ends_with('/') && prefix.starts_with(key)
}

pub(super) fn takes_artifact(context: &Context) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (model, bucket, key) in artifacts(context) {
        for rule in bucket.rules.iter().filter(|rule| rule.enabled) {
            let prefix = rule.filter.as_ref().and_then(|filter| filter.prefix.as_deref()).unwrap_or_default();
            let Some(taken) = takes(rule).filter(|_| covers(prefix, &key)) else { continue };
            let unless = unknown(rule, &key).map(|unknown| format!(", {unknown}")).unwrap_or_default();
            let message = format!(
                "loads {key} of bucket {}, and lifecycle rule {} {taken}{unless}: no instance can start after that, neither for a \
                 rollout nor to scale out nor in place of a broken one; give the artifact a prefix that no such rule is for",
                bucket.name, rule.id
            );
            hits.push(hit(format!("model {model}"), message));
        }
    }
    hits
}

pub(super) fn matches_nothing(context: &Context) -> Vec<Hit> {
    rules(context)
        .filter_map(|(bucket, rule)| {
            let prefix = rule.filter.as_ref()?.prefix.as_deref()?;
            let why = if prefix.starts_with('/') {
                "begins with /, which would be part of every key"
            } else if prefix.starts_with("s3:") {
                "is a URI, and keys begin behind the bucket"
            } else if prefix.contains(['*', '?']) {
                "has a wildcard, and S3 takes each sign for itself"
            } else if prefix.contains(char::is_control) || prefix.trim() != prefix {
                "begins or ends in white space, or has signs that no key should have"
            } else {
                return None;
            };
            let message = format!("lifecycle rule {} is for {prefix:?}, which {why}: it will match nothing", rule.id);
            Some(hit(format!("bucket {}", bucket.name), message))
        })
        .collect()
}

pub(super) fn expires_on_a_date(context: &Context) -> Vec<Hit> {
    rules(context)
        .filter_map(|(bucket, rule)| {
            let date = rule.expiration.as_ref()?.date.as_ref()?;
            let prefix = rule.filter.as_ref().and_then(|filter| filter.prefix.as_deref()).unwrap_or_default();
            let place = if prefix.is_empty() { "everything in it".into() } else { format!("what is below {prefix}") };
            let message = format!(
                "lifecycle rule {} deletes {place} from {date} on, at once where that has passed, and whatever is put there later \
                 too: expiration.days leaves each object its time",
                rule.id
            );
            Some(hit(format!("bucket {}", bucket.name), message))
        })
        .collect()
}

pub(super) fn artifact_goes_with_bucket(context: &Context) -> Vec<Hit> {
    use crate::api::storage::BucketDeletionPolicy::DeleteWithContents;
    artifacts(context)
        .filter(|(_, bucket, _)| bucket.deletion_policy == DeleteWithContents)
        .map(|(model, bucket, key)| {
            let message = format!(
                "loads {key} of bucket {}, which goes with everything in it: keep the artifact somewhere else too, or take \
                 deletionPolicy Retain",
                bucket.name
            );
            hit(format!("model {model}"), message)
        })
        .collect()
}

pub(super) fn artifact_without_versions(context: &Context) -> Vec<Hit> {
    artifacts(context)
        .filter(|(_, bucket, _)| !bucket.versioning)
        .map(|(model, bucket, key)| {
            let message = format!(
                "loads {key} of bucket {}, which keeps no old versions: once it is overwritten, no revision gets it back; leave \
                 versioning at true",
                bucket.name
            );
            hit(format!("model {model}"), message)
        })
        .collect()
}

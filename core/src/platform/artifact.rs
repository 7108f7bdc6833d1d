//! Validation of `spec.models[].sagemaker.modelData`.

use super::Problem;
use super::storage::undeclared;
use crate::api::AIPlatformSpec;
use crate::api::sagemaker::ModelData;

const COMPRESSED: &str = ".tar.gz";

pub(super) fn validate(
    spec: &AIPlatformSpec,
    data: &ModelData,
    compressed_only: bool,
    path: &str,
    problems: &mut Vec<Problem>,
) {
    let (field, value, key) = match (&data.bucket, &data.key, &data.uri) {
        (Some(bucket), Some(key), None) => {
            problems.extend(undeclared(spec, bucket).map(|message| Problem::new(format!("{path}.bucket"), message)));
            ("key", key, Some(key.as_str()))
        }
        (None, None, Some(uri)) => ("uri", uri, key_of(uri)),
        _ => {
            problems.push(Problem::new(path, "takes either bucket and key, or uri"));
            return;
        }
    };
    let path = format!("{path}.{field}");
    let Some(key) = key else {
        let message = format!("{value:?} is not an S3 URI, such as s3://BUCKET/models/model{COMPRESSED}");
        problems.push(Problem::new(path, message));
        return;
    };
    let limit = if field == "key" { 900 } else { 1024 };
    let why = if value.len() > limit {
        format!("has {} bytes: at most {limit} are allowed", value.len())
    } else if !key.ends_with('/') && !key.ends_with(COMPRESSED) {
        format!(
            "ends neither in {COMPRESSED}, as a compressed artifact does, nor in /, as the prefix of one that is not \
             compressed"
        )
    } else if let Some(why) = bad_key(key) {
        why.into()
    } else if compressed_only && !key.ends_with(COMPRESSED) {
        format!(
            "is a prefix, and a serverless endpoint takes only a compressed artifact: a {field} that ends in {COMPRESSED}"
        )
    } else {
        return;
    };
    problems.push(Problem::new(path, format!("{value:?} {why}")));
}

/// The reason for which a key cannot stand in a policy as nothing but itself, or can hardly be meant.
pub(super) fn bad_key(key: &str) -> Option<&'static str> {
    if key.starts_with('/') {
        Some("begins with /, which would be part of every key: leave it out")
    } else if key == COMPRESSED {
        Some("is nothing but an ending: name the object")
    } else if key.contains(['*', '?', '$']) {
        Some("has one of * ? $, which mean something else in a policy: take another key")
    } else {
        None
    }
}

/// The key in an S3 URI.
pub(super) fn key_of(uri: &str) -> Option<&str> {
    let (bucket, key) = uri.strip_prefix("s3://")?.split_once('/')?;
    let edge = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
    let good = (3..=63).contains(&bucket.len())
        && bucket.chars().all(|it| edge(it) || it == '.' || it == '-')
        && bucket.starts_with(edge)
        && bucket.ends_with(edge);
    good.then_some(key)
}

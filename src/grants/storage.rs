//! Use of buckets: objects below a prefix, and the key they are encrypted with.

use super::sid;
use crate::api::access::{BucketAccess, Consumer, Mode};
use crate::arn;
use crate::platform::{Bucket, Platform};
use crate::policy::Statement;

const READ: [&str; 1] = ["s3:GetObject"];
const WRITE: [&str; 4] = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"];

pub(super) fn statements(platform: &Platform, consumer: &Consumer, path: &str) -> Vec<Statement> {
    let used = consumer.buckets.iter().enumerate().filter_map(|(index, access)| {
        let bucket = platform.bucket(&access.name)?;
        let again = consumer.buckets[..index].iter().filter(|earlier| earlier.name == access.name).count();
        let statements = bucket_statements(platform, consumer, bucket, access, again);
        Some(statements.into_iter().map(move |statement| statement.since(&format!("{path}.buckets[{index}]"))))
    });
    used.flatten().collect()
}

/// `again` counts earlier entries for the same bucket, which only matters for the names of the statements.
fn bucket_statements(
    platform: &Platform,
    consumer: &Consumer,
    bucket: &Bucket,
    access: &BucketAccess,
    again: usize,
) -> Vec<Statement> {
    let arn = arn::bucket(&platform.region, &bucket.bucket_name);
    let prefix = access.prefix.as_deref().unwrap_or_default();
    let number = if again == 0 { String::new() } else { (again + 1).to_string() };
    let (actions, verb, word): (&[&str], _, _) = match access.mode {
        Mode::Read => (&READ, "Read", "read"),
        Mode::ReadWrite => (&WRITE, "Write", "read and write"),
    };
    let place = if prefix.is_empty() { "all of it".to_string() } else { format!("below {prefix}") };
    let because = format!("consumer {} may {word} bucket {}, {place}", consumer.name, bucket.name);
    let objects = vec![format!("{arn}/{prefix}*")];
    let mut list = Statement::allow(sid(&["List", &bucket.name, &number]), &["s3:ListBucket"], vec![arn], &because);
    if !prefix.is_empty() {
        list = list.when("StringLike", "s3:prefix", vec![format!("{prefix}*")]);
    }
    let mut statements = vec![Statement::allow(sid(&[verb, &bucket.name, &number]), actions, objects, &because), list];
    if let Some(key) = bucket.kms_key_arn.as_deref().filter(|_| again == 0) {
        let writes = consumer.buckets.iter().any(|other| other.name == access.name && other.mode == Mode::ReadWrite);
        statements.push(key_statement(bucket, key, writes));
    }
    statements
}

/// An alias is no resource in IAM: it is a condition on the keys of its account.
/// Source: "Using aliases to control access to KMS keys", AWS KMS developer guide.
pub(super) fn key_statement(bucket: &Bucket, key: &str, writes: bool) -> Statement {
    let actions: &[&str] = if writes { &["kms:Decrypt", "kms:GenerateDataKey"] } else { &["kms:Decrypt"] };
    let because = format!("bucket {} is encrypted with this key", bucket.name);
    let name = sid(&["Key", "Of", &bucket.name]);
    match key.split_once(":alias/") {
        Some((account, alias)) => Statement::allow(name, actions, vec![format!("{account}:key/*")], because).when(
            "ForAnyValue:StringEquals",
            "kms:ResourceAliases",
            vec![format!("alias/{alias}")],
        ),
        None => Statement::allow(name, actions, vec![key.to_string()], because),
    }
}

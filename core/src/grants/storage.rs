//! Use of buckets: objects below a prefix, and the key they are encrypted with.

use super::sid;
use crate::api::access::{BucketAccess, Consumer, Mode};
use crate::arn;
use crate::platform::{Bucket, Platform};
use crate::policy::Statement;
use crate::resource::{Key, Kind};

const READ: [&str; 1] = ["s3:GetObject"];
const WRITE: [&str; 4] = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"];

pub(super) fn statements(platform: &Platform, consumer: &Consumer, path: &str) -> Vec<Statement> {
    let used = consumer.buckets.iter().enumerate().filter_map(|(index, access)| {
        let bucket = platform.bucket(&access.name)?;
        let again = consumer.buckets[..index].iter().filter(|earlier| earlier.name == access.name).count();
        let statements = bucket_statements(platform, consumer, bucket, access, again);
        let about = bucket_key(&bucket.bucket_name);
        let source = format!("{path}.buckets[{index}]");
        Some(statements.into_iter().map(move |statement| statement.since(&source).about(about.clone())))
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
    let Platform { region, account_id, .. } = platform;
    let arn = arn::bucket(region, &bucket.bucket_name);
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
    let object = Statement::allow(sid(&[verb, &bucket.name, &number]), actions, objects, &because);
    let mut statements = vec![in_account(object, account_id), in_account(list, account_id)];
    if let Some(key) = bucket.kms_key_arn.as_deref().filter(|_| again == 0) {
        let writes = consumer.buckets.iter().any(|other| other.name == access.name && other.mode == Mode::ReadWrite);
        let name = sid(&["Key", "Of", &bucket.name]);
        let because = format!("bucket {} is encrypted with this key", bucket.name);
        statements.push(key_statement(region, &bucket.bucket_name, key, writes, name, because));
    }
    statements
}

/// The key of a bucket in observations and plans.
pub(super) fn bucket_key(bucket_name: &str) -> Key {
    Key { kind: Kind::Bucket, name: bucket_name.into() }
}

/// The statement, for buckets of this account alone. An S3 ARN names no account, so that a bucket which somebody else
/// makes under a name that became free would be granted too.
pub(super) fn in_account(statement: Statement, account_id: &str) -> Statement {
    statement.when("StringEquals", "aws:ResourceAccount", vec![account_id.into()])
}

/// Use of a KMS key by S3, for one bucket's objects and nothing else that the key protects.
///
/// With an S3 Bucket Key the encryption context is the bucket's ARN, without one it is the object's. Buckets made here
/// have a Bucket Key, and still hold objects without: those written before the bucket was adopted, and those whose
/// writer sets `x-amz-server-side-encryption-bucket-key-enabled` to false.
///
/// An alias is no resource in IAM: it is a condition on the keys of its account.
///
/// Sources: "Reducing the cost of SSE-KMS with Amazon S3 Bucket Keys", Amazon S3 user guide; `kms:ViaService`,
/// `kms:EncryptionContext:context-key` and "Using aliases to control access to KMS keys", AWS KMS developer guide.
pub(super) fn key_statement(
    region: &str,
    bucket_name: &str,
    key: &str,
    writes: bool,
    sid: String,
    reason: String,
) -> Statement {
    let actions: &[&str] = if writes { &["kms:Decrypt", "kms:GenerateDataKey"] } else { &["kms:Decrypt"] };
    let bucket = arn::bucket(region, bucket_name);
    let objects = format!("{bucket}/*");
    let statement = match key.split_once(":alias/") {
        Some((account, alias)) => Statement::allow(sid, actions, vec![format!("{account}:key/*")], reason).when(
            "ForAnyValue:StringEquals",
            "kms:ResourceAliases",
            vec![format!("alias/{alias}")],
        ),
        None => Statement::allow(sid, actions, vec![key.to_string()], reason),
    };
    statement
        .when("StringEquals", "kms:ViaService", vec![format!("s3.{region}.{}", arn::dns_suffix(region))])
        .when("StringLike", "kms:EncryptionContext:aws:s3:arn", vec![bucket, objects])
        .about(bucket_key(bucket_name))
}

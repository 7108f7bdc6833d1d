//! Validation of `spec.storage`.

use std::collections::BTreeMap;

use super::{NOT_A_LABEL, Network, Problem, is_label, kms_key, lifecycle, listed};
use crate::api::AIPlatformSpec;
use crate::api::storage::{Bucket as BucketSpec, BucketDeletionPolicy, LifecycleRule};
use crate::arn;
use crate::names;
use crate::resource::model::bucket_and_key;

/// A bucket whose name in AWS is known and whose rules AWS would take.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "a bucket has these switches")]
pub struct Bucket {
    /// Logical name.
    pub name: String,
    /// Name in AWS.
    pub bucket_name: String,
    /// True when one that exists may be taken over.
    pub adopt: bool,
    /// True when old versions are kept.
    pub versioning: bool,
    /// The KMS key, when it is not S3's own.
    pub kms_key_arn: Option<String>,
    /// True when requests without TLS are refused.
    pub tls_only: bool,
    /// True when objects are accessed through the platform's VPC endpoints alone.
    pub vpc_endpoint_only: bool,
    /// The fate of the resource when it is no longer declared.
    pub deletion_policy: BucketDeletionPolicy,
    /// Lifecycle rules.
    pub rules: Vec<LifecycleRule>,
}

pub(super) fn validate(
    spec: &AIPlatformSpec,
    namespace: &str,
    platform: &str,
    problems: &mut Vec<Problem>,
) -> Vec<Bucket> {
    let Some(storage) = &spec.storage else { return Vec::new() };
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let mut buckets = Vec::new();
    for (index, bucket) in storage.buckets.iter().enumerate() {
        let path = format!("spec.storage.buckets[{index}]");
        if let Some(first) = seen.insert(&bucket.name, index) {
            problems.push(Problem::new(
                format!("{path}.name"),
                format!("{:?} is the name of spec.storage.buckets[{first}] too: names are unique", bucket.name),
            ));
        }
        if !is_label(&bucket.name) {
            problems.push(Problem::new(format!("{path}.name"), format!("{:?} {NOT_A_LABEL}", bucket.name)));
        }
        let bucket_name = name_in_aws(spec, namespace, platform, bucket);
        if let Some(why) = bad_bucket_name(&bucket_name) {
            problems.push(Problem::new(
                format!("{path}.bucketName"),
                if bucket.bucket_name.is_some() {
                    format!("{bucket_name:?} {why}")
                } else {
                    format!("the generated name {bucket_name:?} {why}: set bucketName")
                },
            ));
        }
        if let Some(first) = taken.insert(bucket_name.clone(), index) {
            problems.push(Problem::new(
                format!("{path}.bucketName"),
                format!(
                    "{bucket_name:?} is the bucket of spec.storage.buckets[{first}] too: one bucket is declared once"
                ),
            ));
        }
        validate_key(spec, bucket, &path, problems);
        let rules = bucket.lifecycle.as_ref().map(|lifecycle| lifecycle.rules.clone()).unwrap_or_default();
        lifecycle::validate(&rules, &format!("{path}.lifecycle.rules"), problems);
        buckets.push(Bucket {
            name: bucket.name.clone(),
            bucket_name,
            adopt: bucket.adopt,
            versioning: bucket.versioning,
            kms_key_arn: bucket.encryption.as_ref().map(|encryption| encryption.kms_key_arn.clone()),
            tls_only: bucket.tls_only,
            vpc_endpoint_only: bucket.vpc_endpoint_only,
            deletion_policy: bucket.deletion_policy,
            rules,
        });
    }
    buckets
}

/// Checks that buckets which are reached through VPC endpoints alone can be, by what the platform runs itself.
pub(super) fn validate_reach(
    buckets: &[Bucket],
    spec: &AIPlatformSpec,
    network: Option<&Network>,
    problems: &mut Vec<Problem>,
) {
    for (index, _) in buckets.iter().enumerate().filter(|(_, bucket)| bucket.vpc_endpoint_only) {
        let way_out = match network {
            None => "and spec.network is missing: declare it, or leave vpcEndpointOnly out",
            Some(network) if network.s3_endpoints().next().is_none() => {
                "and spec.network has none: set spec.network.endpoints.auto to true, add {service: s3, type: Gateway} to \
                 spec.network.endpoints.additional, or leave vpcEndpointOnly out"
            }
            Some(_) => continue,
        };
        let path = format!("spec.storage.buckets[{index}].vpcEndpointOnly");
        problems.push(Problem::new(path, format!("true needs a VPC endpoint for S3, {way_out}")));
    }
    for (index, model) in spec.models.iter().enumerate() {
        let Some(sagemaker) = model.sagemaker.as_ref().filter(|model| model.serverless.is_some()) else { continue };
        let of_name = |name: &str| buckets.iter().find(|bucket| bucket.vpc_endpoint_only && bucket.name == name);
        let of_uri = |uri: &str| {
            let (place, _) = bucket_and_key(uri)?;
            buckets.iter().find(|bucket| bucket.vpc_endpoint_only && bucket.bucket_name == place)
        };
        let data = sagemaker.model_data.as_ref();
        let used = [
            ("modelData.bucket", data.and_then(|data| of_name(data.bucket.as_deref()?))),
            ("modelData.uri", data.and_then(|data| of_uri(data.uri.as_deref()?))),
            ("async.output.bucket", sagemaker.asynchronous.as_ref().and_then(|it| of_name(&it.output.bucket))),
            (
                "dataCapture.destination.bucket",
                sagemaker.data_capture.as_ref().and_then(|it| of_name(&it.destination.bucket)),
            ),
        ];
        for (field, bucket) in used {
            let Some(Bucket { name, .. }) = bucket else { continue };
            problems.push(Problem::new(
                format!("spec.models[{index}].sagemaker.{field}"),
                format!(
                    "bucket {name:?} has vpcEndpointOnly, and serverless models do not run in the VPC, so that they have no \
                     access: run the model on an instance, or take a bucket without vpcEndpointOnly"
                ),
            ));
        }
    }
}

/// The name in AWS that a spec gives a bucket, be the spec valid or not.
#[must_use]
pub fn name_in_aws(spec: &AIPlatformSpec, namespace: &str, platform: &str, bucket: &BucketSpec) -> String {
    let generated =
        || names::generated(&spec.account_id, &spec.region, namespace, platform, &bucket.name, names::BUCKET_LIMIT);
    bucket.bucket_name.clone().unwrap_or_else(generated)
}

/// The problem where a bucket is named that `spec.storage.buckets` does not have.
pub(super) fn undeclared(spec: &AIPlatformSpec, name: &str) -> Option<String> {
    let buckets = spec.storage.as_ref().map(|storage| storage.buckets.as_slice()).unwrap_or_default();
    let known: Vec<&str> = buckets.iter().map(|bucket| bucket.name.as_str()).collect();
    let declared = known.contains(&name);
    (!declared).then(|| format!("{name:?} is not in spec.storage.buckets, which has {}", listed(&known)))
}

/// S3 takes only a key of the bucket's own region. Source: `PutBucketEncryption`, Amazon S3 API reference.
fn validate_key(spec: &AIPlatformSpec, bucket: &BucketSpec, path: &str, problems: &mut Vec<Problem>) {
    let Some(encryption) = &bucket.encryption else { return };
    let path = format!("{path}.encryption.kmsKeyArn");
    match kms_key(&encryption.kms_key_arn) {
        Some((partition, region, _)) => {
            let expected = arn::partition(&spec.region);
            if partition != expected {
                problems.push(Problem::new(
                    path,
                    format!(
                        "{:?} is in partition {partition}, and spec.region {:?} is in {expected}",
                        encryption.kms_key_arn, spec.region
                    ),
                ));
            } else if region != spec.region {
                problems.push(Problem::new(
                    path,
                    format!(
                        "{:?} is a key of {region}: S3 encrypts only with a key of the bucket's own region, {}",
                        encryption.kms_key_arn, spec.region
                    ),
                ));
            }
        }
        None => problems.push(Problem::new(
            path,
            format!(
                "{:?} is not the ARN of a KMS key, such as arn:aws:kms:{}:{}:key/1234abcd-...",
                encryption.kms_key_arn, spec.region, spec.account_id
            ),
        )),
    }
}

/// Source: "General purpose bucket naming rules", Amazon S3 user guide.
fn bad_bucket_name(name: &str) -> Option<&'static str> {
    const PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
    const SUFFIXES: [&str; 6] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3", "-an"];
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = name.as_bytes();
    if !(3..=63).contains(&bytes.len())
        || !bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-' || *byte == b'.')
        || !edge(bytes.first())
        || !edge(bytes.last())
    {
        Some(
            "is not a bucket name: 3 to 63 lower-case letters, digits, hyphens and dots, with a letter or digit at both ends",
        )
    } else if name.contains("..") || name.contains(".-") || name.contains("-.") {
        Some("is not a bucket name: a dot stands only between letters and digits")
    } else if name.split('.').count() == 4
        && name.split('.').all(|part| part.chars().all(|digit| digit.is_ascii_digit()))
    {
        Some("is not a bucket name: S3 refuses one that looks like an IP address")
    } else if PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        Some("begins with what S3 keeps for itself (xn--, sthree-, amzn-s3-demo-)")
    } else if SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
        Some("ends with what S3 keeps for itself (-s3alias, --ol-s3, .mrap, --x-s3, --table-s3, -an)")
    } else {
        None
    }
}

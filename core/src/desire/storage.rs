//! The buckets a platform wants.

use std::collections::BTreeMap;

use serde_json::Value;

use super::network;
use crate::api::AIPlatformSpec;
use crate::api::storage::{BucketDeletionPolicy, LifecycleRule as RuleSpec};
use crate::grants::{bucket_policy, vpc_endpoint_only};
use crate::lookup::Caller;
use crate::platform::{Bucket as BucketSpec, Platform, lifecycle, name_in_aws};
use crate::policy::Statement;
use crate::resource::bucket::{
    Bucket, Encryption, Expiration, Filter, LifecycleRule, NoncurrentExpiration, NoncurrentTransition,
    PublicAccessBlock, Transition, VpcEndpointOnly,
};
use crate::resource::{Desired, Key, Kind, Removal, Resource};
use crate::tags::{self, Tags};

pub(super) fn desire(platform: &Platform, tags: &Tags, caller: Option<&Caller>) -> Vec<Desired> {
    platform.buckets.iter().map(|spec| bucket(platform, spec, tags, caller)).collect()
}

/// The removal that a spec declares for each bucket, be the spec valid or not; the most careful where it says several
/// things of one.
#[must_use]
pub fn removals(spec: &AIPlatformSpec, namespace: &str, platform: &str) -> BTreeMap<Key, Removal> {
    let mut removals: BTreeMap<Key, Removal> = BTreeMap::new();
    for bucket in spec.storage.iter().flat_map(|storage| &storage.buckets) {
        let key = Key { kind: Kind::Bucket, name: name_in_aws(spec, namespace, platform, bucket) };
        let removal = removal(bucket.deletion_policy);
        removals.entry(key).and_modify(|earlier| *earlier = removal.min(*earlier)).or_insert(removal);
    }
    removals
}

fn removal(policy: BucketDeletionPolicy) -> Removal {
    match policy {
        BucketDeletionPolicy::Retain => Removal::Retain,
        BucketDeletionPolicy::Delete => Removal::WhenEmpty,
        BucketDeletionPolicy::DeleteWithContents => Removal::WithContents,
    }
}

fn bucket(platform: &Platform, spec: &BucketSpec, tags: &Tags, caller: Option<&Caller>) -> Desired {
    let only = spec.vpc_endpoint_only.then(|| VpcEndpointOnly {
        endpoints: network::s3_endpoints(platform),
        excepted: caller.map(Caller::principals),
    });
    let denial = only
        .as_ref()
        .map(|only| written(&vpc_endpoint_only(&platform.region, &spec.bucket_name, None, only.excepted.clone())));
    let removal = removal(spec.deletion_policy);
    let mut tags = tags.clone();
    tags.insert(tags::DELETION_POLICY.into(), removal.name().into());
    Desired {
        resource: Resource::Bucket(Bucket {
            name: spec.bucket_name.clone(),
            region: platform.region.clone(),
            tags,
            public_access_block: PublicAccessBlock::ALL,
            object_ownership: Some("BucketOwnerEnforced".into()),
            encryption: Some(spec.kms_key_arn.as_deref().map_or_else(Encryption::sse_s3, Encryption::kms)),
            versioning: spec.versioning,
            policy: bucket_policy(&platform.region, spec, "").iter().map(written).collect(),
            lifecycle: spec.rules.iter().map(|rule| (rule.id.clone(), lifecycle_rule(rule))).collect(),
            pending_policy: denial.into_iter().collect(),
            vpc_endpoint_only: only,
        }),
        adopt: spec.adopt,
        removal,
        remarks: if spec.vpc_endpoint_only { vec![who_loses_access(platform, spec)] } else { Vec::new() },
        served: None,
    }
}

fn who_loses_access(platform: &Platform, spec: &BucketSpec) -> String {
    let vpc = platform.network.as_ref().map(|network| network.vpc_id.as_str()).filter(|vpc| !vpc.is_empty());
    let vpc = vpc.unwrap_or("the VPC of the borrowed network");
    let consumers = platform.access.iter().filter(|it| it.buckets.iter().any(|access| access.name == spec.name));
    let consumers: Vec<&str> = consumers.map(|consumer| consumer.name.as_str()).collect();
    let whom = match consumers.as_slice() {
        [] => String::new(),
        [one] => format!(", consumer {one} too"),
        several => format!(", consumers {} too", several.join(", ")),
    };
    format!(
        "objects are read and written only from {vpc}, through its S3 endpoint: whoever works elsewhere has no access{whom}"
    )
}

fn written(statement: &Statement) -> (String, Value) {
    (statement.sid.clone(), statement.to_value())
}

fn lifecycle_rule(rule: &RuleSpec) -> LifecycleRule {
    let filter = rule.filter.clone().unwrap_or_default();
    let mut converted = LifecycleRule {
        enabled: rule.enabled,
        filter: Filter {
            prefix: filter.prefix.filter(|prefix| !prefix.is_empty()),
            tags: filter.tags,
            object_size_greater_than: filter.object_size_greater_than,
            object_size_less_than: filter.object_size_less_than,
        },
        transitions: rule
            .transitions
            .iter()
            .map(|transition| Transition {
                days: Some(transition.days),
                date: None,
                storage_class: lifecycle::name(transition.storage_class).into(),
            })
            .collect(),
        expiration: rule.expiration.as_ref().map(|expiration| Expiration {
            days: expiration.days,
            date: expiration.date.clone(),
            expired_object_delete_marker: expiration.expired_object_delete_marker.unwrap_or_default(),
        }),
        noncurrent_transitions: rule
            .noncurrent_transitions
            .iter()
            .map(|transition| NoncurrentTransition {
                days: Some(transition.days),
                newer_versions: transition.newer_versions,
                storage_class: lifecycle::name(transition.storage_class).into(),
            })
            .collect(),
        noncurrent_expiration: rule.noncurrent_expiration.as_ref().map(|expiration| NoncurrentExpiration {
            days: Some(expiration.days),
            newer_versions: expiration.newer_versions,
        }),
        abort_incomplete_multipart_upload_days: rule.abort_incomplete_multipart_upload_days,
    };
    converted.canonicalise();
    converted
}

//! Lifecycle rules: ours by their id, those of others carried unchanged.
//!
//! S3 replaces the whole configuration at every write and knows no conditional write. A rule of somebody else that
//! holds more than the SDK's types can carry would therefore lose it; the raw answer shows whether one does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::operation::get_bucket_lifecycle_configuration::GetBucketLifecycleConfigurationOutput;
use aws_sdk_s3::types::{
    self as sdk, BucketLifecycleConfiguration, ExpirationStatus, LifecycleRuleFilter,
    TransitionDefaultMinimumObjectSize, TransitionStorageClass,
};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::error::operation::BuildError;

use crate::resource::bucket::{
    Expiration, Filter, LifecycleRule, NoncurrentExpiration, NoncurrentTransition, RULE_PREFIX, Transition,
};

/// The rules of a bucket, as S3 answered.
#[derive(Default)]
pub(super) struct Rules {
    found: Vec<sdk::LifecycleRule>,
    minimum_object_size: Option<TransitionDefaultMinimumObjectSize>,
    unknown: Option<String>,
}

impl Rules {
    pub(super) fn new(answer: GetBucketLifecycleConfigurationOutput, raw: &RawAnswer) -> Self {
        Self {
            unknown: unknown_element(&raw.text()),
            found: answer.rules.unwrap_or_default(),
            minimum_object_size: answer.transition_default_minimum_object_size,
        }
    }

    /// Our rules, by id without prefix.
    pub(super) fn ours(&self) -> BTreeMap<String, LifecycleRule> {
        self.found
            .iter()
            .filter_map(|rule| Some((rule.id()?.strip_prefix(RULE_PREFIX)?.to_string(), from_sdk(rule))))
            .collect()
    }

    /// The rules of others, as far as they can be distinguished, each with its id.
    pub(super) fn of_others(&self) -> impl Iterator<Item = (Option<&str>, LifecycleRule)> {
        self.foreign().map(|rule| {
            let mut converted = from_sdk(rule);
            // The old form has its prefix beside the filter.
            converted.filter.prefix = converted.filter.prefix.or_else(|| old_prefix(rule));
            (rule.id(), converted)
        })
    }

    /// The reason for which these rules cannot be written back, if they cannot.
    pub(super) fn protection(&self) -> Option<String> {
        if let Some(unknown) = &self.unknown {
            return Some(format!(
                "{unknown}, which this version cannot write back without losing it: the lifecycle rules are left as they are"
            ));
        }
        let old = self.foreign().find(|rule| rule.filter.is_none())?;
        Some(format!(
            "lifecycle rule {:?} of somebody else has the old form without a Filter, which S3 does not take beside ours: \
             give it a Filter; until then the lifecycle rules are left as they are",
            old.id().unwrap_or_default()
        ))
    }

    /// The setting beside the rules that S3 resets when a write leaves it out.
    pub(super) fn minimum_object_size(&self) -> Option<TransitionDefaultMinimumObjectSize> {
        self.minimum_object_size.clone()
    }

    /// The rules of others and the desired ones; `None` when there are none.
    pub(super) fn merged(
        &self,
        desired: &BTreeMap<String, LifecycleRule>,
    ) -> Result<Option<BucketLifecycleConfiguration>, BuildError> {
        let ours = desired.iter().map(|(id, rule)| to_sdk(id, rule)).collect::<Result<Vec<_>, _>>()?;
        let rules: Vec<sdk::LifecycleRule> = self.foreign().cloned().chain(ours).collect();
        if rules.is_empty() {
            return Ok(None);
        }
        BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build().map(Some)
    }

    fn foreign(&self) -> impl Iterator<Item = &sdk::LifecycleRule> {
        self.found.iter().filter(|rule| !rule.id().is_some_and(|id| id.starts_with(RULE_PREFIX)))
    }
}

/// Keeps the body of an answer beside what the SDK makes of it.
#[derive(Clone, Debug, Default)]
pub(super) struct RawAnswer(Arc<Mutex<String>>);

impl RawAnswer {
    fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for RawAnswer {
    fn name(&self) -> &'static str {
        "RawAnswer"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _runtime_components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(body) = context.response().body().bytes() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = String::from_utf8_lossy(body).into_owned();
        }
        Ok(())
    }
}

/// The fields that the SDK's types carry, as paths below `Rule`. Source: `LifecycleRule`, Amazon S3 API reference.
const CARRIED: [&str; 34] = [
    "ID",
    "Prefix",
    "Status",
    "Filter",
    "Filter/Prefix",
    "Filter/Tag",
    "Filter/Tag/Key",
    "Filter/Tag/Value",
    "Filter/ObjectSizeGreaterThan",
    "Filter/ObjectSizeLessThan",
    "Filter/And",
    "Filter/And/Prefix",
    "Filter/And/Tag",
    "Filter/And/Tag/Key",
    "Filter/And/Tag/Value",
    "Filter/And/ObjectSizeGreaterThan",
    "Filter/And/ObjectSizeLessThan",
    "Transition",
    "Transition/Date",
    "Transition/Days",
    "Transition/StorageClass",
    "Expiration",
    "Expiration/Date",
    "Expiration/Days",
    "Expiration/ExpiredObjectDeleteMarker",
    "NoncurrentVersionTransition",
    "NoncurrentVersionTransition/NoncurrentDays",
    "NoncurrentVersionTransition/NewerNoncurrentVersions",
    "NoncurrentVersionTransition/StorageClass",
    "NoncurrentVersionExpiration",
    "NoncurrentVersionExpiration/NoncurrentDays",
    "NoncurrentVersionExpiration/NewerNoncurrentVersions",
    "AbortIncompleteMultipartUpload",
    "AbortIncompleteMultipartUpload/DaysAfterInitiation",
];

/// Names the first element of a rule that is not ours and that the SDK's types do not carry.
fn unknown_element(xml: &str) -> Option<String> {
    let document = roxmltree::Document::parse(xml).ok()?;
    for element in document.root_element().children().filter(roxmltree::Node::is_element) {
        let name = element.tag_name().name();
        if name != "Rule" {
            return Some(format!("the lifecycle configuration holds <{name}>"));
        }
        let id =
            element.children().find(|child| child.tag_name().name() == "ID").and_then(|id| id.text()).unwrap_or("");
        if id.starts_with(RULE_PREFIX) {
            continue;
        }
        for below in element.descendants().filter(|node| node.is_element() && *node != element) {
            let mut path: Vec<&str> =
                below.ancestors().take_while(|node| *node != element).map(|node| node.tag_name().name()).collect();
            path.reverse();
            let path = path.join("/");
            if !CARRIED.contains(&path.as_str()) {
                return Some(format!("lifecycle rule {id:?} of somebody else holds <{path}>"));
            }
        }
    }
    None
}

fn from_sdk(rule: &sdk::LifecycleRule) -> LifecycleRule {
    let mut converted = LifecycleRule {
        enabled: *rule.status() == ExpirationStatus::Enabled,
        filter: rule.filter().map(filter_from_sdk).unwrap_or_default(),
        transitions: rule
            .transitions()
            .iter()
            .map(|transition| Transition {
                days: transition.days,
                date: transition.date.as_ref().map(day),
                storage_class: class_name(transition.storage_class.as_ref()),
            })
            .collect(),
        expiration: rule.expiration().map(|expiration| Expiration {
            days: expiration.days,
            date: expiration.date.as_ref().map(day),
            expired_object_delete_marker: expiration.expired_object_delete_marker.unwrap_or_default(),
        }),
        noncurrent_transitions: rule
            .noncurrent_version_transitions()
            .iter()
            .map(|transition| NoncurrentTransition {
                days: transition.noncurrent_days,
                newer_versions: transition.newer_noncurrent_versions,
                storage_class: class_name(transition.storage_class.as_ref()),
            })
            .collect(),
        noncurrent_expiration: rule.noncurrent_version_expiration().map(|expiration| NoncurrentExpiration {
            days: expiration.noncurrent_days,
            newer_versions: expiration.newer_noncurrent_versions,
        }),
        abort_incomplete_multipart_upload_days: rule
            .abort_incomplete_multipart_upload()
            .and_then(sdk::AbortIncompleteMultipartUpload::days_after_initiation),
    };
    converted.canonicalise();
    converted
}

#[expect(deprecated, reason = "rules of others may still have it")]
fn old_prefix(rule: &sdk::LifecycleRule) -> Option<String> {
    rule.prefix.clone().filter(|prefix| !prefix.is_empty())
}

fn filter_from_sdk(filter: &LifecycleRuleFilter) -> Filter {
    let mut converted = Filter {
        prefix: filter.prefix.clone(),
        tags: filter.tag.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect(),
        object_size_greater_than: filter.object_size_greater_than,
        object_size_less_than: filter.object_size_less_than,
    };
    if let Some(and) = &filter.and {
        converted.prefix = converted.prefix.or_else(|| and.prefix.clone());
        converted.tags.extend(and.tags().iter().map(|tag| (tag.key.clone(), tag.value.clone())));
        converted.object_size_greater_than = converted.object_size_greater_than.or(and.object_size_greater_than);
        converted.object_size_less_than = converted.object_size_less_than.or(and.object_size_less_than);
    }
    converted.prefix = converted.prefix.filter(|prefix| !prefix.is_empty());
    converted
}

fn to_sdk(id: &str, rule: &LifecycleRule) -> Result<sdk::LifecycleRule, BuildError> {
    let mut transitions = Vec::new();
    for transition in &rule.transitions {
        let converted = sdk::Transition::builder()
            .set_days(transition.days)
            .set_date(transition.date.as_deref().map(midnight).transpose()?)
            .storage_class(TransitionStorageClass::from(transition.storage_class.as_str()));
        transitions.push(converted.build());
    }
    let expiration = match &rule.expiration {
        None => None,
        Some(expiration) => Some(
            sdk::LifecycleExpiration::builder()
                .set_days(expiration.days)
                .set_date(expiration.date.as_deref().map(midnight).transpose()?)
                .set_expired_object_delete_marker(expiration.expired_object_delete_marker.then_some(true))
                .build(),
        ),
    };
    let noncurrent = rule.noncurrent_transitions.iter().map(|transition| {
        sdk::NoncurrentVersionTransition::builder()
            .set_noncurrent_days(transition.days)
            .set_newer_noncurrent_versions(transition.newer_versions)
            .storage_class(TransitionStorageClass::from(transition.storage_class.as_str()))
            .build()
    });
    let noncurrent: Vec<_> = noncurrent.collect();
    sdk::LifecycleRule::builder()
        .id(format!("{RULE_PREFIX}{id}"))
        .status(if rule.enabled { ExpirationStatus::Enabled } else { ExpirationStatus::Disabled })
        .filter(filter_to_sdk(&rule.filter)?)
        .set_transitions(some_list(transitions))
        .set_expiration(expiration)
        .set_noncurrent_version_transitions(some_list(noncurrent))
        .set_noncurrent_version_expiration(rule.noncurrent_expiration.as_ref().map(|expiration| {
            sdk::NoncurrentVersionExpiration::builder()
                .set_noncurrent_days(expiration.days)
                .set_newer_noncurrent_versions(expiration.newer_versions)
                .build()
        }))
        .set_abort_incomplete_multipart_upload(
            rule.abort_incomplete_multipart_upload_days
                .map(|days| sdk::AbortIncompleteMultipartUpload::builder().days_after_initiation(days).build()),
        )
        .build()
}

/// S3 takes an empty filter, exactly one predicate, or an `And` of at least two.
fn filter_to_sdk(filter: &Filter) -> Result<LifecycleRuleFilter, BuildError> {
    let tag = |(key, value): (&String, &String)| sdk::Tag::builder().key(key).value(value).build();
    let tags = filter.tags.iter().map(tag).collect::<Result<Vec<_>, _>>()?;
    let predicates = usize::from(filter.prefix.is_some())
        + tags.len()
        + usize::from(filter.object_size_greater_than.is_some())
        + usize::from(filter.object_size_less_than.is_some());
    if predicates > 1 {
        let and = sdk::LifecycleRuleAndOperator::builder()
            .set_prefix(filter.prefix.clone())
            .set_tags(some_list(tags))
            .set_object_size_greater_than(filter.object_size_greater_than)
            .set_object_size_less_than(filter.object_size_less_than)
            .build();
        return Ok(LifecycleRuleFilter::builder().and(and).build());
    }
    let prefix = if predicates == 0 { Some(String::new()) } else { filter.prefix.clone() };
    Ok(LifecycleRuleFilter::builder()
        .set_prefix(prefix)
        .set_tag(tags.into_iter().next())
        .set_object_size_greater_than(filter.object_size_greater_than)
        .set_object_size_less_than(filter.object_size_less_than)
        .build())
}

fn some_list<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn class_name(class: Option<&TransitionStorageClass>) -> String {
    class.map(|class| class.as_str().to_string()).unwrap_or_default()
}

/// A date at midnight is the day alone, as in the spec.
fn day(date: &DateTime) -> String {
    let text = date.fmt(Format::DateTime).unwrap_or_default();
    text.strip_suffix("T00:00:00Z").map(ToString::to_string).unwrap_or(text)
}

fn midnight(day: &str) -> Result<DateTime, BuildError> {
    let text = if day.contains('T') { day.to_string() } else { format!("{day}T00:00:00Z") };
    DateTime::from_str(&text, Format::DateTime).map_err(BuildError::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_the_sdk_does_not_know_are_named() {
        let xml = |inner: &str| {
            format!(
                "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule><ID>theirs</ID>\
                 <Filter><Prefix>a/</Prefix></Filter><Status>Enabled</Status>{inner}</Rule></LifecycleConfiguration>"
            )
        };
        assert_eq!(unknown_element(&xml("<Expiration><Days>3</Days></Expiration>")), None);
        let found = unknown_element(&xml("<Expiration><Days>3</Days><Whim>1</Whim></Expiration>")).unwrap();
        assert!(found.contains("theirs") && found.contains("Expiration/Whim"), "{found}");
        assert_eq!(unknown_element(&xml("<New/>").replace("theirs", "aip-ours")), None);
    }

    #[test]
    fn a_rule_comes_back_as_it_went() {
        let rule = LifecycleRule {
            enabled: true,
            filter: Filter {
                prefix: Some("evals/".into()),
                tags: [("kind".to_string(), "eval".to_string())].into(),
                object_size_greater_than: Some(10),
                object_size_less_than: None,
            },
            transitions: vec![Transition { days: Some(30), date: None, storage_class: "STANDARD_IA".into() }],
            expiration: Some(Expiration { days: None, date: Some("2027-01-01".into()), ..Expiration::default() }),
            noncurrent_transitions: vec![NoncurrentTransition {
                days: Some(30),
                newer_versions: Some(2),
                storage_class: "GLACIER".into(),
            }],
            noncurrent_expiration: Some(NoncurrentExpiration { days: Some(90), newer_versions: Some(3) }),
            abort_incomplete_multipart_upload_days: Some(7),
        };
        let sent = to_sdk("evals", &rule).unwrap();
        assert_eq!(sent.id(), Some("aip-evals"));
        assert_eq!(from_sdk(&sent), rule);
        let everything = LifecycleRule { filter: Filter::default(), ..rule };
        assert_eq!(from_sdk(&to_sdk("all", &everything).unwrap()), everything);
    }
}

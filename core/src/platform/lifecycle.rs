//! The lifecycle rules AWS would refuse, refused before any call, with AWS's reason.
//!
//! Sources: `PutBucketLifecycleConfiguration` in the Amazon S3 API reference; "Transitioning objects using Amazon S3
//! Lifecycle" in the user guide.

use std::collections::BTreeMap;

use super::Problem;
use crate::api::storage::{Expiration, Filter, LifecycleRule, StorageClass};

/// AWS takes this many rules on a bucket, those of others among them.
pub const RULES_LIMIT: usize = 1000;

/// S3 limits a rule's id to 255 characters, of which our prefix takes four.
const ID_LIMIT: usize = 251;

/// Days that objects stay in the infrequent-access classes before a rule moves them on, and before they get there.
const INFREQUENT_ACCESS_DAYS: i32 = 30;

/// Adds everything that is wrong with the rules.
pub fn validate(rules: &[LifecycleRule], path: &str, problems: &mut Vec<Problem>) {
    if rules.len() > RULES_LIMIT {
        problems.push(Problem::new(path, format!("{} rules are too many: a bucket takes {RULES_LIMIT}", rules.len())));
    }
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, rule) in rules.iter().enumerate() {
        let mut found = Findings { path: format!("{path}[{index}]"), problems };
        if let Some(first) = seen.insert(&rule.id, index) {
            found.add("id", format!("{:?} is the id of rule {first} too: rule ids must be unique", rule.id));
        }
        if rule.id.is_empty() || rule.id.chars().count() > ID_LIMIT {
            found.add(
                "id",
                format!("{:?} has {} characters: 1 to {ID_LIMIT} are allowed", rule.id, rule.id.chars().count()),
            );
        }
        if let Some(filter) = &rule.filter {
            validate_filter(filter, &mut found);
        }
        validate_actions(rule, &mut found);
        validate_transitions(rule, &mut found);
        validate_noncurrent(rule, &mut found);
        if let Some(expiration) = &rule.expiration {
            validate_expiration(rule, expiration, &mut found);
        }
    }
}

struct Findings<'a> {
    path: String,
    problems: &'a mut Vec<Problem>,
}

impl Findings<'_> {
    fn add(&mut self, field: &str, message: impl Into<String>) {
        let path = if field.is_empty() { self.path.clone() } else { format!("{}.{field}", self.path) };
        self.problems.push(Problem::new(path, message));
    }
}

fn validate_filter(filter: &Filter, found: &mut Findings) {
    const LARGEST: i64 = 1_099_511_627_776_000;
    for (field, size, least) in [
        ("filter.objectSizeGreaterThan", filter.object_size_greater_than, 0),
        ("filter.objectSizeLessThan", filter.object_size_less_than, 1),
    ] {
        if let Some(size) = size.filter(|size| !(least..=LARGEST).contains(size)) {
            found.add(field, format!("{size} is out of range: {least} to {LARGEST} bytes are allowed"));
        }
    }
    if let (Some(greater), Some(less)) = (filter.object_size_greater_than, filter.object_size_less_than)
        && less <= greater
    {
        found.add(
            "filter.objectSizeLessThan",
            format!("{less} has to be a value greater than objectSizeGreaterThan, which is {greater}"),
        );
    }
    if filter.prefix.as_ref().is_some_and(|prefix| prefix.len() > 1024) {
        found.add("filter.prefix", "is too long: an object's key has at most 1024 bytes");
    }
    if filter.tags.len() > 10 {
        found.add("filter.tags", format!("{} tags can never match: an object carries at most 10", filter.tags.len()));
    }
    for (key, value) in &filter.tags {
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            found.add(
                &format!("filter.tags[{key:?}]"),
                "AWS limits a tag key to 1 to 128 characters and its value to 256",
            );
        }
    }
}

fn validate_actions(rule: &LifecycleRule, found: &mut Findings) {
    if rule.transitions.is_empty()
        && rule.expiration.is_none()
        && rule.noncurrent_transitions.is_empty()
        && rule.noncurrent_expiration.is_none()
        && rule.abort_incomplete_multipart_upload_days.is_none()
    {
        found.add(
            "",
            "at least one action needs to be specified in a rule: transitions, expiration, noncurrentTransitions, \
             noncurrentExpiration or abortIncompleteMultipartUploadDays",
        );
    }
    if let Some(days) = rule.abort_incomplete_multipart_upload_days {
        if days < 1 {
            found.add("abortIncompleteMultipartUploadDays", format!("{days} is not a positive number of days"));
        }
        refuse_narrow_filter(rule, "abortIncompleteMultipartUploadDays", found);
    }
}

/// S3 has no tags or sizes to look at for delete markers and unfinished uploads.
fn refuse_narrow_filter(rule: &LifecycleRule, action: &str, found: &mut Findings) {
    let Some(filter) = &rule.filter else { return };
    if !filter.tags.is_empty() {
        found.add(action, "cannot be specified with tags in the filter: put it into a rule of its own");
    }
    if filter.object_size_greater_than.is_some() || filter.object_size_less_than.is_some() {
        found.add(action, "cannot be specified with object sizes in the filter: put it into a rule of its own");
    }
}

fn validate_transitions(rule: &LifecycleRule, found: &mut Findings) {
    let moves: Vec<Move> = rule
        .transitions
        .iter()
        .map(|transition| Move { days: transition.days, class: transition.storage_class })
        .collect();
    validate_moves(&moves, "transitions", found);
    if let Some(Expiration { days: Some(days), .. }) = rule.expiration {
        for (index, transition) in rule.transitions.iter().enumerate() {
            if days <= transition.days {
                found.add(
                    "expiration.days",
                    format!(
                        "{days} must be greater than the days of transitions[{index}], which is {}",
                        transition.days
                    ),
                );
            }
        }
    }
}

fn validate_noncurrent(rule: &LifecycleRule, found: &mut Findings) {
    let moves: Vec<Move> = rule
        .noncurrent_transitions
        .iter()
        .map(|transition| Move { days: transition.days, class: transition.storage_class })
        .collect();
    validate_moves(&moves, "noncurrentTransitions", found);
    for (index, transition) in rule.noncurrent_transitions.iter().enumerate() {
        validate_newer_versions(
            transition.newer_versions,
            &format!("noncurrentTransitions[{index}].newerVersions"),
            found,
        );
    }
    let Some(expiration) = &rule.noncurrent_expiration else { return };
    validate_newer_versions(expiration.newer_versions, "noncurrentExpiration.newerVersions", found);
    if expiration.days < 1 {
        found.add("noncurrentExpiration.days", format!("{} is not a positive number of days", expiration.days));
    }
    for (index, transition) in rule.noncurrent_transitions.iter().enumerate() {
        if expiration.days <= transition.days {
            found.add(
                "noncurrentExpiration.days",
                format!(
                    "{} must be greater than the days of noncurrentTransitions[{index}], which is {}",
                    expiration.days, transition.days
                ),
            );
        }
    }
}

fn validate_newer_versions(versions: Option<i32>, field: &str, found: &mut Findings) {
    if let Some(versions) = versions.filter(|versions| !(1..=100).contains(versions)) {
        found.add(field, format!("{versions} is out of range: 1 to 100 newer versions can be kept"));
    }
}

#[derive(Clone, Copy)]
struct Move {
    days: i32,
    class: StorageClass,
}

fn validate_moves(moves: &[Move], list: &str, found: &mut Findings) {
    for (index, this) in moves.iter().enumerate() {
        let infrequent = matches!(this.class, StorageClass::StandardIa | StorageClass::OnezoneIa);
        if this.days < 0 {
            found.add(&format!("{list}[{index}].days"), format!("{} is negative: give the number of days", this.days));
        } else if infrequent && this.days < INFREQUENT_ACCESS_DAYS {
            found.add(
                &format!("{list}[{index}].days"),
                format!(
                    "{} must be greater than or equal to {INFREQUENT_ACCESS_DAYS} for storageClass {}",
                    this.days,
                    name(this.class)
                ),
            );
        }
        for (other, that) in moves.iter().enumerate().take(index) {
            validate_pair((other, *that), (index, *this), list, found);
        }
    }
}

fn validate_pair(one: (usize, Move), two: (usize, Move), list: &str, found: &mut Findings) {
    let ((first_index, first), (second_index, second)) = if one.1.days <= two.1.days { (one, two) } else { (two, one) };
    let path = format!("{list}[{second_index}]");
    if first.class == second.class {
        found.add(
            &format!("{path}.storageClass"),
            format!(
                "{} is the class of {list}[{first_index}] too: storageClass must be different in one rule",
                name(second.class)
            ),
        );
    } else if first.days == second.days {
        found.add(
            &format!("{path}.days"),
            format!("{} is also the day of {list}[{first_index}]: one rule moves an object once a day", second.days),
        );
    } else if !goes_down(first.class, second.class) {
        found.add(
            &format!("{path}.storageClass"),
            format!(
                "objects cannot go from {} (day {}) to {} (day {})",
                name(first.class),
                first.days,
                name(second.class),
                second.days
            ),
        );
    } else {
        // Days that are out of range are reported elsewhere, and are no reason to overflow here.
        let earliest = i64::from(first.days) + i64::from(stay(first.class));
        if i64::from(second.days) < earliest {
            found.add(
                &format!("{path}.days"),
                format!(
                    "{} is too early: objects stay at least {} days in {}, where they go on day {}, so day {earliest} is the \
                     first that would do",
                    second.days,
                    stay(first.class),
                    name(first.class),
                    first.days
                ),
            );
        }
    }
}

/// The waterfall of the user guide: which class an object in `from` may go to.
fn goes_down(from: StorageClass, to: StorageClass) -> bool {
    use StorageClass::{DeepArchive, Glacier, GlacierIr, IntelligentTiering, OnezoneIa, StandardIa};
    match from {
        StandardIa => true,
        IntelligentTiering => to != StandardIa,
        OnezoneIa | GlacierIr => matches!(to, Glacier | DeepArchive),
        Glacier => to == DeepArchive,
        DeepArchive => false,
    }
}

/// Days that objects stay in a class before the same rule may move them on.
fn stay(class: StorageClass) -> i32 {
    match class {
        StorageClass::StandardIa | StorageClass::OnezoneIa => INFREQUENT_ACCESS_DAYS,
        StorageClass::GlacierIr | StorageClass::Glacier => 90,
        _ => 0,
    }
}

fn validate_expiration(rule: &LifecycleRule, expiration: &Expiration, found: &mut Findings) {
    let given =
        [expiration.days.is_some(), expiration.date.is_some(), expiration.expired_object_delete_marker.is_some()]
            .into_iter()
            .filter(|given| *given)
            .count();
    if given != 1 {
        found.add(
            "expiration",
            format!("takes exactly one of days, date and expiredObjectDeleteMarker, and has {given}"),
        );
    }
    if let Some(days) = expiration.days.filter(|days| *days < 1) {
        found.add("expiration.days", format!("{days} must be a positive integer"));
    }
    if let Some(date) = &expiration.date {
        if date.parse::<jiff::civil::Date>().is_err() || date.len() != 10 {
            found.add(
                "expiration.date",
                format!("{date:?} is not a day such as \"2027-01-01\"; S3 takes days at midnight UTC only"),
            );
        }
        if !rule.transitions.is_empty() {
            found.add(
                "expiration.date",
                "mixes a date with the days of the transitions: give expiration.days, or put it into a rule of its own",
            );
        }
    }
    match expiration.expired_object_delete_marker {
        Some(true) => refuse_narrow_filter(rule, "expiration.expiredObjectDeleteMarker", found),
        Some(false) => found.add("expiration.expiredObjectDeleteMarker", "can only be true: leave it out instead"),
        None => {}
    }
}

/// The class as S3 writes it.
#[must_use]
pub fn name(class: StorageClass) -> &'static str {
    match class {
        StorageClass::StandardIa => "STANDARD_IA",
        StorageClass::IntelligentTiering => "INTELLIGENT_TIERING",
        StorageClass::OnezoneIa => "ONEZONE_IA",
        StorageClass::GlacierIr => "GLACIER_IR",
        StorageClass::Glacier => "GLACIER",
        StorageClass::DeepArchive => "DEEP_ARCHIVE",
    }
}

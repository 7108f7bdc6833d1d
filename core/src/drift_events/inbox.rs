//! The queue and the rule of one place: the operator's own infrastructure, which is no part of any platform.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Place;
use super::pattern::pattern;
use crate::arn;
use crate::names::hex_digest;
use crate::tags::{self, Tags};

/// The prefix of the names of all queues and rules.
const PREFIX: &str = "aiplatform-drift";

/// The pattern of these names.
pub const ANY_NAME: &str = "aiplatform-drift-*";

/// The ARN of the queue of this name.
#[must_use]
pub fn queue_arn(region: &str, account_id: &str, name: &str) -> String {
    format!("arn:{}:sqs:{region}:{account_id}:{name}", arn::partition(region))
}

/// The ARN of the rule of this name, on the default event bus.
#[must_use]
pub fn rule_arn(region: &str, account_id: &str, name: &str) -> String {
    format!("arn:{}:events:{region}:{account_id}:rule/{name}", arn::partition(region))
}

/// Seconds for which a queue keeps an event. Older ones tell nothing that a full read has not shown.
const RETENTION: &str = "86400";

/// Seconds after which a message that was received and not deleted is received again.
const VISIBILITY: &str = "60";

/// Seconds for which a poll waits, the longest that SQS knows.
pub const POLL: u16 = 20;

/// The attributes of a queue that are ours.
pub mod attribute {
    /// Its policy.
    pub const POLICY: &str = "Policy";
    /// Seconds for which it keeps a message.
    pub const RETENTION: &str = "MessageRetentionPeriod";
    /// Encryption with keys of SQS.
    pub const ENCRYPTION: &str = "SqsManagedSseEnabled";
    /// Seconds until a message that was received can be received again.
    pub const VISIBILITY: &str = "VisibilityTimeout";
    /// Seconds for which a poll waits.
    pub const WAIT: &str = "ReceiveMessageWaitTimeSeconds";
    /// All of them.
    pub const ALL: [&str; 5] = [POLICY, RETENTION, ENCRYPTION, VISIBILITY, WAIT];
}

/// The id of the queue among the targets of the rule.
pub const TARGET: &str = "queue";

/// The mark that tells the queue of one operator from that of another: two that share a queue would take each
/// other's events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The cluster's name in owner tags.
    pub cluster: String,
    /// The namespaces that it watches; all of them when empty.
    pub namespaces: Vec<String>,
    /// The label selector of what it watches.
    pub label_selector: Option<String>,
}

impl Listener {
    /// The name of queue and rule, the same in all places: at most 64 characters, as a rule's.
    #[must_use]
    pub fn name(&self) -> String {
        const CLUSTER: usize = 36;
        const HASH: usize = 8;
        let Self { cluster, namespaces, label_selector } = self;
        let mut namespaces: Vec<&str> = namespaces.iter().map(String::as_str).collect();
        namespaces.sort_unstable();
        let selection = format!("{cluster}/{}/{}", namespaces.join(","), label_selector.as_deref().unwrap_or_default());
        let readable: String = cluster.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let readable = &readable[..readable.floor_char_boundary(CLUSTER)];
        format!("{PREFIX}-{}-{}", readable.trim_matches('-'), hex_digest(&selection, HASH))
    }

    /// The value of the owner tag.
    #[must_use]
    pub fn owner(&self) -> String {
        tags::owner(&self.cluster, "drift-events", &self.name())
    }
}

/// A queue and a rule as they should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Inbox {
    /// The name of both.
    pub name: String,
    /// The queue's ARN.
    pub queue_arn: String,
    /// The rule's ARN.
    pub rule_arn: String,
    /// The tags of both.
    pub tags: Tags,
    /// The attributes of the queue.
    pub attributes: BTreeMap<String, String>,
    /// The rule's pattern.
    pub pattern: Value,
}

/// The queue and the rule that a listener has in a place.
#[must_use]
pub fn desire(listener: &Listener, place: &Place, has_platforms: bool) -> Inbox {
    let name = listener.name();
    let Place { account_id, region } = place;
    let queue_arn = queue_arn(region, account_id, &name);
    let rule_arn = rule_arn(region, account_id, &name);
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "OnlyTheRuleSends",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
        }],
    });
    let attributes = [
        (attribute::POLICY, policy.to_string()),
        (attribute::RETENTION, RETENTION.into()),
        (attribute::ENCRYPTION, "true".into()),
        (attribute::VISIBILITY, VISIBILITY.into()),
        (attribute::WAIT, POLL.to_string()),
    ];
    Inbox {
        tags: Tags::from([(tags::OWNER.to_string(), listener.owner())]),
        attributes: attributes.map(|(name, value)| (name.to_string(), value)).into(),
        pattern: pattern(place, has_platforms),
        name,
        queue_arn,
        rule_arn,
    }
}

/// A queue as it was observed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedQueue {
    /// Its URL, by which calls name it.
    pub url: String,
    /// Its attributes, as far as they are ours.
    pub attributes: BTreeMap<String, String>,
    /// Its tags.
    pub tags: Tags,
}

/// A rule as it was observed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedRule {
    /// Its pattern.
    pub pattern: String,
    /// True when it matches events.
    pub is_enabled: bool,
    /// Its tags.
    pub tags: Tags,
    /// Its targets: ARNs by their ids.
    pub targets: BTreeMap<String, String>,
}

/// Both as they were observed; what is not there is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The queue.
    pub queue: Option<ObservedQueue>,
    /// The rule.
    pub rule: Option<ObservedRule>,
}

/// A step towards the queue and the rule as they should be.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Makes the queue with its attributes and tags.
    CreateQueue,
    /// Sets attributes of the queue.
    SetAttributes(BTreeMap<String, String>),
    /// Makes the rule with its tags, or sets its pattern and switches it on.
    PutRule,
    /// Makes the queue a target of the rule.
    PutTarget,
    /// Takes these targets off the rule, which can only go without any.
    RemoveTargets(Vec<String>),
    /// Deletes the rule.
    DeleteRule,
    /// Deletes the queue with the events in it.
    DeleteQueue,
}

impl Step {
    /// The step in a few words.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match self {
            Self::CreateQueue => "created the queue",
            Self::SetAttributes(_) => "set attributes of the queue",
            Self::PutRule => "created or changed the rule",
            Self::PutTarget => "made the queue a target of the rule",
            Self::RemoveTargets(_) => "removed the targets of the rule",
            Self::DeleteRule => "deleted the rule",
            Self::DeleteQueue => "deleted the queue",
        }
    }
}

/// A queue or a rule of our name that somebody else has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the {what} {name} does not carry the tag {tag} with the value {owner:?}, which would make it the operator's ({}): it is \
     left alone. Give it the tag, or delete it",
    .holder.as_deref().map_or_else(|| "it has none".to_string(), |holder| format!("it says {holder:?}")),
    tag = tags::OWNER
)]
pub struct NotOwned {
    /// `queue` or `rule`.
    pub what: &'static str,
    /// Its name.
    pub name: String,
    /// The owner tag that ours carry.
    pub owner: String,
    /// The owner tag that it carries.
    pub holder: Option<String>,
}

impl NotOwned {
    /// A word for the kind of error.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        "NotOwned"
    }
}

/// The steps that make both as they should be.
///
/// # Errors
/// When one of them is somebody else's.
pub fn plan(desired: &Inbox, observed: &Observed) -> Result<Vec<Step>, NotOwned> {
    check_owner(desired, observed)?;
    let mut steps = Vec::new();
    match &observed.queue {
        None => steps.push(Step::CreateQueue),
        Some(queue) => {
            let differing = desired.attributes.iter().filter(|(name, value)| {
                let found = queue.attributes.get(*name);
                !found.is_some_and(|found| is_same(name, value, found))
            });
            let differing: BTreeMap<String, String> =
                differing.map(|(name, value)| (name.clone(), value.clone())).collect();
            if !differing.is_empty() {
                steps.push(Step::SetAttributes(differing));
            }
        }
    }
    let is_pattern = |rule: &&ObservedRule| serde_json::from_str(&rule.pattern).ok().as_ref() == Some(&desired.pattern);
    let rule = observed.rule.as_ref();
    if rule.filter(is_pattern).is_none_or(|rule| !rule.is_enabled) {
        steps.push(Step::PutRule);
    }
    if rule.is_none_or(|rule| rule.targets.get(TARGET) != Some(&desired.queue_arn)) {
        steps.push(Step::PutTarget);
    }
    Ok(steps)
}

/// The steps after which neither is there any more.
///
/// # Errors
/// When one of them is somebody else's: then both stay.
pub fn removal(desired: &Inbox, observed: &Observed) -> Result<Vec<Step>, NotOwned> {
    check_owner(desired, observed)?;
    let mut steps = Vec::new();
    if let Some(rule) = &observed.rule {
        if !rule.targets.is_empty() {
            steps.push(Step::RemoveTargets(rule.targets.keys().cloned().collect()));
        }
        steps.push(Step::DeleteRule);
    }
    if observed.queue.is_some() {
        steps.push(Step::DeleteQueue);
    }
    Ok(steps)
}

fn check_owner(desired: &Inbox, observed: &Observed) -> Result<(), NotOwned> {
    let queue = observed.queue.as_ref().map(|queue| ("queue", &queue.tags));
    let rule = observed.rule.as_ref().map(|rule| ("rule", &rule.tags));
    let owner = desired.tags.get(tags::OWNER);
    for (what, tags) in queue.into_iter().chain(rule) {
        let holder = tags.get(tags::OWNER);
        if holder != owner {
            return Err(NotOwned {
                what,
                name: desired.name.clone(),
                owner: owner.cloned().unwrap_or_default(),
                holder: holder.cloned(),
            });
        }
    }
    Ok(())
}

/// True when an attribute has the value that it should have. A policy is compared as JSON.
fn is_same(name: &str, desired: &str, found: &str) -> bool {
    if name != attribute::POLICY {
        return desired.eq_ignore_ascii_case(found);
    }
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    parsed(desired).is_some() && parsed(desired) == parsed(found)
}

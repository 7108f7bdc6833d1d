//! Whose call an event tells of: the operator's own wake nobody.
//!
//! The id of the request decides. A user agent anybody can send, and a role may be others' too, so neither hides a change
//! that this process did not make. Only of the time before it began to work, of which it remembers no ids, the principal
//! and the user agent together decide; and whatever happened then, its first pass over each platform has read.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jiff::Timestamp;

use super::record::Record;

/// The time for which an id is remembered: events of CloudTrail take minutes, and a queue may hold them for longer.
const REMEMBERED: Duration = Duration::from_hours(6);

/// Ids that are remembered at most.
const MOST: usize = 32_768;

/// A memory of ids, as hashes: of requests that this process made, or of events that it has handled, which EventBridge and
/// SQS deliver at least once.
#[derive(Clone, Debug, Default)]
pub struct RecentIds {
    known: HashSet<u64>,
    in_order: VecDeque<(Timestamp, u64)>,
}

impl RecentIds {
    /// Takes note of an id.
    pub fn note(&mut self, id: &str, now: Timestamp) {
        let hash = hash(id);
        if !self.known.insert(hash) {
            return;
        }
        self.in_order.push_back((now, hash));
        while let Some((at, oldest)) = self.in_order.front().copied()
            && (self.in_order.len() > MOST || now.duration_since(at).unsigned_abs() > REMEMBERED)
        {
            self.in_order.pop_front();
            self.known.remove(&oldest);
        }
    }

    /// True when the id was noted not long ago.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.known.contains(&hash(id))
    }
}

fn hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

/// The operator, as its calls show it.
#[derive(Clone, Copy, Debug)]
pub struct Operator<'a> {
    /// The ARN that `sts:GetCallerIdentity` tells.
    pub arn: &'a str,
    /// The name of the application in its user agent.
    pub application: &'a str,
    /// The time at which this process began to make changes.
    pub began: Timestamp,
    /// The requests that it made since.
    pub requests: &'a RecentIds,
}

impl Operator<'_> {
    /// True when the call that an event tells of was the operator's own.
    #[must_use]
    pub fn made(&self, record: &Record) -> bool {
        if record.request_id.as_deref().is_some_and(|id| self.requests.has(id)) {
            return true;
        }
        // As the SDK for Rust writes it: "app/<name>".
        let is_named = record.user_agent.split_ascii_whitespace().any(|word| {
            word.trim_matches(['[', ']']).strip_prefix("app/").is_some_and(|name| name == self.application)
        });
        record.at < self.began && is_named && record.by == self.arn
    }
}

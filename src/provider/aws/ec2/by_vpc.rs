//! Reads that platforms of one VPC share, for each VPC that somebody asks about.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::snapshots::{Shareable, SharedRead};

/// Shared reads by the id of their VPC. One that nobody has asked for in a while is forgotten.
pub(super) struct ByVpc<T> {
    kept: Duration,
    reads: Mutex<BTreeMap<String, Asked<T>>>,
}

/// A shared read, and when somebody asked for it last.
struct Asked<T> {
    at: Instant,
    read: Arc<SharedRead<T>>,
}

impl<T> ByVpc<T> {
    /// No reads yet. Each is kept for this long after somebody asked for it.
    pub(super) fn new(kept: Duration) -> Self {
        Self { kept, reads: Mutex::default() }
    }

    /// The read that is shared by all who ask about this VPC.
    pub(super) fn of(&self, vpc_id: &str) -> Arc<SharedRead<T>> {
        self.at(vpc_id, Instant::now())
    }

    fn at(&self, vpc_id: &str, now: Instant) -> Arc<SharedRead<T>> {
        let mut reads = self.reads();
        reads.retain(|id, asked| id == vpc_id || now.saturating_duration_since(asked.at) < self.kept);
        let asked = reads.entry(vpc_id.into()).or_insert_with(|| Asked { at: now, read: Arc::default() });
        asked.at = now;
        Arc::clone(&asked.read)
    }

    /// The read of this VPC, where somebody asked for it a while ago at most.
    pub(super) fn known(&self, vpc_id: &str) -> Option<Arc<SharedRead<T>>> {
        self.reads().get(vpc_id).map(|asked| Arc::clone(&asked.read))
    }

    fn reads(&self) -> MutexGuard<'_, BTreeMap<String, Asked<T>>> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Shareable> ByVpc<T> {
    /// Drops the answers that are so, by the id of their VPC and what they say.
    pub(super) fn forget(&self, is_so: impl Fn(&str, &T) -> bool) {
        for (id, asked) in self.reads().iter() {
            // One that is under way may be either.
            if asked.read.latest(Duration::MAX).is_none_or(|answer| is_so(id, &answer)) {
                asked.read.forget();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_asks_for_is_forgotten_and_what_somebody_does_is_shared() {
        let kept = Duration::from_mins(1);
        let (reads, now) = (ByVpc::<()>::new(kept), Instant::now());
        let first = reads.at("vpc-1", now);
        reads.at("vpc-2", now);
        assert!(Arc::ptr_eq(&first, &reads.at("vpc-1", now + kept / 2)));
        reads.at("vpc-3", now + kept);
        assert_eq!(reads.reads().keys().collect::<Vec<_>>(), ["vpc-1", "vpc-3"]);
        assert!(Arc::ptr_eq(&first, &reads.at("vpc-1", now + kept * 9)), "whoever asks for it finds it");
        assert!(reads.known("vpc-3").is_none());
    }
}

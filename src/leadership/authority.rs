//! The authority of this process to change anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::clock;

/// The right of this process to change AWS and the cluster. It is asked before every pass, before every step, and by
/// the clients right before each request, retries included.
#[derive(Clone, Debug, Default)]
pub struct Authority {
    stop: CancellationToken,
    /// Until when this process leads, in milliseconds of the leadership clock; absent where nobody is elected.
    term: Option<Arc<AtomicU64>>,
}

/// A request that was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this operator does not lead (any more): nothing is sent")]
pub struct NotLeading;

impl Authority {
    /// That of an operator without leader election, until `stop`.
    #[must_use]
    pub fn unelected(stop: CancellationToken) -> Self {
        Self { stop, term: None }
    }

    /// That of an operator that has to be elected first.
    #[must_use]
    pub fn elected(stop: CancellationToken) -> Self {
        Self { stop, term: Some(Arc::default()) }
    }

    /// True when another pass or step may begin: the operator is not ending, and leads.
    #[must_use]
    pub fn may_begin(&self) -> bool {
        !self.stop.is_cancelled() && self.check().is_ok()
    }

    /// True when a request may be sent. A step in hand is finished while the operator ends, as long as it leads.
    ///
    /// # Errors
    /// When this operator does not lead.
    pub fn check(&self) -> Result<(), NotLeading> {
        self.check_at(clock::now())
    }

    /// Cancelled when the operator ends.
    #[must_use]
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    fn check_at(&self, now: Duration) -> Result<(), NotLeading> {
        let Some(term) = &self.term else { return Ok(()) };
        if milliseconds(now) < term.load(Ordering::SeqCst) { Ok(()) } else { Err(NotLeading) }
    }

    /// This process leads until then.
    pub(super) fn extend(&self, until: Duration) {
        if let Some(term) = &self.term {
            term.store(milliseconds(until), Ordering::SeqCst);
        }
    }

    /// This process does not lead any more.
    pub(super) fn resign(&self) {
        self.extend(Duration::ZERO);
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_elected_may_act_until_the_end() {
        let authority = Authority::unelected(CancellationToken::new());
        assert!(authority.may_begin());
        authority.stop().cancel();
        assert!(!authority.may_begin());
        assert_eq!(authority.check(), Ok(()), "a step in hand is finished");
    }

    #[test]
    fn who_has_to_be_elected_may_act_until_the_deadline_and_not_a_moment_longer() {
        let authority = Authority::elected(CancellationToken::new());
        assert!(!authority.may_begin(), "not elected yet");
        authority.extend(Duration::from_secs(15));
        assert_eq!(authority.check_at(Duration::from_millis(14_999)), Ok(()));
        assert_eq!(authority.check_at(Duration::from_secs(15)), Err(NotLeading));
        authority.extend(Duration::from_secs(18));
        assert_eq!(authority.check_at(Duration::from_secs(15)), Ok(()), "renewed");
        authority.resign();
        assert_eq!(authority.check_at(Duration::from_millis(1)), Err(NotLeading));
    }

    #[test]
    fn every_copy_loses_it_at_once() {
        let authority = Authority::elected(CancellationToken::new());
        let copy = authority.clone();
        authority.extend(clock::now() + Duration::from_mins(1));
        assert!(copy.may_begin());
        authority.resign();
        assert!(!copy.may_begin());
    }
}

//! The outage of a watch, which goes on from where it was when it works again.
//!
//! Nobody says that it works again: a failure is followed by the next one, by an event, or by silence.

use std::time::{Duration, Instant};

/// The silence after a failure by which a watch works again: longer than the pause between two tries, which kube keeps
/// under 30 seconds and then adds as much to at random, and the time that the API server may take to answer one.
pub const SILENCE: Duration = Duration::from_secs(90);

/// The last failure of a watch, if it has not shown anything since.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outage(Option<Instant>);

impl Outage {
    /// The watch failed at this time.
    pub(super) fn began(at: Instant) -> Self {
        Self(Some(at))
    }

    /// True while the watch may not work.
    pub(super) fn lasts(self, now: Instant) -> bool {
        self.0.is_some_and(|at| now.saturating_duration_since(at) < SILENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_lasts_until_nothing_has_failed_for_a_while() {
        let now = Instant::now();
        assert!(!Outage::default().lasts(now));
        assert!(Outage::began(now).lasts(now + SILENCE.mul_f64(0.9)));
        assert!(!Outage::began(now).lasts(now + SILENCE));
    }
}

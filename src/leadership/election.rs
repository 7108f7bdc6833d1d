//! Who may take the lease, and when. Pure: what was read and our own clock are given.
//!
//! As in client-go's `leaderelection`, nobody compares a timestamp of the record with a clock: a record is taken over
//! when it has not changed for its duration by the clock of the one who looks. So a clock that jumps does no harm.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::LeaseSpec;

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is ours.
    Ours,
    /// It can be taken now.
    Free,
    /// It may be somebody's for so long.
    Held(Duration),
}

/// What one candidate saw of the lease.
#[derive(Debug)]
pub(super) struct Election {
    identity: String,
    /// How long a holder that says nothing about it may be silent.
    duration: Duration,
    /// The last record, which may be that there is none, and when it was first seen so.
    seen: Option<(Option<LeaseSpec>, Duration)>,
}

impl Election {
    pub(super) fn new(identity: String, duration: Duration) -> Self {
        Self { identity, duration, seen: None }
    }

    /// Takes note of the record, read no later than `now`.
    pub(super) fn look(&mut self, record: Option<&LeaseSpec>, now: Duration) -> Standing {
        let since = match &self.seen {
            Some((seen, since)) if seen.as_ref() == record => *since,
            _ => now,
        };
        self.seen = Some((record.cloned(), since));
        let holder = record.and_then(|record| record.holder_identity.as_deref()).unwrap_or_default();
        if holder == self.identity {
            return Standing::Ours;
        }
        let left = (since + self.patience(record, holder)).saturating_sub(now);
        if left.is_zero() { Standing::Free } else { Standing::Held(left) }
    }

    /// How long the record has to stay as it is. A holder that gave the lease back said so with a duration of a second;
    /// where somebody deleted the Lease or emptied it by hand, a leader may still be at work.
    fn patience(&self, record: Option<&LeaseSpec>, holder: &str) -> Duration {
        let told = record.and_then(|record| record.lease_duration_seconds).and_then(|told| u64::try_from(told).ok());
        match told.map(Duration::from_secs) {
            Some(told) if holder.is_empty() => told,
            Some(told) => told.max(self.duration),
            None => self.duration,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
    use proptest::prelude::*;

    use super::*;

    const LEASE: Duration = Duration::from_secs(30);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn record(holder: &str, renewed: i64, duration: i32) -> LeaseSpec {
        let renew_time = Some(MicroTime(Timestamp::from_second(renewed).unwrap()));
        let duration = Some(duration);
        LeaseSpec {
            holder_identity: Some(holder.into()),
            renew_time,
            lease_duration_seconds: duration,
            ..LeaseSpec::default()
        }
    }

    fn candidate() -> Election {
        Election::new("us".into(), LEASE)
    }

    #[test]
    fn a_silent_holder_is_followed_after_the_lease_by_our_own_clock() {
        let mut election = candidate();
        let silent = record("them", 0, 30);
        assert_eq!(election.look(Some(&silent), seconds(1000)), Standing::Held(LEASE));
        assert_eq!(election.look(Some(&silent), seconds(1029)), Standing::Held(seconds(1)));
        assert_eq!(election.look(Some(&silent), seconds(1030)), Standing::Free);
    }

    #[test]
    fn timestamps_of_others_mean_nothing() {
        // A clock that is a century ahead or behind, or that jumps from renewal to renewal.
        for times in [[4_000_000_000, 4_000_000_001], [1, 2], [4_000_000_000, 1]] {
            let mut election = candidate();
            assert_eq!(election.look(Some(&record("them", times[0], 30)), seconds(0)), Standing::Held(LEASE));
            let renewed = record("them", times[1], 30);
            assert_eq!(election.look(Some(&renewed), seconds(29)), Standing::Held(LEASE), "it is alive");
            assert_eq!(election.look(Some(&renewed), seconds(59)), Standing::Free, "it is silent");
        }
    }

    #[test]
    fn a_holder_with_a_longer_lease_has_it_and_a_shorter_one_has_ours() {
        let mut election = candidate();
        assert_eq!(election.look(Some(&record("them", 0, 60)), seconds(0)), Standing::Held(seconds(60)));
        assert_eq!(election.look(Some(&record("them", 0, 5)), seconds(1)), Standing::Held(LEASE));
        assert_eq!(election.look(Some(&record("them", 0, -1)), seconds(2)), Standing::Held(LEASE));
    }

    #[test]
    fn what_was_given_back_is_free_after_a_second() {
        let mut election = candidate();
        assert_eq!(election.look(Some(&record("", 0, 1)), seconds(0)), Standing::Held(seconds(1)));
        assert_eq!(election.look(Some(&record("", 0, 1)), seconds(1)), Standing::Free);
    }

    #[test]
    fn a_lease_that_somebody_deleted_or_emptied_may_still_be_used() {
        for record in [None, Some(LeaseSpec::default()), Some(record("", 0, 30))] {
            let mut election = candidate();
            assert_eq!(election.look(record.as_ref(), seconds(0)), Standing::Held(LEASE));
            assert_eq!(election.look(record.as_ref(), seconds(30)), Standing::Free);
        }
    }

    #[test]
    fn what_is_ours_is_ours() {
        assert_eq!(candidate().look(Some(&record("us", 0, 30)), seconds(0)), Standing::Ours);
    }

    proptest! {
        /// A candidate never finds a lease free sooner than a whole lease after the holder's last renewal, however
        /// seldom it looks, whatever the holder's clock says.
        #[test]
        fn nobody_is_overtaken(
            renewals in prop::collection::vec((0_u64..20, any::<i32>()), 1..10),
            looks in prop::collection::vec(0_u64..400, 1..60),
        ) {
            let mut at = 0;
            let told: Vec<(u64, LeaseSpec)> = renewals
                .into_iter()
                .map(|(pause, clock)| { at += pause; (at, record("them", i64::from(clock), 30)) })
                .collect();
            let mut looks = looks;
            looks.sort_unstable();
            let mut election = candidate();
            for look in looks {
                let Some((renewed, record)) = told.iter().rev().find(|(at, _)| *at <= look) else { continue };
                let is_free = election.look(Some(record), seconds(look)) == Standing::Free;
                prop_assert!(!is_free || look - renewed >= 30, "free at {look}, renewed at {renewed}");
            }
        }
    }
}

//! The election: who may take the lease, and when. Pure: what was read and our own clock are given.
//!
//! As in client-go's `leaderelection`, nobody compares a timestamp of the record with a clock: a record is taken over
//! when it has not changed for its duration by the clock of the one who looks. So a clock that jumps does no harm.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::LeaseSpec;

/// The state of the lease, as a record shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeaseState {
    /// It is ours.
    Ours,
    /// It can be taken now.
    Free,
    /// It may be somebody's for so long.
    Held(Duration),
}

/// The observations of the lease by one candidate.
#[derive(Debug)]
pub(super) struct Election {
    identity: String,
    /// The time for which a holder that states no duration may be silent.
    duration: Duration,
    /// The last record, which may be that there is none, and when it was first seen so.
    seen: Option<(Option<LeaseSpec>, Duration)>,
}

impl Election {
    pub(super) fn new(identity: String, duration: Duration) -> Self {
        Self { identity, duration, seen: None }
    }

    /// Takes note of the record, read no later than `now`.
    pub(super) fn observe(&mut self, record: Option<&LeaseSpec>, now: Duration) -> LeaseState {
        let since = match &self.seen {
            Some((seen, since)) if seen.as_ref() == record => *since,
            _ => now,
        };
        self.seen = Some((record.cloned(), since));
        let holder = record.and_then(|record| record.holder_identity.as_deref()).unwrap_or_default();
        if holder == self.identity {
            return LeaseState::Ours;
        }
        let left = (since + self.patience(record, holder)).saturating_sub(now);
        if left.is_zero() { LeaseState::Free } else { LeaseState::Held(left) }
    }

    /// The time for which the record has to stay unchanged before it can be taken over. A holder that gave the lease
    /// back said so with a duration of a second; where somebody deleted the Lease or emptied it by hand, a leader may
    /// still be at work.
    fn patience(&self, record: Option<&LeaseSpec>, holder: &str) -> Duration {
        let stated =
            record.and_then(|record| record.lease_duration_seconds).and_then(|seconds| u64::try_from(seconds).ok());
        match stated.map(Duration::from_secs) {
            Some(stated) if holder.is_empty() => stated,
            Some(stated) => stated.max(self.duration),
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
        assert_eq!(election.observe(Some(&silent), seconds(1000)), LeaseState::Held(LEASE));
        assert_eq!(election.observe(Some(&silent), seconds(1029)), LeaseState::Held(seconds(1)));
        assert_eq!(election.observe(Some(&silent), seconds(1030)), LeaseState::Free);
    }

    #[test]
    fn timestamps_of_others_mean_nothing() {
        // A clock that is a century ahead or behind, or that jumps from renewal to renewal.
        for times in [[4_000_000_000, 4_000_000_001], [1, 2], [4_000_000_000, 1]] {
            let mut election = candidate();
            assert_eq!(election.observe(Some(&record("them", times[0], 30)), seconds(0)), LeaseState::Held(LEASE));
            let renewed = record("them", times[1], 30);
            assert_eq!(election.observe(Some(&renewed), seconds(29)), LeaseState::Held(LEASE), "it is alive");
            assert_eq!(election.observe(Some(&renewed), seconds(59)), LeaseState::Free, "it is silent");
        }
    }

    #[test]
    fn a_holder_with_a_longer_lease_has_it_and_a_shorter_one_has_ours() {
        let mut election = candidate();
        assert_eq!(election.observe(Some(&record("them", 0, 60)), seconds(0)), LeaseState::Held(seconds(60)));
        assert_eq!(election.observe(Some(&record("them", 0, 5)), seconds(1)), LeaseState::Held(LEASE));
        assert_eq!(election.observe(Some(&record("them", 0, -1)), seconds(2)), LeaseState::Held(LEASE));
    }

    #[test]
    fn what_was_given_back_is_free_after_a_second() {
        let mut election = candidate();
        assert_eq!(election.observe(Some(&record("", 0, 1)), seconds(0)), LeaseState::Held(seconds(1)));
        assert_eq!(election.observe(Some(&record("", 0, 1)), seconds(1)), LeaseState::Free);
    }

    #[test]
    fn a_lease_that_somebody_deleted_or_emptied_may_still_be_used() {
        for record in [None, Some(LeaseSpec::default()), Some(record("", 0, 30))] {
            let mut election = candidate();
            assert_eq!(election.observe(record.as_ref(), seconds(0)), LeaseState::Held(LEASE));
            assert_eq!(election.observe(record.as_ref(), seconds(30)), LeaseState::Free);
        }
    }

    #[test]
    fn what_is_ours_is_ours() {
        assert_eq!(candidate().observe(Some(&record("us", 0, 30)), seconds(0)), LeaseState::Ours);
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
            let records: Vec<(u64, LeaseSpec)> = renewals
                .into_iter()
                .map(|(pause, clock)| { at += pause; (at, record("them", i64::from(clock), 30)) })
                .collect();
            let mut looks = looks;
            looks.sort_unstable();
            let mut election = candidate();
            for now in looks {
                let Some((renewed, record)) = records.iter().rev().find(|(at, _)| *at <= now) else { continue };
                let is_free = election.observe(Some(record), seconds(now)) == LeaseState::Free;
                prop_assert!(!is_free || now - renewed >= 30, "free at {now}, renewed at {renewed}");
            }
        }
    }
}

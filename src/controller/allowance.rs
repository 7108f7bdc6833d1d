//! The rate at which a user may request full reads. Pure: the clock is given.

use std::time::Duration;

/// The number of full reads that may be requested at once.
const AT_ONCE: u32 = 5;

/// After those, one in so much time.
pub(super) const PERIOD: Duration = Duration::from_secs(10);

/// The allowance of one object. Times are those of any clock that does not jump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Allowance {
    /// The time at which the whole allowance is back.
    full_at: Duration,
}

impl Allowance {
    /// Takes one full read, or returns the time until there is one.
    pub(super) fn take(&mut self, now: Duration) -> Result<(), Duration> {
        let full_at = self.full_at.max(now) + PERIOD;
        let wait = full_at.saturating_sub(now + PERIOD * AT_ONCE);
        if !wait.is_zero() {
            return Err(wait);
        }
        self.full_at = full_at;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_person_never_notices_and_a_loop_is_slowed_down() {
        let mut allowance = Allowance::default();
        let now = Duration::from_secs(1000);
        for _ in 0..AT_ONCE {
            assert_eq!(allowance.take(now), Ok(()));
        }
        assert_eq!(allowance.take(now), Err(PERIOD));
        assert_eq!(allowance.take(now + PERIOD / 2), Err(PERIOD / 2));
        assert_eq!(allowance.take(now + PERIOD), Ok(()));
        assert_eq!(allowance.take(now + PERIOD), Err(PERIOD));
    }

    proptest! {
        #[test]
        fn in_the_long_run_there_is_one_in_each_period(pauses in prop::collection::vec(0_u64..30_000, 1..200)) {
            let mut allowance = Allowance::default();
            let (mut now, mut taken) = (Duration::ZERO, 0);
            for pause in pauses {
                now += Duration::from_millis(pause);
                taken += u32::from(allowance.take(now).is_ok());
            }
            prop_assert!(PERIOD * taken <= now + PERIOD * AT_ONCE);
        }
    }
}

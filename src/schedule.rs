//! When to look again. Pure: the controller adds the clock and the dice.

use std::time::Duration;

/// What a pass says about the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// There is more to do at once.
    Now,
    /// Everything is as desired: look again at the resync period, in case somebody changes it.
    Resync,
    /// AWS is at work: look again soon, and more seldom the longer it takes.
    Transition,
    /// Something failed that passes by itself: try again, and more slowly each time.
    Retry,
    /// Somebody has to act: try again slowly, so that it heals by itself when they have.
    Slow,
    /// Nothing to do until the object changes.
    Never,
}

/// The periods, as set on the command line.
#[derive(Clone, Copy, Debug)]
pub struct Periods {
    /// Between two looks at what is as desired.
    pub resync: Duration,
    /// Between the first looks at what is in transition.
    pub transition: Duration,
}

const TRANSITION_MOST: Duration = Duration::from_secs(30);
const RETRY_LEAST: Duration = Duration::from_secs(1);
const RETRY_MOST: Duration = Duration::from_mins(2);
const SLOW: Duration = Duration::from_mins(5);

/// How long to wait, after `repeats` passes that said the same. `dice` is between 0 and 1 and spreads the platforms
/// over a tenth of the period either way, so that they do not call AWS in step; what is in transition is never asked
/// sooner than its period.
#[must_use]
pub fn delay(next: Next, periods: Periods, repeats: u32, dice: f64) -> Option<Duration> {
    let base = match next {
        Next::Never => return None,
        Next::Now => return Some(Duration::ZERO),
        Next::Resync => periods.resync,
        Next::Transition => proportionate(periods.transition, TRANSITION_MOST, repeats),
        Next::Retry => proportionate(RETRY_LEAST, RETRY_MOST, repeats),
        Next::Slow => SLOW.min(periods.resync.max(RETRY_LEAST)),
    };
    let spread = match next {
        Next::Transition => 1.0 + 0.1 * dice.clamp(0.0, 1.0),
        _ => 0.9 + 0.2 * dice.clamp(0.0, 1.0),
    };
    Some(base.mul_f64(spread))
}

/// A sixth of the time that it has taken so far, so that its end is seen not much later than it comes.
fn proportionate(least: Duration, most: Duration, repeats: u32) -> Duration {
    const PART: u32 = 6;
    let most = most.max(least);
    let mut taken = Duration::ZERO;
    let mut period = least;
    // It has reached the most long before the bound.
    for _ in 0..repeats.min(64) {
        taken += period;
        period = (taken / PART).clamp(least, most);
    }
    period
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIODS: Periods = Periods { resync: Duration::from_mins(10), transition: Duration::from_secs(5) };

    fn seconds(next: Next, repeats: u32) -> f64 {
        delay(next, PERIODS, repeats, 0.5).unwrap().as_secs_f64()
    }

    #[test]
    fn transitions_are_asked_at_five_seconds_and_every_thirty_later() {
        let asked = |dice: f64| -> Vec<f64> {
            (0..40).map(|repeats| delay(Next::Transition, PERIODS, repeats, dice).unwrap().as_secs_f64()).collect()
        };
        let soonest = asked(0.0);
        assert!((soonest[0] - 5.0).abs() < 1e-9 && (soonest[39] - 30.0).abs() < 1e-9, "{soonest:?}");
        assert!(soonest.is_sorted());
        assert!(asked(1.0).iter().zip(&soonest).all(|(late, soon)| *late <= soon * 1.1 + 1e-9));
        let mut taken = 0.0;
        for period in soonest {
            assert!(period <= f64::max(5.0, taken / 6.0) + 1e-9, "{period} after {taken}");
            taken += period;
        }
    }

    #[test]
    fn retries_slow_down_and_stay_bounded() {
        assert!((seconds(Next::Retry, 0) - 1.0).abs() < 1e-9);
        assert!((seconds(Next::Retry, 5) - 1.0).abs() < 1e-9, "what passes in seconds is seen in seconds");
        assert!((10.0..120.0).contains(&seconds(Next::Retry, 24)), "{}", seconds(Next::Retry, 24));
        assert!((seconds(Next::Retry, 60) - 120.0).abs() < 1e-9);
    }

    #[test]
    fn jitter_stays_within_a_tenth() {
        assert!((delay(Next::Resync, PERIODS, 0, 0.0).unwrap().as_secs_f64() - 540.0).abs() < 1e-6);
        assert!((delay(Next::Resync, PERIODS, 0, 1.0).unwrap().as_secs_f64() - 660.0).abs() < 1e-6);
    }

    #[test]
    fn what_somebody_has_to_mend_is_tried_every_five_minutes() {
        assert!((seconds(Next::Slow, 9) - 300.0).abs() < 1e-9);
        assert_eq!(delay(Next::Never, PERIODS, 0, 0.5), None);
    }
}

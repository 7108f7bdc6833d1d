//! The schedule of passes. Pure: the controller adds the clock and the random number.

use std::time::Duration;

/// The next pass that a pass asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// There is more to do at once.
    Now,
    /// Everything is in sync: read again at the resync period, in case somebody changes it.
    Resync,
    /// AWS is at work: poll soon, and more seldom the longer it takes.
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
    /// The resync period of resources that are in sync.
    pub resync: Duration,
    /// The first polling interval of what is in transition.
    pub transition: Duration,
}

/// The resync period where nothing else is set and drift is only seen by reading.
pub const RESYNC: Duration = Duration::from_mins(10);

/// The resync period where nothing else is set and events tell of changes: a safety net for those that are lost.
pub const RESYNC_WITH_EVENTS: Duration = Duration::from_hours(1);

/// The resync period of a platform: the one that was set, or else one that follows from whether events tell of changes.
#[must_use]
pub fn resync(set: Option<Duration>, events_flow: bool) -> Duration {
    set.unwrap_or(if events_flow { RESYNC_WITH_EVENTS } else { RESYNC })
}

const TRANSITION_MOST: Duration = Duration::from_secs(30);
const RETRY_LEAST: Duration = Duration::from_secs(1);
const RETRY_MOST: Duration = Duration::from_mins(2);
const SLOW: Duration = Duration::from_mins(5);

/// The time for which passes have asked for the same, and the time that the last of them took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Since the first of them began.
    pub in_all: Duration,
    /// The last one.
    pub on_the_last: Duration,
}

/// The delay before the next pass, after that much time with passes that asked for the same. `dice` is between 0 and 1
/// and spreads the platforms over a tenth of the period either way, so that they do not call AWS in step; what is in
/// transition is never asked sooner than its period.
#[must_use]
pub fn delay(next: Next, periods: Periods, spent: Spent, dice: f64) -> Option<Duration> {
    let base = match next {
        Next::Never => return None,
        Next::Now => return Some(Duration::ZERO),
        Next::Resync => periods.resync,
        Next::Transition => proportionate(periods.transition, TRANSITION_MOST, spent.in_all),
        // What takes half a minute to fail is not tried again after a second.
        Next::Retry => {
            let least = spent.on_the_last.clamp(RETRY_LEAST, RETRY_MOST);
            proportionate(least, RETRY_MOST, spent.in_all)
        }
        Next::Slow => SLOW.min(periods.resync.max(RETRY_LEAST)),
    };
    let spread = match next {
        Next::Transition => 1.0 + 0.1 * dice.clamp(0.0, 1.0),
        _ => 0.9 + 0.2 * dice.clamp(0.0, 1.0),
    };
    Some(base.mul_f64(spread))
}

/// The pause between the first looks at two platforms at rest.
const STAGGER: Duration = Duration::from_millis(100);

/// The longest that a first look waits.
const FIRST_LOOK_MOST: Duration = Duration::from_mins(5);

/// The delay of the first look at a platform that was at rest when the operator began: one after the other, so that all
/// of them do not call AWS together, and their resyncs do not either from then on. `before` is the number of those that
/// come before it. Nobody waits for longer than five minutes.
#[must_use]
pub fn first_look(before: u32, dice: f64) -> Duration {
    STAGGER.saturating_mul(before).mul_f64(0.9 + 0.2 * dice.clamp(0.0, 1.0)).min(FIRST_LOOK_MOST)
}

/// A sixth of the time that it has taken so far, so that its end is seen not much later than it comes.
fn proportionate(least: Duration, most: Duration, taken: Duration) -> Duration {
    const PART: u32 = 6;
    (taken / PART).clamp(least, most.max(least))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIODS: Periods = Periods { resync: Duration::from_mins(10), transition: Duration::from_secs(5) };

    fn seconds(next: Next, spent: Spent) -> f64 {
        delay(next, PERIODS, spent, 0.5).unwrap().as_secs_f64()
    }

    /// The pauses between passes of which each takes so long.
    fn pauses(next: Next, count: usize, cost: f64, dice: f64) -> Vec<f64> {
        let mut pauses = Vec::new();
        let mut in_all = 0.0;
        for _ in 0..count {
            in_all += cost;
            let spent = Spent { in_all: Duration::from_secs_f64(in_all), on_the_last: Duration::from_secs_f64(cost) };
            let pause = delay(next, PERIODS, spent, dice).unwrap().as_secs_f64();
            pauses.push(pause);
            in_all += pause;
        }
        pauses
    }

    #[test]
    fn transitions_are_polled_at_five_seconds_and_every_thirty_later() {
        let soonest = pauses(Next::Transition, 40, 0.0, 0.0);
        assert!((soonest[0] - 5.0).abs() < 1e-9 && (soonest[39] - 30.0).abs() < 1e-9, "{soonest:?}");
        assert!(soonest.is_sorted());
        let mut taken = 0.0;
        for period in soonest {
            assert!(period <= f64::max(5.0, taken / 6.0) + 1e-6, "{period} after {taken}");
            taken += period;
        }
        let latest = pauses(Next::Transition, 40, 0.0, 1.0);
        assert!(latest.iter().all(|period| (5.5..33.1).contains(period)), "{latest:?}");
    }

    #[test]
    fn retries_slow_down_and_stay_bounded() {
        let pauses = pauses(Next::Retry, 60, 0.0, 0.5);
        assert!(
            pauses[..6].iter().all(|pause| (pause - 1.0).abs() < 1e-9),
            "what passes in seconds is seen in seconds"
        );
        assert!((10.0..120.0).contains(&pauses[24]), "{}", pauses[24]);
        assert!((pauses[59] - 120.0).abs() < 1e-9);
    }

    #[test]
    fn what_takes_long_to_fail_is_tried_again_after_as_long() {
        for (cost, pause) in [(31.0, 31.0), (5.0, 5.0), (0.2, 1.0), (600.0, 120.0)] {
            let first = pauses(Next::Retry, 1, cost, 0.5)[0];
            assert!((first - pause).abs() < 1e-9, "{cost}: {first}");
        }
        let all = pauses(Next::Retry, 20, 31.0, 0.5);
        assert!(all.is_sorted() && all.iter().all(|pause| (31.0..121.0).contains(pause)), "{all:?}");
    }

    #[test]
    fn after_a_restart_platforms_at_rest_are_looked_at_one_after_the_other() {
        assert_eq!(first_look(0, 1.0), Duration::ZERO, "a single one at once");
        let looks: Vec<Duration> = (0..500).map(|before| first_look(before, 0.5)).collect();
        assert!(looks.is_sorted() && looks[499] > Duration::from_secs(45), "{:?}", looks[499]);
        let in_a_second = |second: u64| looks.iter().filter(|look| look.as_secs() == second).count();
        assert!((0..49).all(|second| (9..12).contains(&in_a_second(second))), "ten in each second");
        assert_eq!(first_look(u32::MAX, 1.0), FIRST_LOOK_MOST, "nobody waits for longer");
    }

    #[test]
    fn jitter_stays_within_a_tenth() {
        let at = |dice| delay(Next::Resync, PERIODS, Spent::default(), dice).unwrap().as_secs_f64();
        assert!((at(0.0) - 540.0).abs() < 1e-6);
        assert!((at(1.0) - 660.0).abs() < 1e-6);
    }

    #[test]
    fn a_period_that_was_set_holds_whether_events_come_or_not() {
        let minute = Duration::from_mins(1);
        assert_eq!([true, false].map(|flow| resync(Some(minute), flow)), [minute; 2]);
        assert_eq!([true, false].map(|flow| resync(None, flow)), [RESYNC_WITH_EVENTS, RESYNC]);
    }

    #[test]
    fn what_somebody_has_to_mend_is_tried_every_five_minutes() {
        assert!((seconds(Next::Slow, Spent::default()) - 300.0).abs() < 1e-9);
        assert_eq!(delay(Next::Never, PERIODS, Spent::default(), 0.5), None);
    }
}

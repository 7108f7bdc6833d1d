//! A circuit breaker for one AWS service in one region. Pure: the clock is given.
//!
//! A service that does not answer is not called again by everybody: after [`TRIPS`] calls that came to nothing, with
//! not half as many answers since the first of them was sent, further calls fail at once. When a pause is over, one
//! call is let through to see. A refusal is an answer.
//!
//! A call that waits speaks against a service that is known to answer. Of one that has never answered, nobody knows how
//! long its first answers take; where it accepts no connections, or lets calls run out of time, they fail.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// So many calls without an answer open the breaker.
const TRIPS: usize = 5;

/// A call that is unanswered for so long counts, before it has timed out, where the service has answered before.
const SLOW: Duration = Duration::from_secs(3);

/// A service that has answered nothing for so long while a call waits is silent. Less would take one that is merely slow,
/// because much is asked of it, for one that does not answer, and start even more work that asks it.
const SILENT: Duration = Duration::from_secs(1);

/// The time for which a failure counts.
const WINDOW: Duration = Duration::from_mins(2);

/// The first pause, which doubles.
const PAUSE: Duration = Duration::from_secs(10);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// A call that was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Call(u64);

/// The reason for which a call was not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Silence {
    /// Since when nothing was answered.
    pub since: Duration,
    /// The time of the next probe.
    pub again: Duration,
}

/// The breaker of one service in one region. Times are those of any clock that does not jump.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    state: State,
    calls: u64,
    /// The times at which the calls in flight were sent.
    in_flight: BTreeMap<Call, Duration>,
    /// The times at which the calls that failed were sent and given up.
    failures: VecDeque<(Duration, Duration)>,
    /// The times of the last answers, as many as could matter.
    answers: VecDeque<Duration>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    /// Nothing is asked until the pause is over.
    Open { silence: Silence, pause: Duration },
    /// One call is on its way.
    HalfOpen { silence: Silence, pause: Duration, probe: Call },
}

impl Breaker {
    /// Asks whether a call may be sent.
    pub(super) fn admit(&mut self, now: Duration) -> Result<Call, Silence> {
        self.check(now)?;
        self.calls += 1;
        let call = Call(self.calls);
        if let State::Open { silence, pause } = self.state {
            self.state = State::HalfOpen { silence, pause, probe: call };
        }
        self.in_flight.insert(call, now);
        Ok(call)
    }

    /// True when a call would be refused now. Sends none.
    pub(super) fn check(&mut self, now: Duration) -> Result<(), Silence> {
        self.trip(now);
        match self.state {
            State::Closed => Ok(()),
            State::Open { silence, .. } if silence.again <= now => Ok(()),
            State::Open { silence, .. } | State::HalfOpen { silence, .. } => Err(silence),
        }
    }

    /// True when a call waits for its answer although the service has had time, and has answered no other call meanwhile.
    pub(super) fn is_silent(&self, now: Duration) -> bool {
        let last = self.answers.back();
        let mut unanswered = self.in_flight.values().filter(|sent| last.is_none_or(|last| *sent >= last));
        unanswered.any(|sent| now.saturating_sub(*sent) >= SILENT)
    }

    /// An answer came, whatever it says.
    pub(super) fn answered(&mut self, call: Call, now: Duration) {
        self.in_flight.remove(&call);
        if self.answers.len() == TRIPS {
            self.answers.pop_front();
        }
        self.answers.push_back(now);
        let is_probe = matches!(self.state, State::HalfOpen { probe, .. } if probe == call);
        if is_probe {
            self.state = State::Closed;
            self.failures.clear();
        }
    }

    /// No connection, or no answer in time.
    pub(super) fn failed(&mut self, call: Call, now: Duration) {
        let Some(sent) = self.in_flight.remove(&call) else { return };
        if let State::HalfOpen { silence, pause, probe } = self.state
            && probe == call
        {
            let pause = (pause * 2).min(LONGEST_PAUSE);
            self.state = State::Open { silence: Silence { again: now + pause, ..silence }, pause };
            return;
        }
        self.failures.push_back((sent, now));
        self.trip(now);
    }

    /// The caller went away. Whoever waited for long had reason to.
    pub(super) fn abandoned(&mut self, call: Call, now: Duration) {
        let Some(sent) = self.in_flight.get(&call).copied() else { return };
        if now.saturating_sub(sent) >= SLOW {
            return self.failed(call, now);
        }
        self.in_flight.remove(&call);
        if let State::HalfOpen { silence, pause, probe } = self.state
            && probe == call
        {
            self.state = State::Open { silence, pause };
        }
    }

    fn trip(&mut self, now: Duration) {
        if self.state != State::Closed {
            return;
        }
        while self.failures.front().is_some_and(|(_, given_up)| now.saturating_sub(*given_up) > WINDOW) {
            self.failures.pop_front();
        }
        while self.failures.len() > TRIPS {
            self.failures.pop_front();
        }
        let has_answered = !self.answers.is_empty();
        let slow = self.in_flight.values().copied().filter(|sent| has_answered && now.saturating_sub(*sent) >= SLOW);
        let mut silent: Vec<Duration> = self.failures.iter().map(|(sent, _)| *sent).chain(slow).collect();
        silent.sort_unstable();
        let Some(first) = silent.len().checked_sub(TRIPS).and_then(|first| silent.get(first)).copied() else { return };
        let answers = self.answers.iter().filter(|at| **at >= first).count();
        if 2 * answers < TRIPS {
            let silence = Silence { since: first, again: now + PAUSE };
            self.state = State::Open { silence, pause: PAUSE };
            self.failures.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn fail(breaker: &mut Breaker, sent: u64, given_up: u64) {
        let call = breaker.admit(seconds(sent)).expect("let through");
        breaker.failed(call, seconds(given_up));
    }

    fn answer(breaker: &mut Breaker, at: u64) {
        let call = breaker.admit(seconds(at)).expect("let through");
        breaker.answered(call, seconds(at));
    }

    /// One that nobody has answered since second 100, open until second 110.
    fn open() -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..TRIPS {
            fail(&mut breaker, 100, 100);
        }
        breaker
    }

    #[test]
    fn calls_that_come_to_nothing_open_it_and_the_next_fails_at_once() {
        let mut breaker = open();
        let silence = breaker.admit(seconds(101)).unwrap_err();
        assert_eq!(silence, Silence { since: seconds(100), again: seconds(110) });
    }

    #[test]
    fn a_few_lost_calls_do_not() {
        let mut breaker = Breaker::default();
        for second in 0..TRIPS as u64 - 1 {
            fail(&mut breaker, second, second);
        }
        assert!(breaker.admit(seconds(5)).is_ok());
    }

    #[test]
    fn answers_in_between_keep_it_closed() {
        let mut breaker = Breaker::default();
        for second in 0..50 {
            fail(&mut breaker, second, second);
            answer(&mut breaker, second);
        }
        assert!(breaker.check(seconds(50)).is_ok());
    }

    #[test]
    fn it_is_silent_once_a_call_has_waited_with_no_answer_to_any() {
        let mut breaker = Breaker::default();
        assert!(!breaker.is_silent(seconds(100)));
        answer(&mut breaker, 100);
        let waiting = breaker.admit(seconds(100)).expect("let through");
        assert!(!breaker.is_silent(seconds(100) + SILENT / 2));
        assert!(breaker.is_silent(seconds(100) + SILENT));
        answer(&mut breaker, 102);
        assert!(!breaker.is_silent(seconds(102) + SILENT / 2), "it is slow, and answers");
        breaker.answered(waiting, seconds(103));
        assert!(!breaker.is_silent(seconds(200)), "nothing is asked of it");
        let _ = breaker.admit(seconds(200)).expect("let through");
        assert!(!breaker.is_silent(seconds(200)), "that nothing was asked for long is no silence");
    }

    #[test]
    fn answers_from_before_the_silence_do_not_count() {
        let mut breaker = Breaker::default();
        for second in 0..100 {
            answer(&mut breaker, second);
        }
        for _ in 0..TRIPS {
            fail(&mut breaker, 100, 110);
        }
        assert!(breaker.check(seconds(110)).is_err());
    }

    #[test]
    fn refusals_are_answers() {
        let mut breaker = Breaker::default();
        for second in 0..100 {
            // Whatever AWS says, the connector has an answer.
            answer(&mut breaker, second);
        }
        assert!(breaker.check(seconds(100)).is_ok());
    }

    #[test]
    fn calls_that_hang_open_it_before_they_time_out_where_it_has_answered_before() {
        let mut breaker = Breaker::default();
        answer(&mut breaker, 0);
        for _ in 0..TRIPS {
            breaker.admit(seconds(1)).expect("let through");
        }
        assert!(breaker.check(seconds(3)).is_ok());
        assert_eq!(breaker.check(seconds(4)).unwrap_err().since, seconds(1));
    }

    #[test]
    fn a_service_that_has_never_answered_is_slow_until_its_calls_come_to_nothing() {
        let begun = || {
            let mut breaker = Breaker::default();
            let calls: Vec<Call> = (0..20).map(|_| breaker.admit(seconds(0)).expect("let through")).collect();
            assert!(breaker.is_silent(seconds(3)), "whoever waits for it gets out of the way of others");
            for second in 3..10 {
                breaker.check(seconds(second)).expect("it has accepted the connections");
            }
            (breaker, calls)
        };
        let (mut slow, calls) = begun();
        for call in calls {
            slow.answered(call, seconds(9));
        }
        assert!(slow.check(seconds(9)).is_ok());
        let (mut dead, calls) = begun();
        for call in calls.into_iter().take(TRIPS) {
            dead.failed(call, seconds(10));
        }
        assert_eq!(dead.check(seconds(10)).unwrap_err().since, seconds(0));
    }

    #[test]
    fn after_the_pause_one_call_is_let_through_and_its_answer_closes_it() {
        let mut breaker = open();
        let probe = breaker.admit(seconds(110)).expect("the pause is over");
        assert!(breaker.admit(seconds(110)).is_err(), "one at a time");
        breaker.answered(probe, seconds(111));
        for _ in 0..10 {
            breaker.admit(seconds(111)).expect("closed");
        }
    }

    #[test]
    fn a_probe_that_fails_doubles_the_pause_up_to_a_minute() {
        let mut breaker = open();
        let mut now = seconds(110);
        for pause in [20, 40, 60, 60] {
            let probe = breaker.admit(now).expect("the pause is over");
            breaker.failed(probe, now + seconds(10));
            let silence = breaker.admit(now + seconds(10)).unwrap_err();
            assert_eq!(silence, Silence { since: seconds(100), again: now + seconds(10 + pause) });
            now = silence.again;
        }
    }

    #[test]
    fn a_probe_whose_caller_went_away_leaves_its_place_to_the_next() {
        let mut breaker = open();
        let probe = breaker.admit(seconds(110)).expect("the pause is over");
        breaker.abandoned(probe, seconds(111));
        assert!(breaker.admit(seconds(111)).is_ok());
    }

    #[test]
    fn late_answers_of_others_do_not_close_it() {
        let mut breaker = Breaker::default();
        let late = breaker.admit(seconds(0)).expect("let through");
        for _ in 0..TRIPS {
            fail(&mut breaker, 1, 1);
        }
        breaker.answered(late, seconds(2));
        assert!(breaker.check(seconds(2)).is_err());
    }

    #[test]
    fn failures_of_long_ago_are_forgotten() {
        let mut breaker = Breaker::default();
        for minute in 0..30 {
            fail(&mut breaker, 60 * minute, 60 * minute);
        }
        assert!(breaker.check(seconds(1800)).is_ok());
    }

    proptest! {
        /// Whatever happens: while it is open nothing is sent before the pause is over, and then one call at a time;
        /// and it never stays open for longer than its longest pause once somebody asks.
        #[test]
        fn it_lets_one_through_after_each_pause(
            steps in prop::collection::vec((0_u64..8, 0_u8..4), 1..300),
        ) {
            let mut breaker = Breaker::default();
            let mut flying = Vec::new();
            let mut now = seconds(1000);
            for (pause, what) in steps {
                now += seconds(pause);
                let before = breaker.state;
                match (what, flying.is_empty()) {
                    (0 | 1, _) | (_, true) => match (breaker.admit(now), before) {
                        (Ok(call), State::Open { silence, .. }) => {
                            prop_assert!(silence.again <= now);
                            flying.push(call);
                        }
                        (Ok(_), State::HalfOpen { .. }) => prop_assert!(false, "two at a time"),
                        (Ok(call), State::Closed) => flying.push(call),
                        (Err(silence), _) => {
                            let is_probing = matches!(breaker.state, State::HalfOpen { .. });
                            prop_assert!(is_probing || silence.again > now);
                            prop_assert!(silence.again <= now + LONGEST_PAUSE && silence.since <= now);
                        }
                    },
                    (2, false) => breaker.answered(flying.remove(0), now),
                    (_, false) => breaker.failed(flying.remove(0), now),
                }
            }
            // The probe ends in one way or another, and then the next one comes through.
            for call in flying {
                breaker.abandoned(call, now);
            }
            prop_assert!(breaker.admit(now + LONGEST_PAUSE).is_ok());
        }
    }
}

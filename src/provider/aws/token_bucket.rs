//! A token bucket whose rate follows what a service bears, and whoever waits for a token in it. Pure: the clock is given.
//!
//! The rate is halved when the service says that too much is asked, counted from what was really asked, and grows again
//! by the same amount in each second without that (additive increase, multiplicative decrease). Those that wait are
//! served by when they came, where what is less urgent counts as if it had come later.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::priority::Priority;

/// A rate is halved at most once in this time: the answers to calls that were sent together come together.
const CUT_PAUSE: Duration = Duration::from_secs(1);

/// The time in which the rate grows from nothing to the most.
const RECOVERY: Duration = Duration::from_mins(1);

/// The bounds of a bucket, in calls per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rates {
    /// The least, however much is refused.
    pub least: f64,
    /// The most, which is also the number of calls that may be sent at once.
    pub most: f64,
}

/// The place of a call that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    due: Duration,
    number: u64,
}

/// The bucket. Times are those of any clock that does not jump.
#[derive(Debug)]
pub(super) struct TokenBucket {
    rates: Rates,
    rate: f64,
    tokens: f64,
    at: Duration,
    cut: Option<Duration>,
    /// Calls in the second that has this number, and in the one before.
    sent: (u64, u32, u32),
    waiting: BTreeSet<Ticket>,
    tickets: u64,
}

impl TokenBucket {
    pub(super) fn new(rates: Rates) -> Self {
        Self {
            rates,
            rate: rates.most,
            tokens: rates.most,
            at: Duration::ZERO,
            cut: None,
            sent: (0, 0, 0),
            waiting: BTreeSet::new(),
            tickets: 0,
        }
    }

    /// Gets in line.
    pub(super) fn enter(&mut self, priority: Priority, now: Duration) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket { due: now + priority.yields_for(), number: self.tickets };
        self.waiting.insert(ticket);
        ticket
    }

    /// Takes a token and leaves the line, or says after how long to ask again.
    pub(super) fn take(&mut self, ticket: Ticket, now: Duration) -> Result<(), Duration> {
        self.refill(now);
        let before = self.waiting.range(..ticket).count();
        if before == 0 && self.tokens >= 1.0 {
            self.waiting.remove(&ticket);
            self.tokens -= 1.0;
            self.count(now);
            return Ok(());
        }
        let needed = u32::try_from(before).map_or(f64::from(u32::MAX), f64::from) + 1.0;
        // What is there serves those before it at once, and then it is a matter of being asked again.
        let seconds = ((needed - self.tokens) / self.rate).max(0.001);
        Err(Duration::from_secs_f64(seconds))
    }

    /// Leaves the line without a token.
    pub(super) fn leave(&mut self, ticket: Ticket) {
        self.waiting.remove(&ticket);
    }

    /// The service says that too much was asked.
    pub(super) fn throttled(&mut self, now: Duration) {
        self.refill(now);
        if self.cut.is_some_and(|cut| now.saturating_sub(cut) < CUT_PAUSE) {
            return;
        }
        self.cut = Some(now);
        self.turn(now);
        let asked = f64::from(self.sent.1.max(self.sent.2));
        self.rate = (self.rate.min(asked) / 2.0).max(self.rates.least);
        self.tokens = self.tokens.min(1.0);
    }

    /// The rate by now, in calls per second.
    #[cfg(test)]
    fn rate(&mut self, now: Duration) -> f64 {
        self.refill(now);
        self.rate
    }

    fn refill(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.tokens = (self.tokens + self.rate * elapsed).min(self.rate.max(1.0));
        let is_growing = self.cut.is_none_or(|cut| now.saturating_sub(cut) >= CUT_PAUSE);
        if is_growing {
            let growth = self.rates.most / RECOVERY.as_secs_f64();
            self.rate = (self.rate + growth * elapsed).min(self.rates.most);
        }
    }

    fn count(&mut self, now: Duration) {
        self.turn(now);
        self.sent.1 += 1;
    }

    /// Turns to the second that it is now.
    fn turn(&mut self, now: Duration) {
        let (second, current, _) = self.sent;
        match now.as_secs().saturating_sub(second) {
            0 => {}
            1 => self.sent = (now.as_secs(), 0, current),
            _ => self.sent = (now.as_secs(), 0, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATES: Rates = Rates { least: 2.0, most: 60.0 };

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn call(bucket: &mut TokenBucket, now: Duration) -> bool {
        let ticket = bucket.enter(Priority::Edit, now);
        let is_sent = bucket.take(ticket, now).is_ok();
        bucket.leave(ticket);
        is_sent
    }

    /// The calls that are sent of so many at this time.
    fn sent(bucket: &mut TokenBucket, calls: usize, now: Duration) -> usize {
        (0..calls).filter(|_| call(bucket, now)).count()
    }

    #[test]
    fn so_many_calls_are_sent_at_once_and_then_as_many_in_each_second() {
        let mut bucket = TokenBucket::new(RATES);
        assert_eq!(sent(&mut bucket, 100, at(0)), 60);
        assert_eq!(sent(&mut bucket, 100, at(500)), 30);
        assert_eq!(sent(&mut bucket, 100, at(10_000)), 60, "what nobody used is not saved up");
    }

    #[test]
    fn a_throttle_halves_what_was_asked_and_a_minute_brings_it_back() {
        let mut bucket = TokenBucket::new(RATES);
        for (calls, now) in [(20, 0), (20, 1000)] {
            assert_eq!(sent(&mut bucket, calls, at(now)), calls);
        }
        bucket.throttled(at(1100));
        let rate = bucket.rate(at(1100));
        assert!((rate - 10.0).abs() < 1e-9, "half of twenty: {rate}");
        bucket.throttled(at(1900));
        assert!((bucket.rate(at(1900)) - 10.0).abs() < 1e-9, "answers to the same calls count once");
        assert_eq!(sent(&mut bucket, 100, at(2000)), 10);
        bucket.throttled(at(2200));
        let rate = bucket.rate(at(2200));
        assert!((4.0..6.0).contains(&rate), "{rate}");
        for (now, least, most) in [(3200, 4.0, 7.0), (13_200, 14.0, 17.0), (62_200, 60.0, 60.0)] {
            let rate = bucket.rate(at(now));
            assert!((least..=most).contains(&rate), "{rate} after {now} ms");
        }
    }

    #[test]
    fn however_much_is_refused_something_is_sent() {
        let mut bucket = TokenBucket::new(RATES);
        for second in 0..20 {
            bucket.throttled(at(second * 1000));
        }
        let rate = bucket.rate(at(19_000));
        assert!((RATES.least..RATES.least + 2.0).contains(&rate), "{rate}");
        assert!(call(&mut bucket, at(19_500)));
    }

    #[test]
    fn what_is_urgent_goes_before_what_has_waited_for_a_moment() {
        let mut bucket = TokenBucket::new(Rates { least: 1.0, most: 1.0 });
        assert!(call(&mut bucket, at(0)));
        let drift = bucket.enter(Priority::Drift, at(0));
        let transition = bucket.enter(Priority::Transition, at(10));
        let edit = bucket.enter(Priority::Edit, at(20));
        let wait = |bucket: &mut TokenBucket, ticket| bucket.take(ticket, at(20)).unwrap_err().as_secs_f64();
        assert!(wait(&mut bucket, edit) < wait(&mut bucket, transition));
        assert!(wait(&mut bucket, transition) < wait(&mut bucket, drift));
        assert!(bucket.take(drift, at(1100)).is_err(), "two are before it");
        assert!(bucket.take(edit, at(1100)).is_ok());
        assert!(bucket.take(drift, at(2200)).is_err() && bucket.take(transition, at(2200)).is_ok());
        let late = bucket.enter(Priority::Edit, at(20_001));
        assert!(bucket.take(late, at(30_000)).is_err(), "the oldest has waited long enough");
        assert!(bucket.take(drift, at(30_000)).is_ok());
    }

    #[test]
    fn whoever_leaves_makes_room() {
        let mut bucket = TokenBucket::new(Rates { least: 1.0, most: 1.0 });
        let first = bucket.enter(Priority::Edit, at(0));
        let second = bucket.enter(Priority::Edit, at(0));
        assert!(bucket.take(second, at(0)).is_err());
        bucket.leave(first);
        assert!(bucket.take(second, at(0)).is_ok());
    }

    proptest! {
        #[test]
        fn in_the_long_run_no_more_is_sent_than_the_rate(pauses in prop::collection::vec(0_u64..500, 1..300)) {
            let mut bucket = TokenBucket::new(RATES);
            let (mut now, mut calls) = (0, 0.0);
            for pause in pauses {
                now += pause;
                calls += if call(&mut bucket, at(now)) { 1.0 } else { 0.0 };
            }
            prop_assert!(calls <= RATES.most * (at(now).as_secs_f64() + 1.0) + 1e-6);
        }
    }
}

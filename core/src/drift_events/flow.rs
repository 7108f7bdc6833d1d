//! The flow of events: proven by the operator's own writes, which come back as events like everybody's.

use std::time::Duration;

use jiff::Timestamp;

/// The time after a write of our own by which some event must have come.
pub const PROOF: Duration = Duration::from_hours(1);

/// The flow of events in one place, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flow {
    /// An event came, and nothing says that they have ceased.
    Flowing,
    /// None has come yet, and none is overdue.
    Unproven,
    /// None has come since this time, at which the operator wrote something.
    Silent(Timestamp),
}

/// The memory from which it follows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Proof {
    has_received: bool,
    /// The first write of our own after which no event came.
    unanswered: Option<Timestamp>,
}

impl Proof {
    /// Takes note of a write of our own that becomes an event.
    pub fn wrote(&mut self, now: Timestamp) {
        self.unanswered.get_or_insert(now);
    }

    /// Takes note of an event, whatever it tells.
    pub fn received(&mut self) {
        *self = Self { has_received: true, unanswered: None };
    }

    /// The flow as it is known now.
    #[must_use]
    pub fn flow(&self, now: Timestamp) -> Flow {
        match self.unanswered {
            Some(since) if now.duration_since(since).unsigned_abs() >= PROOF => Flow::Silent(since),
            _ if self.has_received => Flow::Flowing,
            _ => Flow::Unproven,
        }
    }
}

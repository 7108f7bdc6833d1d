//! Contact with the API server, as the requests that are made anyway show it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time for which an answer shows that the API server is there. Watches are renewed more seldom, and tell nothing of
/// one that is frozen.
const HOLDS: Duration = Duration::from_mins(3);

/// The last news of the API server.
#[derive(Debug, Default)]
pub struct Contact(Mutex<News>);

#[derive(Debug, Default)]
struct News {
    answered: Option<Instant>,
    is_doubtful: bool,
}

impl Contact {
    /// A request was answered.
    pub fn answered(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            News { answered: Some(Instant::now()), is_doubtful: false };
    }

    /// A request came to nothing.
    pub fn doubt(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_doubtful = true;
    }

    /// True where the API server has answered not long ago, and every request since.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.is_fresh_at(Instant::now())
    }

    fn is_fresh_at(&self, now: Instant) -> bool {
        let news = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !news.is_doubtful && news.answered.is_some_and(|answered| now.saturating_duration_since(answered) < HOLDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_for_a_while_and_a_failure_ends_it() {
        let contact = Contact::default();
        assert!(!contact.is_fresh(), "nothing is known yet");
        contact.answered();
        assert!(contact.is_fresh());
        let later = Instant::now() + HOLDS;
        assert!(!contact.is_fresh_at(later));
        contact.doubt();
        assert!(!contact.is_fresh());
        contact.answered();
        assert!(contact.is_fresh());
    }
}

//! The ids of the requests to AWS that a piece of work makes, for its line in the log.

use std::sync::{Arc, Mutex, PoisonError};

tokio::task_local! {
    static MADE: Arc<Mutex<Made>>;
}

/// The requests that a piece of work made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// Their number, attempts that were repeated included.
    pub number: u32,
    /// The id of the last one that was answered with one.
    pub last_id: Option<String>,
}

/// Does some work, and returns with its result the requests that it made.
pub async fn collect<F: Future>(work: F) -> (F::Output, Made) {
    let made = Arc::<Mutex<Made>>::default();
    let output = MADE.scope(Arc::clone(&made), work).await;
    let made = made.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (output, made)
}

/// Takes note of a request, if anybody collects them.
pub fn note(id: Option<&str>) {
    // Outside of such work nobody wants to know.
    let _ = MADE.try_with(|made| {
        let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
        made.number += 1;
        if let Some(id) = id {
            made.last_id = Some(id.into());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_work_has_its_own_requests() {
        note(Some("of nobody"));
        let one = collect(async {
            note(Some("a"));
            tokio::task::yield_now().await;
            note(Some("b"));
            note(None);
            7
        });
        let (one, other) = futures::join!(one, collect(async { note(Some("c")) }));
        assert_eq!(one, (7, Made { number: 3, last_id: Some("b".into()) }));
        assert_eq!(other.1, Made { number: 1, last_id: Some("c".into()) });
    }
}

//! The priority of a piece of work where calls to AWS have to wait for each other.

use std::time::Duration;

tokio::task_local! {
    static PRIORITY: Priority;
}

/// The priority of a piece of work, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// A user asked for something.
    Edit,
    /// Something is on its way.
    Transition,
    /// Nothing but time causes it: something may have drifted.
    Drift,
}

impl Priority {
    /// Its name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Edit => "edit",
            Self::Transition => "transition",
            Self::Drift => "drift",
        }
    }

    /// The time for which work that comes later and is more urgent goes first. It is bounded, so that nobody waits for
    /// ever.
    #[must_use]
    pub fn yields_for(self) -> Duration {
        match self {
            Self::Edit => Duration::ZERO,
            Self::Transition => Duration::from_secs(5),
            Self::Drift => Duration::from_secs(20),
        }
    }
}

/// Does some work with this priority.
pub async fn scope<F: Future>(priority: Priority, work: F) -> F::Output {
    PRIORITY.scope(priority, work).await
}

/// The priority of the work in hand. What nobody has set a priority for, such as a command, is what a user asked for.
#[must_use]
pub fn current() -> Priority {
    PRIORITY.try_with(|priority| *priority).unwrap_or(Priority::Edit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_work_has_its_own_priority() {
        assert_eq!(current(), Priority::Edit);
        let (one, other) = futures::join!(
            scope(Priority::Drift, async {
                tokio::task::yield_now().await;
                current()
            }),
            scope(Priority::Transition, async { scope(Priority::Edit, async { current() }).await })
        );
        assert_eq!((one, other), (Priority::Drift, Priority::Edit));
    }
}

//! The result of a reconciliation: what came of it, and when the next one is due.

use std::time::Duration;

use super::queue::Urgency;
use crate::api::AIPlatform;
use crate::schedule::Next;

/// The verdict of a reconciliation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// There is nothing to do until the next resync.
    Success,
    /// Something is on its way, or there is more to do at once.
    Progressing,
    /// Something failed that passes by itself.
    Retrying,
    /// Somebody has to act.
    Stalled,
    /// The platform is suspended.
    Suspended,
    /// Nothing was done, because the user asks too often.
    Postponed,
    /// The deletion is finished.
    Deleted,
    /// The reconciliation itself failed.
    Error,
}

impl Verdict {
    /// Its name in metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Progressing => "progressing",
            Self::Retrying => "retrying",
            Self::Stalled => "stalled",
            Self::Suspended => "suspended",
            Self::Postponed => "postponed",
            Self::Deleted => "deleted",
            Self::Error => "error",
        }
    }

    /// The verdict of a pass that asks for this one next.
    pub(super) fn of(next: Next) -> Self {
        match next {
            Next::Now | Next::Transition => Self::Progressing,
            Next::Retry => Self::Retrying,
            Next::Resync => Self::Success,
            Next::Slow => Self::Stalled,
            Next::Never => Self::Suspended,
        }
    }
}

/// The result of a reconciliation.
#[derive(Debug)]
pub(super) struct ReconcileResult {
    /// True when the deletion of the object is finished.
    pub(super) finished: bool,
    /// What came of it, for metrics.
    pub(super) verdict: Verdict,
    /// The time until the next reconciliation, if there is to be one.
    pub(super) wait: Option<Duration>,
    /// The urgency of the next reconciliation.
    pub(super) urgency: Urgency,
    /// The object as the reconciliation left it, where it wrote to it.
    pub(super) object: Option<AIPlatform>,
    /// The obstacle to work on it that only the operator's own rights can remove.
    pub(super) obstacle: Option<String>,
}

impl ReconcileResult {
    /// There is nothing more to do until the object changes.
    pub(super) fn done() -> Self {
        Self {
            finished: false,
            verdict: Verdict::Success,
            wait: None,
            urgency: Urgency::Resync,
            object: None,
            obstacle: None,
        }
    }

    /// There is more to do at once.
    pub(super) fn requeue(urgency: Urgency) -> Self {
        Self { wait: Some(Duration::ZERO), verdict: Verdict::Progressing, urgency, ..Self::done() }
    }
}

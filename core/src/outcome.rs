//! Outcomes of steps.

use std::collections::BTreeMap;

use crate::failures::Failures;
use crate::resource::Key;

/// The result of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The resource is as desired.
    Ready,
    /// It was made as desired, and AWS chose this ARN.
    ReadyAs {
        /// The ARN.
        arn: String,
    },
    /// It is on its way, and a later pass sees how far.
    Progressing(String),
    /// It was made, and AWS chose this id; `waits_for` says what it still waits for, where it is not as desired yet.
    Created {
        /// The id.
        id: String,
        /// The transition, until it is as desired.
        waits_for: Option<String>,
    },
    /// It is gone.
    Gone,
}

/// The outcome of a step of the plan.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was taken.
    Done(Applied),
    /// Some of it, or all of it, was refused; the others went on.
    Failed(Failures),
    /// It was not taken, because these are not done.
    Blocked(Vec<Key>),
    /// It was not taken, because the operator is ending or does not lead any more.
    Interrupted,
    /// There was nothing to take.
    NotTaken,
}

impl Outcome {
    /// The ARN that AWS chose for what was made, where it does not follow from the id.
    #[must_use]
    pub fn chosen_arn(&self) -> Option<&str> {
        match self {
            Self::Done(Applied::ReadyAs { arn }) => Some(arn),
            Self::Done(Applied::Ready | Applied::Created { .. } | Applied::Progressing(_) | Applied::Gone)
            | Self::Failed(_)
            | Self::Blocked(_)
            | Self::Interrupted
            | Self::NotTaken => None,
        }
    }

    /// The id that AWS chose for what was made.
    #[must_use]
    pub fn created_id(&self) -> Option<&str> {
        match self {
            Self::Done(Applied::Created { id, .. }) => Some(id),
            Self::Failed(failures) => failures.id(),
            Self::Done(Applied::Ready | Applied::ReadyAs { .. } | Applied::Progressing(_) | Applied::Gone)
            | Self::Blocked(_)
            | Self::Interrupted
            | Self::NotTaken => None,
        }
    }
}

/// The outcome of every step, by resource.
pub type Outcomes = BTreeMap<Key, Outcome>;

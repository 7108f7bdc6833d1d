//! The seam between what is decided and what is done: reading and writing AWS and the cluster.

pub mod aws;
pub mod cluster;
pub mod providers;

use std::future::Future;
use std::time::Duration;

use crate::failure::Error;
use crate::failures::Failures;
use crate::lookup::{Answers, Lookup};
use crate::outcome::Applied;
use crate::plan::Step;
use crate::resource::{Observations, Request};
use crate::scope::Scope;

/// Reads and writes AWS and the cluster. It decides nothing: what to do stands in the step.
pub trait Provider: Send + Sync {
    /// The account the operator's credentials belong to.
    ///
    /// # Errors
    /// When AWS does not say.
    fn account(&self, scope: &Scope) -> impl Future<Output = Result<String, Error>> + Send;

    /// Answers lookups: what has to be known before it is clear what is desired. What cannot be answered is an error.
    /// Answers may be as old as the time for which events have told of every change by others, which is `covered`.
    fn look_up(&self, scope: &Scope, lookups: &[Lookup], covered: Duration) -> impl Future<Output = Answers> + Send;

    /// Looks at everything asked about, concurrently. What cannot be read is in the answer as such.
    fn observe(&self, scope: &Scope, requests: &[Request]) -> impl Future<Output = Observations> + Send;

    /// Takes one step: creates, updates or deletes one resource. Every part that is written by a call of its own is
    /// tried, whatever became of the others, and what closes something comes first.
    ///
    /// # Errors
    /// The errors of AWS about each refused part, classified. What was written stays written, and the next pass goes on
    /// from there.
    fn apply(&self, scope: &Scope, step: &Step) -> impl Future<Output = Result<Applied, Failures>> + Send;
}

//! The memory of one object from pass to pass. Losing it costs one pass that reads everything.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::api::{AIPlatform, RECONCILE_AT};
use crate::observation_cache::{ObservationCache, PassReport};
use crate::outcome::Outcomes;
use crate::plan::{Plan, Refusal};
use crate::propagation::RoleWrites;
use crate::resource::{Key, Observations};
use crate::schedule::Next;
use crate::update_loop_guard::UpdateLoopGuard;

/// The reason for a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The user edited or annotated the object, something that it depends on changed, or nothing is known yet:
    /// everything is read.
    UserEdit,
    /// The resync interval has passed: drift is looked for.
    Resync,
    /// Something is in transition, or is retried.
    Poll,
}

impl Trigger {
    /// The reason for a pass that nothing but the one before asked for.
    #[must_use]
    pub fn after(last: Option<Next>) -> Self {
        match last {
            None => Self::UserEdit,
            Some(Next::Now | Next::Transition | Next::Retry) => Self::Poll,
            Some(Next::Resync | Next::Slow | Next::Never) => Self::Resync,
        }
    }
}

/// A request of the user, as far as the object states it outside its spec's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRequest {
    /// The generation of the spec.
    pub generation: Option<i64>,
    /// The value of the annotation that asks for a pass.
    pub annotation: Option<String>,
    /// Whether the object is being deleted.
    pub is_deleting: bool,
}

impl UserRequest {
    /// The request that an object states.
    #[must_use]
    pub fn of(object: &AIPlatform) -> Self {
        let annotations = object.metadata.annotations.as_ref();
        Self {
            generation: object.metadata.generation,
            annotation: annotations.and_then(|annotations| annotations.get(RECONCILE_AT)).cloned(),
            is_deleting: object.metadata.deletion_timestamp.is_some(),
        }
    }
}

/// The part of the memory that a pass works with.
#[derive(Clone, Debug)]
pub struct PassInput {
    /// Updates that had no effect.
    pub guard: UpdateLoopGuard,
    /// Observations of earlier passes that still hold.
    pub cached: Observations,
    /// Whether to read what nothing refers to as well, such as other revisions of an endpoint.
    pub thorough: bool,
    /// Writes that were denied in the last pass, see [`crate::plan::rules::denied`].
    pub denied: BTreeMap<Key, Refusal>,
    /// Times at which roles were written.
    pub role_writes: RoleWrites,
}

impl Default for PassInput {
    fn default() -> Self {
        Self {
            guard: UpdateLoopGuard::default(),
            cached: Observations::new(),
            thorough: true,
            denied: BTreeMap::new(),
            role_writes: RoleWrites::default(),
        }
    }
}

/// The result of a pass, as far as the next one has to know of it.
#[derive(Clone, Copy, Debug)]
pub struct PassResult<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The outcomes of its steps.
    pub outcomes: &'a Outcomes,
    /// Everything that was observed.
    pub observations: &'a Observations,
    /// Writes that were denied until somebody acts.
    pub denied: &'a BTreeMap<Key, Refusal>,
    /// When to look again.
    pub next: Next,
}

/// The memory of one object.
#[derive(Clone, Debug, Default)]
pub struct Session {
    guard: UpdateLoopGuard,
    cache: ObservationCache,
    role_writes: RoleWrites,
    denied: BTreeMap<Key, Refusal>,
    last: Option<Next>,
    request: Option<UserRequest>,
    /// Whether everything is still to be read for the request: the first pass only says that it has been seen.
    is_open: bool,
}

impl Session {
    /// The request that the passes so far were for.
    #[must_use]
    pub fn request(&self) -> Option<&UserRequest> {
        self.request.as_ref()
    }

    /// Notes that something changed which the object depends on, so that the next pass reads everything.
    pub fn wake(&mut self) {
        self.is_open = true;
    }

    /// Begins a pass over an object.
    pub fn begin(&mut self, object: &AIPlatform, now: Timestamp) -> PassInput {
        let request = Some(UserRequest::of(object));
        let is_new = object.status.as_ref().and_then(|status| status.observed_generation).is_none();
        if self.request != request || is_new {
            self.guard.clear();
            self.request = request;
            self.is_open = true;
        }
        let trigger = if self.is_open { Trigger::UserEdit } else { Trigger::after(self.last) };
        PassInput {
            guard: self.guard.clone(),
            cached: self.cache.cached(trigger, now),
            thorough: trigger == Trigger::UserEdit,
            denied: std::mem::take(&mut self.denied),
            role_writes: self.role_writes.clone(),
        }
    }

    /// Ends a pass that began with this input.
    pub fn end(&mut self, input: &PassInput, result: &PassResult, now: Timestamp) {
        let PassResult { plan, outcomes, observations, denied, next } = *result;
        self.cache.record(&PassReport { plan, outcomes, observations, cached: &input.cached }, next, now);
        self.guard.record(plan, outcomes);
        self.role_writes.record(plan, outcomes, now);
        self.denied.clone_from(denied);
        self.is_open &= plan.steps.is_empty();
        self.last = Some(next);
    }

    /// Ends a pass of which nothing is known, because it failed on the way.
    pub fn abort(&mut self) {
        self.last = Some(Next::Retry);
    }
}

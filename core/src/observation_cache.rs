//! A cache of observations that this pass need not make again. Losing it costs one full read.
//!
//! While AWS is at work on one thing, only that is asked about, and not everything beside it that was as desired a
//! moment ago. What SageMaker never changes is read once an hour.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::failure::Class;
use crate::failures::Failures;
use crate::kind::{Identity, Reads};
use crate::outcome::Applied;
use crate::outcome::{Outcome, Outcomes};
use crate::plan::{Action, Plan, Step};
use crate::resource::{Key, Observations, Observed, ObservedState, Owner};
use crate::schedule::Next;
use crate::session::Trigger;

/// A report of a pass: what it observed and did.
#[derive(Clone, Copy, Debug)]
pub struct PassReport<'a> {
    /// Its plan.
    pub plan: &'a Plan,
    /// The outcomes of the steps.
    pub outcomes: &'a Outcomes,
    /// The observations.
    pub observations: &'a Observations,
    /// The observations that came from the cache.
    pub cached: &'a Observations,
}

/// The observations, with their times.
#[derive(Clone, Debug, Default)]
pub struct ObservationCache(BTreeMap<Key, (Timestamp, Observed)>);

/// The time for which an observation of something in sync holds while something else is in transition.
const SETTLED_HOLDS: Duration = Duration::from_mins(10);

/// The time for which an observation holds that is made hourly.
const HOURLY: Duration = Duration::from_hours(1);

impl ObservationCache {
    /// The observations that still hold.
    #[must_use]
    pub fn cached(&self, trigger: Trigger, now: Timestamp) -> Observations {
        let holds = |key: &Key, seen: Timestamp| {
            let period = match (trigger, key.kind.info().reads) {
                (Trigger::Poll | Trigger::Resync, Reads::Hourly) => HOURLY,
                (Trigger::Poll, Reads::Resync) => SETTLED_HOLDS,
                (Trigger::UserEdit, _) | (_, Reads::Always) | (Trigger::Resync, Reads::Resync) => return false,
            };
            now.duration_since(seen).unsigned_abs() < period
        };
        let held = self.0.iter().filter(|(key, (seen, _))| holds(key, *seen));
        held.map(|(key, (_, observed))| (key.clone(), observed.clone())).collect()
    }

    /// Takes note of what a pass saw and need not be seen again, and forgets what a failure throws doubt on. What the
    /// pass itself had from here becomes no younger by that.
    pub fn record(&mut self, report: &PassReport, next: Next, now: Timestamp) {
        let PassReport { plan, outcomes, observations, cached } = report;
        if plan.steps.is_empty() {
            return;
        }
        let polls = Trigger::after(Some(next)) == Trigger::Poll;
        let before = std::mem::take(&mut self.0);
        let touched: BTreeSet<&Key> = plan.steps.iter().filter(|step| step.is_taken()).map(|step| &step.key).collect();
        let remade = remade(plan);
        for step in &plan.steps {
            if let Some(made) = made(step, outcomes.get(&step.key)).filter(|_| polls) {
                self.0.insert(step.key.clone(), (now, made));
                continue;
            }
            let Some(observed) = observations.get(&step.key) else { continue };
            let is_settled = match step.action {
                Action::Keep | Action::Retain(_) => step.held_back.is_none() && step.unknown.is_empty(),
                // What is not there comes only from us, when what it waits for is ready.
                Action::Blocked(_) => matches!(observed.state, ObservedState::Absent),
                _ => false,
            };
            // What goes takes with it what needs it, and whatever needs that.
            let is_doubtful = step.needs.iter().any(|need| touched.contains(need) || remade.contains(need));
            if is_settled && !is_doubtful && (polls || step.key.kind.info().reads == Reads::Hourly) {
                let earlier = before.get(&step.key).filter(|_| cached.contains_key(&step.key));
                let at = earlier.map_or(now, |(at, _)| *at);
                self.0.insert(step.key.clone(), (at, observed.clone()));
            }
        }
        for step in &plan.steps {
            if matches!(outcomes.get(&step.key), Some(Outcome::Failed(_))) {
                self.0.remove(&step.key);
            }
            let is_missing = |failures: &Failures| failures.errors().any(|error| error.class == Class::NotFound);
            if matches!(outcomes.get(&step.key), Some(Outcome::Failed(failures)) if is_missing(failures)) {
                for doubtful in &step.needs {
                    self.0.remove(doubtful);
                }
            }
        }
    }
}

/// Resources that are created or deleted in this pass, and everything that needs them, by however many others in
/// between that were not written to themselves.
fn remade(plan: &Plan) -> BTreeSet<&Key> {
    let mut remade = BTreeSet::new();
    for step in &plan.steps {
        let is_made = step.is_taken() && matches!(step.action, Action::Create | Action::Delete { .. });
        if is_made || (!step.is_taken() && step.needs.iter().any(|need| remade.contains(need))) {
            remade.insert(&step.key);
        }
    }
    remade
}

/// The observation of something that was just created as requested. Where AWS has chosen something about it, that has
/// to be read.
fn made(step: &Step, outcome: Option<&Outcome>) -> Option<Observed> {
    let is_made = matches!((&step.action, outcome), (Action::Create, Some(Outcome::Done(Applied::Ready))));
    let is_known = step.key.kind.info().identity != Identity::AssignedByAws;
    let resource = step.desired.clone().filter(|_| is_made && is_known)?;
    Some(Observed::present(resource, Owner::Ours))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Kind;
    use crate::resource::endpoint_config::VARIANT;
    use crate::testing::{at, step};

    fn plan(actions: &[(&str, Kind, Action)]) -> (Plan, Observations) {
        let mut steps = Vec::new();
        let mut observations = Observations::new();
        for (name, kind, action) in actions {
            let mut step = step(name, action.clone(), &[]);
            step.key.kind = *kind;
            observations.insert(step.key.clone(), Observed::absent());
            steps.push(step);
        }
        (Plan { steps, ..Plan::default() }, observations)
    }

    fn record(cache: &mut ObservationCache, (plan, observations): &(Plan, Observations), next: Next, now: i64) {
        let cached_at = cache.cached(Trigger::Resync, at(now));
        let outcomes = Outcomes::new();
        cache.record(&PassReport { plan, outcomes: &outcomes, observations, cached: &cached_at }, next, at(now));
    }

    fn cached_at(cache: &ObservationCache, trigger: Trigger, seconds: i64) -> Vec<String> {
        cache.cached(trigger, at(seconds)).into_keys().map(|key| key.name).collect()
    }

    #[test]
    fn while_something_is_on_its_way_only_that_is_read() {
        let pass = plan(&[
            ("bucket", Kind::Bucket, Action::Keep),
            ("model", Kind::SageMakerModel, Action::Keep),
            ("endpoint", Kind::SageMakerEndpoint, Action::Wait("Creating".into())),
        ]);
        let mut cache = ObservationCache::default();
        record(&mut cache, &pass, Next::Transition, 0);
        assert_eq!(cached_at(&cache, Trigger::Poll, 30), ["bucket", "model"]);
        assert_eq!(cached_at(&cache, Trigger::Poll, 601), ["model"]);
        assert_eq!(cached_at(&cache, Trigger::Resync, 30), ["model"]);
        assert!(cached_at(&cache, Trigger::Resync, 3601).is_empty());
        assert!(cached_at(&cache, Trigger::UserEdit, 1).is_empty(), "the user wants to know");
    }

    #[test]
    fn what_was_recalled_does_not_become_younger() {
        let pass = plan(&[("model", Kind::SageMakerModel, Action::Keep)]);
        let mut cache = ObservationCache::default();
        for minute in 0..50 {
            record(&mut cache, &pass, Next::Resync, 60 * minute);
        }
        assert_eq!(cached_at(&cache, Trigger::Resync, 59 * 60), ["model"]);
        assert!(cached_at(&cache, Trigger::Resync, 61 * 60).is_empty());
        record(&mut cache, &pass, Next::Resync, 61 * 60);
        assert_eq!(cached_at(&cache, Trigger::Resync, 120 * 60), ["model"], "it was read again");
    }

    #[test]
    fn what_needs_something_that_was_touched_is_observed_again() {
        let mut pass = plan(&[
            ("target", Kind::ScalableTarget, Action::Delete { with_contents: false }),
            ("policy", Kind::ScalingPolicy, Action::Keep),
        ]);
        pass.0.steps[1].needs = vec![pass.0.steps[0].key.clone()];
        let mut cache = ObservationCache::default();
        record(&mut cache, &pass, Next::Transition, 0);
        assert!(cached_at(&cache, Trigger::Poll, 1).is_empty(), "Application Auto Scaling drops it too");
    }

    #[test]
    fn what_stands_on_something_that_is_made_again_is_observed_again_however_far_away() {
        let mut pass = plan(&[
            ("endpoint", Kind::SageMakerEndpoint, Action::Create),
            ("target", Kind::ScalableTarget, Action::Keep),
            ("policy", Kind::ScalingPolicy, Action::Keep),
            ("bucket", Kind::Bucket, Action::Keep),
        ]);
        pass.0.steps[1].needs = vec![pass.0.steps[0].key.clone()];
        pass.0.steps[2].needs = vec![pass.0.steps[1].key.clone()];
        let mut cache = ObservationCache::default();
        record(&mut cache, &pass, Next::Transition, 0);
        assert_eq!(cached_at(&cache, Trigger::Poll, 1), ["bucket"]);
    }

    #[test]
    fn a_failure_throws_doubt_on_what_the_step_needed() {
        let (mut plan, observations) = plan(&[
            (VARIANT, Kind::SageMakerEndpointConfig, Action::Keep),
            ("endpoint", Kind::SageMakerEndpoint, Action::Create),
        ]);
        plan.steps[1].needs = vec![plan.steps[0].key.clone()];
        let failed = Outcome::Failed(crate::testing::failure(crate::failure::Class::NotFound).into());
        let outcomes = Outcomes::from([(plan.steps[1].key.clone(), failed)]);
        let mut cache = ObservationCache::default();
        let recalled_before = Observations::new();
        let seen =
            PassReport { plan: &plan, outcomes: &outcomes, observations: &observations, cached: &recalled_before };
        cache.record(&seen, Next::Retry, at(0));
        assert!(cached_at(&cache, Trigger::Poll, 1).is_empty());
    }
}

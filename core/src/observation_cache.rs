//! A cache of observations that this pass need not make again. Losing it costs one full read.
//!
//! While AWS is at work on one thing, only that is asked about, and not everything beside it that was as desired a
//! moment ago. What SageMaker never changes is read once an hour, and so are parts in which drift harms nobody until then
//! ([`crate::kind::Info::reads`]). An edit reads what it changes, what that stands on and what it grants something on; what
//! else was in sync a moment ago is left at that ([`crate::reread::unsettled`]).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::failure::Class;
use crate::failures::Failures;
use crate::kind::{BeforeDeletion, Identity, Reads};
use crate::outcome::Applied;
use crate::outcome::{Outcome, Outcomes};
use crate::plan::{Action, Plan, Step};
use crate::reread::needing;
use crate::resource::{Key, Observations, Observed, ObservedState, Owner, Resource};
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
    /// Earlier observations from which parts were taken.
    pub cached_parts: &'a Observations,
}

/// The observations, with their times.
#[derive(Clone, Debug, Default)]
pub struct ObservationCache(BTreeMap<Key, Entry>);

/// An observation, and when it was made.
#[derive(Clone, Debug)]
struct Entry {
    observed: Observed,
    /// The time at which all of it was read, where it holds as a whole.
    read: Option<Timestamp>,
    /// The time at which the parts were read that are read hourly.
    parts_read: Option<Timestamp>,
    /// The time at which it was made, where it has not been read since.
    made: Option<Timestamp>,
}

/// The time for which an observation of something in sync holds while something else is in transition.
const SETTLED_HOLDS: Duration = Duration::from_mins(10);

/// The time for which an observation holds that is made hourly.
pub const HOURLY: Duration = Duration::from_hours(1);

/// The time for which an observation holds of which events would tell that it does not.
const DAILY: Duration = Duration::from_hours(24);

/// The same, where nobody can change its content.
const WEEKLY: Duration = Duration::from_hours(7 * 24);

/// An observation of an earlier pass, and when it was made.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// The observation.
    pub observed: Observed,
    /// The time at which it was made.
    pub read: Timestamp,
}

impl ObservationCache {
    /// The observations that still hold. Events have told of every change since `covered`, where they come.
    #[must_use]
    pub fn cached(&self, trigger: Trigger, now: Timestamp, covered: Option<Timestamp>) -> Observations {
        let is_edit = trigger == Trigger::Edit;
        let holds = |key: &Key, entry: &Entry| {
            let info = key.kind.info();
            let Some(read) = entry.read.filter(|_| entry.made.is_none() || !is_edit) else { return false };
            // What was made and never read is not known well enough, nor are parts that were read before.
            let oldest = entry.parts_read.map_or(read, |parts| parts.min(read));
            let is_covered = info.rests_on_events && entry.made.is_none() && covers(covered, oldest);
            let within = |period: Duration, read: Timestamp| is_within(period, read, now);
            match (trigger, info.reads) {
                (Trigger::Resync, Reads::HourlyAsFixed) if is_covered => within(WEEKLY, oldest),
                (Trigger::Resync, Reads::Hourly | Reads::Resync | Reads::ResyncBut(_)) if is_covered => {
                    within(DAILY, oldest)
                }
                (Trigger::Edit, Reads::Resync | Reads::ResyncBut(_)) if is_covered => within(HOURLY, read),
                (Trigger::Poll | Trigger::Resync, Reads::Hourly | Reads::HourlyAsFixed) => within(HOURLY, read),
                (Trigger::Edit, Reads::Hourly | Reads::HourlyAsFixed) if key.is_in_aws() => within(HOURLY, read),
                (Trigger::Poll, Reads::Resync | Reads::ResyncBut(_)) => within(SETTLED_HOLDS, read),
                (Trigger::Edit, Reads::Resync | Reads::ResyncBut(_)) if key.is_in_aws() => within(SETTLED_HOLDS, read),
                (Trigger::UserEdit | Trigger::Edit | Trigger::Restart, _)
                | (_, Reads::Always)
                | (Trigger::Resync, Reads::Resync | Reads::ResyncBut(_)) => false,
            }
        };
        let mut cached = self.observed(holds);
        for (key, observed) in &mut cached {
            let is_vouched_for = trigger == Trigger::Resync && covered.is_some() && key.kind.info().rests_on_events;
            // What a pass left at that is not read by the polls after it either, until they do more with it.
            observed.is_remembered |= is_edit || is_vouched_for;
        }
        cached
    }

    /// Earlier observations of which only the parts that are read hourly still hold, or daily while events tell of every
    /// change since `covered`.
    #[must_use]
    pub fn cached_parts(&self, trigger: Trigger, now: Timestamp, covered: Option<Timestamp>) -> Observations {
        let holds = |read: Timestamp| {
            let period = if covers(covered, read) { DAILY } else { HOURLY };
            trigger == Trigger::Resync && is_within(period, read, now)
        };
        self.observed(|_, entry| entry.parts_read.is_some_and(holds))
    }

    /// Observations on which the deletion of the platform can begin: of kinds that need not be read for that
    /// ([`BeforeDeletion`]), as long as they hold while something else is in transition.
    #[must_use]
    pub fn before_deletion(&self, now: Timestamp) -> BTreeMap<Key, Remembered> {
        let remembered = self.0.iter().filter_map(|(key, Entry { observed, read, made, .. })| {
            let info = key.kind.info();
            let period = match info.reads {
                Reads::Hourly | Reads::HourlyAsFixed => HOURLY,
                Reads::Resync | Reads::ResyncBut(_) => SETTLED_HOLDS,
                Reads::Always => return None,
            };
            let read = read.or(*made).filter(|read| is_within(period, *read, now))?;
            let is_known = matches!(observed.state, ObservedState::Ready)
                && observed.owner == Owner::Ours
                && observed.unknown.is_empty()
                && info.before_deletion == BeforeDeletion::Remembered;
            is_known.then(|| (key.clone(), Remembered { observed: observed.clone(), read }))
        });
        remembered.collect()
    }

    fn observed(&self, holds: impl Fn(&Key, &Entry) -> bool) -> Observations {
        let held = self.0.iter().filter(|(key, entry)| holds(key, entry));
        held.map(|(key, entry)| (key.clone(), entry.observed.clone())).collect()
    }

    /// Takes note of what a pass saw and need not be seen again, and forgets what a failure throws doubt on. What the
    /// pass itself had from here becomes no younger by that.
    pub fn record(&mut self, report: &PassReport, next: Next, now: Timestamp) {
        let PassReport { plan, outcomes, observations, cached, cached_parts } = report;
        if plan.steps.is_empty() {
            return;
        }
        let polls = Trigger::after(Some(next)) == Trigger::Poll;
        let before = std::mem::take(&mut self.0);
        let touched: BTreeSet<&Key> = plan.steps.iter().filter(|step| step.is_taken()).map(|step| &step.key).collect();
        let remade = remade(plan);
        // What is read in each pass need not be kept.
        let is_kept = |step: &&Step| step.key.kind.info().reads != Reads::Always;
        for step in plan.steps.iter().filter(is_kept) {
            if let Some(observed) = made(step, outcomes.get(&step.key)) {
                let entry = Entry { observed, read: polls.then_some(now), parts_read: None, made: Some(now) };
                self.0.insert(step.key.clone(), entry);
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
            if !is_settled || is_doubtful {
                continue;
            }
            let reads = step.key.kind.info().reads;
            let earlier = before.get(&step.key);
            let whole = earlier.filter(|_| cached.contains_key(&step.key));
            let parts = earlier.filter(|_| cached.contains_key(&step.key) || cached_parts.contains_key(&step.key));
            let read = whole.and_then(|entry| entry.read).unwrap_or(now);
            let parts_read = parts.map_or(Some(now), |entry| entry.parts_read);
            let entry = Entry {
                // How long it holds from here on is for the cache to say.
                observed: Observed { is_shared: false, ..observed.clone() },
                read: Some(read),
                parts_read: parts_read.filter(|_| !reads.hourly_parts().is_empty()),
                made: None,
            };
            self.0.insert(step.key.clone(), entry);
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

/// Resources that are created or deleted in this pass, and everything that needs them.
fn remade(plan: &Plan) -> BTreeSet<&Key> {
    needing(plan, |action| matches!(action, Action::Create | Action::Delete { .. }))
}

/// True when events have told of every change since this was read.
fn covers(covered: Option<Timestamp>, read: Timestamp) -> bool {
    covered.is_some_and(|since| since <= read)
}

fn is_within(period: Duration, read: Timestamp, now: Timestamp) -> bool {
    now.duration_since(read).unsigned_abs() < period
}

/// The observation of something that was just created as requested. Where AWS has chosen something about it, that has
/// to be read.
fn made(step: &Step, outcome: Option<&Outcome>) -> Option<Observed> {
    let Some(Outcome::Done(applied)) = outcome.filter(|_| step.action == Action::Create) else { return None };
    let arn = match applied {
        Applied::Ready => None,
        Applied::ReadyAs { arn } => Some(arn.clone()),
        Applied::Progressing(_) | Applied::Created { .. } | Applied::Gone => return None,
    };
    let is_known = arn.is_some() || step.key.kind.info().identity != Identity::AssignedByAws;
    // What refers to something whose id is not known says of itself what it needs only when it is read.
    let is_open = |resource: &Resource| resource.references().iter().any(|reference| reference.id.is_none());
    let resource = step.desired.clone().filter(|resource| is_known && !is_open(resource))?;
    Some(Observed { arn, ..Observed::present(resource, Owner::Ours) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Kind;
    use crate::resource::endpoint_config::VARIANT;
    use crate::testing::{at, plan_of as plan};

    fn record(cache: &mut ObservationCache, (plan, observations): &(Plan, Observations), next: Next, now: i64) {
        let (cached, cached_parts) =
            (cache.cached(Trigger::Resync, at(now), None), cache.cached_parts(Trigger::Resync, at(now), None));
        let outcomes = Outcomes::new();
        let report =
            PassReport { plan, outcomes: &outcomes, observations, cached: &cached, cached_parts: &cached_parts };
        cache.record(&report, next, at(now));
    }

    fn cached_at(cache: &ObservationCache, trigger: Trigger, seconds: i64) -> Vec<String> {
        cache.cached(trigger, at(seconds), None).into_keys().map(|key| key.name).collect()
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
    fn an_edit_takes_what_was_read_a_moment_ago_and_says_so() {
        let pass = plan(&[("bucket", Kind::Bucket, Action::Keep), ("account", Kind::ServiceAccount, Action::Keep)]);
        let mut cache = ObservationCache::default();
        record(&mut cache, &pass, Next::Resync, 0);
        assert_eq!(cached_at(&cache, Trigger::Edit, 599), ["bucket"], "the cluster is read");
        assert!(cached_at(&cache, Trigger::Edit, 600).is_empty());
        let mut cached = cache.cached(Trigger::Edit, at(1), None);
        assert!(cached.values().all(|observed| observed.is_remembered));
        record(&mut cache, &(pass.0, cached.clone()), Next::Resync, 1);
        cached = cache.cached(Trigger::Poll, at(2), None);
        assert!(cached.values().all(|observed| observed.is_remembered), "a poll after it has not read it either");
    }

    #[test]
    fn while_events_come_what_rests_on_them_is_read_once_a_day_or_a_week() {
        const DAY: i64 = 24 * 3600;
        let pass = plan(&[
            ("bucket", Kind::Bucket, Action::Keep),
            ("model", Kind::SageMakerModel, Action::Keep),
            ("role", Kind::Role, Action::Keep),
            ("target", Kind::ScalableTarget, Action::Keep),
        ]);
        let mut cache = ObservationCache::default();
        record(&mut cache, &pass, Next::Resync, 100);
        let held = |trigger: Trigger, now: i64, covered: Option<i64>| -> Vec<String> {
            cache.cached(trigger, at(now), covered.map(at)).into_keys().map(|key| key.name).collect()
        };
        assert_eq!(held(Trigger::Resync, DAY + 99, Some(100)), ["bucket", "model"], "lists show the others");
        assert_eq!(held(Trigger::Resync, 7 * DAY + 99, Some(100)), ["model"], "nobody can change it");
        assert!(held(Trigger::Resync, 7 * DAY + 100, Some(100)).is_empty());
        let cached = cache.cached(Trigger::Resync, at(DAY), Some(at(100)));
        assert!(cached.values().all(|observed| observed.is_remembered), "nothing is written on the strength of it");
        assert!(held(Trigger::Resync, 3700, Some(101)).is_empty(), "it was read before events came");
        assert!(held(Trigger::Resync, 3700, None).is_empty());
        assert!(
            held(Trigger::UserEdit, 101, Some(100)).is_empty() && held(Trigger::Restart, 101, Some(100)).is_empty()
        );
        assert_eq!(held(Trigger::Edit, 3600, Some(100)), ["bucket", "model"]);
        assert_eq!(cache.cached_parts(Trigger::Resync, at(DAY), Some(at(100))).len(), 2, "of a target, its tags");
        assert!(cache.cached_parts(Trigger::Resync, at(DAY), None).is_empty());
    }

    #[test]
    fn parts_that_were_read_before_events_came_are_read_with_the_rest() {
        let pass = plan(&[("bucket", Kind::Bucket, Action::Keep)]);
        let mut cache = ObservationCache::default();
        record(&mut cache, &pass, Next::Resync, 0);
        record(&mut cache, &pass, Next::Resync, 600);
        assert!(cache.cached(Trigger::Resync, at(700), Some(at(300))).is_empty(), "its parts are from before");
        assert_eq!(cache.cached(Trigger::Resync, at(700), Some(at(0))).len(), 1);
    }

    #[test]
    fn only_what_events_tell_of_rests_on_them() {
        for kind in Kind::ALL.iter().filter(|kind| kind.info().rests_on_events) {
            let info = kind.info();
            assert!(!info.changed_by.is_empty() && info.backend.service().is_some(), "{}", info.name);
        }
    }

    #[test]
    fn what_is_read_in_each_pass_is_not_kept() {
        let pass = plan(&[("map", Kind::ConfigMap, Action::Keep), ("bucket", Kind::Bucket, Action::Keep)]);
        let mut cache = ObservationCache::default();
        record(&mut cache, &pass, Next::Resync, 0);
        assert_eq!(cache.0.keys().map(|key| key.kind).collect::<Vec<_>>(), [Kind::Bucket]);
    }

    #[test]
    fn an_edit_takes_nothing_that_was_made_and_never_read() {
        let (mut made, seen) = plan(&[("made", Kind::ScalableTarget, Action::Create)]);
        made.steps[0].desired = Some(crate::testing::wanted_bucket("made").resource);
        let ready = Outcome::Done(Applied::ReadyAs { arn: "arn".into() });
        let outcomes = Outcomes::from([(made.steps[0].key.clone(), ready)]);
        let nothing = Observations::new();
        let (cached, cached_parts) = (&nothing, &nothing);
        let report = PassReport { plan: &made, outcomes: &outcomes, observations: &seen, cached, cached_parts };
        let mut cache = ObservationCache::default();
        cache.record(&report, Next::Transition, at(0));
        assert_eq!(cached_at(&cache, Trigger::Poll, 1), ["made"]);
        assert!(cached_at(&cache, Trigger::Edit, 1).is_empty());
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
    fn parts_that_are_read_hourly_hold_for_an_hour_and_for_resyncs_alone() {
        let pass = plan(&[("bucket", Kind::Bucket, Action::Keep), ("role", Kind::Role, Action::Keep)]);
        let mut cache = ObservationCache::default();
        let parts = |cache: &ObservationCache, trigger: Trigger, seconds: i64| -> Vec<String> {
            cache.cached_parts(trigger, at(seconds), None).into_keys().map(|key| key.name).collect()
        };
        for minute in 0..60 {
            record(&mut cache, &pass, Next::Resync, 60 * minute);
        }
        assert_eq!(parts(&cache, Trigger::Resync, 3599), ["bucket"], "a role has no such parts");
        for trigger in [Trigger::Poll, Trigger::UserEdit] {
            assert!(parts(&cache, trigger, 3599).is_empty(), "{trigger:?} reads everything");
        }
        assert!(cached_at(&cache, Trigger::Resync, 3599).is_empty(), "the others hold no longer");
        assert!(parts(&cache, Trigger::Resync, 3600).is_empty(), "nothing became younger");
        record(&mut cache, &pass, Next::Resync, 3600);
        assert_eq!(parts(&cache, Trigger::Resync, 7199), ["bucket"], "they were read again");
        let written = plan(&[("bucket", Kind::Bucket, Action::Update(Vec::new()))]);
        record(&mut cache, &written, Next::Resync, 7200);
        assert!(parts(&cache, Trigger::Resync, 7201).is_empty(), "what was written is read as a whole");
    }

    #[test]
    fn parts_of_what_was_made_are_read_before_they_hold() {
        let pass = plan(&[("bucket", Kind::Bucket, Action::Keep)]);
        let key = pass.0.steps[0].key.clone();
        let entry = Entry { observed: Observed::absent(), read: Some(at(0)), parts_read: None, made: None };
        let mut cache = ObservationCache([(key, entry)].into());
        let cached = cache.cached(Trigger::Poll, at(1), None);
        assert_eq!(cached.len(), 1);
        let (outcomes, nothing) = (Outcomes::new(), Observations::new());
        let (plan, observations) = (&pass.0, &pass.1);
        let report = PassReport { plan, outcomes: &outcomes, observations, cached: &cached, cached_parts: &nothing };
        cache.record(&report, Next::Resync, at(1));
        assert!(cache.cached_parts(Trigger::Resync, at(2), None).is_empty());
    }

    #[test]
    fn a_deletion_begins_with_what_need_not_be_read_and_was_made_or_read_a_while_ago() {
        let mut cache = ObservationCache::default();
        let remembered = |cache: &ObservationCache, second: i64| -> Vec<Kind> {
            cache.before_deletion(at(second)).into_keys().map(|key| key.kind).collect()
        };
        let (mut made, seen) = plan(&[("made", Kind::ScalableTarget, Action::Create)]);
        made.steps[0].desired = Some(crate::testing::wanted_bucket("made").resource);
        let ready = Outcome::Done(Applied::ReadyAs { arn: "arn".into() });
        let outcomes = Outcomes::from([(made.steps[0].key.clone(), ready)]);
        let nothing = Observations::new();
        let (plan_made, observations) = (&made, &seen);
        let report =
            PassReport { plan: plan_made, outcomes: &outcomes, observations, cached: &nothing, cached_parts: &nothing };
        cache.record(&report, Next::Resync, at(0));
        assert_eq!(remembered(&cache, 1), [Kind::ScalableTarget]);
        assert!(cache.cached(Trigger::Resync, at(1), None).is_empty(), "a resync reads it all the same");
        let kept = [("bucket", Kind::Bucket), ("role", Kind::Role), ("model", Kind::SageMakerModel)];
        let (read, mut observations) = plan(&kept.map(|(name, kind)| (name, kind, Action::Keep)));
        for observed in observations.values_mut() {
            *observed = Observed::present(crate::testing::wanted_bucket("read").resource, Owner::Ours);
        }
        record(&mut cache, &(read, observations), Next::Resync, 0);
        assert_eq!(remembered(&cache, 599), [Kind::Bucket, Kind::SageMakerModel], "a role is read");
        assert_eq!(remembered(&cache, 3599), [Kind::SageMakerModel]);
        assert!(remembered(&cache, 3600).is_empty());
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
        let seen = PassReport {
            plan: &plan,
            outcomes: &outcomes,
            observations: &observations,
            cached: &recalled_before,
            cached_parts: &recalled_before,
        };
        cache.record(&seen, Next::Retry, at(0));
        assert!(cached_at(&cache, Trigger::Poll, 1).is_empty());
    }

    #[test]
    fn what_was_shared_is_cached_like_anything_else() {
        let (plan, mut observations) = plan(&[("role", Kind::Role, Action::Keep)]);
        for observed in observations.values_mut() {
            observed.is_shared = true;
        }
        let mut cache = ObservationCache::default();
        record(&mut cache, &(plan, observations), Next::Transition, 0);
        assert!(cache.cached(Trigger::Poll, at(1), None).values().all(|observed| !observed.is_shared));
        assert_eq!(cached_at(&cache, Trigger::Poll, 1), ["role"]);
        assert!(cached_at(&cache, Trigger::Restart, 1).is_empty());
    }
}

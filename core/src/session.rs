//! The memory of one object from pass to pass. Losing it costs one pass that reads everything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::api::{AIPlatform, RECONCILE_AT};
use crate::departures::{Departed, Departures};
use crate::drift::{InSync, Repair};
use crate::drift_events::Touch;
use crate::first_attempts::found_a_name_taken;
use crate::observation_cache::{ObservationCache, PassReport};
use crate::outcome::{Outcome, Outcomes};
use crate::plan::{Plan, Refusal};
use crate::propagation::RoleWrites;
use crate::resource::{Freshness, Key, Observations};
use crate::schedule::Next;
use crate::update_loop_guard::UpdateLoopGuard;

/// The reason for a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The user annotated the object, something that it depends on changed, or nothing is known yet: everything is read.
    UserEdit,
    /// The user edited the spec of an object that passes were made for: what the edit is about is read, and what it leaves as
    /// it was in sync a moment ago is not.
    Edit,
    /// The operator began to look after an object that a pass was made for before: everything is read that no snapshot
    /// tells.
    Restart,
    /// The resync interval has passed: drift is detected.
    Resync,
    /// Something is in transition, or is retried, or something in the cluster changed: only what is not at rest is read.
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

    /// The age that what a pass observes may have.
    #[must_use]
    pub fn freshness(self) -> Freshness {
        match self {
            Self::UserEdit | Self::Edit => Freshness::Current,
            Self::Poll => Freshness::InTransition,
            Self::Restart | Self::Resync => Freshness::SHARED,
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
    /// True when the object is being deleted.
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

    /// True when it differs from the one before in the spec alone.
    fn edits(&self, before: &Self) -> bool {
        self.generation != before.generation && *self == Self { generation: self.generation, ..before.clone() }
    }
}

/// The part of the memory that a pass works with.
#[derive(Clone, Debug)]
pub struct PassInput {
    /// Updates that had no effect.
    pub guard: UpdateLoopGuard,
    /// Observations of earlier passes that still hold.
    pub cached: Observations,
    /// Observations of earlier passes of which only the parts that are read hourly still hold.
    pub cached_parts: Observations,
    /// The memory of a deletion under way.
    pub departed: Departed,
    /// True where what was never attempted need not be read before, see [`crate::first_attempts`].
    pub may_attempt_unread: bool,
    /// True to read what nothing refers to as well, such as other revisions of an endpoint.
    pub thorough: bool,
    /// The age that observations may have.
    pub freshness: Freshness,
    /// Resources that somebody else changed, as events tell: they are read for this pass, whatever the others may be.
    pub touched: BTreeSet<Key>,
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
            cached_parts: Observations::new(),
            departed: Departed::default(),
            may_attempt_unread: false,
            thorough: true,
            freshness: Freshness::Current,
            touched: BTreeSet::new(),
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
    /// The time of the next pass.
    pub next: Next,
}

/// The time for which the observations of a pass hold that ended before its plan was carried out: the next pass follows
/// at once.
const HANDED_ON: Duration = Duration::from_secs(10);

/// The time within which lists show a change, and by which the clock of whoever recorded it may be wrong.
const LISTED: Duration = Duration::from_mins(1);

/// Touches that are remembered at most.
const TOUCHES: usize = 256;

/// The memory of one object.
#[derive(Clone, Debug, Default)]
pub struct Session {
    guard: UpdateLoopGuard,
    cache: ObservationCache,
    departures: Departures,
    /// Observations of a pass that only announced what the next one does, and when they were made.
    handed_on: Option<(Timestamp, Observations)>,
    role_writes: RoleWrites,
    in_sync: InSync,
    denied: BTreeMap<Key, Refusal>,
    last: Option<Next>,
    /// True when the next pass comes before its time, for a change in the cluster.
    is_woken: bool,
    /// What others changed, as events tell, and no pass has dealt with yet.
    touches: Vec<Touch>,
    /// The time since which events have told of every change that others make, while they come.
    covered: Option<Timestamp>,
    /// The time of the latest change by others that an event told of.
    touched_at: Option<Timestamp>,
    request: Option<UserRequest>,
    /// The reason for which things are still to be read for the request: the first pass only says that it has been seen.
    open: Option<Trigger>,
}

impl Session {
    /// The request that the passes so far were for.
    #[must_use]
    pub fn request(&self) -> Option<&UserRequest> {
        self.request.as_ref()
    }

    /// Says that the next pass comes before its time, for a change in the cluster: AWS is not read for that.
    pub fn wake(&mut self) {
        self.is_woken = true;
    }

    /// Says since when events have told of every change that others make; `None` where they do not come.
    pub fn cover(&mut self, since: Option<Timestamp>) {
        self.covered = since;
    }

    /// Says that somebody else changed a resource: the next pass reads it, whatever it knows of it.
    pub fn touch(&mut self, touch: Touch) {
        self.touched_at = self.touched_at.max(Some(touch.at));
        if !self.touches.contains(&touch) {
            self.touches.push(touch);
        }
        let excess = self.touches.len().saturating_sub(TOUCHES);
        self.touches.drain(..excess);
        if excess > 0 {
            // What was touched is not known any more.
            self.cache = ObservationCache::default();
        }
    }

    /// Begins a pass over an object.
    pub fn begin(&mut self, object: &AIPlatform, now: Timestamp) -> PassInput {
        let request = Some(UserRequest::of(object));
        let seen = object.status.as_ref().and_then(|status| status.observed_generation);
        if self.request != request || seen.is_none() {
            let is_edit = self.request.as_ref().zip(request.as_ref()).is_some_and(|(before, now)| now.edits(before));
            let is_known = seen.is_some() && seen == object.metadata.generation;
            self.open = Some(if self.request.is_none() && is_known && object.metadata.deletion_timestamp.is_none() {
                Trigger::Restart
            } else if is_edit && seen.is_some() && self.open.is_none_or(|open| open == Trigger::Edit) {
                Trigger::Edit
            } else {
                Trigger::UserEdit
            });
            self.guard.clear();
            self.departures = self.departures_of(object, now);
            self.handed_on = None;
            self.request = request;
        }
        let is_woken = std::mem::take(&mut self.is_woken);
        let trigger = self.open.unwrap_or(match Trigger::after(self.last) {
            Trigger::Resync if is_woken => Trigger::Poll,
            trigger => trigger,
        });
        let mut cached = self.cache.cached(trigger, now, self.covered);
        let handed_on = self.handed_on.take();
        let handed_on = handed_on.filter(|(made, _)| now.duration_since(*made).unsigned_abs() <= HANDED_ON);
        cached.extend(handed_on.into_iter().flat_map(|(_, observations)| observations));
        let mut cached_parts = self.cache.cached_parts(trigger, now, self.covered);
        let is_touched = |key: &Key| self.touches.iter().any(|touch| touch.key == *key);
        cached.retain(|key, _| !is_touched(key));
        cached_parts.retain(|key, _| !is_touched(key));
        PassInput {
            guard: self.guard.clone(),
            cached,
            cached_parts,
            departed: self.departures.departed(now),
            may_attempt_unread: true,
            thorough: matches!(trigger, Trigger::UserEdit | Trigger::Edit | Trigger::Restart),
            freshness: self.freshness(trigger, now),
            touched: self.touches.iter().map(|touch| touch.key.clone()).collect(),
            denied: std::mem::take(&mut self.denied),
            role_writes: self.role_writes.clone(),
        }
    }

    /// The age that what a pass observes may have. While events come, the resync of a platform at rest is what is left for
    /// the case that one was lost. What they told of is in every list that it uses; what holds a platform up may be
    /// something that none tells of.
    fn freshness(&self, trigger: Trigger, now: Timestamp) -> Freshness {
        let is_at_rest = trigger == Trigger::Resync && self.last == Some(Next::Resync);
        let Some(since) = self.covered.filter(|_| is_at_rest) else { return trigger.freshness() };
        let shows_touches = self.touched_at.map_or(since, |at| at + LISTED);
        let covered = Duration::try_from(now.duration_since(since.max(shows_touches)));
        Freshness::Shared { covered: covered.unwrap_or_default() }
    }

    /// The knowledge that a deletion begins with: nothing that somebody else touched meanwhile.
    fn departures_of(&self, object: &AIPlatform, now: Timestamp) -> Departures {
        if object.metadata.deletion_timestamp.is_none() {
            return Departures::default();
        }
        let mut remembered = self.cache.before_deletion(now);
        remembered.retain(|key, _| !self.touches.iter().any(|touch| touch.key == *key));
        Departures::beginning_with(remembered)
    }

    /// Ends a pass that began with this input. The repairs of drift that it made.
    pub fn end(&mut self, input: &PassInput, result: &PassResult, now: Timestamp) -> Vec<Repair> {
        let PassResult { plan, outcomes, observations, denied, next } = *result;
        let PassInput { cached, cached_parts, .. } = input;
        self.cache.record(&PassReport { plan, outcomes, observations, cached, cached_parts }, next, now);
        if self.request.as_ref().is_some_and(|request| request.is_deleting) {
            self.departures.record(result, &input.departed, now);
        }
        self.guard.record(plan, outcomes);
        self.role_writes.record(plan, outcomes, now);
        self.denied.clone_from(denied);
        let is_announcement = plan.steps.is_empty() && next == Next::Now;
        self.handed_on = is_announcement.then(|| (now, observations.clone()));
        let is_open = plan.steps.is_empty() || found_a_name_taken(plan, outcomes, observations);
        self.open = self.open.filter(|_| is_open);
        self.last = Some(next);
        let mut repairs = self.in_sync.repairs(plan, outcomes);
        for repair in &mut repairs {
            repair.touches = self.touches.iter().filter(|touch| touch.key == repair.key).cloned().collect();
        }
        let is_dealt_with = |key: &Key| {
            let step = plan.steps.iter().find(|step| step.key == *key);
            step.is_some_and(|step| !step.is_taken() || matches!(outcomes.get(key), Some(Outcome::Done(_))))
        };
        self.touches.retain(|touch| !is_dealt_with(&touch.key));
        self.in_sync.record(plan, outcomes);
        repairs
    }

    /// Ends a pass of which nothing is known, because it failed on the way.
    pub fn abort(&mut self) {
        self.last = Some(Next::Retry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Step;
    use crate::resource::{Kind, Observed};
    use crate::testing::{at, seen, step, with_buckets};
    use serde_json::json;

    #[test]
    fn what_was_read_to_announce_a_plan_is_not_read_again_to_carry_it_out() {
        let mut object = with_buckets(json!([]));
        object.status = Some(serde_json::from_value(json!({"observedGeneration": 1})).unwrap());
        let observations = seen([("one", Observed::absent())]);
        let announced = |session: &mut Session, object: &AIPlatform, steps: Plan, next: Next| {
            let input = session.begin(object, at(0));
            let (outcomes, denied) = (Outcomes::new(), BTreeMap::new());
            let result =
                PassResult { plan: &steps, outcomes: &outcomes, observations: &observations, denied: &denied, next };
            session.end(&input, &result, at(0));
        };
        let cached = |session: &mut Session, object: &AIPlatform, second: i64| -> Vec<String> {
            session.begin(object, at(second)).cached.into_keys().map(|key| key.name).collect()
        };
        let mut session = Session::default();
        announced(&mut session, &object, Plan::default(), Next::Now);
        assert_eq!(cached(&mut session, &object, 1), ["one"]);
        assert!(cached(&mut session, &object, 2).is_empty(), "once");
        announced(&mut session, &object, Plan::default(), Next::Now);
        assert!(cached(&mut session, &object, 60).is_empty(), "it is old");
        announced(&mut session, &object, Plan::default(), Next::Retry);
        assert!(cached(&mut session, &object, 1).is_empty(), "nothing was announced");
        announced(&mut session, &object, Plan::default(), Next::Now);
        object.metadata.generation = Some(2);
        assert!(cached(&mut session, &object, 1).is_empty(), "the user wants something else");
    }

    #[test]
    fn a_change_in_the_cluster_does_not_ask_aws_about_what_is_at_rest() {
        let mut object = with_buckets(json!([]));
        object.status = Some(serde_json::from_value(json!({"observedGeneration": 1})).unwrap());
        let observations = seen([("one", Observed::absent())]);
        let steps = Plan { steps: vec![step("one", crate::plan::Action::Keep, &[])], ..Plan::default() };
        let mut session = Session::default();
        let pass = |session: &mut Session, second: i64| -> usize {
            let input = session.begin(&object, at(second));
            let cached = input.cached.len();
            let (outcomes, denied) = (Outcomes::new(), BTreeMap::new());
            let (plan, outcomes, denied, next) = (&steps, &outcomes, &denied, Next::Resync);
            let result = PassResult { plan, outcomes, observations: &observations, denied, next };
            session.end(&input, &result, at(second));
            cached
        };
        assert_eq!(pass(&mut session, 0), 0);
        session.wake();
        assert_eq!(pass(&mut session, 10), 1);
        assert_eq!(pass(&mut session, 20), 0, "a resync reads everything");
        session.wake();
        assert_eq!(pass(&mut session, 1000), 0, "for a while");
    }

    #[test]
    fn what_somebody_else_changed_is_read_at_once_and_nothing_else() {
        let mut object = with_buckets(json!([]));
        object.status = Some(serde_json::from_value(json!({"observedGeneration": 1})).unwrap());
        let observations = seen([("one", Observed::absent()), ("two", Observed::absent())]);
        let keep = |name: &str| step(name, crate::plan::Action::Keep, &[]);
        let update = || step("one", crate::plan::Action::Update(Vec::new()), &[]);
        let pass = |session: &mut Session, second: i64, steps: Vec<Step>, outcome: Option<Outcome>| -> Vec<String> {
            let input = session.begin(&object, at(second));
            let cached = input.cached.keys().map(|key| key.name.clone()).collect();
            let outcomes: Outcomes = outcome.map(|outcome| (keep("one").key, outcome)).into_iter().collect();
            let (plan, denied) = (Plan { steps, ..Plan::default() }, BTreeMap::new());
            let next = Next::Resync;
            let result =
                PassResult { plan: &plan, outcomes: &outcomes, observations: &observations, denied: &denied, next };
            session.end(&input, &result, at(second));
            cached
        };
        let touch = || Touch { key: keep("one").key, by: "jane".into(), at: at(5), call: "PutBucketPolicy".into() };
        let both = || vec![keep("one"), keep("two")];
        let mut session = Session::default();
        pass(&mut session, 0, both(), None);
        session.touch(touch());
        session.touch(touch());
        session.wake();
        assert_eq!(session.touches.len(), 1, "a duplicate");
        let failed = Outcome::Failed(crate::failure::Error::bug("s3:PutBucketPolicy", "one", "x").into());
        assert_eq!(pass(&mut session, 10, vec![update(), keep("two")], Some(failed)), ["two"]);
        assert_eq!(session.touches.len(), 1, "it is not repaired yet");
        session.wake();
        assert_eq!(pass(&mut session, 20, both(), None), ["two"]);
        assert!(session.touches.is_empty());
        session.wake();
        assert_eq!(pass(&mut session, 30, both(), None), ["one", "two"]);
    }

    #[test]
    fn everything_is_read_for_a_request_until_a_plan_was_made_for_it() {
        let mut object = with_buckets(json!([]));
        object.status = Some(serde_json::from_value(json!({"observedGeneration": 1})).unwrap());
        let ended = |session: &mut Session, object: &AIPlatform, steps: Plan| -> bool {
            let input = session.begin(object, at(0));
            let (outcomes, denied, observations) = (Outcomes::new(), BTreeMap::new(), Observations::new());
            let (plan, outcomes, observations, denied) = (&steps, &outcomes, &observations, &denied);
            session.end(&input, &PassResult { plan, outcomes, observations, denied, next: Next::Resync }, at(0));
            input.thorough
        };
        let kept = || Plan { steps: vec![step("one", crate::plan::Action::Keep, &[])], ..Plan::default() };
        let mut session = Session::default();
        assert!(ended(&mut session, &object, Plan::default()), "it is announced");
        assert!(ended(&mut session, &object, kept()), "and planned");
        assert!(!ended(&mut session, &object, kept()), "the next pass is a resync");
        object.metadata.generation = Some(2);
        assert!(ended(&mut session, &object, kept()), "the user wants something else");
        assert!(!ended(&mut session, &object, kept()));
    }

    /// An object whose status was written for a generation.
    fn known(generation: i64, seen: i64) -> AIPlatform {
        let mut object = with_buckets(json!([]));
        object.metadata.generation = Some(generation);
        object.status = Some(serde_json::from_value(json!({"observedGeneration": seen})).unwrap());
        object
    }

    #[test]
    fn after_a_restart_snapshots_serve_what_a_pass_was_made_for_before() {
        let begun = |object: &AIPlatform| {
            let input = Session::default().begin(object, at(0));
            (input.freshness, input.thorough)
        };
        assert_eq!(begun(&known(1, 1)), (Freshness::SHARED, true));
        assert_eq!(begun(&known(2, 1)), (Freshness::Current, true), "it was edited since");
        assert_eq!(begun(&with_buckets(json!([]))), (Freshness::Current, true), "it is new");
        let mut deleting = known(1, 1);
        deleting.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        assert_eq!(begun(&deleting), (Freshness::Current, true));
    }

    #[test]
    fn where_more_was_touched_than_is_remembered_everything_is_read() {
        let observations = seen([("one", Observed::absent())]);
        let steps = Plan { steps: vec![step("one", crate::plan::Action::Keep, &[])], ..Plan::default() };
        let mut session = Session::default();
        session.cover(Some(at(0)));
        let pass = |session: &mut Session, second: i64| -> usize {
            let input = session.begin(&known(1, 1), at(second));
            let (outcomes, denied) = (Outcomes::new(), BTreeMap::new());
            let (plan, outcomes, denied, next) = (&steps, &outcomes, &denied, Next::Resync);
            let result = PassResult { plan, outcomes, observations: &observations, denied, next };
            session.end(&input, &result, at(second));
            input.cached.len()
        };
        pass(&mut session, 0);
        assert_eq!(pass(&mut session, 7200), 1, "events tell of it");
        for number in 0..=TOUCHES {
            let key = step(&format!("other-{number}"), crate::plan::Action::Keep, &[]).key;
            session.touch(Touch { key, by: "jane".into(), at: at(5), call: "PutBucketPolicy".into() });
        }
        assert_eq!(pass(&mut session, 7300), 0);
    }

    #[test]
    fn an_edit_takes_what_was_in_sync_a_moment_ago_and_the_annotation_nothing() {
        let observations = seen([("one", Observed::absent())]);
        let kept = || Plan { steps: vec![step("one", crate::plan::Action::Keep, &[])], ..Plan::default() };
        let pass = |session: &mut Session, object: &AIPlatform, steps: Plan| -> usize {
            let input = session.begin(object, at(0));
            let (outcomes, denied) = (Outcomes::new(), BTreeMap::new());
            let (plan, outcomes, denied, next) = (&steps, &outcomes, &denied, Next::Resync);
            let result = PassResult { plan, outcomes, observations: &observations, denied, next };
            session.end(&input, &result, at(0));
            input.cached.values().filter(|seen| seen.is_remembered).count()
        };
        let annotated = |generation: i64| {
            let mut object = known(generation, generation);
            object.metadata.annotations = Some(BTreeMap::from([(RECONCILE_AT.to_string(), "now".to_string())]));
            object
        };
        let mut session = Session::default();
        assert_eq!(pass(&mut session, &known(1, 1), kept()), 0, "nothing is known");
        assert_eq!(pass(&mut session, &known(2, 1), kept()), 1);
        assert_eq!(pass(&mut session, &annotated(2), Plan::default()), 0);
        assert_eq!(pass(&mut session, &annotated(3), kept()), 0, "the annotation was not dealt with yet");
        assert_eq!(pass(&mut session, &annotated(4), kept()), 1);
    }

    #[test]
    fn only_a_resync_and_a_restart_take_what_is_shared() {
        let mut session = Session::default();
        let mut pass = |object: &AIPlatform, next: Next| {
            let input = session.begin(object, at(0));
            let steps = Plan { steps: vec![step("one", crate::plan::Action::Keep, &[])], ..Plan::default() };
            let (outcomes, denied, observations) = (Outcomes::new(), BTreeMap::new(), Observations::new());
            let (plan, outcomes, observations, denied) = (&steps, &outcomes, &observations, &denied);
            session.end(&input, &PassResult { plan, outcomes, observations, denied, next }, at(0));
            input.freshness
        };
        assert_eq!(pass(&known(1, 1), Next::Transition), Freshness::SHARED, "a restart");
        assert_eq!(pass(&known(1, 1), Next::Retry), Freshness::InTransition);
        assert_eq!(pass(&known(1, 1), Next::Resync), Freshness::InTransition);
        assert_eq!(pass(&known(1, 1), Next::Slow), Freshness::SHARED, "a resync");
        assert_eq!(pass(&known(1, 1), Next::Resync), Freshness::SHARED, "a slow retry");
        assert_eq!(pass(&known(2, 1), Next::Resync), Freshness::Current, "an edit");
    }

    #[test]
    fn a_resync_takes_what_is_as_old_as_the_first_event_while_they_come() {
        let mut session = Session::default();
        session.cover(Some(at(100)));
        session.last = Some(Next::Resync);
        let freshness = |session: &Session, trigger| session.freshness(trigger, at(400));
        let covered = Freshness::Shared { covered: Duration::from_mins(5) };
        assert_eq!(freshness(&session, Trigger::Resync), covered);
        assert_eq!(freshness(&session, Trigger::Restart), Freshness::SHARED);
        assert_eq!(freshness(&session, Trigger::Poll), Freshness::InTransition);
        assert_eq!(freshness(&session, Trigger::Edit), Freshness::Current);
        session.last = Some(Next::Slow);
        assert_eq!(freshness(&session, Trigger::Resync), Freshness::SHARED, "what is in the way may be no event's");
        session.last = Some(Next::Resync);
        for (told, seconds) in [(10, 300), (200, 140), (390, 0)] {
            let key = Key { kind: Kind::Role, name: "role".into() };
            session.touch(Touch { key, by: "jane".into(), at: at(told), call: "UntagRole".into() });
            let covered = Freshness::Shared { covered: Duration::from_secs(seconds) };
            assert_eq!(freshness(&session, Trigger::Resync), covered, "lists show what was told of {told}");
        }
        session.cover(None);
        assert_eq!(freshness(&session, Trigger::Resync), Freshness::SHARED);
    }
}

//! The memory of objects between reconciliations: what the last passes left, and what watches and events tell meanwhile.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::ResourceExt;

use super::Context;
use super::allowance::Allowance;
use super::queue::Urgency;
use crate::api::status::Phase;
use crate::api::{AIPlatform, AIPlatformStatus, Network};
use crate::drift::Repair;
use crate::drift_events::record::Record;
use crate::drift_events::{Touch, report, touches};
use crate::reconcile::Pass;
use crate::resource_version::is_later;
use crate::schedule::{Next, Periods, Spent, delay};
use crate::session::{PassInput, Session, Trigger, UserRequest};

/// The longest time for which a status that tells of progress alone is not written. Losing it costs nothing: a status is
/// lost as well when the operator dies before it writes.
const UNWRITTEN_MOST: Duration = Duration::from_secs(6);

/// The memory of an object between reconciliations. Losing it costs one pass.
#[derive(Debug, Default)]
pub(super) struct ObjectState {
    /// The last version of the object that a write of our own made: watch events up to it tell nothing new.
    own_version: Option<String>,
    /// The next step that the last pass asked for, and when the first of those that asked for the same began.
    last: Option<(Next, Instant)>,
    /// The time of the next resync, which passes that come before it do not put off.
    resync_due: Option<Instant>,
    /// The time of the next poll of what is in transition, which passes that come before it do not put off either.
    poll_due: Option<Instant>,
    /// True when the last pass waits for AWS, see [`Pass::awaits_aws`].
    awaits_aws: bool,
    /// True when the time of the next resync was set while events told of changes.
    pub(super) relies_on_events: bool,
    /// What others changed since the last pass began, as events tell.
    touches: Vec<Touch>,
    /// The memory of passes.
    pub(super) session: Session,
    /// The allowance for full reads that the user may request.
    allowance: Allowance,
    /// True when an event has said that the allowance is spent.
    pub(super) is_postponed: bool,
    /// The reason for which nothing is done about the object, if so.
    pub(super) set_aside: Option<&'static str>,
    /// The time at which the last edit was noticed, until the object is ready.
    pub(super) edited_at: Option<Instant>,
    /// The status of the last pass, where it is still to be written.
    pub(super) unwritten: Option<Unwritten>,
}

/// A status that tells of progress alone, which the next pass writes with its own.
#[derive(Debug)]
pub(super) struct Unwritten {
    status: AIPlatformStatus,
    /// The status that the object has meanwhile.
    written: AIPlatformStatus,
    /// The time at which the first status came that was not written.
    since: Instant,
}

impl ObjectState {
    /// The time until the next reconciliation. `is_new` where something else has begun than what passes have waited for so far.
    pub(super) fn wait(&mut self, next: Next, began: Instant, is_new: bool, periods: Periods) -> Option<Duration> {
        let first = self.last.filter(|(last, _)| *last == next && !is_new).map_or(began, |(_, first)| first);
        self.last = Some((next, first));
        let spent = Spent { in_all: first.elapsed(), on_the_last: began.elapsed() };
        let wait = delay(next, periods, spent, fastrand::f64())?;
        let now = Instant::now();
        let due = self.resync_due.filter(|due| *due > now).unwrap_or(now + wait);
        self.resync_due = (Trigger::after(Some(next)) == Trigger::Resync).then_some(due);
        let poll = now + wait;
        self.poll_due = (next == Next::Transition)
            .then(|| self.poll_due.filter(|due| *due > now).map_or(poll, |due| due.min(poll)));
        let due = self.resync_due.or(self.poll_due);
        Some(due.map_or(wait, |due| wait.min(due - now)))
    }
}

/// The urgency of reconciling the object as it is known now; none where nothing changed.
pub(super) fn change_urgency<P>(object: &AIPlatform, context: &Context<P>) -> Option<Urgency> {
    let states = states(context);
    let Some(state) = states.get(&uid(object)) else {
        return Some(first_urgency(object));
    };
    let version = object.metadata.resource_version.as_deref();
    if state.own_version.is_some() && !is_later(version, state.own_version.as_deref()) {
        return None;
    }
    Some(if state.session.request() == Some(&UserRequest::of(object)) { Urgency::Resync } else { Urgency::Edit })
}

/// True until the first pass over the object.
pub(super) fn is_unknown<P>(object: &AIPlatform, context: &Context<P>) -> bool {
    !states(context).contains_key(&uid(object))
}

/// True when the last pass over the object waits for AWS, see [`Pass::awaits_aws`].
pub(super) fn awaits_aws<P>(object: &AIPlatform, context: &Context<P>) -> bool {
    states(context).get(&uid(object)).is_some_and(|state| state.awaits_aws)
}

/// Records a write of our own to the object.
pub(super) fn record_own_write<P>(object: &AIPlatform, context: &Context<P>) {
    states(context).entry(uid(object)).or_default().own_version = object.resource_version();
}

/// Takes note of what an event tells of the object's resources, or of the network that it has or borrows, if anything.
pub(super) fn touch<P>(object: &AIPlatform, network: Option<&Network>, record: &Record, context: &Context<P>) -> bool {
    let Some(status) = object.status.as_ref().filter(|_| object.spec.account_id == record.account_id) else {
        return false;
    };
    let touches = touches(record, status.resources.iter());
    let is_touched = !touches.is_empty();
    if is_touched {
        states(context).entry(uid(object)).or_default().touches.extend(touches);
    }
    let network = network.filter(|_| object.spec.region == record.region);
    is_touched || network.zip(record.network.as_ref()).is_some_and(|(network, change)| change.concerns(network))
}

/// True when the object says something else of how the operator hears of changes than what is known by now. A resync that
/// was put off because events came is due when they do not come any more.
pub(super) fn hears_otherwise<P>(object: &AIPlatform, context: &Context<P>) -> bool {
    let flow = context.drift_events.flow(object);
    if let Some(state) = states(context).get_mut(&uid(object)).filter(|state| state.relies_on_events && !flow) {
        state.resync_due = None;
    }
    let said = object.status.iter().flat_map(|status| &status.conditions).find(|it| it.type_ == report::CONDITION);
    let report = context.drift_events.report(object);
    said.map(|it| (it.status.as_str(), it.reason.as_str(), it.message.as_str()))
        != report.as_ref().map(|it| (it.status, it.reason, it.message.as_str()))
}

/// The status that the last pass came to and did not write, if the object says since then what it said before.
pub(super) fn unwritten<P>(object: &AIPlatform, context: &Context<P>) -> Option<AIPlatformStatus> {
    let states = states(context);
    let unwritten = states.get(&uid(object))?.unwritten.as_ref()?;
    (object.status.as_ref() == Some(&unwritten.written)).then(|| unwritten.status.clone())
}

/// Keeps a status for the next pass to write, where that comes soon enough. Whether it does.
pub(super) fn put_off<P>(
    object: &AIPlatform,
    found: &AIPlatformStatus,
    written: &AIPlatformStatus,
    wait: Option<Duration>,
    context: &Context<P>,
) -> bool {
    let mut states = states(context);
    let state = states.entry(uid(object)).or_default();
    let since = state.unwritten.as_ref().map_or_else(Instant::now, |unwritten| unwritten.since);
    if wait.is_none_or(|wait| since.elapsed() + wait > UNWRITTEN_MOST) {
        return false;
    }
    state.unwritten = Some(Unwritten { status: found.clone(), written: written.clone(), since });
    true
}

/// The time to wait for a user who requests one full read after the other.
pub(super) fn postponed<P>(object: &AIPlatform, context: &Context<P>) -> Option<Duration> {
    let mut states = states(context);
    let state = states.entry(uid(object)).or_default();
    let (before, now) = (state.session.request()?, UserRequest::of(object));
    let only_the_annotation =
        UserRequest { annotation: before.annotation.clone(), ..now.clone() } == *before && now != *before;
    if !only_the_annotation {
        return None;
    }
    state.allowance.take(context.began.elapsed()).err()
}

pub(super) fn begin<P>(object: &AIPlatform, now: Timestamp, context: &Context<P>) -> PassInput {
    let mut states = states(context);
    let state = states.entry(uid(object)).or_default();
    state.is_postponed = false;
    if state.resync_due.is_some_and(|due| due > Instant::now()) {
        state.session.wake();
    }
    for touch in std::mem::take(&mut state.touches) {
        state.session.touch(touch);
    }
    state.session.cover(context.drift_events.covered_since(object));
    state.session.begin(object, now)
}

/// Ends a pass. The repairs of drift that it made.
pub(super) fn end<P>(
    object: &AIPlatform,
    input: &PassInput,
    pass: &Pass,
    now: Timestamp,
    context: &Context<P>,
) -> Vec<Repair> {
    let mut states = states(context);
    let state = states.entry(uid(object)).or_default();
    state.awaits_aws = pass.awaits_aws();
    let repairs = state.session.end(input, &pass.result(), now);
    let set_aside = pass.set_aside().filter(|_| !pass.status.resources.is_empty());
    context.metrics.set_aside(std::mem::replace(&mut state.set_aside, set_aside), set_aside);
    repairs
}

/// Forgets an object that is gone.
pub(super) fn forget<P>(uid: &str, context: &Context<P>) {
    if let Some(state) = states(context).remove(uid) {
        context.metrics.set_aside(state.set_aside, None);
    }
}

pub(super) fn uid(object: &AIPlatform) -> String {
    object.uid().unwrap_or_default()
}

pub(super) fn states<P>(context: &Context<P>) -> MutexGuard<'_, HashMap<String, ObjectState>> {
    context.states.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The urgency of the first pass: the operator has just started, or the object is new. What is at rest can wait until the
/// rest has been reconciled.
fn first_urgency(object: &AIPlatform) -> Urgency {
    let Some(status) = &object.status else { return Urgency::Edit };
    if status.observed_generation != object.metadata.generation || object.metadata.deletion_timestamp.is_some() {
        return Urgency::Edit;
    }
    match status.phase {
        Some(Phase::Ready | Phase::Stalled | Phase::Suspended) => Urgency::Resync,
        Some(Phase::Pending | Phase::Progressing | Phase::Degraded | Phase::Deleting | Phase::Unknown) | None => {
            Urgency::Transition
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIODS: Periods = Periods { resync: Duration::from_mins(10), transition: Duration::from_secs(5) };

    #[test]
    fn what_wakes_a_pass_does_not_put_off_the_poll_of_what_is_in_transition() {
        let mut state = ObjectState::default();
        let wait = |state: &mut ObjectState, next: Next, is_new: bool| -> Duration {
            state.wait(next, Instant::now(), is_new, PERIODS).unwrap()
        };
        let period = PERIODS.transition;
        assert!(wait(&mut state, Next::Transition, true) >= period);
        for is_new in [false, true] {
            state.poll_due = Some(Instant::now() + Duration::from_secs(1));
            assert!(wait(&mut state, Next::Transition, is_new) <= Duration::from_secs(1), "it was woken before");
        }
        state.poll_due = Some(Instant::now());
        assert!(wait(&mut state, Next::Transition, false) >= period, "it was polled");
        wait(&mut state, Next::Resync, false);
        assert!(wait(&mut state, Next::Transition, false) >= period, "another transition");
    }
}

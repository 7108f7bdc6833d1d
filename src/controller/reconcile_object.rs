//! Reconciliation of one object: passes until there is nothing more to do at once, each with at most one status write.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use tracing::{debug, warn};

use super::allowance::{self, Allowance};
use super::events::{self, Note};
use super::queue::Urgency;
use super::{Attempt, Context, Error, FIELD_MANAGER};
use crate::api::status::Phase;
use crate::api::{AIPlatform, AIPlatformStatus, RECONCILE_AT};
use crate::drift::Repair;
use crate::drift_events::record::Record;
use crate::drift_events::{Touch, report, touches};
use crate::failure::{self, Class};
use crate::guardrails::Labels;
use crate::metrics::Platform;
use crate::outcome::Outcome;
use crate::plan::{Action, Step};
use crate::priority::{self, Priority};
use crate::provider::Provider;
use crate::provider::cluster::namespace_labels;
use crate::reconcile::{Pass, PassContext, reconcile};
use crate::resource::Freshness;
use crate::resource_version::is_later;
use crate::schedule::{self, Next, Periods, Spent, delay};
use crate::session::{PassInput, Session, Trigger, UserRequest};
use crate::status::is_only_progress;

/// Passes that follow each other at once, at most: a deletion is admitted, deletes and confirms.
const PASSES_AT_ONCE: usize = 4;

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
    /// True when the pass under way came before that.
    is_early: bool,
    /// True when the time of the next resync was set while events told of changes.
    relies_on_events: bool,
    /// What others changed since the last pass began, as events tell.
    touches: Vec<Touch>,
    /// The memory of passes.
    session: Session,
    /// The allowance for full reads that the user may request.
    allowance: Allowance,
    /// True when an event has said that the allowance is spent.
    is_postponed: bool,
    /// The reason for which nothing is done about the object, if so.
    set_aside: Option<&'static str>,
    /// The time at which the last edit was noticed, until the object is ready.
    edited_at: Option<Instant>,
    /// The status of the last pass, where it is still to be written.
    unwritten: Option<Unwritten>,
}

/// A status that tells of progress alone, which the next pass writes with its own.
#[derive(Debug)]
struct Unwritten {
    status: AIPlatformStatus,
    /// The status that the object has meanwhile.
    written: AIPlatformStatus,
    /// The time at which the first status came that was not written.
    since: Instant,
}

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

    fn of(next: Next) -> Self {
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

/// Records a write of our own to the object.
pub(super) fn record_own_write<P>(object: &AIPlatform, context: &Context<P>) {
    states(context).entry(uid(object)).or_default().own_version = object.resource_version();
}

/// Takes note of what an event tells of the object's resources, if anything.
pub(super) fn touch<P>(object: &AIPlatform, record: &Record, context: &Context<P>) -> bool {
    let Some(status) = object.status.as_ref().filter(|_| object.spec.account_id == record.account_id) else {
        return false;
    };
    let touches = touches(record, status.resources.iter());
    let is_touched = !touches.is_empty();
    if is_touched {
        states(context).entry(uid(object)).or_default().touches.extend(touches);
    }
    is_touched
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

/// Reconciles the object.
pub(super) async fn reconcile_object<P: Provider + 'static>(
    object: &AIPlatform,
    context: &Context<P>,
) -> Result<ReconcileResult, Error> {
    let began = Instant::now();
    if let Some(wait) = postponed(object, context) {
        return Ok(postpone(object, wait, context).await);
    }
    let labels = labels(object, context).await;
    let denied = labels.as_ref().err().filter(|error| error.class == Class::Denied);
    let obstacle = denied.map(ToString::to_string);
    let result = run_passes(object, labels, began, context).await?;
    Ok(ReconcileResult { obstacle, ..result })
}

async fn run_passes<P: Provider + 'static>(
    object: &AIPlatform,
    labels: Result<Option<Labels>, failure::Error>,
    began: Instant,
    context: &Context<P>,
) -> Result<ReconcileResult, Error> {
    let (cluster, guardrails) = (context.settings.cluster.as_str(), &context.settings.guardrails);
    let pass_context = PassContext { cluster, guardrails, labels: labels.as_ref().map(Option::as_ref) };
    let mut object = object.clone();
    // What the object says in the API server; passes begin with what the last one found.
    let mut written = object.status.clone();
    if let Some(status) = unwritten(&object, context) {
        object.status = Some(status);
    }
    let mut progress = Progress::None;
    for _ in 0..PASSES_AT_ONCE {
        let now = now();
        let input = begin(&object, now, context);
        let pass = reconcile(&*context.provider, &object, pass_context, &input, now, &context.authority);
        let mut pass = priority::scope(priority_of(&input), pass).await;
        report::put(&mut pass.status, object.status.as_ref(), context.drift_events.report(&object), now);
        progress = progress.max(progress_of(&pass));
        let repairs = end(&object, &input, &pass, now, context);
        count(&pass, &repairs, context);
        events::publish(&object, &pass, &repairs, context).await;
        let is_announced = observed(object.status.as_ref()) != observed(Some(&pass.status));
        measure(&object, &pass, is_announced, context);
        let is_written = written.as_ref() == Some(&pass.status);
        if !is_written
            && pass.next == Next::Transition
            && let Some(written) = written.as_ref().filter(|written| is_only_progress(written, &pass.status))
        {
            let mut result = schedule_next(object.clone(), pass.next, began, progress, context);
            if put_off(&object, &pass.status, written, result.wait, context) {
                result.object = Some(AIPlatform { status: Some(written.clone()), ..object });
                return Ok(result);
            }
        }
        states(context).entry(uid(&object)).or_default().unwritten = None;
        if is_written {
            object.status.clone_from(&written);
        } else {
            let now_written = write_status(&object, &pass.status, context).await?;
            record_own_write(&now_written, context);
            let is_outdated = UserRequest::of(&now_written) != UserRequest::of(&object) && !pass.finished;
            object = now_written;
            written.clone_from(&object.status);
            // What this pass was about is no longer what the user asks for.
            if is_outdated {
                return Ok(ReconcileResult { object: Some(object), ..ReconcileResult::requeue(Urgency::Edit) });
            }
        }
        if pass.finished {
            let verdict = Verdict::Deleted;
            return Ok(ReconcileResult { finished: true, verdict, object: Some(object), ..ReconcileResult::done() });
        }
        // The user sees that the edit has been seen; what it asks of AWS stands in line with what others ask.
        if pass.next != Next::Now || is_announced || !context.authority.may_begin() {
            return Ok(schedule_next(object, pass.next, began, progress, context));
        }
    }
    Ok(schedule_next(object, Next::Transition, began, progress, context))
}

/// The status that the last pass came to and did not write, if the object says since then what it said before.
fn unwritten<P>(object: &AIPlatform, context: &Context<P>) -> Option<AIPlatformStatus> {
    let states = states(context);
    let unwritten = states.get(&uid(object))?.unwritten.as_ref()?;
    (object.status.as_ref() == Some(&unwritten.written)).then(|| unwritten.status.clone())
}

/// Keeps a status for the next pass to write, where that comes soon enough. Whether it does.
fn put_off<P>(
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

/// What an edit asks of AWS stands in line after the answer that it has been seen, and is an edit all the same.
fn priority_of(input: &PassInput) -> Priority {
    match priority::current() {
        Priority::Transition if input.freshness == Freshness::Current => Priority::Edit,
        other => other,
    }
}

fn observed(status: Option<&AIPlatformStatus>) -> Option<i64> {
    status.and_then(|status| status.observed_generation)
}

/// The result of a reconciliation that failed: when it is retried.
pub(super) fn failed<P>(meta: &ObjectMeta, began: Instant, context: &Context<P>) -> ReconcileResult {
    let mut states = states(context);
    let state = states.entry(meta.uid.clone().unwrap_or_default()).or_default();
    state.session.abort();
    // A retry depends on no period.
    let periods = Periods { resync: schedule::RESYNC, transition: context.settings.transition };
    let wait = state.wait(Next::Retry, began, false, periods);
    ReconcileResult { wait, verdict: Verdict::Error, urgency: Urgency::Retry, ..ReconcileResult::done() }
}

impl ObjectState {
    /// The time until the next reconciliation. `is_new` where something else has begun than what passes have waited for so far.
    fn wait(&mut self, next: Next, began: Instant, is_new: bool, periods: Periods) -> Option<Duration> {
        let first = self.last.filter(|(last, _)| *last == next && !is_new).map_or(began, |(_, first)| first);
        self.last = Some((next, first));
        let spent = Spent { in_all: first.elapsed(), on_the_last: began.elapsed() };
        let wait = delay(next, periods, spent, fastrand::f64())?;
        let now = Instant::now();
        let due = self.resync_due.filter(|due| self.is_early && *due > now).unwrap_or(now + wait);
        self.resync_due = (Trigger::after(Some(next)) == Trigger::Resync).then_some(due);
        let poll = now + wait;
        self.poll_due = (next == Next::Transition)
            .then(|| self.poll_due.filter(|due| *due > now).map_or(poll, |due| due.min(poll)));
        let due = self.resync_due.or(self.poll_due);
        Some(due.map_or(wait, |due| wait.min(due - now)))
    }
}

/// The time to wait for a user who requests one full read after the other.
fn postponed<P>(object: &AIPlatform, context: &Context<P>) -> Option<Duration> {
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

async fn postpone<P>(object: &AIPlatform, wait: Duration, context: &Context<P>) -> ReconcileResult {
    let was_told = std::mem::replace(&mut states(context).entry(uid(object)).or_default().is_postponed, true);
    if !was_told {
        let message = format!(
            "{RECONCILE_AT} changes too often: full reads happen at most once in {} seconds from now on",
            allowance::PERIOD.as_secs()
        );
        let reason = "Postponed".to_string();
        let note = Note { warning: true, reason, action: "Reconcile", message, about: None };
        if let Err(error) = context.recorder.publish(note, &object.object_ref(&())).await {
            warn!(%error, "an event could not be published");
        }
    }
    let verdict = Verdict::Postponed;
    ReconcileResult { wait: Some(wait), verdict, urgency: Urgency::Edit, ..ReconcileResult::done() }
}

fn begin<P>(object: &AIPlatform, now: Timestamp, context: &Context<P>) -> PassInput {
    let mut states = states(context);
    let state = states.entry(uid(object)).or_default();
    state.is_postponed = false;
    state.is_early = state.resync_due.is_some_and(|due| due > Instant::now());
    if state.is_early {
        state.session.wake();
    }
    for touch in std::mem::take(&mut state.touches) {
        state.session.touch(touch);
    }
    state.session.begin(object, now)
}

/// Ends a pass. The repairs of drift that it made.
fn end<P>(object: &AIPlatform, input: &PassInput, pass: &Pass, now: Timestamp, context: &Context<P>) -> Vec<Repair> {
    let mut states = states(context);
    let state = states.entry(uid(object)).or_default();
    let repairs = state.session.end(input, &pass.result(), now);
    let set_aside = pass.set_aside().filter(|_| !pass.status.resources.is_empty());
    context.metrics.set_aside(std::mem::replace(&mut state.set_aside, set_aside), set_aside);
    repairs
}

/// Shows the object in metrics as the pass left it.
fn measure<P>(object: &AIPlatform, pass: &Pass, is_announced: bool, context: &Context<P>) {
    let platform = Platform::of(object, &pass.status);
    let mut states = states(context);
    let state = states.entry(uid(object)).or_default();
    if is_announced && !pass.finished {
        state.edited_at = Some(Instant::now());
    }
    if platform.is_ready
        && let Some(edited_at) = state.edited_at.take()
    {
        context.metrics.became_ready(edited_at.elapsed());
    }
    context.metrics.platform(&object.namespace().unwrap_or_default(), &object.name_any(), platform);
}

/// Forgets an object that is gone.
pub(super) fn forget<P>(uid: &str, context: &Context<P>) {
    if let Some(state) = states(context).remove(uid) {
        context.metrics.set_aside(state.set_aside, None);
    }
}

/// The time of a pass. Kubernetes keeps whole seconds, so that a status read back is equal to the one written.
pub(super) fn now() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The progress that a reconciliation made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    /// Nothing.
    None,
    /// Something was changed or taken away.
    Changed,
    /// Something was made.
    Made,
}

fn progress_of(pass: &Pass) -> Progress {
    let is_written = |step: &&Step| match pass.outcomes.get(&step.key) {
        Some(Outcome::Done(_)) => true,
        Some(Outcome::Failed(failures)) => failures.wrote(),
        _ => false,
    };
    let written = pass.plan.steps.iter().filter(is_written);
    written
        .map(|step| if matches!(step.action, Action::Create) { Progress::Made } else { Progress::Changed })
        .max()
        .unwrap_or(Progress::None)
}

/// Schedules the next reconciliation. Where something was done, a new transition has begun, which is polled soon; where
/// something was made, a failure is another one than before.
fn schedule_next<P>(
    object: AIPlatform,
    next: Next,
    began: Instant,
    progress: Progress,
    context: &Context<P>,
) -> ReconcileResult {
    let mut states = states(context);
    let state = states.entry(uid(&object)).or_default();
    let is_new = match next {
        Next::Transition => progress > Progress::None,
        Next::Retry => progress == Progress::Made,
        _ => false,
    };
    let periods = Periods { resync: context.drift_events.resync(&object), transition: context.settings.transition };
    state.relies_on_events = context.drift_events.flow(&object);
    let wait = state.wait(next, began, is_new, periods);
    debug!(?next, ?wait, "next reconcile scheduled");
    let urgency = match next {
        Next::Now | Next::Transition => Urgency::Transition,
        Next::Retry => Urgency::Retry,
        Next::Resync | Next::Slow | Next::Never => Urgency::Resync,
    };
    ReconcileResult { wait, verdict: Verdict::of(next), urgency, object: Some(object), ..ReconcileResult::done() }
}

/// The labels of the object's namespace, read only where the guardrails ask for them.
async fn labels<P>(object: &AIPlatform, context: &Context<P>) -> Result<Option<Labels>, failure::Error> {
    if !context.settings.guardrails.need_labels() {
        return Ok(None);
    }
    let namespace = object.namespace().unwrap_or_default();
    let read = namespace_labels(&context.client, &namespace).await;
    if let Err(error) = &read {
        context.metrics.failed(error.reason());
        warn!(reason = error.reason(), "the labels of the namespace could not be read: {error}");
    }
    read.map(Some)
}

async fn write_status<P>(
    object: &AIPlatform,
    status: &AIPlatformStatus,
    context: &Context<P>,
) -> Result<AIPlatform, Error> {
    let api: Api<AIPlatform> =
        Api::namespaced(context.client.clone(), object.namespace().as_deref().unwrap_or_default());
    let patch = serde_json::json!({
        "apiVersion": AIPlatform::api_version(&()),
        "kind": AIPlatform::kind(&()),
        "metadata": {"name": object.name_any(), "uid": object.uid()},
        "status": status,
    });
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    let written = api
        .patch_status(&object.name_any(), &parameters, &Patch::Apply(patch))
        .await
        .map_err(Attempt::WriteStatus.failed())?;
    context.metrics.status_written();
    Ok(written)
}

/// Counts what a pass did and what failed. What could not be read has no line of its own in the log yet.
fn count<P>(pass: &Pass, repairs: &[Repair], context: &Context<P>) {
    for step in &pass.plan.steps {
        let (kind, name, action) = (step.key.kind.name(), step.key.name.as_str(), step.action.name());
        match pass.outcomes.get(&step.key) {
            Some(Outcome::Done(_)) => context.metrics.step(kind, action, "done"),
            Some(Outcome::Failed(failures)) => {
                context.metrics.step(kind, action, "failed");
                for error in failures.errors() {
                    context.metrics.failed(error.reason());
                }
            }
            _ => {}
        }
        for (part, error) in &step.unknown {
            context.metrics.failed(error.reason());
            warn!(kind, resource = name, part, reason = error.reason(), "a part could not be read: {error}");
        }
    }
    for repair in repairs {
        for field in repair.fields() {
            context.metrics.repaired(repair.key.kind.name(), field);
        }
    }
}

fn uid(object: &AIPlatform) -> String {
    object.uid().unwrap_or_default()
}

fn states<P>(context: &Context<P>) -> MutexGuard<'_, HashMap<String, ObjectState>> {
    context.states.lock().unwrap_or_else(PoisonError::into_inner)
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

//! Reconciliation of one object: passes until there is nothing more to do at once, each with at most one status write.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use tracing::{debug, warn};

use super::events::{self, Note};
use super::object_state::{begin, end, postponed, put_off, record_own_write, states, uid, unwritten};
use super::queue::Urgency;
use super::reconcile_result::{ReconcileResult, Verdict};
use super::{Attempt, Context, Error, FIELD_MANAGER, allowance};
use crate::api::{AIPlatform, AIPlatformStatus, RECONCILE_AT};
use crate::drift::Repair;
use crate::drift_events::report;
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
use crate::schedule::{self, Next, Periods};
use crate::session::{PassInput, UserRequest};
use crate::status::is_only_progress;

/// Passes that follow each other at once, at most: a deletion is admitted, deletes and confirms.
const PASSES_AT_ONCE: usize = 4;

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

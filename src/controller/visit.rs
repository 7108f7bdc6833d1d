//! A visit to one object: passes until there is nothing more to do at once, each with at most one status write.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use tracing::{debug, info, warn};

use super::allowance::{self, Allowance};
use super::events::{self, Note};
use super::objects::is_later;
use super::queue::Urgency;
use super::{Attempt, Context, Error, FIELD_MANAGER};
use crate::api::{AIPlatform, AIPlatformStatus, RECONCILE_AT};
use crate::failure::{self, Class};
use crate::guardrails::Labels;
use crate::outcome::Outcome;
use crate::plan::{Action, Step};
use crate::provider::Provider;
use crate::provider::cluster::namespace_labels;
use crate::reconcile::{Pass, Surroundings, reconcile};
use crate::schedule::{Next, Spent, delay};
use crate::session::{PassInput, Session, UserRequest};

/// Passes that follow each other at once, at most: a deletion is admitted, deletes and confirms.
const PASSES_AT_ONCE: usize = 4;

/// What is remembered of an object between visits. Losing it costs one pass.
#[derive(Debug, Default)]
pub(super) struct Visit {
    /// The last version of the object that a write of our own made: watch events up to it are no news.
    own_version: Option<String>,
    /// What the last pass said about the next one, and when the first of those that said the same began.
    last: Option<(Next, Instant)>,
    /// The memory of passes.
    session: Session,
    /// How often the user may ask for a look at everything.
    allowance: Allowance,
    /// Whether the user was told that there is none left.
    is_postponed: bool,
    /// Why nothing is done about the object, if so.
    set_aside: Option<&'static str>,
}

/// What came of a visit.
#[derive(Debug)]
pub(super) struct Visited {
    /// Whether the deletion of the object is finished.
    pub(super) finished: bool,
    /// When to come again, if ever.
    pub(super) wait: Option<Duration>,
    /// How urgent that is.
    pub(super) urgency: Urgency,
    /// The object as the visit left it, where it wrote to it.
    pub(super) object: Option<AIPlatform>,
    /// What stands in the way of work on it that only the operator's own rights can mend.
    pub(super) obstacle: Option<String>,
}

impl Visited {
    /// There is nothing more to do until the object changes.
    pub(super) fn for_good() -> Self {
        Self { finished: false, wait: None, urgency: Urgency::Resync, object: None, obstacle: None }
    }

    /// There is more to do at once.
    pub(super) fn again(urgency: Urgency) -> Self {
        Self { wait: Some(Duration::ZERO), urgency, ..Self::for_good() }
    }
}

/// Whether what is known of the object now asks for a visit, and how urgently.
pub(super) fn news<P>(object: &AIPlatform, context: &Context<P>) -> Option<Urgency> {
    let visits = visits(context);
    let Some(visit) = visits.get(&uid(object)) else {
        // The operator has just started: what is settled can wait until what is not has been looked at.
        let is_settled = object.status.as_ref().is_some_and(|status| {
            status.observed_generation == object.metadata.generation && object.metadata.deletion_timestamp.is_none()
        });
        return Some(if is_settled { Urgency::Resync } else { Urgency::Edit });
    };
    let version = object.metadata.resource_version.as_deref();
    if visit.own_version.is_some() && !is_later(version, visit.own_version.as_deref()) {
        return None;
    }
    Some(if visit.session.request() == Some(&UserRequest::of(object)) { Urgency::Resync } else { Urgency::Edit })
}

/// Takes note of a write of our own to the object.
pub(super) fn wrote<P>(object: &AIPlatform, context: &Context<P>) {
    visits(context).entry(uid(object)).or_default().own_version = object.resource_version();
}

/// Visits the object.
pub(super) async fn visit<P: Provider + 'static>(object: &AIPlatform, context: &Context<P>) -> Result<Visited, Error> {
    let began = Instant::now();
    if let Some(wait) = postponed(object, context) {
        return Ok(postpone(object, wait, context).await);
    }
    let labels = labels(object, context).await;
    let denied = labels.as_ref().err().filter(|error| error.class == Class::Denied);
    let obstacle = denied.map(ToString::to_string);
    let visited = take_passes(object, labels, began, context).await?;
    Ok(Visited { obstacle, ..visited })
}

async fn take_passes<P: Provider + 'static>(
    object: &AIPlatform,
    labels: Result<Option<Labels>, failure::Error>,
    began: Instant,
    context: &Context<P>,
) -> Result<Visited, Error> {
    let (cluster, guardrails) = (context.settings.cluster.as_str(), &context.settings.guardrails);
    let surroundings = Surroundings { cluster, guardrails, labels: labels.as_ref().map(Option::as_ref) };
    let mut object = object.clone();
    let mut acted = Progress::None;
    for _ in 0..PASSES_AT_ONCE {
        let now = now();
        let input = begin(&object, now, context);
        let pass = reconcile(&*context.provider, &object, surroundings, &input, now, &context.authority).await;
        acted = acted.max(progress(&pass));
        end(&object, &input, &pass, now, context);
        log(&pass, context);
        events::publish(&object, &pass, context).await;
        let is_announced = observed(object.status.as_ref()) != observed(Some(&pass.status));
        if object.status.as_ref() != Some(&pass.status) {
            let written = write_status(&object, &pass.status, context).await?;
            wrote(&written, context);
            let is_outdated = UserRequest::of(&written) != UserRequest::of(&object) && !pass.finished;
            object = written;
            // What this pass was about is no longer what the user asks for.
            if is_outdated {
                return Ok(Visited { object: Some(object), ..Visited::again(Urgency::Edit) });
            }
        }
        if pass.finished {
            return Ok(Visited { finished: true, object: Some(object), ..Visited::for_good() });
        }
        // The user sees that the edit has been seen; what it asks of AWS stands in line with what others ask.
        if pass.next != Next::Now || is_announced || !context.authority.may_begin() {
            return Ok(settle(object, pass.next, began, acted, context));
        }
    }
    Ok(settle(object, Next::Transition, began, acted, context))
}

fn observed(status: Option<&AIPlatformStatus>) -> Option<i64> {
    status.and_then(|status| status.observed_generation)
}

/// When a visit that did not end well is tried again.
pub(super) fn failed<P>(meta: &ObjectMeta, began: Instant, context: &Context<P>) -> Visited {
    let mut visits = visits(context);
    let visit = visits.entry(meta.uid.clone().unwrap_or_default()).or_default();
    visit.session.abort();
    let wait = visit.wait(Next::Retry, began, false, context);
    Visited { wait, urgency: Urgency::Retry, ..Visited::for_good() }
}

impl Visit {
    /// How long until the next visit. `is_new` where something else has begun than what passes have waited for so far.
    fn wait<P>(&mut self, next: Next, began: Instant, is_new: bool, context: &Context<P>) -> Option<Duration> {
        let first = self.last.filter(|(last, _)| *last == next && !is_new).map_or(began, |(_, first)| first);
        self.last = Some((next, first));
        let spent = Spent { in_all: first.elapsed(), on_the_last: began.elapsed() };
        delay(next, context.settings.periods, spent, fastrand::f64())
    }
}

/// How long the user has to wait who asks for one look at everything after the other.
fn postponed<P>(object: &AIPlatform, context: &Context<P>) -> Option<Duration> {
    let mut visits = visits(context);
    let visit = visits.entry(uid(object)).or_default();
    let (before, now) = (visit.session.request()?, UserRequest::of(object));
    let only_the_annotation =
        UserRequest { annotation: before.annotation.clone(), ..now.clone() } == *before && now != *before;
    if !only_the_annotation {
        return None;
    }
    visit.allowance.take(context.began.elapsed()).err()
}

async fn postpone<P>(object: &AIPlatform, wait: Duration, context: &Context<P>) -> Visited {
    let was_told = std::mem::replace(&mut visits(context).entry(uid(object)).or_default().is_postponed, true);
    if !was_told {
        let message = format!(
            "{RECONCILE_AT} changes faster than everything can be looked at: once in {} seconds from now on",
            allowance::PERIOD.as_secs()
        );
        let reason = "Postponed".to_string();
        let note = Note { warning: true, reason, action: "Reconcile", message, about: None };
        if let Err(error) = context.recorder.publish(note, &object.object_ref(&())).await {
            warn!(%error, "an event could not be published");
        }
    }
    Visited { wait: Some(wait), urgency: Urgency::Edit, ..Visited::for_good() }
}

fn begin<P>(object: &AIPlatform, now: Timestamp, context: &Context<P>) -> PassInput {
    let mut visits = visits(context);
    let visit = visits.entry(uid(object)).or_default();
    visit.is_postponed = false;
    visit.session.begin(object, now)
}

fn end<P>(object: &AIPlatform, input: &PassInput, pass: &Pass, now: Timestamp, context: &Context<P>) {
    let mut visits = visits(context);
    let visit = visits.entry(uid(object)).or_default();
    visit.session.end(input, &pass.result(), now);
    let set_aside = pass.set_aside().filter(|_| !pass.status.resources.is_empty());
    context.metrics.set_aside(std::mem::replace(&mut visit.set_aside, set_aside), set_aside);
}

/// Forgets an object that is gone.
pub(super) fn forget<P>(uid: &str, context: &Context<P>) {
    if let Some(visit) = visits(context).remove(uid) {
        context.metrics.set_aside(visit.set_aside, None);
    }
}

/// The time of a pass. Kubernetes keeps whole seconds, so that a status read back is equal to the one written.
pub(super) fn now() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// What a visit has brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    /// Nothing.
    None,
    /// Something was changed or taken away.
    Changed,
    /// Something was made.
    Made,
}

fn progress(pass: &Pass) -> Progress {
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

/// Takes note of how a visit ended. Where something was done, a new transition has begun, which is looked at soon; where
/// something was made, a failure is another one than before.
fn settle<P>(object: AIPlatform, next: Next, began: Instant, acted: Progress, context: &Context<P>) -> Visited {
    let mut visits = visits(context);
    let visit = visits.entry(uid(&object)).or_default();
    let is_new = match next {
        Next::Transition => acted > Progress::None,
        Next::Retry => acted == Progress::Made,
        _ => false,
    };
    let wait = visit.wait(next, began, is_new, context);
    debug!(?next, ?wait, "next reconcile scheduled");
    let urgency = match next {
        Next::Now | Next::Transition => Urgency::Transition,
        Next::Retry => Urgency::Retry,
        Next::Resync | Next::Slow | Next::Never => Urgency::Resync,
    };
    Visited { wait, urgency, object: Some(object), ..Visited::for_good() }
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

fn log<P>(pass: &Pass, context: &Context<P>) {
    for step in &pass.plan.steps {
        let (kind, name, action) = (step.key.kind.name(), step.key.name.as_str(), step.action.name());
        match pass.outcomes.get(&step.key) {
            Some(Outcome::Done(_)) => {
                context.metrics.step(kind, action, "done");
                let fields = crate::render::fields(&step.action).join(" ");
                info!(kind, resource = name, fields, "{}", action.to_lowercase());
            }
            Some(Outcome::Failed(failures)) => {
                context.metrics.step(kind, action, "failed");
                for error in failures.errors() {
                    context.metrics.failed(error.reason());
                    warn!(kind, resource = name, reason = error.reason(), "{} failed: {error}", action.to_lowercase());
                }
            }
            _ => {}
        }
        for (part, error) in &step.unknown {
            context.metrics.failed(error.reason());
            warn!(kind, resource = name, part, reason = error.reason(), "a part could not be read: {error}");
        }
    }
}

fn uid(object: &AIPlatform) -> String {
    object.uid().unwrap_or_default()
}

fn visits<P>(context: &Context<P>) -> MutexGuard<'_, HashMap<String, Visit>> {
    context.visits.lock().unwrap_or_else(PoisonError::into_inner)
}

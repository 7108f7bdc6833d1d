//! A visit to one object: passes until there is nothing more to do at once, each with at most one status write.

use std::collections::{BTreeMap, HashMap};
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use tracing::{debug, info, warn};

use super::{Context, Error, FIELD_MANAGER, events};
use crate::api::{AIPlatform, AIPlatformStatus, RECONCILE_AT};
use crate::execute::Outcome;
use crate::guardrails::Labels;
use crate::plan::Action;
use crate::provider::Provider;
use crate::provider::kubernetes::namespace_labels;
use crate::recollection::{Occasion, Past, Recollection, Seen};
use crate::reconcile::{Pass, Surroundings, reconcile};
use crate::repeats::Repeats;
use crate::schedule::{Next, delay};

/// Passes that follow each other at once, at most: a deletion announces, deletes and confirms.
const PASSES_AT_ONCE: usize = 4;

/// What is remembered of an object between visits. Losing it costs one pass.
#[derive(Debug, Default)]
pub(super) struct Visit {
    /// Versions of the object that our own status writes made, the newest last: their watch events are no news.
    own_versions: Vec<String>,
    /// When the next pass is due.
    due: Option<Instant>,
    /// What the last pass said about the next one, and how often in a row.
    last: Option<(Next, u32)>,
    /// Failures in a row.
    failures: u32,
    /// Updates made, to notice when they have no effect.
    repeats: Repeats,
    /// What was seen.
    recollection: Recollection,
    /// What the user asked for by then.
    asked: Option<Asked>,
}

/// What the user asks for: the generation of the spec, the annotation, and whether the object is to go.
type Asked = (Option<i64>, Option<String>, bool);

impl Visit {
    /// Counts a failure; how many there were before.
    pub(super) fn failed(&mut self) -> u32 {
        self.failures += 1;
        self.failures - 1
    }

    fn repeats(&self, next: Next) -> u32 {
        self.last.filter(|(last, _)| *last == next).map_or(0, |(_, repeats)| repeats + 1)
    }
}

/// Visits the object. Whether its deletion is finished, and when to come again.
pub(super) async fn visit<P: Provider + 'static>(
    object: &AIPlatform,
    context: &Context<P>,
) -> Result<(bool, Option<Duration>), Error> {
    if let Some(wait) = no_news(object, context) {
        return Ok((false, Some(wait)));
    }
    let labels = labels(object, context).await?;
    let (cluster, guardrails) = (context.settings.cluster.as_str(), &context.settings.guardrails);
    let surroundings = Surroundings { cluster, guardrails, labels: labels.as_ref() };
    let mut object = object.clone();
    let mut own_versions = Vec::new();
    let mut acted = Progress::None;
    let mut refused = BTreeMap::new();
    let (mut repeats, mut recollection, mut occasion) = remembered(&object, context);
    for _ in 0..PASSES_AT_ONCE {
        let now = now();
        let recalled = recollection.recall(occasion, now);
        let known = Past { repeats, recalled, thorough: occasion == Occasion::Asked, refused };
        let pass = reconcile(&*context.provider, &object, surroundings, &known, now, &context.stop).await;
        let Pass { plan, outcomes, observations, .. } = &pass;
        recollection.record(&Seen { plan, outcomes, observations, recalled: &known.recalled }, pass.next, now);
        repeats = known.repeats;
        repeats.record(plan, outcomes);
        refused = pass.refused.clone();
        acted = acted.max(progress(&pass));
        keep(&object, &repeats, &recollection, context);
        if !pass.plan.steps.is_empty() {
            occasion = Occasion::Poll;
        }
        log(&pass, context);
        events::publish(&object, &pass, context).await;
        if object.status.as_ref() != Some(&pass.status) {
            let written = write_status(&object, &pass.status, context).await?;
            // What this pass was about is no longer what the user asks for: its watch event starts another visit, which
            // must not take our write on top of it for the news.
            if asked(&written) != asked(&object) && !pass.finished {
                return Ok((false, settle(&object, Vec::new(), Next::Now, acted, context)));
            }
            own_versions.push(written.resource_version().unwrap_or_default());
            object.status = written.status;
            object.metadata = written.metadata;
        }
        if pass.finished {
            return Ok((true, None));
        }
        if pass.next != Next::Now || context.stop.is_cancelled() {
            return Ok((false, settle(&object, own_versions, pass.next, acted, context)));
        }
    }
    Ok((false, settle(&object, own_versions, Next::Transition, acted, context)))
}

/// What is remembered of an object, and why there is a pass: the user may have asked for something since the last.
fn remembered<P>(object: &AIPlatform, context: &Context<P>) -> (Repeats, Recollection, Occasion) {
    let mut visits = visits(context);
    let visit = visits.entry(uid(object)).or_default();
    let asked = Some(asked(object));
    let mut occasion = Occasion::after(visit.last.map(|(next, _)| next));
    let is_forgotten = object.status.as_ref().and_then(|status| status.observed_generation).is_none();
    if visit.asked != asked || is_forgotten {
        visit.repeats.clear();
        visit.asked = asked;
        occasion = Occasion::Asked;
    }
    (visit.repeats.clone(), visit.recollection.clone(), occasion)
}

fn asked(object: &AIPlatform) -> Asked {
    let annotation = object.annotations().get(RECONCILE_AT).cloned();
    (object.metadata.generation, annotation, object.metadata.deletion_timestamp.is_some())
}

fn keep<P>(object: &AIPlatform, repeats: &Repeats, recollection: &Recollection, context: &Context<P>) {
    let mut visits = visits(context);
    let visit = visits.entry(uid(object)).or_default();
    visit.repeats = repeats.clone();
    visit.recollection = recollection.clone();
}

/// Forgets an object that is gone.
pub(super) fn forget<P>(object: &AIPlatform, context: &Context<P>) {
    visits(context).remove(&uid(object));
}

/// The time of a pass. Kubernetes keeps whole seconds, so that a status read back is equal to the one written.
pub(super) fn now() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// How long the next pass is still away, when all that brought us here is our own status write.
fn no_news<P>(object: &AIPlatform, context: &Context<P>) -> Option<Duration> {
    let visits = visits(context);
    let visit = visits.get(&uid(object))?;
    let own = visit.own_versions.contains(&object.resource_version()?);
    let left = visit.due?.saturating_duration_since(Instant::now());
    (own && !left.is_zero()).then_some(left)
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
    let done = pass.plan.steps.iter().filter(|step| matches!(pass.outcomes.get(&step.key), Some(Outcome::Done(_))));
    done.map(|step| if matches!(step.action, Action::Create) { Progress::Made } else { Progress::Changed })
        .max()
        .unwrap_or(Progress::None)
}

/// Takes note of how a visit ended. Where something was done, a new transition has begun, which is looked at soon; where
/// something was made, a failure is another one than before.
fn settle<P>(
    object: &AIPlatform,
    own_versions: Vec<String>,
    next: Next,
    acted: Progress,
    context: &Context<P>,
) -> Option<Duration> {
    let mut visits = visits(context);
    let visit = visits.entry(uid(object)).or_default();
    let is_new = match next {
        Next::Transition => acted > Progress::None,
        Next::Retry => acted == Progress::Made,
        _ => false,
    };
    let repeats = if is_new { 0 } else { visit.repeats(next) };
    let wait = delay(next, context.settings.periods, repeats, fastrand::f64());
    visit.last = Some((next, repeats));
    visit.failures = 0;
    visit.due = wait.and_then(|wait| Instant::now().checked_add(wait));
    visit.own_versions =
        if own_versions.is_empty() { object.resource_version().into_iter().collect() } else { own_versions };
    debug!(?next, ?wait, "visited");
    wait
}

/// The labels of the object's namespace, read only where the guardrails ask for them.
async fn labels<P>(object: &AIPlatform, context: &Context<P>) -> Result<Option<Labels>, Error> {
    if !context.settings.guardrails.need_labels() {
        return Ok(None);
    }
    let namespace = object.namespace().unwrap_or_default();
    Ok(Some(namespace_labels(&context.client, &namespace).await?))
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
    let written = api.patch_status(&object.name_any(), &parameters, &Patch::Apply(patch)).await?;
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
            Some(Outcome::Failed(error)) => {
                context.metrics.step(kind, action, "failed");
                context.metrics.failed(error.reason());
                warn!(kind, resource = name, reason = error.reason(), "{} failed: {error}", action.to_lowercase());
            }
            _ => {}
        }
    }
}

fn uid(object: &AIPlatform) -> String {
    object.uid().unwrap_or_default()
}

fn visits<P>(context: &Context<P>) -> MutexGuard<'_, HashMap<String, Visit>> {
    context.visits.lock().unwrap_or_else(PoisonError::into_inner)
}

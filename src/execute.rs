//! Carries a plan out: every step as soon as what it needs is done, independent steps side by side.
//!
//! It never waits for AWS to finish something: a long transition is an outcome, and a later pass sees how far it came.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tracing::field::Empty;
use tracing::{Instrument, debug_span, info, warn};

use crate::arn;
use crate::aws_requests;
use crate::failures::Failures;
use crate::leadership::Authority;
use crate::outcome::{Applied, Outcome, Outcomes};
use crate::plan::attainment::{Attainment, settled};
use crate::plan::{Action, Plan, Refusal, Step};
use crate::provider::Provider;
use crate::render;
use crate::resource::{Key, Resource};
use crate::scope::Scope;
use crate::traces::TARGET;

/// Calls in flight for one platform at most, so that one large platform leaves room for the others.
const CONCURRENT_STEPS: usize = 8;

/// Takes every step of the plan that can be taken, and returns the plan as it was carried out. Needs and what is awaited
/// point to earlier steps only, so one walk in the plan's order finds everything that can start and everything that
/// cannot any more. No step begins without the authority to.
pub async fn execute<P: Provider>(provider: &P, scope: &Scope, plan: &Plan, authority: &Authority) -> (Plan, Outcomes) {
    let mut outcomes = Outcomes::new();
    let mut waiting: Vec<&Step> = Vec::new();
    for step in &plan.steps {
        if step.may_be_taken() {
            waiting.push(step);
        } else {
            outcomes.insert(step.key.clone(), Outcome::NotTaken);
        }
    }
    let is_settled = |step: &&Step| matches!(step.action, Action::Keep) && step.is_reliable();
    let kept: BTreeSet<&Key> = plan.steps.iter().filter(is_settled).map(|step| &step.key).collect();
    let planned: BTreeMap<&Key, &Step> = plan.steps.iter().map(|step| (&step.key, step)).collect();
    let is_open = |need: &Key, outcomes: &Outcomes| {
        planned.get(need).is_some_and(|step| !kept.contains(need) && !is_done(step, outcomes.get(need)))
    };
    let mut carried_out = plan.clone();
    let mut running = FuturesUnordered::new();
    loop {
        if !authority.may_begin() {
            outcomes.extend(waiting.drain(..).map(|step| (step.key.clone(), Outcome::Interrupted)));
        }
        let mut held_up = Vec::new();
        let known = outcomes.len();
        for step in std::mem::take(&mut waiting) {
            let open: Vec<Key> = step.needs.iter().filter(|need| is_open(need, &outcomes)).cloned().collect();
            let hopeless = open.iter().any(|need| outcomes.contains_key(need));
            let awaits = step.awaits.iter().any(|key| planned.contains_key(key) && !outcomes.contains_key(key));
            if hopeless {
                outcomes.insert(step.key.clone(), Outcome::Blocked(open));
            } else if open.is_empty() && !awaits && running.len() < CONCURRENT_STEPS {
                let current = now(step, plan, &outcomes);
                if let (Cow::Owned(changed), Some(index)) = (&current, position(&carried_out, &step.key)) {
                    carried_out.steps[index] = changed.clone();
                }
                if current.is_taken() {
                    running.push(async move { (current.key.clone(), take(provider, scope, &current).await) });
                } else {
                    outcomes.insert(step.key.clone(), Outcome::NotTaken);
                }
            } else {
                held_up.push(step);
            }
        }
        waiting = held_up;
        // What was found not to be taken may be all that another one awaited.
        if running.is_empty() && outcomes.len() > known && !waiting.is_empty() {
            continue;
        }
        let Some((key, result)) = running.next().await else { break };
        let outcome = match result {
            Ok(applied) => Outcome::Done(applied),
            Err(failures) => Outcome::Failed(failures),
        };
        if let (Some(id), Some(index)) = (outcome.created_id(), position(&carried_out, &key)) {
            let step = &mut carried_out.steps[index];
            step.id = Some(id.into());
            let arn = || arn::with_id(step.key.kind.info().arns?, &scope.region, &scope.account_id, id);
            step.arn = step.arn.take().or_else(arn);
        }
        if let (Some(arn), Some(index)) = (outcome.chosen_arn(), position(&carried_out, &key)) {
            carried_out.steps[index].arn = Some(arn.into());
        }
        outcomes.insert(key, outcome);
    }
    (carried_out, outcomes)
}

/// Takes one step, and reports it in the log: a line for what was done, and one for each failure.
async fn take<P: Provider>(provider: &P, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
    let began = Instant::now();
    let (kind, resource, action) = (step.key.kind.name(), step.key.name.as_str(), step.action.name().to_lowercase());
    let span = debug_span!(target: TARGET, "step", otel.name = format!("{action} {kind}"), kind, resource, outcome = Empty, otel.status_code = Empty);
    let (result, requests) = aws_requests::collect(provider.apply(scope, step)).instrument(span.clone()).await;
    span.record("outcome", if result.is_ok() { "done" } else { "failed" });
    if result.is_err() {
        span.record("otel.status_code", "ERROR");
    }
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    match &result {
        Ok(applied) => {
            let fields = render::fields(&step.action).join(" ");
            let fields = (!fields.is_empty()).then_some(fields.as_str());
            let (outcome, waits_for) = match applied {
                Applied::Progressing(why) | Applied::Created { waits_for: Some(why), .. } => ("progressing", Some(why)),
                Applied::Ready | Applied::ReadyAs { .. } | Applied::Gone | Applied::Created { waits_for: None, .. } => {
                    ("done", None)
                }
            };
            let (waits_for, request_id) = (waits_for.map(String::as_str), requests.last_id.as_deref());
            let requests = (requests.number > 0).then_some(requests.number);
            info!(
                kind,
                resource, fields, outcome, waits_for, duration_ms, requests, request_id, "{action} {}", step.key
            );
        }
        Err(failures) => {
            for error in failures.errors() {
                let (reason, request_id) = (error.reason(), error.request_id.as_deref());
                let outcome = "failed";
                warn!(kind, resource, outcome, reason, duration_ms, request_id, "{action} {}: {error}", step.key);
            }
        }
    }
    result
}

/// The step, with the ids that AWS has chosen since the plan was made, and settled by what came of what it awaited.
fn now<'a>(step: &'a Step, plan: &Plan, outcomes: &Outcomes) -> Cow<'a, Step> {
    let step = with_ids(step, outcomes);
    if step.awaits.is_empty() {
        return step;
    }
    let awaited = plan.steps.iter().filter(|other| step.awaits.contains(&other.key));
    let standings = awaited.map(|other| (other.key.clone(), attainment(other, outcomes.get(&other.key))));
    Cow::Owned(settled(&step, &standings.collect()))
}

fn with_ids<'a>(step: &'a Step, outcomes: &Outcomes) -> Cow<'a, Step> {
    let is_open = |resource: &Resource| resource.references().iter().any(|reference| reference.id.is_none());
    if !step.desired.as_ref().is_some_and(is_open) {
        return Cow::Borrowed(step);
    }
    let id_of = |key: &Key| outcomes.get(key)?.created_id().map(Into::into);
    let mut step = step.clone();
    if let Some(desired) = &mut step.desired {
        desired.resolve(&mut |reference| reference.resolve(id_of));
    }
    Cow::Owned(step)
}

/// The attainment that follows from a step which creates or adopts something. Of a call whose answer was lost nobody
/// knows.
fn attainment(step: &Step, outcome: Option<&Outcome>) -> Attainment {
    match outcome {
        Some(Outcome::Done(
            Applied::Ready | Applied::ReadyAs { .. } | Applied::Progressing(_) | Applied::Created { .. },
        )) => Attainment::Attained,
        Some(Outcome::Done(Applied::Gone)) => Attainment::Missing("it was taken away".into()),
        // Once it is ours, whatever else of it was refused is another matter.
        Some(Outcome::Failed(failures)) if failures.is_owned() => Attainment::Attained,
        Some(Outcome::Failed(failures)) if failures.needs_somebody() => {
            Attainment::Refused(Refusal { reason: failures.reason(), message: failures.to_string() })
        }
        Some(Outcome::Failed(failures)) => Attainment::Unknown(failures.to_string()),
        Some(Outcome::Blocked(on)) => {
            let names: Vec<String> = on.iter().map(ToString::to_string).collect();
            Attainment::Missing(format!("waits for {}", names.join(", ")))
        }
        Some(Outcome::Interrupted) | None => Attainment::Unknown("the operator ended before".into()),
        Some(Outcome::NotTaken) => {
            let why = render::message(step).unwrap_or_else(|| format!("its step is {}", step.action.name()));
            Attainment::Missing(why)
        }
    }
}

fn position(plan: &Plan, key: &Key) -> Option<usize> {
    plan.steps.iter().position(|step| step.key == *key)
}

/// True when what needs a step can start.
fn is_done(step: &Step, outcome: Option<&Outcome>) -> bool {
    let is_aside = |part: &Option<String>| {
        let field = part.as_deref().map(|part| part.split('.').next().unwrap_or_default());
        field.is_some_and(|field| !step.key.kind.info().relied_on.is_on(field))
    };
    let is_usable = |failures: &Failures| failures.refused().iter().all(|refused| is_aside(&refused.part));
    match (outcome, &step.action) {
        (
            Some(Outcome::Done(
                Applied::Ready | Applied::ReadyAs { .. } | Applied::Gone | Applied::Created { waits_for: None, .. },
            )),
            _,
        ) => step.is_reliable(),
        (Some(Outcome::Failed(failures)), Action::Create | Action::Update(_)) => {
            step.is_reliable() && is_usable(failures) && (failures.is_owned() || !step.adopts())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;

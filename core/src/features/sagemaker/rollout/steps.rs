//! The steps that follow from the decision about an endpoint.

use serde_json::{Value, json};

use super::handover::registered;
use super::{Action, Decision, Purpose, Step, config_key};
use crate::diff::{Change, changes};
use crate::kind::Listed;
use crate::resource::endpoint::{Attempt, EndpointUpdate, field};
use crate::resource::{Endpoint, Key, Kind, Observations, Observed, ObservedState, Owner, Resource, endpoint_config};

/// The step for an endpoint under this decision.
pub(super) fn endpoint_step(decision: &Decision, mut step: Step, observations: &Observations) -> Step {
    let old = |step: &Step| match &step.observed {
        Some(Resource::SageMakerEndpoint(endpoint)) => Value::from(endpoint.config.clone()),
        _ => Value::Null,
    };
    let new = |step: &Step| match &step.desired {
        Some(Resource::SageMakerEndpoint(endpoint)) => Value::from(endpoint.config.clone()),
        _ => Value::Null,
    };
    let tags = |step: &Step| match (&step.desired, &step.observed) {
        (Some(desired), Some(observed)) => changes(&observed.comparable(), &desired.comparable())
            .into_iter()
            .filter(|change| change.field() == field::TAGS)
            .collect(),
        _ => Vec::new(),
    };
    match decision {
        Decision::Create(update) => step.write = Some(Endpoint::boxed_write(update.clone())),
        Decision::UpToDate(None) | Decision::NotOurs => {}
        Decision::Wait(why) => {
            if step.action.writes() {
                step.action = Action::Wait(why.clone());
            }
        }
        Decision::Scaling(how) => {
            step.action = Action::Keep;
            step.remarks.push(how.clone());
        }
        Decision::UpToDate(Some(update)) | Decision::RecordAttempt(update) => {
            step.action = Action::Update(std::iter::once(noted(&step, update)).chain(tags(&step)).collect());
            step.write = Some(Endpoint::boxed_write(update.clone()));
        }
        Decision::Update(update) => {
            let registered: Vec<(&Key, &Observed)> = if update.changes_instance_type {
                registered(&step.key.name, observations).collect()
            } else {
                Vec::new()
            };
            let in_the_way: Vec<Key> = registered
                .iter()
                .filter(|(_, observed)| {
                    observed.owner != Owner::Ours || matches!(observed.state, ObservedState::Unreadable(_))
                })
                .map(|(key, _)| (*key).clone())
                .collect();
            step.write = Some(Endpoint::boxed_write(update.clone()));
            if !in_the_way.is_empty() {
                step.action = Action::Blocked(in_the_way);
            } else if !matches!(step.action, Action::Blocked(_)) {
                step.needs.extend(registered.iter().map(|(key, _)| (*key).clone()));
                let change = Change { path: field::CONFIG.into(), from: old(&step), to: new(&step) };
                let changes: Vec<Change> = std::iter::once(change).chain(tags(&step)).collect();
                step.action = Action::Update(changes);
            }
        }
        Decision::HoldBack(refusal, update) => {
            let note = update.as_ref().map(|update| noted(&step, update));
            let changes: Vec<Change> = note.into_iter().chain(tags(&step)).collect();
            step.action = if changes.is_empty() { Action::Keep } else { Action::Update(changes) };
            step.held_back = Some(refusal.clone());
            step.write = update.clone().map(Endpoint::boxed_write);
        }
        Decision::Refuse(refusal) => step.action = Action::Refuse(refusal.clone()),
        Decision::Recreate(counted) => {
            let config = new(&step).as_str().map(config_key);
            step.needs = if counted.is_some() { config.into_iter().collect() } else { Vec::new() };
            step.action = Action::Delete { with_contents: false };
            step.purpose = Purpose::Replacement;
        }
    }
    step
}

/// The change in the memory of an endpoint.
fn noted(step: &Step, update: &EndpointUpdate) -> Change {
    let text = |attempt: &Attempt| {
        let outcome = if attempt.rolled_back { " rolled back" } else { "" };
        Value::from(format!("{}{outcome}", attempt.revision))
    };
    let last = step.facts_of::<Endpoint>().and_then(|facts| facts.attempt.as_ref());
    Change { path: field::ATTEMPT.into(), from: last.map(text).unwrap_or_default(), to: text(&update.attempt) }
}

/// The step for a model or a configuration of an endpoint under this decision.
pub(super) fn revision_step(decision: &Decision, endpoint: &Key, mut step: Step) -> Step {
    let is_absent = matches!(step.action, Action::Create | Action::Blocked(_)) && step.observed.is_none();
    match decision {
        // What a later edit may supersede before the endpoint can take it is not made yet.
        Decision::Wait(status) if is_absent => {
            step.action = Action::Wait(format!("made when {endpoint}, which is {status}, can take it"));
        }
        Decision::HoldBack(..) | Decision::Refuse(_) if is_absent => {
            step.action = Action::Wait(format!("made when {endpoint} can take it"));
        }
        Decision::Recreate(Some(recreation))
            if step.key.kind == Kind::SageMakerEndpointConfig
                && matches!(step.action, Action::Keep | Action::Update(_)) =>
        {
            let change = Change {
                path: endpoint_config::field::RECREATED.into(),
                from: Value::Null,
                to: json!(recreation.to_string()),
            };
            step.purpose = Purpose::Prelude(endpoint_config::field::RECREATED);
            match &mut step.action {
                Action::Update(changes) => changes.push(change),
                action => *action = Action::Update(vec![change]),
            }
        }
        _ => {}
    }
    step
}

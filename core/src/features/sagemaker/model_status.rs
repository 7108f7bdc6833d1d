//! The status of a model on SageMaker, as its endpoint shows it.

use crate::api::status::{Instances, ModelStatus};
use crate::kind::Listed;
use crate::outcome::{Outcome, Outcomes};
use crate::plan::{Action, Plan, Step};
use crate::resource::endpoint::{self, Status, field};
use crate::resource::{Endpoint, Resource};
use crate::status::ROLLED_BACK;

/// The status of a model whose endpoint is in the plan.
pub(super) fn model_status(model: &ModelStatus, plan: &Plan, outcomes: &Outcomes) -> Option<ModelStatus> {
    let key = Endpoint::key_of(model.endpoint.as_ref()?);
    let step = plan.steps.iter().find(|step| step.key == key)?;
    Some(served(model, step, outcomes.get(&key)))
}

fn served(model: &ModelStatus, step: &Step, outcome: Option<&Outcome>) -> ModelStatus {
    let facts = step.facts_of::<Endpoint>();
    let is_done = matches!(outcome, Some(Outcome::Done(_)));
    let running = match &step.observed {
        Some(Resource::SageMakerEndpoint(endpoint)) if facts.is_some_and(|facts| has_run(facts.status)) => {
            Some(endpoint.revision().to_string())
        }
        _ => None,
    };
    let attempted = match (step.write_of::<Endpoint>(), facts) {
        (Some(update), _) if is_done => Some(update.attempt.revision.clone()),
        (_, Some(facts)) => facts.attempt.as_ref().map(|last| last.revision.clone()),
        _ => None,
    };
    let moves = |changes: &[crate::diff::Change]| changes.iter().any(|change| change.field() == field::CONFIG);
    let is_moved = matches!(&step.action, Action::Update(changes) if moves(changes));
    let outcome = match &step.action {
        Action::Create if is_done => Status::Creating.name(),
        Action::Delete { .. } if is_done => Status::Deleting.name(),
        Action::Update(_) if is_moved && is_done => Status::Updating.name(),
        _ if step.held_back.as_ref().is_some_and(|held_back| held_back.reason == ROLLED_BACK) => ROLLED_BACK,
        _ => facts.map_or("Pending", |facts| facts.status.name()),
    };
    let serves = matches!(step.action, Action::Keep | Action::Update(_)) && !is_moved && step.held_back.is_none();
    let instances = facts.and_then(|facts| facts.capacity);
    ModelStatus {
        ready: serves && running.is_some(),
        revision: running,
        attempted_revision: attempted,
        instances: instances.map(|it: endpoint::Capacity| Instances { current: it.current, desired: it.desired }),
        outcome: Some(outcome.into()),
        ..model.clone()
    }
}

/// True when some configuration answers calls.
fn has_run(status: Status) -> bool {
    !matches!(status, Status::Creating | Status::Failed)
}

//! What the status says of models: what follows from the spec, and for endpoints what was seen and done.

use crate::api::status::{Instances, ModelStatus};
use crate::outcome::{Outcome, Outcomes};
use crate::plan::{Action, Plan, Step};
use crate::resource::endpoint::{self, Status, field};
use crate::resource::{Endpoint, Kind, Resource};

/// The backend whose models have endpoints and revisions of their own.
pub(super) const SAGEMAKER: &str = "SageMaker";

/// The backend whose models need no resource.
pub(super) const BEDROCK: &str = "Bedrock";

/// The outcome of a model that nobody has looked at.
pub(super) const UNKNOWN: &str = "Unknown";

/// The outcome of a rollout that SageMaker took back.
pub const ROLLED_BACK: &str = "RolledBack";

/// Models that are ready, of all that are looked at; nothing where there are none.
pub(super) fn ready(models: &[ModelStatus]) -> Option<String> {
    let known: Vec<&ModelStatus> = models.iter().filter(|model| !is_unknown(model)).collect();
    let ready = known.iter().filter(|model| model.ready).count();
    (!known.is_empty()).then(|| format!("{ready}/{}", known.len()))
}

/// What is said of the models that nobody has looked at, where there are any.
pub(super) fn unknown(models: &[ModelStatus]) -> Option<String> {
    let names: Vec<&str> = models.iter().filter(|model| is_unknown(model)).map(|model| model.name.as_str()).collect();
    (!names.is_empty()).then(|| format!("{}: {NOT_LOOKED_AT}", names.join(", ")))
}

/// Why nothing is known of a model that Bedrock serves.
pub(super) const NOT_LOOKED_AT: &str =
    "nothing is made for a model on Bedrock, and whether the account may call it is not looked at";

fn is_unknown(model: &ModelStatus) -> bool {
    model.outcome.as_deref() == Some(UNKNOWN)
}

/// The models of the spec, with what was known before of those that were there.
pub(super) fn declared(models: &[ModelStatus], before: &[ModelStatus]) -> Vec<ModelStatus> {
    let known = |model: &ModelStatus| {
        before.iter().find(|known| {
            (&known.name, &known.backend, &known.endpoint) == (&model.name, &model.backend, &model.endpoint)
        })
    };
    let is_seen = |model: &ModelStatus| model.backend == SAGEMAKER;
    models.iter().map(|model| known(model).filter(|known| is_seen(known)).unwrap_or(model).clone()).collect()
}

/// The models of the spec, with what a pass saw of their endpoints and did to them.
pub(super) fn seen(models: &[ModelStatus], plan: &Plan, outcomes: &Outcomes) -> Vec<ModelStatus> {
    let step = |model: &ModelStatus| {
        plan.steps
            .iter()
            .find(|step| step.key.kind == Kind::SageMakerEndpoint && Some(&step.key.name) == model.endpoint.as_ref())
    };
    models
        .iter()
        .map(|model| match step(model) {
            Some(step) if model.backend == SAGEMAKER => served(model, step, outcomes.get(&step.key)),
            _ => model.clone(),
        })
        .collect()
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
        (Some(attempting), _) if is_done => Some(attempting.attempt.revision.clone()),
        (_, Some(facts)) => facts.attempt.as_ref().map(|last| last.revision.clone()),
        _ => None,
    };
    let moves = |changes: &[crate::diff::Change]| changes.iter().any(|change| change.field() == field::CONFIG);
    let is_moved = matches!(&step.action, Action::Update(changes) if moves(changes));
    let told = match &step.action {
        Action::Create if is_done => Status::Creating.name(),
        Action::Delete { .. } if is_done => Status::Deleting.name(),
        Action::Update(_) if is_moved && is_done => Status::Updating.name(),
        _ if step.held.as_ref().is_some_and(|held| held.reason == ROLLED_BACK) => ROLLED_BACK,
        _ => facts.map_or("Pending", |facts| facts.status.name()),
    };
    let serves = matches!(step.action, Action::Keep | Action::Update(_)) && !is_moved && step.held.is_none();
    let instances = facts.and_then(|facts| facts.capacity);
    ModelStatus {
        ready: serves && running.is_some(),
        revision: running,
        attempted_revision: attempted,
        instances: instances.map(|it: endpoint::Capacity| Instances { current: it.current, desired: it.desired }),
        outcome: Some(told.into()),
        ..model.clone()
    }
}

/// Whether some configuration answers calls.
fn has_run(status: Status) -> bool {
    !matches!(status, Status::Creating | Status::Failed)
}

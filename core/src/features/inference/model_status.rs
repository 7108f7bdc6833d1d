//! The status of a model in the cluster, as its Deployment shows it.

use super::deployment::{ROLLING_OUT, Rollout, SERVING};
use super::{Deployment, FAILED};
use crate::api::status::{Instances, ModelStatus};
use crate::kind::Listed;
use crate::outcome::{Outcome, Outcomes};
use crate::plan::{Action, Plan, Step};
use crate::render;

/// The backend of such a model, as its status names it.
pub const BACKEND: &str = "Kubernetes";

/// The status of a model whose Deployment is in the plan: the one that carries the model's name in the label
/// [`crate::tags::MODEL_LABEL`].
pub(super) fn model_status(model: &ModelStatus, plan: &Plan, outcomes: &Outcomes) -> Option<ModelStatus> {
    if model.backend != BACKEND {
        return None;
    }
    let serves = |step: &&Step| {
        let deployment = step.desired.as_ref().or(step.observed.as_ref()).and_then(Deployment::of);
        deployment.and_then(Deployment::model) == Some(model.name.as_str())
    };
    let step = plan.steps.iter().find(serves)?;
    Some(served(model, step, outcomes.get(&step.key)))
}

fn served(model: &ModelStatus, step: &Step, outcome: Option<&Outcome>) -> ModelStatus {
    let rollout = step.facts_of::<Deployment>();
    let wanted = step.desired.as_ref().and_then(Deployment::of).and_then(Deployment::revision);
    let is_done = matches!(outcome, Some(Outcome::Done(_)));
    let attempted = rollout.and_then(|rollout| rollout.attempted.clone());
    let attempted = if is_done { wanted.map(ToString::to_string).or(attempted) } else { attempted };
    let serving = rollout.and_then(|rollout| rollout.serving.clone());
    let word = match (&step.action, rollout) {
        (Action::Create, _) if is_done => ROLLING_OUT,
        (Action::Update(_), Some(rollout)) if is_done && rollout.attempted.as_deref() != wanted => ROLLING_OUT,
        (Action::Delete { .. }, _) if is_done => "Deleting",
        (Action::Refuse(_), None) => FAILED,
        (_, Some(rollout)) => rollout.outcome,
        (_, None) => "Pending",
    };
    let is_as_declared = matches!(step.action, Action::Keep | Action::Update(_)) && step.held_back.is_none();
    let is_current = serving.is_some() && serving.as_deref() == wanted;
    let message = |rollout: &Rollout| rollout.message.clone();
    ModelStatus {
        ready: is_as_declared && is_current && rollout.is_some_and(|rollout| rollout.ready > 0),
        revision: serving,
        attempted_revision: attempted,
        instances: rollout.map(|rollout| Instances { current: rollout.ready, desired: rollout.desired }),
        outcome: Some(word.into()),
        message: if word == SERVING { None } else { render::message(step).or_else(|| rollout.and_then(message)) },
        ..model.clone()
    }
}

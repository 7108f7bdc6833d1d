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
    let attempted = if is_done { wanted.clone().or(attempted) } else { attempted };
    let serving = rollout.and_then(|rollout| rollout.serving.clone());
    let word = match (&step.action, rollout) {
        (Action::Create, _) if is_done => ROLLING_OUT,
        (Action::Update(_), Some(rollout)) if is_done && rollout.attempted != wanted => ROLLING_OUT,
        (Action::Delete { .. }, _) if is_done => "Deleting",
        (Action::Refuse(_), None) => FAILED,
        (_, Some(rollout)) => rollout.outcome,
        (_, None) => "Pending",
    };
    let is_as_declared = matches!(step.action, Action::Keep | Action::Update(_)) && step.held_back.is_none();
    let is_current = serving.is_some() && serving == wanted;
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::features::inference::Manifest;
    use crate::outcome::Applied;
    use crate::plan::Refusal;
    use crate::resource::Resource;
    use crate::tags;

    fn deployment(revision: &str) -> Resource {
        let spec = json!({"template": {"metadata": {"labels": {tags::REVISION_LABEL: revision}}}});
        let manifest = Manifest::new("n", "p", "p-local", spec).labelled([(tags::MODEL_LABEL, "local")]);
        Deployment::from(manifest).into()
    }

    fn facts(serving: &str, attempted: &str, outcome: &'static str, ready: i32) -> Rollout {
        let serving = (!serving.is_empty()).then(|| serving.to_string());
        let message = (outcome != SERVING).then(|| "why".into());
        Rollout { serving, attempted: Some(attempted.into()), ready, desired: 2, outcome, message }
    }

    fn model(backend: &str, name: &str) -> ModelStatus {
        serde_json::from_value(json!({"name": name, "backend": backend, "ready": false})).unwrap()
    }

    /// Its readiness, the revision, the one attempted, the outcome and the message.
    fn status(
        action: Action,
        facts: Option<Rollout>,
        outcome: Option<Outcome>,
    ) -> (bool, String, String, String, String) {
        let desired = deployment("r2");
        let step = Step {
            desired: Some(desired.clone()),
            facts: facts.map(Deployment::boxed_facts),
            ..Step::new(desired.key(), action)
        };
        let outcomes: Outcomes = outcome.into_iter().map(|outcome| (desired.key(), outcome)).collect();
        let plan = Plan { steps: vec![step], ..Plan::default() };
        let status = model_status(&model(BACKEND, "local"), &plan, &outcomes).unwrap();
        let text = |text: Option<String>| text.unwrap_or_default();
        (
            status.ready,
            text(status.revision),
            text(status.attempted_revision),
            text(status.outcome),
            text(status.message),
        )
    }

    #[test]
    fn a_model_is_ready_when_what_is_declared_serves() {
        let failed = || Action::Refuse(Refusal { reason: FAILED, message: "it crashes".into() });
        let done = || Some(Outcome::Done(Applied::Progressing(String::new())));
        for (action, facts, outcome, expected) in [
            (Action::Keep, Some(facts("r2", "r2", SERVING, 2)), None, (true, "r2", "r2", "Serving", "")),
            (Action::Keep, Some(facts("", "r2", "ScaledToZero", 0)), None, (false, "", "r2", "ScaledToZero", "why")),
            (
                Action::Wait("rolls".into()),
                Some(facts("r1", "r2", ROLLING_OUT, 2)),
                None,
                (false, "r1", "r2", "RollingOut", "rolls"),
            ),
            (
                failed(),
                Some(facts("r1", "r2", "CrashLoopBackOff", 2)),
                None,
                (false, "r1", "r2", "CrashLoopBackOff", "it crashes"),
            ),
            (
                Action::Update(Vec::new()),
                Some(facts("r1", "r1", SERVING, 2)),
                done(),
                (false, "r1", "r2", "RollingOut", ""),
            ),
            (Action::Update(Vec::new()), Some(facts("r1", "r1", SERVING, 2)), None, (false, "r1", "r1", "Serving", "")),
            (Action::Create, None, done(), (false, "", "r2", "RollingOut", "")),
            (Action::Create, None, None, (false, "", "", "Pending", "")),
            (failed(), None, None, (false, "", "", "Failed", "it crashes")),
        ] {
            let (ready, revision, attempted, word, message) = status(action.clone(), facts, outcome);
            let found = (ready, revision.as_str(), attempted.as_str(), word.as_str(), message.as_str());
            assert_eq!(found, expected, "{action:?}");
        }
    }

    #[test]
    fn a_model_is_found_by_its_label_and_only_on_this_backend() {
        let desired = deployment("r2");
        let plan = Plan {
            steps: vec![Step { observed: Some(desired.clone()), ..Step::new(desired.key(), Action::Keep) }],
            ..Plan::default()
        };
        let found = |model: &ModelStatus| model_status(model, &plan, &Outcomes::new()).is_some();
        assert!(found(&model(BACKEND, "local")));
        assert!(!found(&model(BACKEND, "other")) && !found(&model("SageMaker", "local")));
    }
}

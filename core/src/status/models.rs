//! The status of models: what follows from the spec, with what their backends observed and did.

use crate::api::status::ModelStatus;
use crate::outcome::Outcomes;
use crate::plan::{Plan, rules};

/// The outcome of a model that was not observed.
pub(super) const UNKNOWN: &str = "Unknown";

/// The outcome of a rollout that SageMaker took back.
pub const ROLLED_BACK: &str = "RolledBack";

/// Models that are ready, of all that are observed; nothing where there are none.
pub(super) fn ready(models: &[ModelStatus]) -> Option<String> {
    let known: Vec<&ModelStatus> = models.iter().filter(|model| !is_unknown(model)).collect();
    let ready = known.iter().filter(|model| model.ready).count();
    (!known.is_empty()).then(|| format!("{ready}/{}", known.len()))
}

/// A message about the models that were not observed, where there are any.
pub(super) fn unknown(models: &[ModelStatus]) -> Option<String> {
    let names: Vec<&str> = models.iter().filter(|model| is_unknown(model)).map(|model| model.name.as_str()).collect();
    (!names.is_empty()).then(|| format!("{}: {NOT_LOOKED_AT}", names.join(", ")))
}

/// The reason for which nothing is known of a model that Bedrock serves.
pub(super) const NOT_LOOKED_AT: &str =
    "nothing is made for a model on Bedrock, and whether the account may call it is not checked";

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
    models.iter().map(|model| known(model).filter(|known| !is_unknown(known)).unwrap_or(model).clone()).collect()
}

/// The models of the spec, with what a pass observed and did.
pub(super) fn seen(models: &[ModelStatus], plan: &Plan, outcomes: &Outcomes) -> Vec<ModelStatus> {
    models.iter().map(|model| rules::model(model, plan, outcomes).unwrap_or_else(|| model.clone())).collect()
}

//! Models that the cluster itself serves: the objects that run, expose, protect, scale and monitor their pods.

mod comparison;
pub mod deployment;
pub mod engine;
pub mod horizontal_pod_autoscaler;
pub mod manifest;
mod model_status;
pub mod network_policy;
pub mod pod_disruption_budget;
pub mod pod_monitor;
mod pods;
pub mod scaled_object;
pub mod service;

pub use deployment::Deployment;
pub use horizontal_pod_autoscaler::HorizontalPodAutoscaler;
pub use manifest::Manifest;
pub use network_policy::NetworkPolicy;
pub use pod_disruption_budget::PodDisruptionBudget;
pub use pod_monitor::PodMonitor;
pub use scaled_object::ScaledObject;
pub use service::Service;

use crate::plan::rules::{Refined, Rules};
use crate::plan::{Action, Refusal, Step};
use crate::resource::Kind;

/// Rules for models in the cluster: what their status says, and the reason in conditions where something fails.
pub const RULES: Rules = Rules {
    refine: |_, _, _| Box::new(|step| Refined { before: Vec::new(), step: with_reason(step) }),
    model: model_status::model_status,
    ..Rules::NONE
};

/// The reason in conditions where pods do not come up, whoever has to act.
const FAILED: &str = "Failed";

/// What fails here is in conflict with nobody.
fn with_reason(mut step: Step) -> Step {
    if let (Kind::Deployment | Kind::ScaledObject, Action::Refuse(Refusal { reason, .. })) =
        (step.key.kind, &mut step.action)
        && *reason == "Conflict"
    {
        *reason = FAILED;
    }
    step
}

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

use crate::kind::Listed;
use crate::plan::rules::{Refined, Rules};
use crate::plan::{Action, Refusal, Step};
use crate::resource::{Kind, Resource, ServiceAccount};

/// Rules for models in the cluster: what their status says, and the reason in conditions where something fails.
pub const RULES: Rules = Rules {
    refine: |_, _, _| {
        Box::new(|step| Refined { before: Vec::new(), step: without_strangers_account(with_reason(step)) })
    },
    model: model_status::model_status,
    ..Rules::NONE
};

/// The reason in conditions where pods do not come up, whoever has to act.
const FAILED: &str = "Failed";

/// Pods never run as an account that was there before, whatever a consumer of the platform has bound it to since: it may
/// have rights of others, such as a pod identity association, which would become the model's.
fn without_strangers_account(step: Step) -> Step {
    let account = |resource: &Option<Resource>| resource.as_ref().and_then(ServiceAccount::of).cloned();
    let is_of_pods = account(&step.desired).is_some_and(|account| account.automount_service_account_token.is_some());
    if !is_of_pods || !account(&step.observed).is_some_and(|account| account.predates_platform) {
        return step;
    }
    let message = format!(
        "{} was there before this platform, so that the pods would have the rights of others: give the model another name, \
         or delete it",
        step.key
    );
    match step.action {
        Action::Keep | Action::Update(_) | Action::Blocked(_) => {
            Step { action: Action::Refuse(Refusal { reason: "NotOwned", message }), ..step }
        }
        Action::Create
        | Action::Delete { .. }
        | Action::Wait(_)
        | Action::Retain(_)
        | Action::Refuse(_)
        | Action::Unreadable(_) => step,
    }
}

/// A failure here is a conflict with nobody.
fn with_reason(mut step: Step) -> Step {
    if let (Kind::Deployment | Kind::ScaledObject, Action::Refuse(Refusal { reason, .. })) =
        (step.key.kind, &mut step.action)
        && *reason == "Conflict"
    {
        *reason = FAILED;
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(automount: Option<bool>, predates_platform: bool, action: Action) -> Step {
        let account = ServiceAccount {
            namespace: "n".into(),
            name: "p-local".into(),
            owner: String::new(),
            role_arn: None,
            labels: std::collections::BTreeMap::new(),
            automount_service_account_token: automount,
            role: None,
            predates_platform: false,
        };
        let observed = ServiceAccount { predates_platform, ..account.clone() };
        let desired = Resource::from(account);
        Step { observed: Some(observed.into()), desired: Some(desired.clone()), ..Step::new(desired.key(), action) }
    }

    #[test]
    fn pods_run_as_no_account_that_was_there_before_and_consumers_may() {
        for (automount, predates, is_refused) in
            [(Some(false), true, true), (Some(false), false, false), (None, true, false)]
        {
            for action in [Action::Keep, Action::Update(Vec::new())] {
                let found = without_strangers_account(step(automount, predates, action.clone())).action;
                assert_eq!(
                    matches!(found, Action::Refuse(_)),
                    is_refused,
                    "{automount:?} {predates} {action:?}: {found:?}"
                );
            }
        }
    }
}

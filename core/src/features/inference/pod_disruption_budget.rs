//! The limit on the pods of a model that are evicted at a time.

use super::manifest::{INFO, body, manifest_kind, read};
use super::pods::condition;
use crate::kind::{Backend, ClusterApi, Info, Live, Standing};
use crate::resource::ObservedState;

manifest_kind!(
    /// A pod disruption budget of the platform's own.
    PodDisruptionBudget,
    Info {
        name: "PodDisruptionBudget",
        noun: "pod disruption budget",
        backend: Backend::Cluster(ClusterApi {
            group: "policy",
            kind: "PodDisruptionBudget",
            plural: "poddisruptionbudgets",
            body: body::<PodDisruptionBudget>,
            read: read::<PodDisruptionBudget>,
            standing,
            ..ClusterApi::PLAIN
        }),
        ..INFO
    }
);

/// A budget whose controller cannot tell what it protects lets nobody evict anything: source, the reasons of the condition
/// `DisruptionAllowed` in k8s.io/api/policy/v1. That no pod can be spared at the moment is no failure of the budget.
fn standing(live: &Live) -> Standing {
    let failed = condition(live.object, "DisruptionAllowed").filter(|it| it.reason == "SyncFailed");
    let remarks =
        failed.map(|it| format!("nothing that it protects can be evicted: {}", it.words())).into_iter().collect();
    Standing { remarks, ..ObservedState::Ready.into() }
}

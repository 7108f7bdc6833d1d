//! The object that scales a model by its queue. KEDA serves the API, where it is installed.

use super::manifest::{INFO, body, manifest_kind, read};
use super::pods::condition;
use crate::kind::{Backend, ClusterApi, Info, Live, Standing};
use crate::resource::ObservedState;

manifest_kind!(
    /// A scaled object of the platform's own.
    ScaledObject,
    Info {
        name: "ScaledObject",
        noun: "scaled object",
        backend: Backend::Cluster(ClusterApi {
            group: "keda.sh",
            version: "v1alpha1",
            kind: "ScaledObject",
            plural: "scaledobjects",
            is_optional: true,
            body: body::<ScaledObject>,
            read: read::<ScaledObject>,
            standing,
            ..ClusterApi::PLAIN
        }),
        ..INFO
    }
);

/// KEDA sets `Ready` to False where it cannot make the autoscaler or reach the source of a trigger, which somebody has to
/// mend, and `Fallback` to True while it scales without metrics. Source: `apis/keda/v1alpha1/condition_types.go` of KEDA.
fn standing(live: &Live) -> Standing {
    match condition(live.object, "Ready") {
        Some(ready) if ready.status == "True" => {}
        Some(ready) if ready.status == "False" => {
            return ObservedState::Failed(format!("KEDA does not scale it: {}", ready.words())).into();
        }
        Some(_) | None => return ObservedState::Progressing("KEDA has not taken it up yet".into()).into(),
    }
    let fallback = condition(live.object, "Fallback").filter(|condition| condition.status == "True");
    let remarks = fallback.map(|it| format!("KEDA scales it without metrics: {}", it.words())).into_iter().collect();
    Standing { remarks, ..ObservedState::Ready.into() }
}

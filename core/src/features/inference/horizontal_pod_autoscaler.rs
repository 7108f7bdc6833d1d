//! The object that scales a model by the metrics of its pods.

use super::manifest::{INFO, body, manifest_kind, read};
use super::pods::condition;
use crate::kind::{Backend, ClusterApi, Info, Live, Standing};
use crate::resource::ObservedState;

manifest_kind!(
    /// A horizontal pod autoscaler of the platform's own.
    HorizontalPodAutoscaler,
    Info {
        name: "HorizontalPodAutoscaler",
        noun: "horizontal pod autoscaler",
        backend: Backend::Cluster(ClusterApi {
            group: "autoscaling",
            version: "v2",
            kind: "HorizontalPodAutoscaler",
            plural: "horizontalpodautoscalers",
            body: body::<HorizontalPodAutoscaler>,
            read: read::<HorizontalPodAutoscaler>,
            standing,
            ..ClusterApi::PLAIN
        }),
        ..INFO
    }
);

/// The number of replicas stands still without metrics, which there are none of for a while after pods have started.
fn standing(live: &Live) -> Standing {
    let remarks = ["AbleToScale", "ScalingActive"].into_iter().filter_map(|name| {
        let condition = condition(live.object, name).filter(|condition| condition.status == "False")?;
        Some(format!("it does not scale: {}", condition.words()))
    });
    Standing { remarks: remarks.collect(), ..ObservedState::Ready.into() }
}

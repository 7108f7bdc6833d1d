//! The autoscaler of the pods of a model.

use serde_json::json;

use super::Served;
use crate::api::kubernetes::Kubernetes;
use crate::features::inference::engine::{self, QueueMetrics, SERVICE_PORT};
use crate::features::inference::{HorizontalPodAutoscaler, ScaledObject};
use crate::resource::Resource;

/// Seconds between two looks of KEDA at the metric.
const POLLING_SECONDS: i32 = 15;

/// True when the number of pods follows a metric of the engine, which KEDA reads.
pub(super) fn is_by_queue(spec: &Kubernetes) -> bool {
    spec.autoscaling.as_ref().is_some_and(|scaling| scaling.target.cpu_percent.is_none())
}

/// The autoscaler of a model that has one: Kubernetes' own for CPU, KEDA's for what the engine measures.
pub(super) fn autoscaler(served: &Served) -> Option<Resource> {
    let autoscaling = served.spec.autoscaling.as_ref()?;
    let (least, most) = (autoscaling.min_replicas, autoscaling.max_replicas);
    if let Some(percent) = autoscaling.target.cpu_percent {
        let target = json!({"type": "Utilization", "averageUtilization": percent});
        let spec = json!({
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": served.name},
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        });
        return Some(HorizontalPodAutoscaler(served.manifest(spec)).into());
    }
    let QueueMetrics { waiting, running } = engine::queue_metrics(served.spec.engine)?;
    let (metric, value) = match (autoscaling.target.queue_depth, autoscaling.target.concurrent_requests) {
        (Some(depth), _) => (waiting, depth),
        (None, Some(requests)) => (running, requests),
        (None, None) => return None,
    };
    // KEDA reads the metric of each pod itself, so that no Prometheus is needed. The sum over the pods is divided by
    // their number. Source: "Metrics API", KEDA scalers.
    let metadata = json!({
        "url": format!("http://{}.{}.svc:{SERVICE_PORT}{}", served.name, served.platform.namespace, served.metrics_path()),
        "format": "prometheus",
        "valueLocation": metric,
        "targetValue": value.to_string(),
        "aggregateFromKubeServiceEndpoints": "true",
        "aggregationType": "sum",
    });
    let spec = json!({
        "scaleTargetRef": {"name": served.name},
        "minReplicaCount": least,
        "maxReplicaCount": most,
        "pollingInterval": POLLING_SECONDS,
        "triggers": [{"type": "metrics-api", "metadata": metadata}],
    });
    Some(ScaledObject(served.manifest(spec)).into())
}

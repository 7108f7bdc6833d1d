//! KEDA and the operator of Prometheus: absent, installed, absent again.

use std::sync::OnceLock;

use kube::api::{ApiResource, DynamicObject, GroupVersionKind};

use super::*;
use crate::support::cluster::Cluster;

/// A control plane of its own: what it serves is nobody else's business.
fn alone() -> &'static Cluster {
    static ALONE: OnceLock<Cluster> = OnceLock::new();
    ALONE.get_or_init(Cluster::start_with_nodes)
}

fn definitions(name: &str) -> String {
    format!("{}/tests/cluster/crds/{name}.yaml", env!("CARGO_MANIFEST_DIR"))
}

fn objects(env: &TestEnv, group: &str, version: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    Api::namespaced_with(env.client.clone(), &env.namespace, &resource)
}

async fn is_there(objects: &Api<DynamicObject>) -> bool {
    objects.get_opt("assistant-local").await.is_ok_and(|found| found.is_some())
}

#[tokio::test]
async fn what_an_add_on_serves_is_made_when_it_is_there_and_asked_for_until_then() {
    let env = TestEnv::on(alone(), "add-ons", &["--resync", "1h"]).await;
    let scaling = json!({"minReplicas": 1, "maxReplicas": 4, "target": {"queueDepth": 5}});
    env.apply("assistant", &serving(json!({"replicas": null, "autoscaling": scaling}))).await;
    let is_told = |status: &aiplatform::api::status::AIPlatformStatus| {
        let scaled = status.resources.iter().find(|resource| resource.kind == "ScaledObject");
        scaled.and_then(|it| it.message.as_deref()).is_some_and(|message| message.contains("keda.sh"))
    };
    let status = env.wait_for("assistant", "told what is missing", is_told).await.status.expect("a status");
    assert!(!status.resources.iter().any(|resource| resource.kind == "PodMonitor"), "nobody asked for it");
    assert!(status.resources.iter().any(|resource| resource.kind == "Deployment"), "everything else is made");
    for name in ["scaledobjects", "podmonitors"] {
        env.cluster.kubectl(&["apply", "--server-side", "-f", &definitions(name)], "").expect("installed");
    }
    let scaled = objects(&env, "keda.sh", "v1alpha1", "ScaledObject", "scaledobjects");
    env.wait("KEDA is asked to scale it", async || is_there(&scaled).await).await;
    let monitors = objects(&env, "monitoring.coreos.com", "v1", "PodMonitor", "podmonitors");
    env.wait("Prometheus is asked to read it", async || is_there(&monitors).await).await;
    let taken_up =
        json!({"status": {"conditions": [{"type": "Ready", "status": "True", "reason": "ScaledObjectReady"}]}});
    let patch = Patch::Merge(taken_up);
    scaled.patch_status("assistant-local", &PatchParams::default(), &patch).await.expect("a status");
    env.wait_ready("assistant").await;
    for name in ["scaledobjects", "podmonitors"] {
        env.cluster.kubectl(&["delete", "--wait", "-f", &definitions(name)], "").expect("taken away");
    }
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
}

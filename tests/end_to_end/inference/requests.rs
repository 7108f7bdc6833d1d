//! The number of requests that a model in the cluster costs the API server.

use super::*;
use crate::support::operator::more_than;

const OBJECTS: [&str; 6] =
    ["configmaps", "deployments", "networkpolicies", "poddisruptionbudgets", "serviceaccounts", "services"];

#[tokio::test]
async fn each_object_of_a_model_is_made_in_one_request_and_read_in_none() {
    let env = env("one-request").await;
    env.wait("ready", async || env.operator.page("/readyz").0 == 200).await;
    let before = env.operator.cluster_requests();
    env.apply("assistant", &serving(json!({}))).await;
    env.wait_ready("assistant").await;
    let made = more_than(&before, &env.operator.cluster_requests());
    for plural in OBJECTS {
        let of_kind = made.iter().filter(|(labels, _)| labels.contains(plural));
        assert_eq!(of_kind.map(|(_, count)| count).sum::<u64>(), 1, "{plural}: {made:#?}");
    }
}

#[tokio::test]
async fn resyncs_of_a_model_that_serves_ask_the_api_server_for_nothing() {
    let env = TestEnv::on(cluster::with_nodes(), "idle-model", &["--resync", "1s"]).await;
    env.apply("assistant", &serving(json!({}))).await;
    env.wait_ready("assistant").await;
    let passes = || env.operator.metric("aiplatform_reconcile_duration_seconds_count");
    // Other tests may install an add-on meanwhile, which is looked for then.
    env.wait("three resyncs without a request", async || {
        let (before, first) = (env.operator.cluster_requests(), passes());
        env.wait("three resyncs", async || passes() >= first + 3).await;
        more_than(&before, &env.operator.cluster_requests()).is_empty()
    })
    .await;
}

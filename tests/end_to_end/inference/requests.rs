//! The number of requests that a model in the cluster costs the API server.

use super::*;
use crate::support::operator::more_than;

const OBJECTS: [&str; 6] =
    ["configmaps", "deployments", "networkpolicies", "poddisruptionbudgets", "serviceaccounts", "services"];

#[tokio::test]
async fn each_object_of_a_model_is_made_in_one_request() {
    let env = env("one-request").await;
    env.wait("ready", async || env.operator.page("/readyz").0 == 200).await;
    let before = env.operator.cluster_requests();
    env.apply("assistant", &serving(json!({}))).await;
    env.wait_ready("assistant").await;
    let made = more_than(&before, &env.operator.cluster_requests());
    for plural in OBJECTS {
        let writes = made.iter().filter(|(labels, _)| labels.contains(plural) && !labels.contains("\"get\""));
        assert_eq!(writes.map(|(_, count)| count).sum::<u64>(), 1, "{plural}: {made:#?}");
    }
}

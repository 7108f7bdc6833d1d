//! The number of requests that a model in the cluster costs the API server.

use super::*;
use crate::support::operator::more_than;
use crate::support::test_env::PASSES;

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
    let passes = || env.operator.metric(PASSES);
    // Other tests may install an add-on meanwhile, which is looked for then.
    env.wait("three resyncs without a request", async || {
        let (before, first) = (env.operator.cluster_requests(), passes());
        env.wait("three resyncs", async || passes() >= first + 3).await;
        more_than(&before, &env.operator.cluster_requests()).is_empty()
    })
    .await;
}

#[tokio::test]
async fn what_changes_in_the_cluster_while_aws_makes_an_endpoint_waits_for_the_poll() {
    let env = TestEnv::on(cluster::with_nodes(), "one-poll", &["--transition-poll", "4s"]).await;
    env.aws.control("timings", json!({"sagemaker.endpoint.create": 3000}));
    let mut wanted = serving(json!({}));
    let image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1";
    let on_sagemaker = json!({"image": image, "instance": {"type": "ml.m5.large", "count": 1}});
    wanted["models"].as_array_mut().expect("models").push(json!({"name": "rank", "sagemaker": on_sagemaker}));
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    let calls = env.aws.calls();
    let first = |operation: &str| -> f64 {
        let call = calls.iter().find(|call| call["operation"] == operation).expect("a call");
        call["time"].as_f64().expect("its time")
    };
    let pause = first("DescribeEndpoint") - first("CreateEndpoint");
    assert!(pause >= 4.0, "pods came up meanwhile, and nobody asked AWS for that: {pause}");
}

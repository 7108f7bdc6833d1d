//! How often AWS is asked.

use super::*;

/// Calls to SageMaker and to Application Auto Scaling, from the given call on.
fn calls_since(env: &TestEnv, start: usize) -> Vec<String> {
    let services = ["sagemaker", "application-autoscaling"];
    let calls = env.aws.calls().into_iter().skip(start);
    let ours = calls.filter(|call| services.contains(&call["service"].as_str().unwrap_or_default()));
    ours.map(|call| call["operation"].as_str().unwrap_or_default().to_string()).collect()
}

#[tokio::test]
async fn a_steady_endpoint_costs_three_calls_at_most() {
    let env = TestEnv::with("steady", &["--transition-poll", "200ms", "--resync", "2s"]).await;
    let schedules = json!([{"name": "morning", "schedule": "cron(0 7 ? * MON-FRI *)", "minInstances": 4}]);
    let autoscaling = json!({
        "minInstances": 2, "maxInstances": 8, "schedules": schedules,
        "target": {"concurrentRequestsPerModel": {"value": 4}},
    });
    for tag in ["1", "2"] {
        env.apply("assistant", &ranking(json!({"autoscaling": autoscaling, "image": image(tag)}))).await;
        env.wait_ready("assistant").await;
    }
    // What follows at once upon a rollout is over when two resyncs have passed.
    let looks = || count(&env, "ListEndpoints");
    let before = looks();
    env.wait("two resyncs", async || looks() >= before + 2).await;
    let mut start = 0;
    let is_quiet = async || {
        start = env.aws.call_count();
        env.operator.metric("aiplatform_reconciles_in_progress") == 0 && env.aws.call_count() == start
    };
    env.wait("the pass in hand is over", is_quiet).await;
    let before = looks();
    env.wait("three more", async || looks() >= before + 3).await;
    let calls = calls_since(&env, start);
    let passes = calls.iter().filter(|it| *it == "ListEndpoints").count();
    assert!(calls.len() <= 3 * passes, "{} calls in {passes} resyncs: {calls:?}", calls.len());
    let writes = calls.iter().filter(|it| !(it.starts_with("Describe") || it.starts_with("List"))).count();
    assert_eq!(writes, 0, "{calls:?}");
}

#[tokio::test]
async fn while_an_endpoint_is_created_only_it_is_read() {
    let env = TestEnv::with("polled", &["--transition-poll", "500ms"]).await;
    transitions_take(&env, 600_000);
    env.apply("assistant", &ranking(json!({}))).await;
    env.wait_for("assistant", "creating", |status| {
        status.models.first().is_some_and(|model| model.outcome.as_deref() == Some("Creating"))
    })
    .await;
    let looks = || count(&env, "DescribeEndpoint");
    let first = looks();
    env.wait("a poll", async || looks() > first).await;
    let start = env.aws.call_count();
    let before = looks();
    env.wait("two more polls", async || looks() >= before + 2).await;
    let calls = env.aws.calls_since(start);
    for operation in ["GetBucketTagging", "GetRole", "DescribeModel", "DescribeEndpointConfig"] {
        assert!(!calls.iter().any(|it| it == operation), "{operation} in {calls:?}");
    }
    let times: Vec<f64> = env
        .aws
        .calls()
        .iter()
        .filter(|call| call["operation"] == "DescribeEndpoint")
        .filter_map(|call| call["time"].as_f64())
        .collect();
    let gaps: Vec<f64> = times[times.len() - 3..].windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| *gap >= 0.5), "never sooner than the period: {gaps:?}");
}

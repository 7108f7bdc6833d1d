//! The number of requests that a platform costs the API server and AWS.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::operator::more_than;
use crate::support::test_env::{PASSES, TestEnv, spec};

/// A platform with a bucket, a model on SageMaker that scales and a consumer with a service account.
fn ranking() -> Value {
    let mut wanted = spec(json!([{"name": "artifacts", "deletionPolicy": "Delete",
        "lifecycle": {"rules": [{"id": "x", "expiration": {"days": 10}}]}}]));
    let provider = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC";
    wanted["identity"] = json!({"irsa": {"oidcProviderArn": provider}});
    wanted["models"] = json!([{"name": "rank", "sagemaker": {
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1",
        "instance": {"type": "ml.m5.large", "count": 2},
        "autoscaling": {"minInstances": 2, "maxInstances": 8,
            "target": {"invocationsPerInstance": {"value": 600}}},
    }}]);
    wanted["access"] = json!([{"name": "api", "serviceAccount": {"name": "support-api"}, "models": ["rank"]}]);
    wanted
}

#[tokio::test]
async fn a_platform_takes_few_requests_to_the_api_server_to_become_ready() {
    let env = TestEnv::with("few-requests", &["--transition-poll", "1s"]).await;
    env.aws.control("timings", json!({"sagemaker.endpoint.create": 1500}));
    env.wait("ready", async || env.operator.page("/readyz").0 == 200).await;
    let before = env.operator.cluster_requests();
    env.apply("assistant", &ranking()).await;
    env.wait_ready("assistant").await;
    env.wait("the event", async || env.events("assistant").await.iter().any(|(reason, _)| reason == "Ready")).await;
    let made = more_than(&before, &env.operator.cluster_requests());
    let (objects, rest): (Vec<_>, Vec<_>) =
        made.iter().partition(|(labels, _)| labels.contains("configmaps") || labels.contains("serviceaccounts"));
    // Two objects are created. The rest are the finalizer, three writes of the status and an event for each of two steps
    // and for what becomes ready; a machine under load may take so long that progress is written once more.
    let sum = |counts: &[(&String, &u64)]| counts.iter().map(|(_, count)| **count).sum::<u64>();
    assert_eq!(sum(&objects), 2, "{made:#?}");
    assert!(sum(&rest) < 9, "{made:#?}");
    let reported = |wanted: &str, events: &[(String, String)]| -> usize {
        events.iter().filter(|(reason, _)| reason == wanted).count()
    };
    let events = env.events("assistant").await;
    assert_eq!((reported("Created", &events), events.len()), (2, 3), "{events:#?}");
}

#[tokio::test]
async fn resyncs_write_no_status_and_read_nothing_that_a_watch_shows() {
    let env = TestEnv::with("idle", &["--transition-poll", "1s", "--resync", "1s"]).await;
    env.aws.control("timings", json!({"sagemaker.endpoint.create": 500}));
    env.apply("assistant", &ranking()).await;
    env.wait_ready("assistant").await;
    let object = env.api().get("assistant").await.expect("it");
    let resources = &object.status.as_ref().expect("a status").resources;
    let target = resources.iter().find(|resource| resource.kind == "ScalableTarget").expect("a target");
    assert!(target.arn.as_ref().is_some_and(|arn| arn.contains("scalable-target/")), "{target:?}");
    let passes = || env.operator.metric(PASSES);
    // The watch of config maps has shown our own write by then, and what belongs to it was read.
    let first = passes();
    env.wait("a resync", async || passes() >= first + 2).await;
    let (before, first) = (env.operator.cluster_requests(), passes());
    env.wait("three more", async || passes() >= first + 3).await;
    let made = more_than(&before, &env.operator.cluster_requests());
    assert!(made.is_empty(), "{made:#?}");
    let now = env.api().get("assistant").await.expect("it");
    assert_eq!(now.metadata.resource_version, object.metadata.resource_version, "nothing was written");
}

#[tokio::test]
async fn what_somebody_changes_in_an_object_that_is_not_read_each_time_is_changed_back() {
    let env = TestEnv::with("watched", &["--transition-poll", "1s", "--resync", "1s"]).await;
    env.aws.control("timings", json!({"sagemaker.endpoint.create": 0}));
    env.apply("assistant", &ranking()).await;
    env.wait_ready("assistant").await;
    let passes = || env.operator.metric(PASSES);
    let first = passes();
    env.wait("two resyncs", async || passes() >= first + 2).await;
    let maps: Api<ConfigMap> = Api::namespaced(env.client.clone(), &env.namespace);
    let ours = maps.get("assistant-endpoints").await.expect("it").data;
    assert!(ours.as_ref().is_some_and(|data| !data.is_empty()));
    let others = json!({"data": {"rank": "somebody else's"}});
    let nothing = json!({"data": null});
    for change in [others, nothing] {
        maps.patch("assistant-endpoints", &PatchParams::default(), &Patch::Merge(change)).await.expect("changed");
        env.wait("it is as it was", async || {
            let now = maps.get("assistant-endpoints").await.expect("it").data.unwrap_or_default();
            ours.iter().flatten().all(|(key, value)| now.get(key) == Some(value))
        })
        .await;
    }
    maps.delete("assistant-endpoints", &DeleteParams::default()).await.expect("deleted");
    env.wait("it is back", async || maps.get_opt("assistant-endpoints").await.expect("an answer").is_some()).await;
}

#[tokio::test]
async fn a_creation_makes_two_calls_for_each_resource_at_most_and_reads_nothing_that_a_refusal_would_tell() {
    let env = TestEnv::with("frugal-creation", &["--transition-poll", "1s"]).await;
    env.aws.control("timings", json!({"sagemaker.endpoint.create": 1500}));
    env.apply("assistant", &ranking()).await;
    let resources = env.wait_ready("assistant").await.status.expect("a status").resources.len();
    let mut calls = env.aws.calls_since(0);
    // Asked once in ten minutes for all platforms of an account, and by the readiness check.
    calls.retain(|call| call != "GetCallerIdentity");
    let count = |wanted: &str| calls.iter().filter(|call| *call == wanted).count();
    // How often depends on how long the endpoint takes: once to see that it is there.
    let polls = count("DescribeEndpoint").saturating_sub(1);
    assert!(calls.len() - polls <= 2 * resources, "{} for {resources}: {calls:#?}", calls.len() - polls);
    let is_read = |call: &&String| ["Get", "List", "Describe"].iter().any(|read| call.starts_with(read));
    let reads: BTreeSet<&str> = calls.iter().filter(is_read).map(String::as_str).collect();
    // A log group is taken over, so that it is read first; the rest is read when the endpoint is there.
    let needed = ["DescribeEndpoint", "DescribeLogGroups", "DescribeScalableTargets", "ListTags"];
    assert_eq!(reads, needed.into(), "{calls:#?}");
    // The tags hold for the polls, and are read once more before anything is written that stands on them.
    assert!(count("ListTags") <= 2 && count("DescribeScalableTargets") <= 2, "{calls:#?}");
    let writes: Vec<&String> = calls.iter().filter(|call| !is_read(call)).collect();
    let distinct: BTreeSet<&String> = writes.iter().copied().collect();
    assert!(writes.len() <= distinct.len() + 3, "two roles with three policies, and all else once: {writes:#?}");
}

#[tokio::test]
async fn a_deletion_makes_two_calls_for_each_resource_at_most_and_confirms_that_all_is_gone() {
    let env = TestEnv::with("frugal-deletion", &["--transition-poll", "300ms"]).await;
    env.aws.control("timings", json!({"sagemaker.endpoint.create": 0, "sagemaker.endpoint.delete": 2000}));
    env.apply("assistant", &ranking()).await;
    let resources = env.wait_ready("assistant").await.status.expect("a status").resources.len();
    let first = env.aws.call_count();
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    let calls = env.aws.calls_since(first);
    let count = |wanted: &str| calls.iter().filter(|call| *call == wanted).count();
    // How often depends on how long the endpoint takes: once when the deletion begins, and once to see that it is gone.
    let polls = count("DescribeEndpoint").saturating_sub(2);
    assert!(calls.len() - polls <= 2 * resources, "{} for {resources}: {calls:#?}", calls.len() - polls);
    for (operations, times) in [
        // Whose a bucket is, is read with its deletion, and that it is gone after it.
        (["GetBucketTagging", "ListMultipartUploads"].as_slice(), 1..=2),
        (&["GetAccountAuthorizationDetails"], 2..=2),
        (&["ListModels", "ListEndpointConfigs", "DescribeScalableTargets"], 1..=1),
        (&["DescribeModel", "DescribeEndpointConfig", "ListTags", "DescribeLogGroups", "ListTagsForResource"], 0..=0),
        (&["GetRole", "ListRolePolicies", "ListAttachedRolePolicies"], 0..=0),
    ] {
        for operation in operations {
            assert!(times.contains(&count(operation)), "{operation}: {calls:#?}");
        }
    }
}

#[tokio::test]
async fn what_aws_throttles_converges_within_a_smaller_budget_and_what_waits_shows() {
    let env = TestEnv::new("throttled-budget").await;
    let error = json!({"code": "Throttling", "status": 400});
    env.aws.control("faults", json!({"service": "iam", "operation": "*", "times": 6, "error": error}));
    let mut wanted = ranking();
    let consumers = (0..12).map(|number| {
        let account = json!({"name": format!("support-{number}")});
        json!({"name": format!("api-{number}"), "serviceAccount": account, "models": ["rank"]})
    });
    wanted["access"] = consumers.collect();
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    let (_, text) = env.operator.page("/metrics");
    let has_waited = text.lines().any(|line| line.starts_with("aiplatform_aws_requests_waiting{service=\"iam\""));
    assert!(has_waited, "nothing had to wait:\n{text}");
}

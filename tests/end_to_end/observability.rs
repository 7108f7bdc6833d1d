//! What the operator tells of its work: in the log, in metrics, in statuses and events.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::collector::{Collector, text};
use crate::support::operator::Operator;
use crate::support::test_env::{TestEnv, condition, environment, spec, version};

const REQUEST_ID: &str = "[AWS request id ";

fn word_after<'a>(text: &'a str, part: &str) -> Option<&'a str> {
    text.split_once(part).map(|(_, rest)| rest.split([' ', ']', '"']).next().unwrap_or_default())
}

#[tokio::test]
async fn a_failure_names_its_request_and_each_retry_writes_no_status_of_its_own() {
    let env = TestEnv::with("requests", &["--resync", "1s"]).await;
    env.aws.control("deny", json!({"action": "s3:PutBucketVersioning"}));
    env.apply("assistant", &spec(json!([{"name": "a"}]))).await;
    let reported = env.wait_stalled("assistant", "AccessDenied").await;
    let first = word_after(&reported, REQUEST_ID).unwrap_or_else(|| panic!("no id in {reported}")).to_string();
    let written = "aiplatform_status_writes_total";
    let ids = || -> BTreeSet<String> {
        let log = env.operator.log();
        let failed = log.lines().filter(|line| line.contains("s3:PutBucketVersioning"));
        failed.filter_map(|line| word_after(line, "request_id=\"").map(ToString::to_string)).collect()
    };
    // What a pass wrote is counted by the next one.
    let mut tried = ids().len();
    env.wait("a further try", async || ids().len() > tried).await;
    let (before, writes) = (env.api().get("assistant").await.expect("it"), env.operator.metric(written));
    tried = ids().len();
    env.wait("further tries", async || ids().len() >= tried + 2).await;
    let now = env.api().get("assistant").await.expect("it");
    assert_eq!(version(&now), version(&before));
    assert_eq!(env.operator.metric(written), writes);
    let ready = now.status.as_ref().and_then(|status| condition(status, "Ready").cloned()).expect("a condition");
    assert_eq!(word_after(&ready.message, REQUEST_ID), Some(first.as_str()));
    assert!(ids().contains(&first), "{:?}", ids());
    let events = env.events("assistant").await;
    let about = events.iter().filter(|(reason, note)| reason == "AccessDenied" && note.contains(&first));
    assert_eq!(about.count(), 1, "{events:#?}");
}

#[tokio::test]
async fn each_step_has_one_line_and_a_reconcile_that_changes_nothing_has_none() {
    let env = TestEnv::with("log-lines", &["--resync", "1s", "--log-format", "text"]).await;
    env.wait("ready", async || env.operator.page("/readyz").0 == 200).await;
    let mut wanted = spec(json!([{"name": "a"}]));
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    wanted["storage"]["buckets"][0]["versioning"] = json!(false);
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    let steps = |action: &str| -> Vec<String> {
        let log = env.operator.log();
        log.lines().filter(|line| line.contains(&format!("{action} Bucket "))).map(ToString::to_string).collect()
    };
    env.wait("the update's line", async || !steps("update").is_empty()).await;
    for (action, part) in [("create", "outcome=\"done\""), ("update", "fields=\"versioning\"")] {
        let lines = steps(action);
        let [line] = lines.as_slice() else { panic!("{action}: {lines:#?}") };
        let platform = format!("platform={}/assistant", env.namespace);
        for part in [platform.as_str(), "kind=\"Bucket\"", part, "duration_ms=", "request_id=\"", "requests="] {
            assert!(line.contains(part), "{part}: {line}");
        }
    }
    assert!(!env.operator.log().contains("fields=\"\""), "{}", env.operator.log());
    let reads = || env.aws.operations().iter().filter(|name| *name == "GetBucketPolicy").count();
    let settled = reads();
    env.wait("two resyncs", async || reads() >= settled + 2).await;
    let log = env.operator.log();
    let later = reads();
    env.wait("two more resyncs", async || reads() >= later + 2).await;
    assert_eq!(env.operator.log(), log);
    for (name, value) in environment(env.cluster, &env.aws) {
        if name.contains("SECRET") || name.contains("TOKEN") {
            assert!(!log.contains(&value), "{name}");
        }
    }
}

#[tokio::test]
async fn for_machines_each_line_is_one_object_that_names_the_platform() {
    let env = TestEnv::with("log-json", &["--log-format", "json"]).await;
    env.apply("assistant", &spec(json!([{"name": "a"}]))).await;
    env.wait_ready("assistant").await;
    env.operator.wait_for_log("\"done\"");
    let log = env.operator.log();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let created = lines.iter().find(|line| line["outcome"] == "done").unwrap_or_else(|| panic!("{log}"));
    assert_eq!(created["span"]["platform"], format!("{}/assistant", env.namespace));
    assert_eq!(created["kind"], "Bucket");
    assert!(created["duration_ms"].is_u64() && created["request_id"].is_string(), "{created}");
    assert!(created.get("fields").is_none(), "{created}");
}

#[tokio::test]
async fn metrics_show_requests_platforms_and_what_was_repaired() {
    let env = TestEnv::new("metrics").await;
    env.aws.fail("PutBucketPolicy", 1, "SlowDown", 503);
    env.apply("assistant", &spec(json!([{"name": "a"}]))).await;
    let object = env.wait_ready("assistant").await;
    let namespace = &env.namespace;
    env.wait("what is ready", async || env.operator.page("/metrics").1.contains("reason=\"Ready\"} 1")).await;
    let metric = |name: &str| env.operator.metric(name);
    let of = "service=\"S3\",operation=\"PutBucketPolicy\"";
    assert_eq!(metric(&format!("aiplatform_aws_requests_total{{{of},code=\"503\"}}")), 1);
    assert_eq!(metric(&format!("aiplatform_aws_requests_total{{{of},code=\"204\"}}")), 1);
    assert_eq!(metric(&format!("aiplatform_aws_throttled_requests_total{{{of}}}")), 1);
    assert_eq!(metric(&format!("aiplatform_aws_request_duration_seconds_count{{{of}}}")), 2);
    let ready = format!("aiplatform_platform_ready{{namespace=\"{namespace}\",name=\"assistant\",reason=\"Ready\"}}");
    assert_eq!(metric(&ready), 1);
    assert_eq!(metric("aiplatform_resources{kind=\"Bucket\",state=\"Ready\"}"), 1);
    assert_eq!(metric("aiplatform_time_to_ready_seconds_count"), 1);
    assert_eq!(metric("aiplatform_leader"), 1);
    assert_eq!(metric("aiplatform_aws_credentials_valid"), 1);
    assert_eq!(metric("aiplatform_steps_total{kind=\"Bucket\",action=\"Create\",result=\"done\"}"), 1);
    let bucket = crate::support::test_env::resource_names(&object).remove(0);
    env.aws.s3().delete_bucket_policy().bucket(&bucket).send().await.expect("it goes");
    env.poke("assistant").await;
    let repaired = "aiplatform_drift_repairs_total{kind=\"Bucket\",field=\"policy\"} 1";
    env.wait("the repair", async || env.operator.page("/metrics").1.contains(repaired)).await;
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    env.wait("no series is left", async || !env.operator.page("/metrics").1.contains("aiplatform_platform_ready{"))
        .await;
}

/// An environment whose operator sends spans there, soon.
async fn traced(name: &str, endpoint: &str) -> TestEnv {
    let mut env = TestEnv::new(name).await;
    env.operator.kill();
    let mut variables = environment(env.cluster, &env.aws).to_vec();
    variables.push(("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.into()));
    variables.push(("OTEL_BSP_SCHEDULE_DELAY", "100".into()));
    env.operator = Operator::start(&["--namespace", &env.namespace, "--cluster-name", "tests"], &variables);
    env
}

#[tokio::test]
async fn a_reconcile_its_steps_and_their_requests_are_one_trace() {
    let collector = Collector::start();
    let env = traced("traces", collector.url()).await;
    env.apply("assistant", &spec(json!([{"name": "a"}]))).await;
    env.wait_ready("assistant").await;
    let named = |name: &str| collector.spans().into_iter().find(|span| span.name == name);
    let parent = |of: &[u8]| collector.spans().into_iter().find(|span| span.span_id == of);
    env.wait("the whole trace", async || {
        let step = named("S3.CreateBucket").and_then(|request| parent(&request.parent_span_id));
        step.and_then(|step| parent(&step.parent_span_id)).is_some()
    })
    .await;
    let request = named("S3.CreateBucket").expect("a request");
    let step = parent(&request.parent_span_id).expect("its step");
    let reconcile = parent(&step.parent_span_id).expect("its reconcile");
    assert_eq!((step.name.as_str(), reconcile.name.as_str()), ("create Bucket", "reconcile"));
    assert!(reconcile.parent_span_id.is_empty() && request.trace_id == reconcile.trace_id);
    assert_eq!(text(&reconcile.attributes, "platform"), Some(format!("{}/assistant", env.namespace)));
    assert!(text(&request.attributes, "aws.request_id").is_some_and(|id| !id.is_empty()), "{request:?}");
    assert_eq!(text(&step.attributes, "outcome").as_deref(), Some("done"));
    assert!(collector.services().iter().all(|service| service == "aiplatform"), "{:?}", collector.services());
    let ours = |name: &str| name == "reconcile" || name.contains('.') || name.contains(' ');
    assert!(collector.spans().iter().all(|span| ours(&span.name)), "{:?}", collector.spans());
}

#[tokio::test]
async fn a_collector_that_is_away_costs_nothing_and_is_reported_once() {
    let mut env = traced("untraced", "http://127.0.0.1:1").await;
    let about = |env: &TestEnv| env.operator.log().lines().filter(|line| line.contains("takes no spans")).count();
    env.apply("assistant", &spec(json!([{"name": "a"}]))).await;
    env.wait_ready("assistant").await;
    env.wait("the report", async || about(&env) > 0).await;
    assert!(env.operator.metric("aiplatform_trace_exports_total{result=\"error\"}") > 0);
    let reads = env.aws.operations().len();
    env.poke("assistant").await;
    env.wait("another reconcile", async || env.aws.operations().len() > reads).await;
    assert_eq!(env.operator.terminate().code(), Some(0), "{}", env.operator.log());
    assert_eq!(about(&env), 1, "{}", env.operator.log());
}

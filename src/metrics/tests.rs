use std::collections::BTreeSet;
use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::*;

#[test]
fn names_have_units_and_every_metric_says_what_it_is() {
    let metrics = Metrics::default();
    metrics.reconcile_ended("success", Duration::from_secs(1));
    metrics.aws.answered(&AwsRequest {
        service: "S3",
        operation: "PutBucketPolicy",
        code: "503",
        took: Duration::from_millis(80),
        is_throttled: true,
    });
    metrics.repaired("Bucket", "versioning");
    let text = metrics.text();
    for line in [
        "aiplatform_reconcile_total{result=\"success\"} 1",
        "aiplatform_reconcile_duration_seconds_count 1",
        "aiplatform_aws_requests_total{service=\"S3\",operation=\"PutBucketPolicy\",code=\"503\"} 1",
        "aiplatform_aws_request_duration_seconds_count{service=\"S3\",operation=\"PutBucketPolicy\"} 1",
        "aiplatform_aws_throttled_requests_total{service=\"S3\",operation=\"PutBucketPolicy\"} 1",
        "aiplatform_drift_repairs_total{kind=\"Bucket\",field=\"versioning\"} 1",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} in\n{text}");
    }
    let helped = text.lines().filter(|line| line.starts_with("# HELP aiplatform_") && line.ends_with('.')).count();
    assert_eq!(helped, text.lines().filter(|line| line.starts_with("# TYPE")).count(), "{text}");
}

/// The names under which Prometheus finds everything that is exposed, once there is something of each.
fn exposed() -> BTreeSet<String> {
    let metrics = Metrics::default();
    metrics.failed("AccessDenied");
    metrics.drift_event("woke");
    metrics.step("Bucket", "Create", "done");
    metrics.repaired("Bucket", "policy");
    metrics.queued("edit", 1);
    metrics.obstacles([("cluster", true)]);
    metrics.trace_export(true);
    metrics.cluster_request("list", "aiplatforms");
    metrics.aws.waits("iam", "drift");
    metrics.set_aside(None, Some("Suspended"));
    metrics.reconcile_ended("success", Duration::ZERO);
    metrics.aws.answered(&AwsRequest {
        service: "S3",
        operation: "PutBucketPolicy",
        code: "503",
        took: Duration::ZERO,
        is_throttled: true,
    });
    metrics.platform("team", "assistant", platforms::tests::scaled_and_deleted());
    let mut names = BTreeSet::new();
    for line in metrics.text().lines().filter(|line| !line.starts_with('#')) {
        names.extend(line.split(['{', ' ']).next().map(ToString::to_string));
    }
    names
}

fn named(text: &str) -> BTreeSet<String> {
    let is_of_a_name = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    let starts = text.match_indices("aiplatform_").map(|(at, _)| &text[at..]);
    starts.map(|rest| rest.split(|letter| !is_of_a_name(letter)).next().unwrap_or_default().to_string()).collect()
}

fn file(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a file")
}

#[test]
fn every_metric_that_dashboard_and_alerts_name_is_exposed() {
    let exposed = exposed();
    for path in ["dashboard.json", "prometheus-rule.yaml"] {
        let named = named(&file(&format!("manifests/components/monitoring/{path}")));
        assert!(named.len() > 5, "{path}: {named:?}");
        assert_eq!(named.difference(&exposed).collect::<Vec<_>>(), Vec::<&String>::new(), "{path}");
    }
}

#[test]
fn the_documentation_has_every_metric_and_no_other() {
    let page = file("docs/operations.md");
    let of_histogram = |name: &String| {
        let stem = ["_bucket", "_count", "_sum"].iter().find_map(|suffix| name.strip_suffix(suffix));
        stem.filter(|stem| stem.ends_with("_seconds")).map_or_else(|| name.clone(), ToString::to_string)
    };
    let exposed: BTreeSet<String> = exposed().iter().map(of_histogram).collect();
    assert_eq!(named(&page), exposed);
}

#[test]
fn who_does_not_lead_says_so() {
    let metrics = Metrics::default();
    let leader = |metrics: &Metrics| metrics.text().lines().any(|line| line == "aiplatform_leader 1");
    assert!(!leader(&metrics));
    metrics.follow(Authority::elected(CancellationToken::new()));
    assert!(!leader(&metrics));
    metrics.follow(Authority::unelected(CancellationToken::new()));
    assert!(leader(&metrics));
}

#[test]
fn an_edit_ages_until_it_is_carried_out() {
    let metrics = Metrics::default();
    let age = |metrics: &Metrics| {
        let text = metrics.text();
        let value = text.lines().find_map(|line| line.strip_prefix("aiplatform_oldest_unreconciled_edit_seconds "));
        value.and_then(|value| value.parse::<f64>().ok()).expect("a number")
    };
    assert!(age(&metrics) < 0.001);
    metrics.edited(Instant::now().checked_sub(Duration::from_secs(5)));
    assert!(age(&metrics) >= 5.0);
    metrics.edited(None);
    assert!(age(&metrics) < 0.001);
}

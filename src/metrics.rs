//! The metrics that `/metrics` shows, named as Prometheus asks: units as suffixes, `_total` for counters.
//!
//! Labels are names from closed lists, so their number is bounded; those about one platform are bounded by the number of
//! platforms and models. `docs/operations.md` describes each.

mod platforms;

use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::install_check::clock::GivenTime;
use crate::leadership::Authority;
pub use platforms::Platform;
use platforms::Platforms;

/// The operator's metrics.
pub struct Metrics {
    registry: Mutex<Registry>,
    reconcile_duration: Histogram,
    reconciles: Family<Reconcile, Counter>,
    in_progress: Gauge,
    failures: Family<Failure, Counter>,
    steps: Family<Step, Counter>,
    repairs: Family<Repair, Counter>,
    drift_events: Family<Received, Counter>,
    drift_event_delay: Histogram,
    last_drift_event: Gauge,
    status_writes: Counter,
    cluster_requests: Family<ClusterRequest, Counter>,
    queue: Family<Queued, Gauge>,
    oldest_edit: Gauge<f64, AtomicU64>,
    edited_since: Mutex<Option<Instant>>,
    time_to_ready: Histogram,
    set_aside: Family<Failure, Gauge>,
    platforms: Platforms,
    aws_requests: Family<Request, Counter>,
    aws_durations: Family<Operation, Histogram, fn() -> Histogram>,
    aws_throttled: Family<Operation, Counter>,
    aws_waiting: Family<Waiting, Gauge>,
    credentials: Gauge,
    obstacles: Family<Part, Gauge>,
    trace_exports: Family<Reconcile, Counter>,
    clock_skew: Gauge<f64, AtomicU64>,
    time_of_aws: Mutex<Option<GivenTime>>,
    leader: Gauge,
    authority: Mutex<Option<Authority>>,
}

/// One attempt of a call to AWS.
#[derive(Clone, Copy, Debug)]
pub struct AwsRequest<'a> {
    /// The service, as the SDK calls it.
    pub service: &'a str,
    /// The operation, such as `PutBucketPolicy`.
    pub operation: &'a str,
    /// The HTTP status; `timeout`, `unreachable` or `not_sent` where there is none.
    pub code: &'a str,
    /// The time until the answer.
    pub took: Duration,
    /// True when AWS says that too much was asked.
    pub is_throttled: bool,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reconcile {
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Failure {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Part {
    part: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Step {
    kind: &'static str,
    action: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Repair {
    kind: &'static str,
    field: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Received {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Queued {
    urgency: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    service: String,
    operation: String,
    code: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Operation {
    service: String,
    operation: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Waiting {
    service: &'static str,
    priority: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ClusterRequest {
    verb: &'static str,
    resource: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

fn aws_histogram() -> Histogram {
    Histogram::new([0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("aiplatform");
        let build = Family::<Build, Gauge>::default();
        build.get_or_create(&Build { version: env!("CARGO_PKG_VERSION") }).set(1);
        registry.register("build_info", "Version of the operator; always 1", build);
        let metrics = Self {
            registry: Mutex::default(),
            reconcile_duration: Histogram::new([0.005, 0.02, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0]),
            reconciles: Family::default(),
            in_progress: Gauge::default(),
            failures: Family::default(),
            steps: Family::default(),
            repairs: Family::default(),
            drift_events: Family::default(),
            drift_event_delay: Histogram::new([1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0]),
            last_drift_event: Gauge::default(),
            status_writes: Counter::default(),
            cluster_requests: Family::default(),
            queue: Family::default(),
            oldest_edit: Gauge::default(),
            edited_since: Mutex::default(),
            time_to_ready: Histogram::new([10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0]),
            set_aside: Family::default(),
            platforms: Platforms::default(),
            aws_requests: Family::default(),
            aws_durations: Family::new_with_constructor(aws_histogram),
            aws_throttled: Family::default(),
            aws_waiting: Family::default(),
            credentials: Gauge::default(),
            obstacles: Family::default(),
            trace_exports: Family::default(),
            clock_skew: Gauge::default(),
            time_of_aws: Mutex::default(),
            leader: Gauge::default(),
            authority: Mutex::default(),
        };
        metrics.register_reconciles(&mut registry);
        metrics.register_aws(&mut registry);
        metrics.platforms.register(&mut registry);
        Self { registry: Mutex::new(registry), ..metrics }
    }
}

impl Metrics {
    fn register_reconciles(&self, registry: &mut Registry) {
        let duration = self.reconcile_duration.clone();
        registry.register_with_unit(
            "reconcile_duration",
            "Duration of a reconcile of one platform",
            Unit::Seconds,
            duration,
        );
        registry.register("reconcile", "Reconciles by result", self.reconciles.clone());
        registry.register("reconciles_in_progress", "Reconciles under way", self.in_progress.clone());
        registry.register("failures", "Failed reconciles, steps and reads by reason", self.failures.clone());
        registry.register("steps", "Steps taken by kind of resource, action and result", self.steps.clone());
        registry.register(
            "drift_repairs",
            "Changes by others that were changed back, by kind and field",
            self.repairs.clone(),
        );
        registry.register(
            "drift_events",
            "Messages about changes that came through a queue, by what became of them",
            self.drift_events.clone(),
        );
        registry.register_with_unit(
            "drift_event_delay",
            "Time from a call until its event came",
            Unit::Seconds,
            self.drift_event_delay.clone(),
        );
        registry.register_with_unit(
            "last_drift_event_timestamp",
            "Time at which the last event came, since the epoch; 0 where none has come",
            Unit::Seconds,
            self.last_drift_event.clone(),
        );
        registry.register("status_writes", "Writes of a platform's status", self.status_writes.clone());
        registry.register(
            "kubernetes_requests",
            "Requests to the API server by verb and resource",
            self.cluster_requests.clone(),
        );
        registry.register("queue_depth", "Platforms that wait for a reconcile by urgency", self.queue.clone());
        registry.register_with_unit(
            "oldest_unreconciled_edit",
            "Age of the oldest edit of a platform that no reconcile has carried out yet; 0 where there is none",
            Unit::Seconds,
            self.oldest_edit.clone(),
        );
        registry.register_with_unit(
            "time_to_ready",
            "Time from when an edit of a platform was noticed until the platform was ready",
            Unit::Seconds,
            self.time_to_ready.clone(),
        );
        registry.register(
            "platforms_set_aside",
            "Platforms whose resources, roles among them, are left as they are, by reason",
            self.set_aside.clone(),
        );
        registry.register(
            "obstacle",
            "1 while something stands in the way of a part, which /readyz describes",
            self.obstacles.clone(),
        );
        registry.register_with_unit(
            "clock_skew",
            "Time by which the clock of this machine was ahead of AWS's at the last answer",
            Unit::Seconds,
            self.clock_skew.clone(),
        );
        registry.register(
            "trace_exports",
            "Exports of spans to the collector of traces, by result",
            self.trace_exports.clone(),
        );
        registry.register(
            "leader",
            "1 where this operator may change anything: it leads, or nobody is elected",
            self.leader.clone(),
        );
    }

    fn register_aws(&self, registry: &mut Registry) {
        registry.register(
            "aws_requests",
            "Requests to AWS, retries included, by HTTP status",
            self.aws_requests.clone(),
        );
        let durations = self.aws_durations.clone();
        registry.register_with_unit(
            "aws_request_duration",
            "Time until AWS answered a request",
            Unit::Seconds,
            durations,
        );
        registry.register(
            "aws_throttled_requests",
            "Requests that AWS refused as too many",
            self.aws_throttled.clone(),
        );
        registry.register(
            "aws_requests_waiting",
            "Requests to AWS that wait for the budget of their account, by service and priority",
            self.aws_waiting.clone(),
        );
        registry.register(
            "aws_credentials_valid",
            "1 while AWS knows whose the operator's own credentials are",
            self.credentials.clone(),
        );
    }

    /// Shows from now on whether this operator leads.
    pub fn follow(&self, authority: Authority) {
        *self.authority.lock().unwrap_or_else(PoisonError::into_inner) = Some(authority);
    }

    /// A reconcile begins.
    pub fn reconcile_began(&self) {
        self.in_progress.inc();
    }

    /// A reconcile ended.
    pub fn reconcile_ended(&self, result: &'static str, took: Duration) {
        self.in_progress.dec();
        self.reconcile_duration.observe(took.as_secs_f64());
        self.reconciles.get_or_create(&Reconcile { result }).inc();
    }

    /// Something failed.
    pub fn failed(&self, reason: &'static str) {
        self.failures.get_or_create(&Failure { reason }).inc();
    }

    /// A step was taken.
    pub fn step(&self, kind: &'static str, action: &'static str, result: &'static str) {
        self.steps.get_or_create(&Step { kind, action, result }).inc();
    }

    /// A field was changed back.
    pub fn repaired(&self, kind: &'static str, field: &str) {
        self.repairs.get_or_create(&Repair { kind, field: field.into() }).inc();
    }

    /// A message of a queue of events was handled, with this outcome.
    pub fn drift_event(&self, outcome: &'static str) {
        self.drift_events.get_or_create(&Received { outcome }).inc();
    }

    /// An event came about a call that was made at this time.
    pub fn drift_event_received(&self, called_at: Timestamp) {
        let now = Timestamp::now();
        let late = Duration::try_from(now.duration_since(called_at)).unwrap_or_default();
        self.drift_event_delay.observe(late.as_secs_f64());
        self.last_drift_event.set(now.as_second());
    }

    /// A status was written.
    pub fn status_written(&self) {
        self.status_writes.inc();
    }

    /// A request to the API server is sent.
    pub fn cluster_request(&self, verb: &'static str, resource: &str) {
        self.cluster_requests.get_or_create(&ClusterRequest { verb, resource: resource.into() }).inc();
    }

    /// So many platforms wait for a reconcile.
    pub fn queued(&self, urgency: &'static str, platforms: usize) {
        self.queue.get_or_create(&Queued { urgency }).set(i64::try_from(platforms).unwrap_or(i64::MAX));
    }

    /// The time since which the oldest edit waits.
    pub fn edited(&self, since: Option<Instant>) {
        *self.edited_since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// A platform became ready so long after its edit.
    pub fn became_ready(&self, after: Duration) {
        self.time_to_ready.observe(after.as_secs_f64());
    }

    /// A platform is set aside for another reason than before, or for none.
    pub fn set_aside(&self, before: Option<&'static str>, now: Option<&'static str>) {
        if before == now {
            return;
        }
        if let Some(reason) = before {
            self.set_aside.get_or_create(&Failure { reason }).dec();
        }
        if let Some(reason) = now {
            self.set_aside.get_or_create(&Failure { reason }).inc();
        }
    }

    /// The state of a platform, as it is now.
    pub fn platform(&self, namespace: &str, name: &str, platform: Platform) {
        self.platforms.set(namespace, name, platform);
    }

    /// Forgets a platform that is gone.
    pub fn forget(&self, namespace: &str, name: &str) {
        self.platforms.forget(namespace, name);
    }

    /// A request to AWS was answered, or came to nothing.
    pub fn aws_request(&self, request: &AwsRequest) {
        let AwsRequest { service, operation, code, took, is_throttled } = *request;
        let labels = Operation { service: service.into(), operation: operation.into() };
        self.aws_durations.get_or_create(&labels).observe(took.as_secs_f64());
        if is_throttled {
            self.aws_throttled.get_or_create(&labels).inc();
        }
        let Operation { service, operation } = labels;
        self.aws_requests.get_or_create(&Request { service, operation, code: code.into() }).inc();
    }

    /// A request to AWS has to wait for the budget.
    pub fn aws_request_waits(&self, service: &'static str, priority: &'static str) {
        self.aws_waiting.get_or_create(&Waiting { service, priority }).inc();
    }

    /// A request to AWS has waited for the budget, or nobody waits for it any more.
    pub fn aws_request_waits_no_more(&self, service: &'static str, priority: &'static str) {
        self.aws_waiting.get_or_create(&Waiting { service, priority }).dec();
    }

    /// Whether AWS knows whose the operator's own credentials are.
    pub fn credentials(&self, are_valid: bool) {
        self.credentials.set(are_valid.into());
    }

    /// Whether something stands in the way of each kind of part.
    pub fn obstacles(&self, parts: impl IntoIterator<Item = (&'static str, bool)>) {
        for (part, is_blocked) in parts {
            self.obstacles.get_or_create(&Part { part }).set(is_blocked.into());
        }
    }

    /// AWS gave the time.
    pub fn time_given(&self, given: GivenTime) {
        if let Some(ahead) = given.ahead() {
            self.clock_skew.set(ahead.as_secs_f64());
        }
        *self.time_of_aws.lock().unwrap_or_else(PoisonError::into_inner) = Some(given);
    }

    /// The time that AWS gave last.
    #[must_use]
    pub fn time_of_aws(&self) -> Option<GivenTime> {
        self.time_of_aws.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Spans were exported, or lost.
    pub fn trace_export(&self, is_done: bool) {
        self.trace_exports.get_or_create(&Reconcile { result: if is_done { "success" } else { "error" } }).inc();
    }

    /// All metrics in the `OpenMetrics` text format.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh();
        // Writing into a string cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
        text
    }

    /// Sets what is a matter of the moment.
    fn refresh(&self) {
        let authority = self.authority.lock().unwrap_or_else(PoisonError::into_inner);
        self.leader.set(authority.as_ref().is_some_and(Authority::may_begin).into());
        let since = *self.edited_since.lock().unwrap_or_else(PoisonError::into_inner);
        self.oldest_edit.set(since.map_or(0.0, |since| since.elapsed().as_secs_f64()));
        self.platforms.refresh();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use tokio_util::sync::CancellationToken;

    use super::*;

    #[test]
    fn names_have_units_and_every_metric_says_what_it_is() {
        let metrics = Metrics::default();
        metrics.reconcile_ended("success", Duration::from_secs(1));
        metrics.aws_request(&AwsRequest {
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
        metrics.aws_request_waits("iam", "drift");
        metrics.set_aside(None, Some("Suspended"));
        metrics.reconcile_ended("success", Duration::ZERO);
        metrics.aws_request(&AwsRequest {
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
}

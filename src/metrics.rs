//! The metrics that `/metrics` shows, named as Prometheus asks: units as suffixes, `_total` for counters.
//!
//! Labels are names from closed lists, so their number is bounded; those about one platform are bounded by the number of
//! platforms and models. `docs/operations.md` describes each.

mod aws;
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

use crate::leadership::Authority;
pub use aws::{AwsCalls, AwsRequest};
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
    /// Those of calls to AWS.
    pub aws: AwsCalls,
    obstacles: Family<Part, Gauge>,
    trace_exports: Family<Reconcile, Counter>,
    leader: Gauge,
    authority: Mutex<Option<Authority>>,
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
struct ClusterRequest {
    verb: &'static str,
    resource: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Build {
    version: &'static str,
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
            aws: AwsCalls::default(),
            obstacles: Family::default(),
            trace_exports: Family::default(),
            leader: Gauge::default(),
            authority: Mutex::default(),
        };
        metrics.register_reconciles(&mut registry);
        metrics.aws.register(&mut registry);
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

    /// Whether something stands in the way of each kind of part.
    pub fn obstacles(&self, parts: impl IntoIterator<Item = (&'static str, bool)>) {
        for (part, is_blocked) in parts {
            self.obstacles.get_or_create(&Part { part }).set(is_blocked.into());
        }
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
mod tests;

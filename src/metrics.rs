//! The metrics that `/metrics` shows. Labels are names from closed lists, so their number is bounded.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The operator's metrics.
pub struct Metrics {
    registry: Mutex<Registry>,
    passes: Histogram,
    failures: Family<Failure, Counter>,
    steps: Family<Step, Counter>,
    status_writes: Counter,
    in_progress: Gauge,
    waiting: Family<Waiting, Gauge>,
    set_aside: Family<Failure, Gauge>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Failure {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Step {
    kind: &'static str,
    action: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Waiting {
    urgency: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("aiplatform");
        let passes = Histogram::new([0.005, 0.02, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0]);
        let failures = Family::<Failure, Counter>::default();
        let steps = Family::<Step, Counter>::default();
        let status_writes = Counter::default();
        let in_progress = Gauge::default();
        registry.register_with_unit("pass", "Duration of a pass over one object", Unit::Seconds, passes.clone());
        registry.register("failures", "Failed passes and steps by reason", failures.clone());
        registry.register("steps", "Steps taken by kind, action and result", steps.clone());
        registry.register("status_writes", "Writes of an object's status", status_writes.clone());
        registry.register("passes_in_progress", "Passes under way", in_progress.clone());
        let waiting = Family::<Waiting, Gauge>::default();
        registry.register("objects_waiting", "Objects that wait for a pass by urgency", waiting.clone());
        let set_aside = Family::<Failure, Gauge>::default();
        registry.register(
            "platforms_set_aside",
            "Platforms whose resources, roles among them, are left as they are, by reason",
            set_aside.clone(),
        );
        let registry = Mutex::new(registry);
        Self { registry, passes, failures, steps, status_writes, in_progress, waiting, set_aside }
    }
}

impl Metrics {
    /// A pass begins.
    pub fn pass_began(&self) {
        self.in_progress.inc();
    }

    /// A pass ended.
    pub fn pass_ended(&self, took: Duration) {
        self.in_progress.dec();
        self.passes.observe(took.as_secs_f64());
    }

    /// Something failed.
    pub fn failed(&self, reason: &'static str) {
        self.failures.get_or_create(&Failure { reason }).inc();
    }

    /// A step was taken.
    pub fn step(&self, kind: &'static str, action: &'static str, result: &'static str) {
        self.steps.get_or_create(&Step { kind, action, result }).inc();
    }

    /// A status was written.
    pub fn status_written(&self) {
        self.status_writes.inc();
    }

    /// So many objects wait for a pass.
    pub fn waiting(&self, urgency: &'static str, objects: usize) {
        self.waiting.get_or_create(&Waiting { urgency }).set(i64::try_from(objects).unwrap_or(i64::MAX));
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

    /// All metrics in the `OpenMetrics` text format.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing into a string cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
        text
    }
}

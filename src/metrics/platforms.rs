//! The metrics about single platforms and their models: one series for each, which goes with the platform.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::api::AIPlatform;
use crate::api::status::{AIPlatformStatus, State};

/// The state of a platform, as far as metrics show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Platform {
    /// True when it is ready.
    pub is_ready: bool,
    /// The reason of its condition `Ready`.
    pub reason: String,
    /// The time at which its deletion was asked for, in seconds since 1970.
    pub deleted_at: Option<i64>,
    resources: BTreeMap<(String, &'static str), i64>,
    models: BTreeMap<String, Instances>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instances {
    current: i64,
    most: Option<i64>,
}

impl Platform {
    /// A platform of which nothing is known but that it is not ready.
    #[must_use]
    pub fn not_ready(reason: &str) -> Self {
        Self { reason: reason.into(), ..Self::default() }
    }

    /// The platform as its status says.
    #[must_use]
    pub fn of(object: &AIPlatform, status: &AIPlatformStatus) -> Self {
        let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
        let mut resources = BTreeMap::new();
        for resource in &status.resources {
            *resources.entry((resource.kind.clone(), state_name(&resource.state))).or_default() += 1;
        }
        let most = |name: &str| {
            let model = object.spec.models.iter().find(|model| model.name == name)?;
            let scaling = model.sagemaker.as_ref()?.autoscaling.as_ref()?;
            // One that cannot scale is always at its maximum.
            (scaling.max_instances > scaling.min_instances).then_some(i64::from(scaling.max_instances))
        };
        let instances = status.models.iter().filter_map(|model| {
            let current = i64::from(model.instances?.current);
            Some((model.name.clone(), Instances { current, most: most(&model.name) }))
        });
        Self {
            is_ready: ready.is_some_and(|ready| ready.status == "True"),
            reason: ready.map(|ready| ready.reason.clone()).unwrap_or_default(),
            deleted_at: object.metadata.deletion_timestamp.as_ref().map(|time| time.0.as_second()),
            resources,
            models: instances.collect(),
        }
    }
}

fn state_name(state: &State) -> &'static str {
    match state {
        State::Ready => "Ready",
        State::Progressing => "Progressing",
        State::Failed => "Failed",
        State::Blocked => "Blocked",
        State::Refused => "Refused",
        State::Retained => "Retained",
        State::Deleting => "Deleting",
        State::Other(_) => "Other",
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Ready {
    namespace: String,
    name: String,
    reason: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Named {
    namespace: String,
    name: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ServedModel {
    namespace: String,
    name: String,
    model: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Resources {
    kind: String,
    state: &'static str,
}

/// All platforms.
#[derive(Default)]
pub(super) struct Platforms {
    known: Mutex<BTreeMap<(String, String), Platform>>,
    ready: Family<Ready, Gauge>,
    deletions: Family<Named, Gauge>,
    instances: Family<ServedModel, Gauge>,
    most_instances: Family<ServedModel, Gauge>,
    resources: Family<Resources, Gauge>,
}

impl Platforms {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "platform_ready",
            "1 where a platform is ready, 0 where it is not, and why",
            self.ready.clone(),
        );
        registry.register(
            "platform_deletion_timestamp_seconds",
            "Time at which the deletion of a platform that is still there was asked for",
            self.deletions.clone(),
        );
        registry.register("model_instances", "Instances or pods that serve a model", self.instances.clone());
        registry.register(
            "model_instances_max",
            "Most instances that the autoscaling of a SageMaker model allows",
            self.most_instances.clone(),
        );
        registry.register("resources", "Resources of all platforms by kind and state", self.resources.clone());
    }

    pub(super) fn set(&self, namespace: &str, name: &str, platform: Platform) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((namespace.into(), name.into()), platform);
    }

    pub(super) fn forget(&self, namespace: &str, name: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&(namespace.to_string(), name.to_string()));
    }

    /// Sets the series anew, so that none is left of what is gone.
    pub(super) fn refresh(&self) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        self.ready.clear();
        self.deletions.clear();
        self.instances.clear();
        self.most_instances.clear();
        self.resources.clear();
        for ((namespace, name), platform) in known.iter() {
            let (namespace, name) = (namespace.clone(), name.clone());
            let ready = Ready { namespace: namespace.clone(), name: name.clone(), reason: platform.reason.clone() };
            self.ready.get_or_create(&ready).set(platform.is_ready.into());
            if let Some(at) = platform.deleted_at {
                self.deletions.get_or_create(&Named { namespace: namespace.clone(), name: name.clone() }).set(at);
            }
            for (model, instances) in &platform.models {
                let model = ServedModel { namespace: namespace.clone(), name: name.clone(), model: model.clone() };
                self.instances.get_or_create(&model).set(instances.current);
                if let Some(most) = instances.most {
                    self.most_instances.get_or_create(&model).set(most);
                }
            }
            for ((kind, state), number) in &platform.resources {
                self.resources.get_or_create(&Resources { kind: kind.clone(), state }).inc_by(*number);
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::metrics::Metrics;
    use crate::testing::with_buckets;

    fn platform(ready: &str, reason: &str) -> Platform {
        let status = serde_json::from_value(json!({
            "conditions": [{"type": "Ready", "status": ready, "reason": reason, "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z"}],
            "resources": [{"kind": "Bucket", "name": "a", "state": "Ready"}, {"kind": "Bucket", "name": "b", "state": "Ready"}],
            "models": [{"name": "rank", "backend": "SageMaker", "ready": true, "instances": {"current": 3, "desired": 4}}],
        }));
        Platform::of(&with_buckets(json!([])), &status.unwrap())
    }

    /// A platform of which every metric shows something.
    pub(in crate::metrics) fn scaled_and_deleted() -> Platform {
        let instances = Instances { current: 1, most: Some(8) };
        Platform {
            deleted_at: Some(0),
            models: BTreeMap::from([("rank".into(), instances)]),
            ..platform("False", "DeletionBlocked")
        }
    }

    #[test]
    fn a_platform_has_one_series_whatever_happens_to_it_and_none_when_it_is_gone() {
        let metrics = Metrics::default();
        metrics.platform("team", "assistant", platform("True", "Ready"));
        metrics.platform("team", "assistant", platform("False", "AccessDenied"));
        metrics.platform("team", "other", platform("True", "Ready"));
        let series = |metrics: &Metrics, of: &str| -> Vec<String> {
            metrics.text().lines().filter(|line| line.starts_with(of)).map(ToString::to_string).collect()
        };
        assert_eq!(
            series(&metrics, "aiplatform_platform_ready{namespace=\"team\",name=\"assistant\""),
            ["aiplatform_platform_ready{namespace=\"team\",name=\"assistant\",reason=\"AccessDenied\"} 0"]
        );
        assert_eq!(
            series(&metrics, "aiplatform_resources{"),
            ["aiplatform_resources{kind=\"Bucket\",state=\"Ready\"} 4"]
        );
        assert_eq!(series(&metrics, "aiplatform_model_instances{").len(), 2);
        metrics.forget("team", "assistant");
        metrics.forget("team", "other");
        assert!(series(&metrics, "aiplatform_platform_ready{").is_empty());
        assert!(series(&metrics, "aiplatform_resources{").is_empty());
    }
}

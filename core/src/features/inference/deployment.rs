//! The pods of a model, as one Deployment.

use serde::Serialize;
use serde_json::{Value, json};

use super::manifest::{self, Declared, INFO, Manifest};
use super::pods::{Pod, Trouble, condition, pods, worst};
use crate::kind::{Backend, Beneath, ClusterApi, Info, Listed, Live, Managed, ManagedFields, Nothing, Standing};
use crate::resource::{Key, Kind, ObservedState, Resource, ServiceAccount};
use crate::tags;

/// A Deployment of the platform's own.
///
/// Where its spec names no `replicas`, others decide on them: they are never applied, and stay as they are when they
/// were applied before. The pod template carries [`tags::REVISION_LABEL`], and [`tags::PLATFORM_LABEL`], by which changes
/// in its pods are watched; the Deployment itself carries [`tags::MODEL_LABEL`].
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Deployment {
    /// Its manifest.
    pub manifest: Manifest,
    /// The number of replicas that it begins with, where its spec names none.
    #[serde(skip)]
    pub initial_replicas: Option<i32>,
}

impl PartialEq for Deployment {
    /// The number of replicas that it began with says nothing of how it is.
    fn eq(&self, other: &Self) -> bool {
        self.manifest == other.manifest
    }
}

/// Facts about the rollout of a Deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// The revision whose pods take requests; while two do, the one that is on its way out.
    pub serving: Option<String>,
    /// The revision that is to serve.
    pub attempted: Option<String>,
    /// Replicas that take requests.
    pub ready: i32,
    /// Replicas that are wanted.
    pub desired: i32,
    /// The outcome in one word: `Serving`, `ScaledToZero`, `RollingOut`, `Scaling`, `Paused`, `ProgressDeadlineExceeded`,
    /// `ReplicaFailure`, or the reason of the pod that does not come up, such as `Unschedulable`.
    pub outcome: &'static str,
    /// The reason in a sentence, where it is not all as desired.
    pub message: Option<String>,
}

/// The outcome of a Deployment whose pods all serve.
pub(super) const SERVING: &str = "Serving";

/// The outcome of a Deployment that something new is rolled out in.
pub(super) const ROLLING_OUT: &str = "RollingOut";

impl Managed for Deployment {
    const INFO: Info = Info {
        name: "Deployment",
        noun: "deployment",
        backend: Backend::Cluster(ClusterApi {
            group: "apps",
            kind: "Deployment",
            plural: "deployments",
            status_matters: true,
            body: manifest::body::<Deployment>,
            initial,
            released: &[&["spec", "replicas"]],
            read,
            beneath,
            standing,
            ..ClusterApi::PLAIN
        }),
        refers_to: &[
            Kind::Bucket,
            Kind::Role,
            Kind::PodIdentityAssociation,
            Kind::ServiceAccount,
            Kind::Service,
            Kind::NetworkPolicy,
        ],
        ..INFO
    };
    type Write = Nothing;
    type Facts = Rollout;

    fn name(&self) -> String {
        self.manifest.key_name()
    }

    fn needs(&self) -> Vec<Key> {
        self.manifest.needs.clone()
    }

    fn compared(&self, desired: &Self) -> (Value, Value) {
        self.manifest.compared(&desired.manifest)
    }
}

impl Declared for Deployment {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn of_manifest(manifest: Manifest) -> Self {
        Self { manifest, initial_replicas: None }
    }
}

impl From<Manifest> for Deployment {
    fn from(manifest: Manifest) -> Self {
        Self::of_manifest(manifest)
    }
}

impl Deployment {
    /// The name of the model that it serves.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.manifest.labels.get(tags::MODEL_LABEL).map(String::as_str)
    }

    /// The revision that its pods run.
    #[must_use]
    pub fn revision(&self) -> Option<String> {
        let spec = self.manifest.spec.content();
        let labels = spec.pointer("/template/metadata/labels")?;
        Some(labels.get(tags::REVISION_LABEL)?.as_str()?.to_string())
    }
}

fn initial(resource: &Resource) -> Option<Value> {
    let deployment = Deployment::of(resource)?;
    let is_declared = deployment.manifest.spec.content().get("replicas").is_some();
    let replicas = deployment.initial_replicas.filter(|_| !is_declared)?;
    Some(json!({"spec": {"replicas": replicas}}))
}

/// The service account that the pods run as goes after them.
fn read(name: &str, managed: &ManagedFields) -> Option<Resource> {
    let Resource::Deployment(mut deployment) = manifest::read::<Deployment>(name, managed)? else { return None };
    let spec = deployment.manifest.spec.content();
    let found = spec.pointer("/template/spec/serviceAccountName").and_then(Value::as_str);
    let account = found.map(|account| ServiceAccount::key_of(format!("{}/{account}", deployment.manifest.namespace)));
    deployment.manifest.needs.extend(account);
    Some(deployment.into())
}

/// The numbers of replicas in a Deployment's status.
struct Replicas {
    desired: i64,
    all: i64,
    updated: i64,
    ready: i64,
    available: i64,
    is_seen: bool,
}

impl Replicas {
    fn of(object: &Value) -> Self {
        let number = |path: &str, default: i64| object.pointer(path).and_then(Value::as_i64).unwrap_or(default);
        Self {
            desired: number("/spec/replicas", 1),
            all: number("/status/replicas", 0),
            updated: number("/status/updatedReplicas", 0),
            ready: number("/status/readyReplicas", 0),
            available: number("/status/availableReplicas", 0),
            is_seen: number("/status/observedGeneration", 0) >= number("/metadata/generation", 0),
        }
    }

    /// True while pods of the revision before are there, or none of the one that is wanted.
    fn is_rolling(&self) -> bool {
        self.all > self.updated || (self.updated == 0 && self.desired > 0)
    }

    fn is_at_rest(&self) -> bool {
        let Self { desired, all, updated, available, .. } = self;
        self.is_seen && updated == desired && all == desired && available == desired
    }
}

/// Pods are read where some of them do not serve.
fn beneath(object: &Value) -> Option<Beneath> {
    if Replicas::of(object).is_at_rest() {
        return None;
    }
    let labels = object.pointer("/spec/selector/matchLabels")?.as_object()?;
    let selector: Vec<String> =
        labels.iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?))).collect();
    let beneath = Beneath { group: "", version: "v1", kind: "Pod", plural: "pods", selector: selector.join(",") };
    (!beneath.selector.is_empty()).then_some(beneath)
}

fn standing(live: &Live) -> Standing {
    let attempted = live.object.pointer("/spec/template/metadata/labels").and_then(|it| it.get(tags::REVISION_LABEL));
    let attempted = attempted.and_then(Value::as_str).map(ToString::to_string);
    let replicas = Replicas::of(live.object);
    let pods = pods(live.beneath, live.now);
    let Judgement { state, outcome, remarks } = judge(live, &replicas, &pods, attempted.as_ref());
    let message = match &state {
        ObservedState::Progressing(why) | ObservedState::Failed(why) => Some(why.clone()),
        _ => remarks.first().cloned(),
    };
    let count = |number: i64| i32::try_from(number).unwrap_or(i32::MAX);
    let serving = if replicas.is_at_rest() {
        attempted.clone().filter(|_| replicas.ready > 0)
    } else {
        serving(&pods, attempted.as_ref())
    };
    let facts = Rollout {
        serving,
        attempted,
        ready: count(replicas.ready),
        desired: count(replicas.desired),
        outcome,
        message,
    };
    Standing { state, remarks, facts: Some(Deployment::boxed_facts(facts)) }
}

/// The revision of the pods that take requests: of two, the one before, until nothing of it is left.
fn serving(pods: &[Pod], attempted: Option<&String>) -> Option<String> {
    let ready = || pods.iter().filter(|pod| pod.is_ready);
    let before = ready().find(|pod| pod.revision.as_ref() != attempted);
    before.or_else(|| ready().next()).and_then(|pod| pod.revision.clone())
}

struct Judgement {
    state: ObservedState,
    outcome: &'static str,
    remarks: Vec<String>,
}

fn judge(live: &Live, replicas: &Replicas, pods: &[Pod], attempted: Option<&String>) -> Judgement {
    let judged = |state: ObservedState, outcome| Judgement { state, outcome, remarks: Vec::new() };
    if !replicas.is_seen {
        return judged(
            ObservedState::Progressing("the deployment controller has not taken it up yet".into()),
            ROLLING_OUT,
        );
    }
    if replicas.is_at_rest() {
        return if replicas.desired == 0 {
            let remarks = vec!["no replicas are asked for, so that nothing serves".into()];
            Judgement { state: ObservedState::Ready, outcome: "ScaledToZero", remarks }
        } else {
            judged(ObservedState::Ready, SERVING)
        };
    }
    let is_rolling = replicas.is_rolling();
    let of_attempted = pods.iter().filter(|pod| !is_rolling || pod.revision.as_ref() == attempted);
    let why = trouble(live.object, of_attempted);
    let served = serving(pods, attempted).filter(|_| replicas.ready > 0);
    let mut words = if is_rolling {
        format!("{} of {} replicas run {}", replicas.updated, replicas.desired, revision(attempted))
    } else {
        format!("{} of {} replicas are available", replicas.available, replicas.desired)
    };
    if let Some(trouble) = &why {
        words = format!("{words}: {}", trouble.words);
    }
    if let Some(served) = served.filter(|served| is_rolling && Some(served) != attempted) {
        words = format!("{words}; revision {served} serves with {} replicas ready", replicas.ready);
    }
    if is_rolling && live.object.pointer("/spec/paused").and_then(Value::as_bool) == Some(true) {
        let words = format!("somebody has paused its rollout: kubectl rollout resume lets it go on; {words}");
        return judged(ObservedState::Failed(words), "Paused");
    }
    let progress = condition(live.object, "Progressing").filter(|it| it.reason == "ProgressDeadlineExceeded");
    let needs_somebody = why.as_ref().is_some_and(|trouble| trouble.needs_somebody);
    let outcome = why.as_ref().map(|trouble| trouble.reason);
    // What scales it makes and takes replicas as it goes: that is no rollout.
    let is_scaled_by_others = live.managed.pointer("/spec/replicas").is_none();
    if is_scaled_by_others && !is_rolling && replicas.available > 0 {
        return Judgement { state: ObservedState::Ready, outcome: outcome.unwrap_or("Scaling"), remarks: vec![words] };
    }
    if progress.is_some() {
        let words = format!("its rollout makes no progress: {words}");
        return judged(
            ObservedState::Failed(words),
            outcome.filter(|_| needs_somebody).unwrap_or("ProgressDeadlineExceeded"),
        );
    }
    match outcome {
        Some(outcome) if needs_somebody => judged(ObservedState::Failed(words), outcome),
        Some(outcome) => judged(ObservedState::Progressing(words), outcome),
        None => judged(ObservedState::Progressing(words), if is_rolling { ROLLING_OUT } else { "Scaling" }),
    }
}

fn revision(revision: Option<&String>) -> String {
    revision.map_or_else(|| "what is declared".into(), |revision| format!("revision {revision}"))
}

/// The trouble of the pods, or of making any. Source: the conditions of a Deployment in k8s.io/api/apps/v1: the message of
/// `ReplicaFailure` is that of the API server, which refuses pods for a quota or a security policy.
fn trouble<'a>(object: &Value, pods: impl Iterator<Item = &'a Pod>) -> Option<Trouble> {
    let refused = condition(object, "ReplicaFailure").filter(|it| it.status == "True");
    let refused = refused.map(|it| {
        let message = it.message();
        // The account may be made in the same moment.
        let needs_somebody = !message.contains("error looking up service account");
        Trouble {
            reason: "ReplicaFailure",
            words: format!("the API server refuses its pods: {message}"),
            needs_somebody,
        }
    });
    refused.or_else(|| worst(pods).cloned())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn object(spec: &Value, status: &Value) -> Value {
        let labels = json!({tags::REVISION_LABEL: "r2"});
        let mut object = json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 2},
            "spec": {"selector": {"matchLabels": {"app": "a", "b": "c"}}, "template": {"metadata": {"labels": labels}}}});
        for (part, fields) in [("spec", spec), ("status", status)] {
            for (name, value) in fields.as_object().unwrap() {
                object[part][name] = value.clone();
            }
        }
        object
    }

    fn numbers(all: i64, updated: i64, ready: i64) -> Value {
        json!({"replicas": all, "updatedReplicas": updated, "readyReplicas": ready, "availableReplicas": ready})
    }

    fn pod(revision: &str, is_ready: bool) -> Value {
        let status = if is_ready { "True" } else { "False" };
        json!({"metadata": {"name": revision, "labels": {tags::REVISION_LABEL: revision}},
            "status": {"conditions": [{"type": "Ready", "status": status}]}})
    }

    /// The state and its words, the outcome and the revision that serves.
    fn judged(object: &Value, is_scaled: bool, beneath: &[Value]) -> (String, &'static str, Option<String>) {
        let managed = if is_scaled { json!({}) } else { json!({"spec": {"replicas": 2}}) };
        let live = Live { object, managed: &managed, beneath, now: Timestamp::UNIX_EPOCH };
        let Standing { state, facts, .. } = standing(&live);
        let rollout = facts.as_deref().and_then(Deployment::facts).unwrap().clone();
        (format!("{state:?}"), rollout.outcome, rollout.serving)
    }

    #[test]
    fn the_state_follows_from_the_status_and_the_pods() {
        let two = json!({"replicas": 2});
        let refused =
            json!({"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]});
        let mut unseen = object(&two, &numbers(2, 2, 2));
        unseen["metadata"]["generation"] = json!(3);
        let paused = object(&json!({"replicas": 2, "paused": true}), &numbers(2, 0, 2));
        for (object, is_scaled, pods, state, outcome, serving) in [
            (object(&two, &numbers(2, 2, 2)), false, vec![], "Ready", SERVING, Some("r2")),
            (object(&json!({"replicas": 0}), &json!({})), false, vec![], "Ready", "ScaledToZero", None),
            (unseen, false, vec![pod("r2", true)], "Progressing(\"the deployment controller", ROLLING_OUT, Some("r2")),
            (
                object(&two, &numbers(3, 1, 2)),
                false,
                vec![pod("r1", true), pod("r2", true)],
                "Progressing(\"1 of 2 replicas run revision r2; revision r1 serves",
                ROLLING_OUT,
                Some("r1"),
            ),
            (
                object(&two, &numbers(2, 2, 1)),
                false,
                vec![pod("r2", true)],
                "Progressing(\"1 of 2 replicas are available",
                "Scaling",
                Some("r2"),
            ),
            (object(&two, &numbers(2, 2, 1)), true, vec![pod("r2", true)], "Ready", "Scaling", Some("r2")),
            (
                object(&two, &numbers(2, 2, 0)),
                true,
                vec![pod("r2", false)],
                "Progressing(\"0 of 2 replicas are available",
                "Scaling",
                None,
            ),
            (
                object(&two, &refused),
                false,
                vec![],
                "Failed(\"0 of 2 replicas run revision r2: the API server refuses its pods: exceeded quota",
                "ReplicaFailure",
                None,
            ),
            (paused, false, vec![pod("r1", true)], "Failed(\"somebody has paused its rollout", "Paused", Some("r1")),
        ] {
            let (found, word, served) = judged(&object, is_scaled, &pods);
            assert!(found.starts_with(state), "{found} is not {state}");
            assert_eq!((word, served.as_deref()), (outcome, serving), "{found}");
        }
    }

    #[test]
    fn pods_are_read_only_where_something_is_under_way() {
        let two = json!({"replicas": 2});
        assert_eq!(beneath(&object(&two, &numbers(2, 2, 2))), None);
        assert_eq!(beneath(&object(&two, &numbers(3, 1, 2))).unwrap().selector, "app=a,b=c");
    }

    #[test]
    fn a_count_to_begin_with_is_for_what_declares_none() {
        let with = |spec: Value| {
            let manifest = Manifest::new("n", "p", "d", spec);
            initial(&Deployment { initial_replicas: Some(3), ..manifest.into() }.into())
        };
        assert_eq!(with(json!({})), Some(json!({"spec": {"replicas": 3}})));
        assert_eq!(with(json!({"replicas": 1})), None);
    }
}

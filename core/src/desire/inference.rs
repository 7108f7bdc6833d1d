//! The desired objects of a model that pods in the cluster serve: the pods, what reaches them, what scales them and what
//! keeps them up.

mod labels;
mod pod;
mod reach;
mod scaling;

use serde_json::{Value, json};

use super::access::association_key;
use crate::api::kubernetes::{Kubernetes, S3Source};
use crate::features::inference::engine::{self, Container, Input, MODEL_FOLDER, SERVICE_PORT, Weights};
use crate::features::inference::{Deployment, Manifest, PodDisruptionBudget, PodMonitor, ScaledObject, Service};
use crate::grants::{Grant, Purpose, Subject};
use crate::kind::Listed;
use crate::lookup::{self, Answers};
use crate::names;
use crate::platform::Platform;
use crate::resource::service_account::ServiceAccount;
use crate::resource::{Desired, Kind, Resource, Role};

pub use reach::admitted;

/// The image with the AWS CLI that copies weights from S3, unless the spec names another.
const COPYING_IMAGE: &str = "public.ecr.aws/aws-cli/aws-cli:2.31.0";

/// Seconds that pulling an image and scheduling a pod may take beside loading the model.
const PULL_SECONDS: i32 = 1800;

/// A model with everything that its objects are made of.
struct Served<'a> {
    platform: &'a Platform,
    model: &'a str,
    spec: &'a Kubernetes,
    /// The name of its objects.
    name: String,
    container: Container,
}

/// The objects of every model in the cluster.
pub(super) fn desire(platform: &Platform, owner: &str, answers: &Answers) -> Vec<Desired> {
    let served = platform.models.iter().filter_map(|model| Some((model.name.as_str(), model.kubernetes()?)));
    served.flat_map(|(model, spec)| Served::of(platform, model, spec).objects(owner, answers)).collect()
}

/// The kinds of objects that a platform wants and whose APIs add-ons of the cluster serve.
#[must_use]
pub fn add_ons(platform: &Platform) -> Vec<Kind> {
    let models: Vec<&Kubernetes> = platform.models.iter().filter_map(|model| model.kubernetes()).collect();
    let scales = models.iter().any(|spec| scaling::is_by_queue(spec));
    let wanted = [(ScaledObject::KIND, scales), (PodMonitor::KIND, !models.is_empty())];
    wanted.into_iter().filter_map(|(kind, is_wanted)| is_wanted.then_some(kind)).collect()
}

/// The name of the objects of a model in the cluster.
#[must_use]
pub fn object_name(platform: &Platform, model: &str) -> String {
    let Platform { account_id, region, namespace, name, .. } = platform;
    names::in_cluster(account_id, region, namespace, name, model)
}

/// The URL that clients call.
#[must_use]
pub fn url(platform: &Platform, model: &str, spec: &Kubernetes) -> String {
    let path = engine::container(&Input { spec, model, weights: weights(spec) }).api_path;
    format!("http://{}.{}.svc:{SERVICE_PORT}{path}", object_name(platform, model), platform.namespace)
}

/// The name by which clients ask for a model.
#[must_use]
pub fn served_name<'a>(spec: &'a Kubernetes, model: &'a str) -> &'a str {
    Input { spec, model, weights: weights(spec) }.served_name()
}

/// The image of the engine.
#[must_use]
pub fn image(spec: &Kubernetes) -> String {
    engine::container(&Input { spec, model: "", weights: weights(spec) }).image
}

/// The image that copies weights from S3.
#[must_use]
pub fn copying_image(source: &S3Source) -> String {
    source.image.clone().unwrap_or_else(|| COPYING_IMAGE.into())
}

/// The S3 URI below which the weights are.
#[must_use]
pub fn weights_uri(platform: &Platform, source: &S3Source) -> Option<String> {
    match (&source.uri, &source.bucket, &source.prefix) {
        (Some(uri), _, _) => Some(uri.clone()),
        (None, Some(bucket), Some(prefix)) => Some(format!("s3://{}/{prefix}", platform.bucket(bucket)?.bucket_name)),
        _ => None,
    }
}

impl<'a> Served<'a> {
    fn of(platform: &'a Platform, model: &'a str, spec: &'a Kubernetes) -> Self {
        let container = engine::container(&Input { spec, model, weights: weights(spec) });
        Self { platform, model, spec, name: object_name(platform, model), container }
    }

    /// The objects, each after those that it needs.
    fn objects(&self, owner: &str, answers: &Answers) -> Vec<Desired> {
        let account = self.service_account(owner);
        let mut needs = vec![ServiceAccount::key_of(format!("{}/{}", self.platform.namespace, self.name))];
        needs.extend(self.grant().map(|grant| Role::key_of(grant.role.clone())));
        // EKS gives credentials to pods that are made after the association, and to no others.
        needs.extend(self.grant().and_then(|grant| association_key(self.platform, grant)));
        let deployment = Deployment {
            manifest: self.manifest(self.deployment()).needing(needs),
            initial_replicas: self.initial_replicas(),
        };
        let mut objects: Vec<Resource> = vec![
            account.into(),
            reach::network_policy(self).into(),
            deployment.into(),
            Service(self.manifest(self.service())).into(),
        ];
        objects.extend(self.disruption_budget().map(Resource::from));
        objects.extend(scaling::autoscaler(self));
        // Where nothing is known of the API, as in an offline plan, the monitor is not promised.
        if lookup::serves(answers, PodMonitor::KIND) == Some(true) {
            objects.extend(self.monitor().map(Resource::from));
        }
        objects.into_iter().map(Desired::made).collect()
    }

    fn manifest(&self, spec: Value) -> Manifest {
        let Platform { namespace, name, .. } = self.platform;
        Manifest::new(namespace, name, &self.name, spec).labelled(labels::of(self))
    }

    fn grant(&self) -> Option<&Grant> {
        let mut grants = self.platform.grants.iter();
        grants.find(|grant| grant.purpose == Purpose::Workload && grant.name == self.model)
    }

    /// The account of the pods, with their role where they have one.
    fn service_account(&self, owner: &str) -> ServiceAccount {
        let grant = self.grant();
        let annotated = grant.filter(|grant| matches!(grant.subject, Subject::Irsa(_)));
        ServiceAccount {
            namespace: self.platform.namespace.clone(),
            name: self.name.clone(),
            owner: owner.into(),
            labels: labels::of(self),
            automount_service_account_token: Some(false),
            role_arn: annotated.map(|grant| grant.arn.clone()),
            role: grant.map(|grant| grant.role.clone()),
            predates_platform: false,
        }
    }

    fn deployment(&self) -> Value {
        let surge =
            self.spec.rollout.as_ref().map_or(i32::from(self.spec.resources.gpus == 0), |rollout| rollout.max_surge);
        let mut spec = json!({
            "selector": {"matchLabels": labels::selector(self)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": surge, "maxUnavailable": i32::from(surge == 0)},
            },
            "progressDeadlineSeconds": self.spec.startup_timeout_seconds + PULL_SECONDS,
            "revisionHistoryLimit": 3,
            "template": pod::template(self),
        });
        if let Some(replicas) = self.spec.replicas.filter(|_| self.spec.autoscaling.is_none()) {
            spec["replicas"] = json!(replicas);
        }
        spec
    }

    /// The first number of pods, where the number is not the spec's.
    fn initial_replicas(&self) -> Option<i32> {
        match (&self.spec.autoscaling, self.spec.replicas) {
            (Some(autoscaling), _) => Some(autoscaling.min_replicas),
            (None, None) => Some(1),
            (None, Some(_)) => None,
        }
    }

    fn service(&self) -> Value {
        json!({
            "type": "ClusterIP",
            "selector": labels::selector(self),
            "ports": [{"name": pod::HTTP, "port": SERVICE_PORT, "targetPort": pod::HTTP, "protocol": "TCP", "appProtocol": "http"}],
        })
    }

    /// The budget, from two pods on: nothing may keep the node of a single one from being drained.
    fn disruption_budget(&self) -> Option<PodDisruptionBudget> {
        let least = self.spec.autoscaling.as_ref().map_or(self.spec.replicas, |scaling| Some(scaling.min_replicas));
        least.filter(|least| *least >= 2).map(|_| {
            let spec = json!({"maxUnavailable": 1, "selector": {"matchLabels": labels::selector(self)}});
            PodDisruptionBudget(self.manifest(spec))
        })
    }

    fn metrics_path(&self) -> &str {
        self.container.metrics.as_ref().map_or("/metrics", |metrics| metrics.path)
    }

    fn monitor(&self) -> Option<PodMonitor> {
        let metrics = self.container.metrics.as_ref()?;
        let port = if metrics.port == self.container.port { pod::HTTP } else { pod::METRICS };
        let spec = json!({
            "selector": {"matchLabels": labels::selector(self)},
            "podMetricsEndpoints": [{"port": port, "path": metrics.path, "interval": "30s"}],
        });
        Some(PodMonitor(self.manifest(spec)))
    }
}

/// The place of the weights, as the engine sees it.
fn weights(spec: &Kubernetes) -> Weights<'_> {
    let Some(source) = &spec.source else { return Weights::InImage };
    match &source.hugging_face {
        Some(hub) => Weights::Hub { repo: &hub.repo, revision: hub.revision.as_deref() },
        None => Weights::Folder(MODEL_FOLDER),
    }
}

#[cfg(test)]
mod tests;

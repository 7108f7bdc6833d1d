//! The live state that `diff` and `audit --live` read: the cluster and AWS, as `run` would.

use kube::{Api, Client};

use super::{AwsArguments, ClusterArguments, Error, run};
use std::sync::Arc;
use std::time::Duration;

use crate::api::AIPlatform;
use crate::guardrails::{Guardrails, Labels};
use crate::leadership::Authority;
use crate::manifest::Manifest;
use crate::plan::{Action, Plan};
use crate::provider::cluster::namespace_labels;
use crate::provider::providers::Providers;
use crate::readiness::cluster_obstacle;
use crate::reconcile::{DryRun, PassContext, PlanError, dry_run};

/// A view of what is there. It changes nothing.
pub(super) struct Live {
    client: Client,
    cluster: String,
    provider: Providers,
    guardrails: Guardrails,
}

impl Live {
    pub(super) async fn connect(
        cluster: &ClusterArguments,
        aws: &AwsArguments,
        guardrails: Guardrails,
    ) -> Result<Self, Error> {
        let client = run::client().await?;
        let cluster = run::cluster_name(&client, cluster).await?;
        let provider =
            run::providers(&client, aws.s3_path_style, Duration::ZERO, Authority::default(), Arc::default()).await;
        Ok(Self { client, cluster, provider, guardrails })
    }

    /// The guardrails.
    pub(super) fn guardrails(&self) -> &Guardrails {
        &self.guardrails
    }

    /// The labels of an object's namespace, where the guardrails ask for them.
    pub(super) async fn labels(&self, manifest: &Manifest) -> Result<Option<Labels>, Error> {
        if !self.guardrails.need_labels() {
            return Ok(None);
        }
        let found = namespace_labels(&self.client, &namespace(&manifest.object)).await;
        found.map(Some).map_err(|error| Error::Cluster(error.to_string()))
    }

    /// The plan for an object, or the error that prevents one.
    pub(super) async fn plan(
        &self,
        manifest: &Manifest,
        labels: Option<&Labels>,
    ) -> Result<Result<DryRun, PlanError>, Error> {
        let object = self.with_live_status(manifest).await?;
        let context = PassContext { cluster: &self.cluster, guardrails: &self.guardrails, labels: Ok(labels) };
        Ok(Box::pin(dry_run(&self.provider, &object, context)).await)
    }

    /// The object as in the file, with the status of the live one, which knows what is no longer declared.
    async fn with_live_status(&self, manifest: &Manifest) -> Result<AIPlatform, Error> {
        let mut object = manifest.object.clone();
        let api: Api<AIPlatform> = Api::namespaced(self.client.clone(), &namespace(&object));
        let live = match api.get_opt(object.metadata.name.as_deref().unwrap_or_default()).await {
            Ok(live) => live,
            Err(error) => return Err(Error::Cluster(cluster_obstacle(&error))),
        };
        object.status = live.and_then(|live| live.status);
        Ok(object)
    }
}

/// The errors that prevent a plan, a line each.
pub(super) fn lines(manifest: &Manifest, error: &PlanError) -> Vec<String> {
    match error {
        PlanError::Invalid(found) | PlanError::NotPermitted(found) => {
            found.iter().map(|problem| manifest.locate(problem)).collect()
        }
        error => vec![format!("{}: {error}", manifest.source)],
    }
}

/// Everything that could not be read, a line for each.
pub(super) fn unreadable(plan: &Plan) -> Vec<String> {
    let lines = plan.steps.iter().flat_map(|step| {
        let whole = match &step.action {
            Action::Unreadable(error) => Some(error),
            _ => None,
        };
        whole.into_iter().chain(step.unknown.values()).map(|error| format!("{}: {error}", step.key))
    });
    lines.collect()
}

fn namespace(object: &AIPlatform) -> String {
    object.metadata.namespace.clone().unwrap_or_else(|| "default".into())
}

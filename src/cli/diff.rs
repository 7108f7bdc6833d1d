//! `aiplatform diff`: what would change. Reads AWS and the cluster, changes nothing.

use kube::{Api, Client};

use super::{BAD_INPUT, DIFFERENCES, DiffArguments, Error, SUCCESS, output, read};
use crate::api::AIPlatform;
use crate::manifest::Manifest;
use crate::plan::{Action, Plan};
use crate::readiness::cluster_obstacle;
use crate::reconcile::{Obstacle, Surroundings, look};

pub(super) fn diff(arguments: &DiffArguments) -> Result<u8, Error> {
    let input = read(&arguments.input.files)?;
    let guardrails = arguments.guardrails.shown()?;
    let runtime = super::run::runtime()?;
    runtime.block_on(async {
        let client = super::run::client().await?;
        let cluster = super::run::cluster_name(&client, &arguments.cluster).await?;
        let provider = super::run::world(&client, arguments.aws.s3_path_style).await;
        let mut plans: Vec<Plan> = Vec::new();
        let mut problems: Vec<String> = Vec::new();
        for manifest in &input.manifests {
            let object = with_live_status(&client, manifest).await?;
            let labels = if guardrails.need_labels() {
                Some(super::run::labels(&client, &namespace(&object)).await?)
            } else {
                None
            };
            let surroundings = Surroundings { cluster: &cluster, guardrails: &guardrails, labels: labels.as_ref() };
            match look(&provider, &object, surroundings).await {
                Ok(plan) => plans.push(plan),
                Err(Obstacle::Invalid(found) | Obstacle::NotPermitted(found)) => {
                    problems.extend(found.iter().map(|problem| manifest.locate(problem)));
                }
                Err(obstacle) => problems.push(format!("{}: {obstacle}", manifest.source)),
            }
        }
        problems.extend(unreadable(&plans));
        if !problems.is_empty() {
            for problem in &problems {
                output::complain(problem);
            }
            return Ok(BAD_INPUT);
        }
        output::plans(&plans, arguments.input.output);
        Ok(if plans.iter().all(Plan::is_settled) { SUCCESS } else { DIFFERENCES })
    })
}

/// The object as in the file, with the status of the live one, which knows what is no longer declared.
async fn with_live_status(client: &Client, manifest: &Manifest) -> Result<AIPlatform, Error> {
    let mut object = manifest.object.clone();
    let api: Api<AIPlatform> = Api::namespaced(client.clone(), &namespace(&object));
    let live = match api.get_opt(object.metadata.name.as_deref().unwrap_or_default()).await {
        Ok(live) => live,
        Err(error) => return Err(Error::Cluster(cluster_obstacle(&error))),
    };
    object.status = live.and_then(|live| live.status);
    Ok(object)
}

fn namespace(object: &AIPlatform) -> String {
    object.metadata.namespace.clone().unwrap_or_else(|| "default".into())
}

fn unreadable(plans: &[Plan]) -> Vec<String> {
    plans
        .iter()
        .flat_map(|plan| &plan.steps)
        .filter_map(|step| match &step.action {
            Action::Unreadable(error) => Some(format!("{}: {error}", step.key)),
            _ => None,
        })
        .collect()
}

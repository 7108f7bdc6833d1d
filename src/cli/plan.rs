//! `aiplatform plan`: what would be created from scratch. Offline.

use super::{Error, PlanArguments, SUCCESS, output, read};
use crate::desire::desire;
use crate::features::network::sharing::assumed;
use crate::guardrails::Guardrails;
use crate::manifest::Manifest;
use crate::plan::{Flaw, Intent, Plan, check, plan as make_plan};
use crate::platform::{Platform, Problem};
use crate::reconcile::PlanError;

/// Stands for the cluster in owner tags where it is not known.
const UNKNOWN_CLUSTER: &str = "(known after apply)";

pub(super) fn plan(arguments: &PlanArguments) -> Result<u8, Error> {
    let input = read(&arguments.input.files)?;
    let guardrails = arguments.guardrails.shown()?;
    guardrails.note().into_iter().for_each(output::complain);
    let cluster = arguments.cluster.cluster_name.as_deref().unwrap_or(UNKNOWN_CLUSTER);
    let problems: Vec<String> =
        input.manifests.iter().flat_map(|manifest| problems(manifest, &guardrails, cluster)).collect();
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    // Each plan is made when it is written, so that no more than one is held at a time.
    let allowed = input.manifests.iter().filter_map(|manifest| permitted(manifest, &guardrails).ok());
    let plans = allowed.filter_map(|platform| from_scratch(&platform, cluster).ok());
    output::plans(plans, arguments.input.output)?;
    Ok(SUCCESS)
}

/// Everything that stands in the way of one platform's plan.
fn problems(manifest: &Manifest, guardrails: &Guardrails, cluster: &str) -> Vec<String> {
    match permitted(manifest, guardrails) {
        Err(found) => found.iter().map(|problem| manifest.locate(problem)).collect(),
        Ok(platform) => {
            let flawed = from_scratch(&platform, cluster).err();
            flawed.map(|flaws| format!("{}: {}", manifest.source, PlanError::Incomplete(flaws))).into_iter().collect()
        }
    }
}

/// The platform as it may be.
fn permitted(manifest: &Manifest, guardrails: &Guardrails) -> Result<Platform, Vec<Problem>> {
    manifest.platform().and_then(|platform| guardrails.apply(platform, None))
}

fn from_scratch(platform: &Platform, cluster: &str) -> Result<Plan, Vec<Flaw>> {
    let desired = desire(platform, cluster);
    let (intent, assumed) = (Intent::keep(platform.management_policy), assumed(platform, &desired));
    let plan = make_plan(&platform.namespace, &platform.name, &desired, &assumed, &intent);
    check(&plan, &desired, &[], &assumed, &intent)?;
    Ok(plan)
}

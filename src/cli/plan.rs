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
    let (mut plans, mut problems) = (Vec::new(), Vec::new());
    for manifest in &input.manifests {
        match planned(manifest, &guardrails, cluster) {
            Ok(plan) => plans.push(plan),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    output::plans(plans.into_iter(), arguments.input.output)?;
    Ok(SUCCESS)
}

/// One platform's plan, or everything that stands in its way.
fn planned(manifest: &Manifest, guardrails: &Guardrails, cluster: &str) -> Result<Plan, Vec<String>> {
    let platform = permitted(manifest, guardrails)
        .map_err(|found| found.iter().map(|problem| manifest.locate(problem)).collect::<Vec<_>>())?;
    from_scratch(&platform, cluster)
        .map_err(|flaws| vec![format!("{}: {}", manifest.source, PlanError::Incomplete(flaws))])
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

//! `aiplatform plan`: what would be made from nothing. Asks nobody.

use super::{Error, PlanArguments, SUCCESS, output, read};
use crate::desire::desire;
use crate::plan::{Intent, Plan, check, plan as make_plan};
use crate::reconcile::Obstacle;
use crate::resource::Observations;

/// Stands for the cluster in owner tags where it is not known.
const UNKNOWN_CLUSTER: &str = "(known after apply)";

pub(super) fn plan(arguments: &PlanArguments) -> Result<u8, Error> {
    let input = read(&arguments.input.files)?;
    let guardrails = arguments.guardrails.shown()?;
    guardrails.note().into_iter().for_each(output::complain);
    let cluster = arguments.cluster.cluster_name.as_deref().unwrap_or(UNKNOWN_CLUSTER);
    let mut plans: Vec<Plan> = Vec::new();
    let mut problems = Vec::new();
    for manifest in &input.manifests {
        match guardrails.apply(manifest.platform.clone(), None) {
            Ok(platform) => {
                let desired = desire(&platform, cluster);
                let (intent, unseen) = (Intent::keep(platform.management_policy), Observations::new());
                let plan = make_plan(&platform.namespace, &platform.name, &desired, &unseen, &intent);
                if let Err(flaws) = check(&plan, &desired, &[], &unseen, &intent) {
                    problems.push(format!("{}: {}", manifest.source, Obstacle::Incomplete(flaws)));
                }
                plans.push(plan);
            }
            Err(found) => problems.extend(found.iter().map(|problem| manifest.locate(problem))),
        }
    }
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    output::plans(&plans, arguments.input.output);
    Ok(SUCCESS)
}

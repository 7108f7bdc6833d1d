//! `aiplatform diff`: what would change. Reads AWS and the cluster, changes nothing.

use super::live::{Live, lines, unreadable};
use super::{BAD_INPUT, DIFFERENCES, DiffArguments, Error, SUCCESS, output, read};
use crate::plan::Plan;
use crate::reconcile::DryRun;

pub(super) fn diff(arguments: &DiffArguments) -> Result<u8, Error> {
    let input = read(&arguments.input.files)?;
    let guardrails = arguments.guardrails.shown()?;
    let runtime = super::run::runtime()?;
    runtime.block_on(async {
        let live = Live::connect(&arguments.cluster, &arguments.aws, guardrails).await?;
        let mut plans: Vec<Plan> = Vec::new();
        let mut problems: Vec<String> = Vec::new();
        for manifest in &input.manifests {
            let labels = live.labels(manifest).await?;
            match live.plan(manifest, labels.as_ref()).await? {
                Ok(DryRun { plan, .. }) => {
                    problems.extend(unreadable(&plan));
                    plans.push(plan);
                }
                Err(error) => problems.extend(lines(manifest, &error)),
            }
        }
        if !problems.is_empty() {
            for problem in &problems {
                output::complain(problem);
            }
            return Ok(BAD_INPUT);
        }
        let is_settled = plans.iter().all(Plan::is_settled);
        output::plans(plans.into_iter(), arguments.input.output)?;
        Ok(if is_settled { SUCCESS } else { DIFFERENCES })
    })
}

//! VPC endpoints that failed: EC2 can only delete such a one, so it is deleted and made again. The plan is made as if that
//! helped; [`crate::update_loop_guard`] counts.

use super::vpc_endpoint::VpcEndpoint;
use crate::plan::rules::{Refine, Refined};
use crate::plan::{Action, Purpose, Step};

pub(super) fn refine() -> Refine<'static> {
    Box::new(|step| Refined { before: Vec::new(), step: replaced(step) })
}

fn replaced(mut step: Step) -> Step {
    let has_failed = step.facts_of::<VpcEndpoint>().is_some_and(|facts| facts.has_failed);
    if let Action::Refuse(refusal) = &step.action
        && has_failed
        && step.desired.is_some()
    {
        step.remarks.push(format!("{}; it is deleted and made again", refusal.message));
        step.action = Action::Delete { with_contents: false };
        step.purpose = Purpose::Replacement;
        step.needs.clear();
    }
    step
}

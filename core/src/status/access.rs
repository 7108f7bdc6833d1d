//! The status of consumers: what follows from the spec, and what their roles allow now.

use crate::api::status::AccessStatus;
use crate::grants::policy_sha256;
use crate::outcome::{Outcome, Outcomes};
use crate::plan::{Action, Plan, Step};
use crate::policy::Policy;
use crate::resource::Resource;

/// The consumers of the spec, with what was known before of those that have the same role.
pub(super) fn declared(access: &[AccessStatus], before: &[AccessStatus]) -> Vec<AccessStatus> {
    let known = |consumer: &AccessStatus| before.iter().find(|known| known.role_arn == consumer.role_arn);
    let sha256 = |consumer: &AccessStatus| known(consumer).unwrap_or(consumer).policy_sha256.clone();
    access.iter().map(|consumer| AccessStatus { policy_sha256: sha256(consumer), ..consumer.clone() }).collect()
}

/// The consumers of the spec, with what a pass saw of their roles and did to them.
pub(super) fn granted(access: &[AccessStatus], plan: &Plan, outcomes: &Outcomes) -> Vec<AccessStatus> {
    let step = |consumer: &AccessStatus| plan.steps.iter().find(|step| step.arn.as_ref() == Some(&consumer.role_arn));
    let granted = |consumer: &AccessStatus| {
        let sha256 = step(consumer).and_then(|step| sha256(step, outcomes.get(&step.key)));
        AccessStatus { policy_sha256: sha256.unwrap_or_else(|| consumer.policy_sha256.clone()), ..consumer.clone() }
    };
    access.iter().map(granted).collect()
}

/// The hash of what a role allows at the end of a pass; `None` where that could not be read.
fn sha256(step: &Step, outcome: Option<&Outcome>) -> Option<String> {
    let role = match (&step.action, outcome) {
        // Of a write that failed some may have been done, and the next pass finds out what.
        (Action::Unreadable(_), _) | (_, Some(Outcome::Failed(_))) => return None,
        (_, Some(Outcome::Done(_))) | (Action::Keep, _) => step.desired.as_ref(),
        _ => step.observed.as_ref(),
    };
    let policies = role.and_then(Resource::policies).into_iter().flat_map(|policies| policies.values());
    Some(policy_sha256(policies.map(Policy::as_written)))
}

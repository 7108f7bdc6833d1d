//! Models on SageMaker: endpoints, the revisions that they run, and what scales them.

mod initial_capacity;
pub mod log_group;
mod model_status;
mod revisions;
mod rollout;
mod superseded;

use crate::kind::Listed;
use crate::plan::rules::{Adjusted, Rules};
use crate::resource::endpoint::Status;
use crate::resource::{Desired, Endpoint, Key, Observed, ScalingPolicy};

/// Rules of planning for endpoints: see [`rollout`].
pub const RULES: Rules = Rules {
    adjust: |desired, observations, intent| {
        let desired = initial_capacity::adopted(&desired, observations);
        Adjusted::from(revisions::widened(&desired, observations, &intent.artifacts))
    },
    refine: rollout::refine,
    retain: revisions::kept,
    outlives: revisions::is_of,
    replacements,
    busy: why_deletion_waits,
    denied: rollout::denied_moves,
    model: model_status::model_status,
    ..Rules::NONE
};

/// Scaling policies that come in place of one that goes, and are there before: an endpoint is never without a policy.
fn replacements(observed: &Observed, desired: &[Desired]) -> Vec<Key> {
    let Some(pruned) = observed.resource_of::<ScalingPolicy>() else { return Vec::new() };
    let policies = desired.iter().filter_map(|item| ScalingPolicy::of(&item.resource));
    policies.filter(|policy| policy.scaled == pruned.scaled).map(ScalingPolicy::key).collect()
}

fn why_deletion_waits(observed: &Observed) -> Option<&'static str> {
    let facts = observed.facts_of::<Endpoint>()?;
    let is_deleting = facts.status == Status::Deleting;
    (!is_deleting).then_some("SageMaker deletes it only when that has ended, which it does by itself")
}

//! Scaling steps aside while an endpoint gets another instance type: what is registered is taken off before the move and
//! comes back after it. The number of instances stays what it is meanwhile.

use super::{Action, Decision, Purpose, Step};
use crate::resource::endpoint::{EndpointUpdate, field};
use crate::resource::scaling::ScalableResource;
use crate::resource::{Desired, Endpoint, Key, Kind, Observations, Observed, ObservedState, Resource};

/// The deregistrations before this step updates its endpoint, because SageMaker refuses to change the instance
/// type of what is registered for scaling. The number of instances stays what it is meanwhile. It is done when
/// everything else is there that the move needs.
pub(super) fn deregistrations(step: &Step, wanted: &[Desired], observations: &Observations) -> Vec<Step> {
    let changes_instance_type = step.write_of::<Endpoint>().is_some_and(|update| update.changes_instance_type);
    let is_moved =
        matches!(&step.action, Action::Update(changes) if changes.iter().any(|it| it.field() == field::CONFIG));
    if !changes_instance_type || !is_moved {
        return Vec::new();
    }
    let desired = |key: &Key| wanted.iter().map(|item| &item.resource).find(|it| it.key() == *key).cloned();
    let needs: Vec<Key> = step.needs.iter().filter(|need| need.kind != Kind::ScalableTarget).cloned().collect();
    registered(&step.key.name, observations)
        .map(|(target, observed)| Step {
            needs: needs.clone(),
            arn: observed.arn.clone(),
            id: observed.id.clone(),
            desired: desired(target),
            observed: observed.resource.clone(),
            purpose: Purpose::Suspension,
            remarks: vec!["it is registered again when the endpoint is in service".into()],
            ..Step::new(target.clone(), Action::Delete { with_contents: false })
        })
        .collect()
}

/// The decision that remembers the scaling bounds: those that a schedule has set hold until its next time, and are lost
/// with the target. They are written down before, to come back with it.
pub(super) fn remembering(
    update: EndpointUpdate,
    key: &Key,
    wanted: &[Desired],
    observations: &Observations,
) -> Decision {
    let registered = registered(&key.name, observations).find_map(|(target, observed)| match &observed.resource {
        Some(Resource::ScalableTarget(found)) => Some((target, found.bounds)),
        _ => None,
    });
    let Some((target, bounds)) = registered else { return Decision::Update(update) };
    let is_scheduled = wanted.iter().any(|item| match &item.resource {
        Resource::ScalableTarget(wanted) => wanted.scaled.key() == *target && wanted.scheduled.contains(&bounds),
        _ => false,
    });
    let update = EndpointUpdate { bounds: Some(bounds), ..update };
    let facts = observations.get(key).and_then(|observed| observed.facts_of::<Endpoint>());
    match facts.and_then(|facts| Some((facts, facts.attempt.clone()?))) {
        // The attempt itself is noted when it is made.
        Some((facts, attempt)) if is_scheduled && facts.bounds != Some(bounds) => {
            Decision::RecordAttempt(EndpointUpdate { attempt, history: facts.history.clone(), ..update })
        }
        _ => Decision::Update(update),
    }
}

/// The registered scalable targets of an endpoint.
pub(super) fn registered<'a>(
    endpoint: &'a str,
    observations: &'a Observations,
) -> impl Iterator<Item = (&'a Key, &'a Observed)> + 'a {
    observations.iter().filter(move |(key, observed)| {
        key.kind == Kind::ScalableTarget
            && ScalableResource::parse(&key.name).endpoint() == endpoint
            && !matches!(observed.state, ObservedState::Absent)
    })
}

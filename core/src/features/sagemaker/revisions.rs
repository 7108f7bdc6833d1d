//! The revisions that stay beside the desired one, and the resources that stay with them.

use super::superseded::Superseded;
use crate::guardrails::Allowed;
use crate::names;
use crate::resource::endpoint::{Endpoint, Facts, Status};
use crate::resource::endpoint_config::{Capacity, revision_of};
use crate::resource::scaling::Bounds;
use crate::resource::{Desired, Key, Kind, Observations, ObservedState, Owner, Resource};

/// The desired resources, with what has to hold beyond the spec: a role keeps the permissions of every revision that is
/// still there, because the one that runs now may have to start another instance at any time; and bounds that a
/// schedule has set stay.
pub(super) fn widened(desired: &[Desired], observations: &Observations, artifacts: &Allowed) -> Vec<Desired> {
    let superseded = Superseded { desired, observations, artifacts };
    let widen = |item: &Desired| {
        let mut item = item.clone();
        let observed = observations.get(&item.resource.key()).and_then(|observed| observed.resource.as_ref());
        match (&mut item.resource, &item.served, observed) {
            (Resource::Role(role), Some(served), found) => {
                let live = match found {
                    Some(Resource::Role(live)) => Some(live),
                    _ => None,
                };
                item.remarks.extend(superseded.widen(role, served, live));
            }
            (Resource::ScalableTarget(target), _, found) => {
                let bounds = match found {
                    Some(Resource::ScalableTarget(found)) => Some(found.bounds),
                    _ => remembered(target.scaled.endpoint(), observations),
                };
                if let Some(bounds) = bounds.filter(|bounds| target.scheduled.contains(bounds)) {
                    target.bounds = bounds;
                }
            }
            _ => {}
        }
        item
    };
    desired.iter().map(widen).collect()
}

/// The bounds that a schedule had set when scaling was taken off.
fn remembered(endpoint: &str, observations: &Observations) -> Option<Bounds> {
    let key = Key { kind: Kind::SageMakerEndpoint, name: endpoint.to_string() };
    observations.get(&key)?.facts_of::<Endpoint>()?.bounds
}

/// The reason for which something of an endpoint that is no longer declared stays.
pub(super) fn kept(key: &Key, wanted: &[Desired], observations: &Observations) -> Option<String> {
    match key.kind {
        Kind::SageMakerEndpointConfig | Kind::SageMakerModel => kept_revision(key, wanted, observations),
        Kind::ScalableTarget | Kind::ScalingPolicy | Kind::ScheduledAction => kept_scaling(key, wanted, observations),
        _ => None,
    }
}

/// The reason for which an endpoint configuration stays: its endpoint runs it or is on its way, or it is one of the
/// superseded revisions that the user keeps. Only revisions that once ran are kept. A model stays by itself only while
/// nothing tells whether it runs.
fn kept_revision(key: &Key, wanted: &[Desired], observations: &Observations) -> Option<String> {
    let endpoint = wanted.iter().find_map(|item| match &item.resource {
        Resource::SageMakerEndpoint(endpoint) if names::is_revision_of(&key.name, &endpoint.name) => Some(endpoint),
        _ => None,
    })?;
    let observed = observations.get(&Key { kind: Kind::SageMakerEndpoint, name: endpoint.name.clone() })?;
    if matches!(observed.state, ObservedState::Absent) {
        return None;
    }
    let (Some(facts), Some(running), Owner::Ours) =
        (observed.facts_of::<Endpoint>(), observed.resource_of::<Endpoint>(), &observed.owner)
    else {
        return Some(format!("kept until endpoint {} is seen again", endpoint.name));
    };
    if key.kind == Kind::SageMakerEndpointConfig {
        return reason_to_keep(revision_of(&key.name), endpoint, running, facts);
    }
    let is_lost = capacity(&running.config, observations).is_none() && facts.status != Status::Failed;
    let ours = names::is_revision_of(&running.config, &running.name);
    (is_lost && ours).then(|| format!("kept because configuration {}, which may name it, is gone", running.config))
}

/// The scaling of an endpoint stays while the endpoint runs on what it scales, although it is to run on something else.
fn kept_scaling(key: &Key, wanted: &[Desired], observations: &Observations) -> Option<String> {
    let scaled = match observations.get(key)?.resource.as_ref()? {
        Resource::ScalableTarget(target) => &target.scaled,
        Resource::ScalingPolicy(policy) => &policy.scaled,
        Resource::ScheduledAction(action) => &action.scaled,
        _ => return None,
    };
    let endpoint = Key { kind: Kind::SageMakerEndpoint, name: scaled.endpoint().to_string() };
    let Resource::SageMakerEndpoint(running) = observations.get(&endpoint)?.resource.as_ref()? else { return None };
    let becomes = wanted.iter().find_map(|item| match &item.resource {
        Resource::SageMakerEndpointConfig(config) if names::is_revision_of(&config.name, &running.name) => {
            Some(config.content.capacity.dimension())
        }
        _ => None,
    })?;
    let is_still_used = becomes != scaled.dimension
        && capacity(&running.config, observations).is_some_and(|runs| runs.dimension() == scaled.dimension);
    is_still_used.then(|| format!("kept while endpoint {} runs revision {}", running.name, running.revision()))
}

/// The capacity of the configuration that an endpoint runs, where it is observed.
fn capacity<'a>(config: &str, observations: &'a Observations) -> Option<&'a Capacity> {
    let key = Key { kind: Kind::SageMakerEndpointConfig, name: config.to_string() };
    match observations.get(&key)?.resource.as_ref()? {
        Resource::SageMakerEndpointConfig(config) => Some(&config.content.capacity),
        _ => None,
    }
}

/// True when a configuration is one of the revisions of an endpoint, which goes before all of them.
pub(super) fn is_of(config: &Key, endpoint: &Key) -> bool {
    config.kind == Kind::SageMakerEndpointConfig
        && endpoint.kind == Kind::SageMakerEndpoint
        && names::is_revision_of(&config.name, &endpoint.name)
}

fn reason_to_keep(revision: &str, wanted: &Endpoint, running: &Endpoint, facts: &Facts) -> Option<String> {
    if revision == running.revision() && facts.status != Status::Failed {
        return Some(format!("endpoint {} runs revision {revision}", running.name));
    }
    if facts.status.is_busy() || facts.status == Status::UpdateRollbackFailed {
        return Some(format!("kept until endpoint {} has come to rest", running.name));
    }
    let others = facts.history.iter().filter(|it| *it != wanted.revision() && *it != running.revision());
    let is_kept = others.take(wanted.keep_revisions).any(|it| it == revision);
    is_kept.then(|| format!("revision {revision} is kept for a rollback (keepRevisions {})", wanted.keep_revisions))
}

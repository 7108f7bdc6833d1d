//! The capacity that Application Auto Scaling owns: how many instances, or how much provisioned concurrency, an
//! endpoint has once it is there. The spec says how many there are at first, and an edit of that alone is no new
//! revision.

use crate::grants::revision_policy_name;
use crate::names::revised_of;
use crate::resource::endpoint::{Endpoint, Facts, Status};
use crate::resource::endpoint_config::EndpointConfig;
use crate::resource::{Desired, Key, Kind, Observations, Owner, Resource};

/// The desired resources, where each configuration of a scaled endpoint that differs in nothing but its initial
/// capacity from the one that is there already gives way to that one. The names of configurations hold their content,
/// the initial capacity with the rest, so that a fleet which is made again starts with what the spec says by then.
pub(super) fn adopted(desired: &[Desired], observations: &Observations) -> Vec<Desired> {
    let mut adopted = desired.to_vec();
    let endpoints = desired.iter().filter_map(|item| match &item.resource {
        Resource::SageMakerEndpoint(endpoint) if is_scaled(endpoint, desired) => Some(endpoint),
        _ => None,
    });
    for endpoint in endpoints {
        let Some(config) = config_of(endpoint, desired) else { continue };
        if let Some(found) = alike(endpoint, config, observations) {
            replace(&mut adopted, endpoint, config, &found);
        }
    }
    adopted
}

/// True when Application Auto Scaling is to scale an endpoint.
pub(super) fn is_scaled(endpoint: &Endpoint, desired: &[Desired]) -> bool {
    desired.iter().any(
        |item| matches!(&item.resource, Resource::ScalableTarget(target) if target.scaled.endpoint() == endpoint.name),
    )
}

fn config_of<'a>(endpoint: &Endpoint, desired: &'a [Desired]) -> Option<&'a EndpointConfig> {
    desired.iter().find_map(|item| match &item.resource {
        Resource::SageMakerEndpointConfig(config) if config.name == endpoint.config => Some(config),
        _ => None,
    })
}

/// The configuration that the endpoint runs, else the one that was tried last, where it differs from the wanted one in
/// its initial capacity alone. An endpoint that never came up, or is on its way out, is made again, and then starts as
/// the spec says now.
fn alike(endpoint: &Endpoint, wanted: &EndpointConfig, observations: &Observations) -> Option<EndpointConfig> {
    let key = Key { kind: Kind::SageMakerEndpoint, name: endpoint.name.clone() };
    let observed = observations.get(&key).filter(|observed| observed.owner == Owner::Ours)?;
    let (facts, running) = (observed.facts_of::<Endpoint>()?, observed.resource_of::<Endpoint>()?);
    if matches!(facts.status, Status::Failed | Status::Deleting) || running.config == wanted.name {
        return None;
    }
    let tried = tried(facts, wanted);
    std::iter::once(running.config.clone()).chain(tried).find_map(|name| {
        let key = Key { kind: Kind::SageMakerEndpointConfig, name };
        let Some(Resource::SageMakerEndpointConfig(found)) = &observations.get(&key)?.resource else { return None };
        let alike = wanted.with_capacity(wanted.content.capacity.starting_like(&found.content.capacity)?);
        (alike.name == found.name).then_some(alike)
    })
}

fn tried(facts: &Facts, wanted: &EndpointConfig) -> Option<String> {
    let revision = &facts.attempt.as_ref()?.revision;
    Some(format!("{}-{revision}", revised_of(&wanted.name)))
}

fn replace(desired: &mut [Desired], endpoint: &Endpoint, wanted: &EndpointConfig, found: &EndpointConfig) {
    for item in desired {
        match &mut item.resource {
            Resource::SageMakerEndpointConfig(config) if config.name == wanted.name => config.clone_from(found),
            Resource::SageMakerEndpoint(it) if it.name == endpoint.name => it.config.clone_from(&found.name),
            Resource::Role(role) => {
                if let Some(policy) = role.policies.remove(&revision_policy_name(wanted.revision())) {
                    role.policies.insert(revision_policy_name(found.revision()), policy);
                }
            }
            _ => {}
        }
    }
}

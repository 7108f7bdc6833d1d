//! Conflicts with VPC endpoints of others: a service's private DNS name leads to one endpoint in a VPC, and a route table
//! has one gateway endpoint for each service.

use std::collections::BTreeMap;

use super::own_names::{self, in_config_map, own_name, shown};
use super::vpc_endpoint::{EndpointFacts, EndpointType, OtherEndpoint, VpcEndpoint, field};
use crate::api::network::OnConflict;
use crate::features::endpoints::ConfigMap;
use crate::kind::Listed;
use crate::plan::rules::{Refine, Refined};
use crate::plan::{Action, Intent, Refusal, Step};
use crate::resource::{Desired, Key, Observations, ObservedState, Owner, Resource};

/// The desired resources with private DNS off where another endpoint has the name and the spec wants it so, and with the
/// names that are called instead.
pub(super) fn without_conflicts(desired: Vec<Desired>, observations: &Observations) -> Vec<Desired> {
    let desired = desired.into_iter().map(|mut item| {
        let Resource::VpcEndpoint(endpoint) = &mut item.resource else { return item };
        if let Some(other) = conflicting(endpoint, observations)
            && endpoint.on_conflict == OnConflict::WithoutPrivateDns
            && endpoint.endpoint_type == EndpointType::Interface
        {
            endpoint.private_dns = false;
            let name = own_name(&endpoint.name, observations).map(|name| format!(", {name}")).unwrap_or_default();
            item.remarks.push(format!(
                "{} has the service's private DNS name: call this endpoint by a name of its own{name}",
                other.id
            ));
        }
        item
    });
    in_config_map(desired.collect(), observations)
}

/// Steps for endpoints that another one is in the way of.
pub(super) fn refine<'a>(desired: &'a [Desired], observations: &'a Observations, _: &'a Intent) -> Refine<'a> {
    let endpoints = desired.iter().filter_map(|item| VpcEndpoint::of(&item.resource));
    let in_the_way: BTreeMap<Key, (&VpcEndpoint, &OtherEndpoint)> = endpoints
        .filter_map(|endpoint| {
            Some((VpcEndpoint::key_of(&endpoint.name), (endpoint, conflicting(endpoint, observations)?)))
        })
        .collect();
    let unknown_names = own_names::unknown(desired, observations);
    Box::new(move |mut step| {
        if step.key.kind == ConfigMap::KIND {
            step.left_out.extend(unknown_names.iter().cloned());
        }
        if let Some((endpoint, other)) = in_the_way.get(&step.key) {
            decide(&mut step, endpoint, other);
        }
        Refined { before: Vec::new(), step: shown(step) }
    })
}

fn decide(step: &mut Step, endpoint: &VpcEndpoint, other: &OtherEndpoint) {
    let refusal = || Refusal { reason: "Conflict", message: message(endpoint, other) };
    match (&mut step.action, endpoint.on_conflict) {
        (Action::Create | Action::Blocked(_), OnConflict::Adopt) => {
            step.id = Some(other.id.clone());
            step.remarks.push(format!("adopted: {} is used, and never changed or deleted", other.id));
            step.action = if other.is_available {
                Action::Keep
            } else {
                Action::Wait(format!("{}, which is adopted, is not available", other.id))
            };
        }
        // Without the name it is not in the way.
        (_, OnConflict::WithoutPrivateDns)
            if !endpoint.private_dns && endpoint.endpoint_type == EndpointType::Interface => {}
        (Action::Create | Action::Blocked(_), _) => step.action = Action::Refuse(refusal()),
        (Action::Update(changes), _) => {
            let before = changes.len();
            changes.retain(|change| ![field::PRIVATE_DNS, field::ROUTE_TABLES].contains(&change.field()));
            let held_back = changes.len() < before;
            if changes.is_empty() {
                step.action = Action::Refuse(refusal());
            } else if held_back {
                step.hold_back(refusal());
            }
        }
        (
            Action::Keep
            | Action::Delete { .. }
            | Action::Retain(_)
            | Action::Wait(_)
            | Action::Refuse(_)
            | Action::Unreadable(_),
            _,
        ) => {}
    }
}

/// The endpoint of somebody else that is used in place of one of the platform's own, which is not there.
pub(super) fn adopted<'a>(endpoint: &VpcEndpoint, observations: &'a Observations) -> Option<&'a OtherEndpoint> {
    conflicting(endpoint, observations).filter(|_| endpoint.on_conflict == OnConflict::Adopt)
}

/// The id of the endpoint of somebody else that a step adopts.
#[must_use]
pub fn adopted_by(step: &Step) -> Option<&str> {
    let facts = step.facts_of::<VpcEndpoint>()?;
    facts.others.iter().map(|other| other.id.as_str()).find(|id| Some(*id) == step.id.as_deref())
}

/// The endpoint of somebody else that takes what this one wants to have, where there is one.
fn conflicting<'a>(endpoint: &VpcEndpoint, observations: &'a Observations) -> Option<&'a OtherEndpoint> {
    let observed = observations.get(&VpcEndpoint::key_of(&endpoint.name))?;
    if matches!(observed.state, ObservedState::Unreadable(_)) {
        return None;
    }
    let facts: &EndpointFacts = observed.facts_of::<VpcEndpoint>()?;
    let is_in_the_way = |other: &&OtherEndpoint| {
        other.vpc_id == endpoint.vpc_id
            && other.endpoint_type == endpoint.endpoint_type
            && match endpoint.endpoint_type {
                EndpointType::Interface => other.private_dns,
                EndpointType::Gateway => !other.route_table_ids.is_disjoint(&endpoint.route_table_ids),
            }
    };
    facts.others.iter().find(is_in_the_way)
}

fn message(endpoint: &VpcEndpoint, other: &OtherEndpoint) -> String {
    let holder = match &other.owner {
        Owner::Theirs(holder) => format!("which {holder} owns"),
        Owner::Ours => "which this platform made for something else".into(),
        Owner::Nobody => "which no platform owns".into(),
    };
    let what = match endpoint.endpoint_type {
        EndpointType::Interface => {
            format!("has the private DNS name of {} in {}", endpoint.service_name, endpoint.vpc_id)
        }
        EndpointType::Gateway => {
            let tables: Vec<&str> =
                other.route_table_ids.intersection(&endpoint.route_table_ids).map(String::as_str).collect();
            format!("has the route to {} in {}", endpoint.service_name, tables.join(", "))
        }
    };
    let ways = match endpoint.endpoint_type {
        EndpointType::Interface => "Adopt to use it, or WithoutPrivateDns for one with DNS names of its own",
        EndpointType::Gateway => "Adopt to use it",
    };
    format!("{}, {holder}, {what}: set spec.network.endpoints.onConflict to {ways}, or delete it", other.id)
}

//! Findings about the network.

use super::{Context, Hit, hit};
use crate::api::network::EndpointPolicy;
use crate::platform::{Endpoint, Network, RUNTIMES};

/// The network, where it is the platform's own: a borrowed one is in its owner's audit.
fn own<'a>(context: &Context<'a>) -> Option<&'a Network> {
    context.platform.network.as_ref().filter(|network| network.from.is_none())
}

/// The endpoints of a network that have this policy, by name.
fn with_policy<'a>(
    context: &Context<'a>,
    policy: EndpointPolicy,
    is_meant: impl Fn(&Endpoint) -> bool,
) -> Vec<(&'a String, &'a Endpoint)> {
    let endpoints = own(context).into_iter().flat_map(|network| &network.endpoints);
    endpoints.filter(|(_, endpoint)| endpoint.policy == policy && is_meant(endpoint)).collect()
}

fn serves_models(endpoint: &Endpoint) -> bool {
    RUNTIMES.contains(&endpoint.service.as_str())
}

/// Groups that the spec names let in what they let in, whatever `allowFrom` says.
pub(super) fn open_to_everybody(context: &Context) -> Vec<Hit> {
    let own = own(context).filter(|network| network.has_interfaces() && network.security_group_ids.is_empty());
    let cidrs = own.and_then(|network| network.allow_from.as_ref()).into_iter().flat_map(|peers| &peers.cidrs);
    let open = cidrs.enumerate().filter(|(_, cidr)| is_everything(cidr));
    open.map(|(index, cidr)| {
        let message = format!(
            "{cidr} lets in whatever has a route to the VPC, also from peered networks and over a VPN: name the callers' \
             CIDR blocks or security groups"
        );
        hit(format!("spec.network.allowFrom.cidrs[{index}]"), message)
    })
    .collect()
}

fn is_everything(cidr: &str) -> bool {
    cidr.split_once('/').is_some_and(|(_, bits)| bits.parse() == Ok(0u8))
}

pub(super) fn full_for_models(context: &Context) -> Vec<Hit> {
    let full = with_policy(context, EndpointPolicy::Full, serves_models);
    full.into_iter()
        .map(|(name, endpoint)| {
            let message = format!(
                "lets any caller with credentials of any account call any model through it: set policy.{} to Scoped",
                endpoint.service
            );
            hit(format!("VPC endpoint {name}"), message)
        })
        .collect()
}

/// Source: "Establishing a data perimeter on AWS: Allow access to company data only from expected networks", AWS Security
/// Blog.
pub(super) fn full_for_data(context: &Context) -> Vec<Hit> {
    if !context.is_sensitive() {
        return Vec::new();
    }
    let classification = context.platform.ownership.data_classification.as_deref().unwrap_or_default();
    let full = with_policy(context, EndpointPolicy::Full, |endpoint| endpoint.service == "s3");
    full.into_iter()
        .map(|(name, _)| {
            let message =
                format!("lets {classification} data be copied to a bucket of any account: set policy.s3 to Scoped");
            hit(format!("VPC endpoint {name}"), message)
        })
        .collect()
}

pub(super) fn account_for_models(context: &Context) -> Vec<Hit> {
    let open = with_policy(context, EndpointPolicy::Account, serves_models);
    open.into_iter()
        .map(|(name, endpoint)| {
            let message = format!(
                "lets callers of account {} call any model through it that their own policies allow: Scoped is for the \
                 platform's models alone ({})",
                context.platform.account_id, endpoint.service
            );
            hit(format!("VPC endpoint {name}"), message)
        })
        .collect()
}

pub(super) fn sensitive_without_network(context: &Context) -> Vec<Hit> {
    if context.is_sensitive() { without_network(context) } else { Vec::new() }
}

pub(super) fn classified_without_network(context: &Context) -> Vec<Hit> {
    let classification = context.platform.ownership.data_classification.as_deref().unwrap_or_default();
    let is_public = ["", "public"].contains(&classification.trim().to_lowercase().as_str());
    if is_public || context.is_sensitive() { Vec::new() } else { without_network(context) }
}

/// The models whose calls leave the network, by the service that answers them, and the way to keep them in.
fn without_network(context: &Context) -> Vec<Hit> {
    let classification = context.platform.ownership.data_classification.as_deref().unwrap_or_default();
    let outside = RUNTIMES.into_iter().filter_map(|service| {
        let served = context.platform.models.iter().filter(|model| model.backend.runtime() == Some(service));
        let names: Vec<&str> = served.map(|model| model.name.as_str()).collect();
        let has_path = |network: &Network| network.endpoints.values().any(|endpoint| endpoint.service == service);
        let way = match &context.platform.network {
            _ if names.is_empty() => return None,
            None => "set spec.network".to_string(),
            Some(network) if has_path(network) => return None,
            Some(_) => format!("add {service} to spec.network.endpoints.additional, or set auto to true"),
        };
        let subject = format!("model{} {}", if names.len() == 1 { "" } else { "s" }, names.join(", "));
        let message = format!("{classification} data gets there over the public endpoint of {service} alone: {way}");
        Some(hit(subject, message))
    });
    outside.collect()
}

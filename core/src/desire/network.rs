//! The security groups and VPC endpoints a platform wants.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::network::{EndpointPolicy, PlatformRef};
use crate::api::sagemaker::SageMaker;
use crate::arn;
use crate::features::network::security_group::{IngressRule, NAME_LIMIT, Peer, SecurityGroup};
use crate::features::network::sharing::borrowed_name;
use crate::features::network::vpc_endpoint::{EndpointType, POLICY, VpcEndpoint};
use crate::grants::endpoint_policy;
use crate::kind::Listed;
use crate::lookup::NetworkFacts;
use crate::names::generated;
use crate::platform::{Endpoint, Network, Platform};
use crate::policy::Policy;
use crate::resource::model::VpcConfig;
use crate::resource::reference::Reference;
use crate::resource::{Desired, Key};
use crate::tags::Tags;

/// The port of HTTPS.
const HTTPS: i32 = 443;

/// The security groups: those that models and endpoints stand on.
pub(super) fn groups(platform: &Platform, tags: &Tags, facts: Option<&NetworkFacts>) -> Vec<Desired> {
    let Some(network) = &platform.network else { return Vec::new() };
    let models = model_group(platform, network).map(|key| {
        let description = format!("Models of {}", platform.id());
        group(key, network, description, BTreeSet::new(), tags)
    });
    let endpoints = endpoint_group(platform, network).map(|key| {
        let ingress = ingress(platform, network, facts);
        group(key, network, format!("VPC endpoints of {}", platform.id()), ingress, tags)
    });
    models.into_iter().chain(endpoints).collect()
}

/// The VPC endpoints.
pub(super) fn endpoints(platform: &Platform, tags: &Tags, facts: Option<&NetworkFacts>) -> Vec<Desired> {
    let Some(network) = &platform.network else { return Vec::new() };
    let each = network.endpoints.iter().map(|(name, wanted)| endpoint(platform, network, name, wanted, tags, facts));
    each.map(|endpoint| {
        let remarks = unlimited(network, &endpoint).into_iter().collect();
        Desired { remarks, ..Desired::made(endpoint.into()) }
    })
    .collect()
}

/// The VPC endpoints as far as they follow from the spec alone, without tags.
pub(crate) fn endpoints_of(platform: &Platform) -> Vec<Desired> {
    endpoints(platform, &Tags::new(), None)
}

/// The remark about an endpoint that is to have a policy, and is of a service whose endpoints take none.
fn unlimited(network: &Network, endpoint: &VpcEndpoint) -> Option<String> {
    let wanted = network.endpoints.get(&endpoint.name)?.policy;
    let takes_none = network.from.is_none() && endpoint.policies.is_none();
    (takes_none && wanted != EndpointPolicy::Full)
        .then(|| format!("endpoints for this service take no policy: everything passes, in place of {wanted:?}"))
}

/// The endpoints for S3.
pub(super) fn s3_endpoints(platform: &Platform) -> Vec<Key> {
    let network = platform.network.iter();
    let named = network.flat_map(|network| network.s3_endpoints().map(move |name| name_in_plan(network, name)));
    named.map(VpcEndpoint::key_of).collect()
}

fn name_in_plan(network: &Network, name: &str) -> String {
    network.from.as_ref().map_or_else(|| name.into(), |owner| borrowed_name(owner, name))
}

/// The network of a model, where it runs in the platform's. Serverless models run in SageMaker's own.
/// Source: "Amazon SageMaker Serverless Inference", feature exclusions, Amazon SageMaker developer guide.
pub(super) fn vpc_config(platform: &Platform, model: &SageMaker) -> Option<VpcConfig> {
    let network = platform.network.as_ref().filter(|_| model.serverless.is_none())?;
    let subnet_ids = network.subnet_ids.iter().cloned().collect();
    Some(VpcConfig { subnet_ids, security_group_ids: model_groups(platform, network) })
}

/// The security groups of the models that run in the platform's network.
fn model_groups(platform: &Platform, network: &Network) -> Vec<Reference> {
    match model_group(platform, network) {
        Some(key) => vec![Reference::of(key)],
        None => network.model_security_group_ids.iter().map(Reference::known).collect(),
    }
}

/// The group that is made for models, where the spec names none and there are models that run in the network.
fn model_group(platform: &Platform, network: &Network) -> Option<Key> {
    (platform.runs_models_in_network() && network.model_security_group_ids.is_empty())
        .then(|| key(platform, network, MODELS))
}

/// The group that is made for endpoints, where the spec names none.
fn endpoint_group(platform: &Platform, network: &Network) -> Option<Key> {
    let makes = network.from.is_none() && network.has_interfaces() && network.security_group_ids.is_empty();
    makes.then(|| key(platform, network, "endpoints"))
}

/// The part that the security group of models is.
pub const MODELS: &str = "models";

/// The name in EC2 of a security group of this platform or, in the same account and region, of another.
#[must_use]
pub fn security_group_name(platform: &Platform, owner: &PlatformRef, part: &str) -> String {
    generated(&platform.account_id, &platform.region, &owner.namespace, &owner.name, part, NAME_LIMIT)
}

fn key(platform: &Platform, network: &Network, part: &str) -> Key {
    if let Some(owner) = &network.from {
        return SecurityGroup::key_of(borrowed_name(owner, part));
    }
    let owner = PlatformRef { namespace: platform.namespace.clone(), name: platform.name.clone() };
    SecurityGroup::key_of(security_group_name(platform, &owner, part))
}

fn group(key: Key, network: &Network, description: String, ingress: BTreeSet<IngressRule>, tags: &Tags) -> Desired {
    let (name, vpc_id) = (key.name, network.vpc_id.clone());
    Desired::made(SecurityGroup { name, vpc_id, description, ingress, tags: tags.clone() }.into())
}

fn ingress(platform: &Platform, network: &Network, facts: Option<&NetworkFacts>) -> BTreeSet<IngressRule> {
    let peers: Vec<Peer> = match &network.allow_from {
        Some(allowed) => {
            let groups = allowed.security_group_ids.iter().map(|id| Peer::Group(Reference::known(id)));
            groups.chain(allowed.cidrs.iter().map(|cidr| Peer::cidr(cidr))).collect()
        }
        None => match facts.and_then(|facts| facts.vpc.as_ref()) {
            Some(vpc) => vpc.cidrs.iter().map(|cidr| Peer::Cidr(cidr.clone())).collect(),
            None => vec![Peer::Vpc(network.vpc_id.clone())],
        },
    };
    let models = if platform.runs_models_in_network() { model_groups(platform, network) } else { Vec::new() };
    let peers = peers.into_iter().chain(models.into_iter().map(Peer::Group));
    peers.map(|peer| IngressRule::tcp(HTTPS, peer)).collect()
}

fn endpoint(
    platform: &Platform,
    network: &Network,
    name: &str,
    wanted: &Endpoint,
    tags: &Tags,
    facts: Option<&NetworkFacts>,
) -> VpcEndpoint {
    let is_interface = wanted.endpoint_type == EndpointType::Interface;
    let service = facts.and_then(|facts| facts.service(&platform.region, &wanted.service, is_interface));
    let groups = match endpoint_group(platform, network) {
        Some(key) => vec![Reference::of(key)],
        None => network.security_group_ids.iter().map(Reference::known).collect(),
    };
    let takes_policies = network.from.is_none() && service.is_none_or(|service| service.takes_policies);
    let policy = || {
        let statements = endpoint_policy(platform, network, wanted);
        let policy = (!statements.is_empty()).then(|| (POLICY.to_string(), Policy::from(statements.as_slice())));
        policy.into_iter().collect::<BTreeMap<_, _>>()
    };
    VpcEndpoint {
        name: name_in_plan(network, name),
        service_name: service
            .map_or_else(|| arn::endpoint_service(&platform.region, &wanted.service), |service| service.name.clone()),
        endpoint_type: wanted.endpoint_type,
        vpc_id: network.vpc_id.clone(),
        subnet_ids: network.subnet_ids.iter().filter(|_| is_interface).cloned().collect(),
        route_table_ids: network.route_table_ids.iter().filter(|_| !is_interface).cloned().collect(),
        security_group_ids: if is_interface { groups } else { Vec::new() },
        // S3 and DynamoDB have no private DNS name of their own for interface endpoints beside their gateways.
        private_dns: is_interface && service.is_none_or(|service| service.private_dns_name.is_some()),
        policies: takes_policies.then(policy),
        tags: tags.clone(),
        on_conflict: network.on_conflict,
    }
}

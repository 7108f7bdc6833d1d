//! The network of a platform: what it has, and the endpoints that follow from what the platform uses.

use std::collections::{BTreeMap, BTreeSet};

use super::sagemaker::is_in_ecr;
use super::{Backend, Identity, Model, Problem, RUNTIMES};
use crate::api::AIPlatformSpec;
use crate::api::network::{
    AdditionalEndpoint, AllowFrom, EndpointPolicy, EndpointType as SpecType, Endpoints, OnConflict, PlatformRef,
};
use crate::desire::inference;
use crate::features::network::sharing::{Borrower, Holder};
use crate::features::network::vpc_endpoint::{EndpointType, USUALLY_GATEWAYS, endpoint_name, parse_endpoint_name};
use crate::lookup::NetworkLookup;

/// A network that can be planned.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// The VPC.
    pub vpc_id: String,
    /// Subnets.
    pub subnet_ids: Vec<String>,
    /// Route tables.
    pub route_table_ids: Vec<String>,
    /// Security groups of interface endpoints; none where one is made.
    pub security_group_ids: Vec<String>,
    /// Security groups of models; none where one is made.
    pub model_security_group_ids: Vec<String>,
    /// Peers that may reach the endpoints; none for the VPC's CIDR blocks.
    pub allow_from: Option<AllowFrom>,
    /// Endpoints by name.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// The policies that the spec declares, by service.
    pub policies: BTreeMap<String, EndpointPolicy>,
    /// The way out of conflicts.
    pub on_conflict: OnConflict,
    /// Namespaces of platforms that may borrow it; none where nobody may.
    pub share_with: Option<BTreeSet<String>>,
    /// Platforms that do borrow it, as far as they were looked up.
    pub borrowers: Vec<Borrower>,
    /// Platforms that rely on it without borrowing it, as far as they were looked up.
    pub holders: Vec<Holder>,
    /// The platform that it is borrowed from. What is missing here is that one's, and is there once it was looked up.
    pub from: Option<PlatformRef>,
}

/// An endpoint of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The service, as its name ends.
    pub service: String,
    /// The type.
    pub endpoint_type: EndpointType,
    /// The policy.
    pub policy: EndpointPolicy,
    /// The paths in the spec that want it.
    pub sources: Vec<String>,
}

impl Network {
    /// The lookup that its fields need.
    #[must_use]
    pub fn lookup(&self) -> NetworkLookup {
        let allowed = self.allow_from.iter().flat_map(|peers| &peers.security_group_ids);
        let groups = self.security_group_ids.iter().chain(&self.model_security_group_ids).chain(allowed);
        NetworkLookup {
            vpc_id: self.vpc_id.clone(),
            subnet_ids: self.subnet_ids.iter().cloned().collect(),
            route_table_ids: self.route_table_ids.iter().cloned().collect(),
            security_group_ids: groups.cloned().collect(),
        }
    }

    /// The names of the endpoints for S3.
    pub fn s3_endpoints(&self) -> impl Iterator<Item = &str> {
        let is_for_s3 = |(_, endpoint): &(&String, &Endpoint)| endpoint.service == S3;
        self.endpoints.iter().filter(is_for_s3).map(|(name, _)| name.as_str())
    }

    /// True when an endpoint has network interfaces.
    #[must_use]
    pub fn has_interfaces(&self) -> bool {
        self.endpoints.values().any(|endpoint| endpoint.endpoint_type == EndpointType::Interface)
    }
}

/// S3 as its endpoints know it.
const S3: &str = "s3";

/// STS as its endpoints know it.
const STS: &str = "sts";

/// The services of endpoints that follow from what a platform uses.
const USED: [&str; 6] = ["bedrock-runtime", "ecr.api", "ecr.dkr", S3, "sagemaker.runtime", STS];

/// Services whose endpoints take a policy that is limited to the platform's own resources.
const SCOPED: [&str; 3] = ["bedrock-runtime", "sagemaker.runtime", "s3"];

pub(super) fn validate(
    spec: &AIPlatformSpec,
    models: &[Model],
    identity: Option<&Identity>,
    id: (&str, &str),
    problems: &mut Vec<Problem>,
) -> Option<Network> {
    let network = spec.network.as_ref()?;
    let declared = network.endpoints.clone().unwrap_or_default();
    let endpoints = endpoints(spec, &declared, models, identity, problems);
    if let Some(from) = &network.from {
        validate_loan(network, from, id, problems);
        return Some(Network {
            vpc_id: String::new(),
            subnet_ids: Vec::new(),
            route_table_ids: Vec::new(),
            security_group_ids: Vec::new(),
            model_security_group_ids: Vec::new(),
            allow_from: None,
            endpoints,
            policies: BTreeMap::new(),
            on_conflict: declared.on_conflict,
            share_with: None,
            borrowers: Vec::new(),
            holders: Vec::new(),
            from: Some(from.clone()),
        });
    }
    for endpoint in endpoints.values() {
        if endpoint.endpoint_type == EndpointType::Gateway && network.route_table_ids.is_empty() {
            problems.push(Problem::new(
                "spec.network.routeTableIds",
                format!(
                    "is empty, and {} wants a gateway endpoint for {}: name the route tables of the subnets",
                    endpoint.sources.join(", "),
                    endpoint.service
                ),
            ));
        }
    }
    if network.subnet_ids.is_empty() {
        problems.push(Problem::new("spec.network.subnetIds", "is empty: name one subnet in each zone"));
    }
    for (index, cidr) in network.allow_from.iter().flat_map(|peers| &peers.cidrs).enumerate() {
        if !is_cidr(cidr) {
            problems.push(Problem::new(
                format!("spec.network.allowFrom.cidrs[{index}]"),
                format!("{cidr:?} is not a CIDR block, such as 10.0.0.0/16"),
            ));
        }
    }
    if network.vpc_id.is_none() {
        problems.push(Problem::new(
            "spec.network.vpcId",
            "is missing: name the VPC, or the platform to borrow a network of in from",
        ));
    }
    if network.allow_from.as_ref().is_some_and(|peers| *peers == AllowFrom::default()) {
        problems.push(Problem::new(
            "spec.network.allowFrom",
            "names nobody: give securityGroupIds or cidrs, or leave allowFrom out for the CIDR blocks of the VPC",
        ));
    }
    if network.allow_from.is_some() && !network.security_group_ids.is_empty() {
        problems.push(Problem::new(
            "spec.network.allowFrom",
            format!(
                "is for the security group that is made where securityGroupIds is empty, and that names {}: leave one of \
                 them out",
                network.security_group_ids.join(", ")
            ),
        ));
    }
    validate_ids(network, problems);
    Some(Network {
        vpc_id: network.vpc_id.clone().unwrap_or_default(),
        subnet_ids: network.subnet_ids.clone(),
        route_table_ids: network.route_table_ids.clone(),
        security_group_ids: network.security_group_ids.clone(),
        model_security_group_ids: network.model_security_group_ids.clone(),
        allow_from: network.allow_from.clone(),
        endpoints,
        policies: declared.policy.clone(),
        on_conflict: declared.on_conflict,
        share_with: network.share_with.as_ref().map(|shared| shared.namespaces.iter().cloned().collect()),
        borrowers: Vec::new(),
        holders: Vec::new(),
        from: None,
    })
}

/// The same rules as the schema's.
fn validate_loan(
    network: &crate::api::network::Network,
    from: &PlatformRef,
    (namespace, name): (&str, &str),
    problems: &mut Vec<Problem>,
) {
    if (from.namespace.as_str(), from.name.as_str()) == (namespace, name) {
        let message = "names this platform itself: name another one, or give a network of the platform's own";
        problems.push(Problem::new("spec.network.from", message));
    }
    let own = crate::api::network::Network { from: Some(from.clone()), ..Default::default() };
    if *network != own {
        let message = "a borrowed network is as its owner has it: leave out everything beside from";
        problems.push(Problem::new("spec.network", message));
    }
}

/// The same rules as the schema's.
fn validate_ids(network: &crate::api::network::Network, problems: &mut Vec<Problem>) {
    let allowed = network.allow_from.as_ref().map(|peers| peers.security_group_ids.as_slice()).unwrap_or_default();
    let lists: [(&str, &str, &[String]); 6] = [
        ("vpcId", "vpc-", network.vpc_id.as_slice()),
        ("subnetIds", "subnet-", &network.subnet_ids),
        ("routeTableIds", "rtb-", &network.route_table_ids),
        ("securityGroupIds", "sg-", &network.security_group_ids),
        ("modelSecurityGroupIds", "sg-", &network.model_security_group_ids),
        ("allowFrom.securityGroupIds", "sg-", allowed),
    ];
    for (field, prefix, ids) in lists {
        let mut seen = BTreeSet::new();
        for (index, id) in ids.iter().enumerate() {
            let path = if field == "vpcId" {
                format!("spec.network.{field}")
            } else {
                format!("spec.network.{field}[{index}]")
            };
            let is_id = id.strip_prefix(prefix).is_some_and(|rest| {
                !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
            });
            if !is_id {
                problems.push(Problem::new(path, format!("{id:?} is not an id of EC2, such as {prefix}0a1b2c3d")));
            } else if !seen.insert(id) {
                problems.push(Problem::new(path, format!("{id:?} stands there twice")));
            }
        }
    }
}

fn endpoints(
    spec: &AIPlatformSpec,
    declared: &Endpoints,
    models: &[Model],
    identity: Option<&Identity>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Endpoint> {
    let is_shared = spec.network.as_ref().is_some_and(|network| network.share_with.is_some());
    let mut wanted: BTreeMap<String, Endpoint> = BTreeMap::new();
    let mut want = |service: &str, endpoint_type: EndpointType, source: String| {
        let policy = declared.policy.get(service).copied().unwrap_or_else(|| default_policy(service));
        let endpoint = Endpoint { service: service.into(), endpoint_type, policy, sources: Vec::new() };
        wanted.entry(endpoint_name(service, endpoint_type)).or_insert(endpoint).sources.push(source);
    };
    if declared.auto {
        for (service, endpoint_type, source) in used(spec, models, identity) {
            want(service, endpoint_type, source);
        }
    }
    for (index, endpoint) in declared.additional.iter().enumerate() {
        let path = format!("spec.network.endpoints.additional[{index}]");
        validate_additional(&path, endpoint, &declared.additional[..index], problems);
        let endpoint_type = match endpoint.endpoint_type {
            SpecType::Interface => EndpointType::Interface,
            SpecType::Gateway => EndpointType::Gateway,
        };
        want(&endpoint.service, endpoint_type, path);
    }
    for (service, policy) in &declared.policy {
        let path = format!("spec.network.endpoints.policy.{service}");
        let own = wanted.values().map(|endpoint| endpoint.service.as_str());
        // A borrower may use what the platform itself does not.
        let borrowed = USED.into_iter().filter(|_| is_shared);
        let services: BTreeSet<&str> = own.chain(borrowed).collect();
        if !services.contains(service.as_str()) {
            let there = if services.is_empty() {
                "take the policy out, or name the service in spec.network.endpoints.additional".into()
            } else {
                format!("there are endpoints for {}", super::listed(&services.into_iter().collect::<Vec<_>>()))
            };
            problems.push(Problem::new(path, format!("there is no endpoint for {service:?}: {there}")));
        } else if *policy == EndpointPolicy::Scoped && !SCOPED.contains(&service.as_str()) {
            problems.push(Problem::new(
                path,
                format!("Scoped is for {}: take Account or Full for {service}", SCOPED.join(", ")),
            ));
        }
    }
    wanted
}

/// The same rules as the schema's, and that no endpoint gets the name of another one.
fn validate_additional(
    path: &str,
    endpoint: &AdditionalEndpoint,
    before: &[AdditionalEndpoint],
    problems: &mut Vec<Problem>,
) {
    let AdditionalEndpoint { service, endpoint_type } = endpoint;
    if *endpoint_type == SpecType::Gateway && !USUALLY_GATEWAYS.contains(&service.as_str()) {
        let gateways = USUALLY_GATEWAYS.join(", ");
        let message = format!("Gateway is for {gateways}, which {service:?} is not one of: leave type out");
        problems.push(Problem::new(format!("{path}.type"), message));
    }
    if before.contains(endpoint) {
        problems.push(Problem::new(path, format!("{service:?} stands there twice")));
    }
    let meant = parse_endpoint_name(service).0;
    let short = service.split_once(".amazonaws.").and_then(|(_, rest)| rest.split_once('.'));
    if let Some((_, short)) = short {
        let message = format!("{service:?} is the full name of a service, of which the end is expected: {short}");
        problems.push(Problem::new(format!("{path}.service"), message));
    } else if meant != service {
        let message = format!("{service:?} is what the endpoint is called: the service is {meant}");
        problems.push(Problem::new(format!("{path}.service"), message));
    }
}

/// The policy of the endpoint for a service where the spec declares none.
pub(crate) fn default_policy(service: &str) -> EndpointPolicy {
    if RUNTIMES.contains(&service) { EndpointPolicy::Scoped } else { EndpointPolicy::Full }
}

/// The services that the platform uses, with what wants each.
fn used(
    spec: &AIPlatformSpec,
    models: &[Model],
    identity: Option<&Identity>,
) -> Vec<(&'static str, EndpointType, String)> {
    use EndpointType::{Gateway, Interface};
    let mut used = Vec::new();
    for (index, model) in models.iter().enumerate() {
        let path = format!("spec.models[{index}]");
        used.extend(model.backend.runtime().map(|service| (service, Interface, path.clone())));
        match &model.backend {
            Backend::Bedrock(_) => {}
            Backend::SageMaker(_) => used.push((S3, Gateway, path)),
            Backend::Kubernetes(kubernetes) => {
                let image = inference::image(kubernetes);
                if is_in_ecr(&image) {
                    let from_registry = ["ecr.api", "ecr.dkr"].map(|service| (service, Interface, path.clone()));
                    used.extend(from_registry);
                }
                if is_in_ecr(&image) || kubernetes.source.as_ref().is_some_and(|source| source.s3.is_some()) {
                    used.push((S3, Gateway, path));
                }
            }
        }
    }
    let buckets = spec.storage.iter().flat_map(|storage| &storage.buckets).enumerate();
    used.extend(buckets.map(|(index, _)| (S3, Gateway, format!("spec.storage.buckets[{index}]"))));
    if matches!(identity, Some(Identity::Irsa { .. })) {
        used.push((STS, Interface, "spec.identity.irsa".into()));
    }
    used
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let Ok(bits) = bits.parse::<u8>() else { return false };
    match address.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(_)) => bits <= 32,
        Ok(std::net::IpAddr::V6(_)) => bits <= 128,
        Err(_) => false,
    }
}

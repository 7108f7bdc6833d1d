//! Preconditions of a network: what AWS would refuse later, one call after the other, is found before anything is made.

use std::collections::BTreeMap;

use super::vpc_endpoint::{EndpointType, POLICY_LIMIT, VpcEndpoint};
use crate::api::network::EndpointPolicy;
use crate::kind::Listed;
use crate::lookup::{EndpointService, NetworkFacts};
use crate::platform::{Network, Platform, Problem};
use crate::policy;
use crate::resource::Desired;

/// A precondition that is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// The reason in conditions.
    pub reason: &'static str,
    /// The problem.
    pub problem: Problem,
}

/// Zones that SageMaker wants for the network interfaces of an endpoint: "Give SageMaker AI Hosted Endpoints Access to
/// Resources in Your Amazon VPC", Amazon SageMaker developer guide.
const SAGEMAKER_ZONES: usize = 2;

/// Everything that is in the way of a platform's network, in the order of the spec.
#[must_use]
pub fn unmet(platform: &Platform, facts: &NetworkFacts) -> Vec<Unmet> {
    let Some(network) = &platform.network else { return Vec::new() };
    let check = Check { platform, network, facts };
    let mut unmet = check.vpc();
    unmet.extend(check.subnets());
    unmet.extend(check.parts("routeTableIds", "route table", &network.route_table_ids, &facts.route_tables));
    let groups = &facts.security_groups;
    unmet.extend(check.parts("securityGroupIds", "security group", &network.security_group_ids, groups));
    unmet.extend(check.parts("modelSecurityGroupIds", "security group", &network.model_security_group_ids, groups));
    unmet.extend(check.services());
    unmet
}

/// Policies of endpoints that are longer than EC2 takes.
#[must_use]
pub fn oversized(desired: &[Desired]) -> Vec<Unmet> {
    let endpoints = desired.iter().filter_map(|item| VpcEndpoint::of(&item.resource));
    let oversized = endpoints.filter_map(|endpoint| {
        let size = policy::text(&endpoint.document()?).len();
        (size > POLICY_LIMIT).then(|| {
            let service = endpoint.name.as_str();
            let message = format!(
                "the policy for {service} takes {size} characters, of which EC2 allows {POLICY_LIMIT}: set \
                 spec.network.endpoints.policy to Account for {service}, name fewer models or buckets, or let fewer \
                 platforms borrow the network"
            );
            Unmet { reason: "QuotaExceeded", problem: Problem::new("spec.network.endpoints.policy", message) }
        })
    });
    oversized.collect()
}

struct Check<'a> {
    platform: &'a Platform,
    network: &'a Network,
    facts: &'a NetworkFacts,
}

impl Check<'_> {
    fn vpc(&self) -> Vec<Unmet> {
        let Network { vpc_id, .. } = self.network;
        let Some(vpc) = &self.facts.vpc else {
            let Platform { region, account_id, .. } = self.platform;
            let message = format!("{vpc_id} does not exist in {region} of account {account_id}: name one that does");
            return vec![prerequisite("vpcId", message)];
        };
        let wants_names = self.interfaces().any(|(_, service)| service.is_some_and(|it| it.private_dns_name.is_some()));
        let attributes = [("enableDnsSupport", vpc.dns_support), ("enableDnsHostnames", vpc.dns_hostnames)];
        let off: Vec<&str> = attributes.iter().filter(|(_, on)| wants_names && !on).map(|(name, _)| *name).collect();
        if off.is_empty() {
            return Vec::new();
        }
        let message = format!(
            "{vpc_id} has {} off, and private DNS of endpoints needs it: aws ec2 modify-vpc-attribute --vpc-id {vpc_id} {}",
            off.join(" and "),
            off.iter().map(|name| option(name)).collect::<Vec<_>>().join(", and again with ")
        );
        vec![prerequisite("vpcId", message)]
    }

    fn subnets(&self) -> Vec<Unmet> {
        let in_vpc: BTreeMap<String, String> =
            self.facts.subnets.iter().map(|(id, subnet)| (id.clone(), subnet.vpc_id.clone())).collect();
        let mut unmet = self.parts("subnetIds", "subnet", &self.network.subnet_ids, &in_vpc);
        let mut by_zone: BTreeMap<&str, &str> = BTreeMap::new();
        for (index, id) in self.network.subnet_ids.iter().enumerate() {
            let Some(subnet) = self.facts.subnets.get(id) else { continue };
            if let Some(first) = by_zone.get(subnet.zone.as_str()) {
                let message =
                    format!("{id} is in {}, as {first} is: an endpoint takes one subnet of a zone", subnet.zone);
                unmet.push(prerequisite(&format!("subnetIds[{index}]"), message));
                continue;
            }
            by_zone.insert(&subnet.zone, id);
            let without: Vec<&str> = self
                .interfaces()
                .filter_map(|(name, service)| Some((name, service?)))
                .filter(|(_, service)| !service.zones.contains(&subnet.zone))
                .map(|(name, _)| name)
                .collect();
            if !without.is_empty() {
                let message = format!(
                    "{id} is in {}, where there are no endpoints for {}: take a subnet of another zone",
                    subnet.zone,
                    without.join(", ")
                );
                let unavailable =
                    Unmet { reason: "Unavailable", ..prerequisite(&format!("subnetIds[{index}]"), message) };
                unmet.push(unavailable);
            }
        }
        let runs_models = self.platform.runs_models_in_network();
        let known = self.network.subnet_ids.iter().all(|id| self.facts.subnets.contains_key(id));
        if runs_models && known && by_zone.len() < SAGEMAKER_ZONES {
            let zones: Vec<&str> = by_zone.into_keys().collect();
            let message = format!("are all in {}, and SageMaker wants subnets of two zones: add one", zones.join(", "));
            unmet.push(prerequisite("subnetIds", message));
        }
        unmet
    }

    /// Parts of the network that do not exist, or are in another VPC.
    fn parts(&self, field: &str, noun: &str, ids: &[String], vpcs: &BTreeMap<String, String>) -> Vec<Unmet> {
        let Network { vpc_id, .. } = self.network;
        let problem = |(index, id): (usize, &String)| {
            let message = match vpcs.get(id) {
                None => format!("there is no {noun} {id} in {}: name one that exists", self.platform.region),
                Some(vpc) if vpc != vpc_id => format!("{id} is in {vpc}: name a {noun} of {vpc_id}"),
                Some(_) => return None,
            };
            Some(prerequisite(&format!("{field}[{index}]"), message))
        };
        ids.iter().enumerate().filter_map(problem).collect()
    }

    fn services(&self) -> Vec<Unmet> {
        let mut unmet = Vec::new();
        for endpoint in self.network.endpoints.values() {
            let is_interface = endpoint.endpoint_type == EndpointType::Interface;
            let found = self.facts.service(&self.platform.region, &endpoint.service, is_interface);
            let declared = self.network.policies.get(&endpoint.service);
            if let Some(policy) = declared.filter(|policy| **policy != EndpointPolicy::Full)
                && found.is_some_and(|service| !service.takes_policies)
            {
                let message = format!(
                    "is {policy:?}, and endpoints for {} take no policy in {}: everything passes, so that Full is what \
                     can be declared",
                    endpoint.service, self.platform.region
                );
                let path = format!("spec.network.endpoints.policy.{}", endpoint.service);
                unmet.push(Unmet { reason: "Unavailable", problem: Problem::new(path, message) });
            }
            if found.is_none() {
                let message = format!(
                    "wants a VPC endpoint of type {} for {}, which {} does not have: take it out, or set \
                     spec.network.endpoints.auto to false and name the endpoints",
                    endpoint.endpoint_type.name(),
                    endpoint.service,
                    self.platform.region
                );
                let path = endpoint.sources.first().cloned().unwrap_or_default();
                unmet.push(Unmet { reason: "Unavailable", problem: Problem::new(path, message) });
            }
        }
        unmet
    }

    /// The interface endpoints by service, with what EC2 says of the service.
    fn interfaces(&self) -> impl Iterator<Item = (&str, Option<&EndpointService>)> {
        let endpoints = self.network.endpoints.values();
        let interfaces = endpoints.filter(|endpoint| endpoint.endpoint_type == EndpointType::Interface);
        interfaces.map(|endpoint| {
            (endpoint.service.as_str(), self.facts.service(&self.platform.region, &endpoint.service, true))
        })
    }
}

fn prerequisite(field: &str, message: String) -> Unmet {
    Unmet { reason: "Prerequisite", problem: Problem::new(format!("spec.network.{field}"), message) }
}

fn option(attribute: &str) -> &'static str {
    if attribute == "enableDnsSupport" { "--enable-dns-support" } else { "--enable-dns-hostnames" }
}

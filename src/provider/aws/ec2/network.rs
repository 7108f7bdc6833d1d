//! Lookups: what a network is made of, and the services that have endpoints in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{RouteTable, ServiceDetail, ServiceType, VpcAttributeName, VpcCidrBlockStateCode};
use futures::future::join_all;

use super::super::snapshots::Shareable;
use super::entries::GroupEntry;
use super::listing::groups;
use super::refusal::refused;
use super::{Ec2, filter};
use crate::failure::{Class, Error};
use crate::features::network::vpc_endpoint::action;
use crate::lookup::{EndpointService, NetworkFacts, NetworkLookup, Subnet, Vpc};
use crate::scope::Scope;

/// The time for which a VPC is taken for as it was, where endpoints can work in it.
const VPC_HOLDS: Duration = Duration::from_mins(5);

/// The time after which both DNS attributes of a VPC are read anew. Before that one of them is, in turns.
const ATTRIBUTES_HOLD: Duration = Duration::from_mins(30);

/// The time for which subnets, route tables and services are taken for as they were: that they are there is all that can
/// change about them.
const PARTS_HOLD: Duration = Duration::from_hours(1);

/// The longest time for which they all are while events tell of every change by others.
const COVERED_HOLD: Duration = Duration::from_hours(24);

/// The time for which a VPC is remembered after somebody asked about it.
pub(super) const VPC_KEPT: Duration = Duration::from_hours(2);

/// Services of a page: `DescribeVpcEndpointServices`, Amazon EC2 API reference.
const SERVICES_PER_PAGE: i32 = 1000;

/// The values of a filter, of which a call may have 200 together: "List and filter using the CLI and API", Amazon EC2 user
/// guide.
const VALUES_PER_CALL: usize = 200;

/// The services that have endpoints in a region.
pub(super) struct Services(Vec<EndpointService>);

/// A VPC, if there is one of that id.
pub(super) struct VpcAnswer {
    vpc: Option<Vpc>,
    /// The account that owns it, whose trail alone tells of its changes.
    owner: Option<String>,
    /// True while a block of addresses comes or goes.
    is_changing: bool,
    /// The attribute that was read with it, where only one of them was.
    read: Option<Attribute>,
}

/// Subnets and route tables.
#[derive(Default)]
pub(super) struct Parts {
    subnets: BTreeMap<String, Subnet>,
    /// Their VPCs, by id.
    route_tables: BTreeMap<String, String>,
    /// Subnets with a route to an internet gateway.
    public_subnets: BTreeSet<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Attribute {
    Support,
    Hostnames,
}

impl Shareable for Services {
    fn holds(&self) -> Duration {
        PARTS_HOLD
    }
}

impl Shareable for VpcAnswer {
    /// The next pass reads anew what is in the way, and comes when it was mended; and so it does what changes by itself.
    fn holds(&self) -> Duration {
        if !self.is_changing && self.vpc.as_ref().is_some_and(|vpc| vpc.dns_support && vpc.dns_hostnames) {
            VPC_HOLDS
        } else {
            Duration::ZERO
        }
    }
}

impl VpcAnswer {
    /// The answer that there is no such VPC.
    fn missing() -> Self {
        Self { vpc: None, owner: None, is_changing: false, read: None }
    }

    /// True where the VPC belongs to the account.
    fn is_of(&self, account_id: &str) -> bool {
        self.owner.as_deref() == Some(account_id)
    }
}

impl Shareable for Parts {
    fn holds(&self) -> Duration {
        PARTS_HOLD
    }
}

impl Ec2 {
    /// The facts about a network: what EC2 does not have is absent. They may be from any time since which events have told
    /// of every change by others, for as long as is `covered`.
    ///
    /// # Errors
    /// When something cannot be read.
    pub(in super::super) async fn look_up(
        &self,
        scope: &Scope,
        lookup: &NetworkLookup,
        covered: Duration,
    ) -> Result<NetworkFacts, Error> {
        let is_told = self.vpcs.of(&lookup.vpc_id).latest(COVERED_HOLD).is_some_and(|it| it.is_of(&scope.account_id));
        let age = if is_told { covered.min(COVERED_HOLD) } else { Duration::ZERO };
        let (vpc, parts, security_groups, services) = futures::join!(
            self.vpc(&lookup.vpc_id, age),
            self.parts(lookup, age),
            self.vpcs_of_groups(lookup),
            self.services()
        );
        let (vpc, parts) = (vpc?.vpc.clone(), parts?);
        Ok(NetworkFacts {
            vpc,
            subnets: parts.subnets,
            route_tables: parts.route_tables,
            security_groups: security_groups?,
            public_subnets: parts.public_subnets,
            services: services?.0.clone(),
        })
    }

    /// Forgets what networks are made of, of which something has one of these ids.
    pub(in super::super) fn forget_networks(&self, is_changed: impl Fn(&str) -> bool) {
        self.vpcs.forget(|id, _| is_changed(id));
        self.parts.forget(|id, parts| {
            is_changed(id) || parts.subnets.keys().chain(parts.route_tables.keys()).any(|id| is_changed(id))
        });
    }

    async fn vpc(&self, vpc_id: &str, age: Duration) -> Result<Arc<VpcAnswer>, Error> {
        let shared = self.vpcs.of(vpc_id);
        let before = shared.latest(ATTRIBUTES_HOLD);
        let (client, vpc_id) = (self.client.clone(), vpc_id.to_string());
        shared.get_while(age, || async move { read_vpc(&client, &vpc_id, before.as_deref()).await }).await
    }

    /// The parts that are named, from all those of the VPC, which every platform in it shares. What is missing among them
    /// may be in another VPC.
    async fn parts(&self, lookup: &NetworkLookup, age: Duration) -> Result<Parts, Error> {
        let shared = self.parts.of(&lookup.vpc_id);
        let client = self.client.clone();
        let filters = vec![("vpc-id", vec![lookup.vpc_id.clone()])];
        let all = shared.get_while(age, || async move { read_parts(&client, filters.clone(), filters).await }).await?;
        let missing = |ids: &BTreeSet<String>, is_known: &dyn Fn(&String) -> bool| -> Vec<String> {
            ids.iter().filter(|id| !is_known(id)).cloned().collect()
        };
        let subnets = missing(&lookup.subnet_ids, &|id| all.subnets.contains_key(id));
        let route_tables = missing(&lookup.route_table_ids, &|id| all.route_tables.contains_key(id));
        let mut parts = Parts::default();
        if !subnets.is_empty() || !route_tables.is_empty() {
            shared.forget();
            let chunks = |name, ids: &[String]| ids.chunks(VALUES_PER_CALL).map(|ids| (name, ids.to_vec())).collect();
            let (subnets, tables) = (chunks("subnet-id", &subnets), chunks("route-table-id", &route_tables));
            parts = read_parts(&self.client, subnets, tables).await?;
        }
        for id in &lookup.subnet_ids {
            parts.subnets.extend(all.subnets.get(id).map(|subnet| (id.clone(), subnet.clone())));
            parts.public_subnets.extend(all.public_subnets.get(id).cloned());
        }
        for id in &lookup.route_table_ids {
            parts.route_tables.extend(all.route_tables.get(id).map(|vpc| (id.clone(), vpc.clone())));
        }
        Ok(parts)
    }

    /// The VPCs of the groups that are named.
    async fn vpcs_of_groups(&self, lookup: &NetworkLookup) -> Result<BTreeMap<String, String>, Error> {
        if lookup.security_group_ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let all = self.groups.of_vpc(self, &lookup.vpc_id, false).await?;
        let is_named = |group: &&Arc<GroupEntry>| lookup.security_group_ids.contains(&group.id);
        let named = all.0.iter().filter(is_named).map(|group| (group.id.clone(), group.vpc_id.clone()));
        let mut known: BTreeMap<String, String> = named.collect();
        // One may have been made since, or be in another VPC.
        let missing = lookup.security_group_ids.iter().filter(|id| !known.contains_key(*id));
        let missing: Vec<String> = missing.cloned().collect();
        for ids in missing.chunks(VALUES_PER_CALL) {
            let found: Vec<GroupEntry> = groups(&self.client, &ids.join(", "), vec![filter("group-id", ids)]).await?;
            known.extend(found.into_iter().map(|group| (group.id, group.vpc_id)));
        }
        Ok(known)
    }

    async fn services(&self) -> Result<Arc<Services>, Error> {
        let (client, region) = (self.client.clone(), self.region.clone());
        self.services.get(|| async move { read_services(&client, &region).await }).await
    }
}

/// A VPC, with both DNS attributes or, where both were on a while ago, with that which was not read last.
async fn read_vpc(client: &Client, vpc_id: &str, before: Option<&VpcAnswer>) -> Result<VpcAnswer, Error> {
    let call = client.describe_vpcs().filters(filter("vpc-id", [vpc_id]));
    let found = call.send().await.map_err(|error| refused(action::DESCRIBE_VPCS, vpc_id, &error))?;
    let Some(found) = found.vpcs.unwrap_or_default().into_iter().next() else {
        return Ok(VpcAnswer::missing());
    };
    let is_associated = |code: &VpcCidrBlockStateCode| *code == VpcCidrBlockStateCode::Associated;
    let cidrs = found.cidr_block_association_set().iter().filter(|block| {
        let state = block.cidr_block_state.as_ref().and_then(|state| state.state.as_ref());
        state.is_none_or(is_associated)
    });
    let is_in_transition = |code: &VpcCidrBlockStateCode| {
        matches!(code, VpcCidrBlockStateCode::Associating | VpcCidrBlockStateCode::Disassociating)
    };
    let states = found.cidr_block_association_set().iter().filter_map(|block| block.cidr_block_state.as_ref());
    let is_changing = states.filter_map(|state| state.state.as_ref()).any(is_in_transition);
    let mut cidrs: BTreeSet<String> = cidrs.filter_map(|block| block.cidr_block.clone()).collect();
    cidrs.extend(found.cidr_block.clone());
    let before = before.filter(|before| before.holds() > Duration::ZERO);
    let attributes = match before.map(|before| before.read) {
        None => vec![Attribute::Support, Attribute::Hostnames],
        Some(Some(Attribute::Support)) => vec![Attribute::Hostnames],
        Some(Some(Attribute::Hostnames) | None) => vec![Attribute::Support],
    };
    let mut vpc = Vpc { cidrs, dns_support: true, dns_hostnames: true };
    for attribute in &attributes {
        match read_attribute(client, vpc_id, *attribute).await {
            Ok(on) if *attribute == Attribute::Support => vpc.dns_support = on,
            Ok(on) => vpc.dns_hostnames = on,
            Err(error) if error.class == Class::NotFound => return Ok(VpcAnswer::missing()),
            Err(error) => return Err(error),
        }
    }
    let read = attributes.first().copied().filter(|_| attributes.len() == 1);
    Ok(VpcAnswer { vpc: Some(vpc), owner: found.owner_id, is_changing, read })
}

async fn read_attribute(client: &Client, vpc_id: &str, attribute: Attribute) -> Result<bool, Error> {
    let name = match attribute {
        Attribute::Support => VpcAttributeName::EnableDnsSupport,
        Attribute::Hostnames => VpcAttributeName::EnableDnsHostnames,
    };
    let call = client.describe_vpc_attribute().vpc_id(vpc_id).attribute(name);
    let found = call.send().await.map_err(|error| refused(action::DESCRIBE_VPC_ATTRIBUTE, vpc_id, &error))?;
    let value = match attribute {
        Attribute::Support => found.enable_dns_support,
        Attribute::Hostnames => found.enable_dns_hostnames,
    };
    Ok(value.and_then(|value| value.value).unwrap_or_default())
}

/// Subnets and route tables that pass these filters, one call for each: an id that does not exist is an error of a call
/// that names it otherwise.
async fn read_parts(
    client: &Client,
    subnets: Vec<(&'static str, Vec<String>)>,
    route_tables: Vec<(&'static str, Vec<String>)>,
) -> Result<Parts, Error> {
    let subnets = subnets.into_iter().map(|(name, values)| async move {
        let subject = values.join(", ");
        let pages = client.describe_subnets().filters(filter(name, values)).into_paginator().items().send();
        let found: Result<Vec<_>, _> = pages.collect().await;
        found.map_err(|error| refused(action::DESCRIBE_SUBNETS, &subject, &error))
    });
    let route_tables = route_tables.into_iter().map(|(name, values)| async move {
        let subject = values.join(", ");
        let pages = client.describe_route_tables().filters(filter(name, values)).into_paginator().items().send();
        let found: Result<Vec<_>, _> = pages.collect().await;
        found.map_err(|error| refused(action::DESCRIBE_ROUTE_TABLES, &subject, &error))
    });
    let (subnets, route_tables) = futures::join!(join_all(subnets), join_all(route_tables));
    let mut parts = Parts::default();
    for found in subnets {
        let found = found?.into_iter().filter_map(|subnet| {
            let (vpc_id, zone) = (subnet.vpc_id?, subnet.availability_zone.unwrap_or_default());
            Some((subnet.subnet_id?, Subnet { vpc_id, zone }))
        });
        parts.subnets.extend(found);
    }
    let route_tables: Vec<RouteTable> =
        route_tables.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    parts.public_subnets = public_subnets(&parts.subnets, &route_tables);
    parts
        .route_tables
        .extend(route_tables.into_iter().filter_map(|table| Some((table.route_table_id?, table.vpc_id?))));
    Ok(parts)
}

/// The subnets whose route table leads to an internet gateway: the table that a subnet is associated with, or else the
/// VPC's main one. Source: "Subnet route tables", Amazon VPC user guide.
fn public_subnets(subnets: &BTreeMap<String, Subnet>, route_tables: &[RouteTable]) -> BTreeSet<String> {
    let is_associated = |table: &RouteTable, subnet: &str| {
        table.associations().iter().any(|association| association.subnet_id() == Some(subnet))
    };
    let is_main = |table: &RouteTable, vpc: &str| {
        table.vpc_id() == Some(vpc) && table.associations().iter().any(|association| association.main() == Some(true))
    };
    let leads_out = |table: &RouteTable| {
        table.routes().iter().any(|route| route.gateway_id().is_some_and(|gateway| gateway.starts_with("igw-")))
    };
    let is_public = |(id, subnet): &(&String, &Subnet)| {
        let own = route_tables.iter().find(|table| is_associated(table, id));
        own.or_else(|| route_tables.iter().find(|table| is_main(table, &subnet.vpc_id))).is_some_and(leads_out)
    };
    subnets.iter().filter(is_public).map(|(id, _)| id.clone()).collect()
}

/// The services of Amazon.
async fn read_services(client: &Client, region: &str) -> Result<Services, Error> {
    let mut services = Vec::new();
    let mut next = None;
    loop {
        let call = client
            .describe_vpc_endpoint_services()
            .filters(filter("owner", ["amazon"]))
            .max_results(SERVICES_PER_PAGE)
            .set_next_token(next);
        let page = call.send().await.map_err(|error| refused(action::DESCRIBE_SERVICES, region, &error))?;
        services.extend(page.service_details.unwrap_or_default());
        next = page.next_token.filter(|token| !token.is_empty());
        if next.is_none() {
            break;
        }
    }
    let gateways: BTreeSet<&str> = services
        .iter()
        .filter(|detail| has(detail, &ServiceType::Gateway))
        .filter_map(ServiceDetail::service_name)
        .collect();
    let found = services.iter().flat_map(|detail| {
        let of_type = |is_interface: bool| {
            let wanted = if is_interface { ServiceType::Interface } else { ServiceType::Gateway };
            let name = detail.service_name.clone().filter(|_| has(detail, &wanted))?;
            // Where a service has gateways, too, its private DNS name is for resolvers outside the VPC.
            let private_dns_name = detail.private_dns_name.clone().filter(|_| is_interface);
            Some(EndpointService {
                private_dns_name: private_dns_name.filter(|_| !gateways.contains(name.as_str())),
                is_interface,
                zones: detail.availability_zones().iter().cloned().collect(),
                takes_policies: detail.vpc_endpoint_policy_supported.unwrap_or_default(),
                name,
            })
        };
        [of_type(true), of_type(false)].into_iter().flatten()
    });
    Ok(Services(found.collect()))
}

fn has(detail: &ServiceDetail, wanted: &ServiceType) -> bool {
    detail.service_type().iter().any(|each| each.service_type.as_ref() == Some(wanted))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{Route, RouteTableAssociation};

    use super::*;

    fn table(gateway: &str, association: RouteTableAssociation) -> RouteTable {
        let route = Route::builder().destination_cidr_block("0.0.0.0/0").gateway_id(gateway).build();
        RouteTable::builder().vpc_id("vpc-0a").routes(route).associations(association).build()
    }

    #[test]
    fn a_subnet_is_public_by_its_own_route_table_or_else_by_the_main_one() {
        let of = |subnet: &str| RouteTableAssociation::builder().subnet_id(subnet).main(false).build();
        let main = || RouteTableAssociation::builder().main(true).build();
        let subnets: BTreeMap<String, Subnet> = ["subnet-0a", "subnet-0b", "subnet-0c"]
            .into_iter()
            .map(|id| (id.to_string(), Subnet { vpc_id: "vpc-0a".into(), ..Subnet::default() }))
            .collect();
        let public = |tables: &[RouteTable]| -> Vec<String> { public_subnets(&subnets, tables).into_iter().collect() };
        let tables = [table("local", main()), table("igw-0a", of("subnet-0a")), table("vpce-0a", of("subnet-0b"))];
        assert_eq!(public(&tables), ["subnet-0a"]);
        let tables = [table("igw-0a", main()), table("local", of("subnet-0a")), table("eigw-0a", of("subnet-0b"))];
        assert_eq!(public(&tables), ["subnet-0c"]);
        let elsewhere = RouteTable::builder().vpc_id("vpc-0f").associations(main());
        let route = Route::builder().gateway_id("igw-0a").build();
        assert_eq!(public(&[elsewhere.routes(route).build()]), Vec::<String>::new());
    }
}

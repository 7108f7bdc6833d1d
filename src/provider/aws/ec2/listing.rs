//! The lists of VPC endpoints and of security groups, of a region, of a VPC and of one owner, and single ones read anew
//! before they are written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types;
use futures::future::join_all;

use super::super::snapshots::{self, MOMENT, Shareable, SharedRead};
use super::by_vpc::ByVpc;
use super::entries::Entry;
use super::refusal::refused;
use super::{Ec2, filter, from_sdk, literal};
use crate::failure::Error;
use crate::features::network::security_group::action as group_action;
use crate::features::network::vpc_endpoint::{EndpointType, action};
use crate::resource::{Freshness, Owner, Request};
use crate::scope::Scope;
use crate::tags::{self, Tags};

/// Items of a page, the most that EC2 gives: `DescribeVpcEndpoints` and `DescribeSecurityGroups`, Amazon EC2 API
/// reference.
const PAGE: i32 = 1000;

/// The time for which a list is shared that is about to change by itself: whoever waits for that sees it soon.
const IN_TRANSITION: Duration = Duration::from_millis(500);

/// The time for which the list of a VPC is kept after somebody asked for it.
const KEPT: Duration = Duration::from_mins(1);

/// A list of one kind.
pub(super) struct List<T>(pub Vec<Arc<T>>);

impl<T: Entry> Shareable for List<T> {
    fn holds(&self) -> Duration {
        if self.0.iter().any(|entry| entry.is_changing()) { IN_TRANSITION } else { MOMENT }
    }
}

/// The lists of one kind: of the region, for platforms at rest, and of each VPC that somebody reads anew.
pub(super) struct Lists<T> {
    region: SharedRead<List<T>>,
    vpcs: ByVpc<List<T>>,
    /// The resources of all platforms in the region, for those that have not written for a while.
    platforms: SharedRead<List<T>>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self { region: SharedRead::default(), vpcs: ByVpc::new(KEPT), platforms: SharedRead::default() }
    }
}

impl<T: Entry> Lists<T> {
    /// Drops what is known of this VPC: something in it was written, or may have been.
    pub(super) fn forget(&self, vpc_id: &str) {
        self.region.forget();
        if let Some(known) = self.vpcs.known(vpc_id) {
            known.forget();
        }
    }

    /// Everything in the region, which all platforms share for a while.
    async fn of_region(&self, ec2: &Ec2, covered: Duration) -> Result<Arc<List<T>>, Error> {
        let (client, region) = (ec2.client.clone(), ec2.region.clone());
        let read = || async move { listed(&client, &region, Vec::new()).await };
        self.region.get_within(snapshots::age(ec2.shared_for, covered), read).await
    }

    /// Everything in a VPC, which all platforms in it share: read from now on, or a moment ago at most.
    pub(super) async fn of_vpc(&self, ec2: &Ec2, vpc_id: &str, from_now: bool) -> Result<Arc<List<T>>, Error> {
        let (client, id) = (ec2.client.clone(), vpc_id.to_string());
        let read = || async move { listed(&client, &id, vec![filter("vpc-id", [&id])]).await };
        let shared = self.vpcs.of(vpc_id);
        if from_now { shared.get_fresh(read).await } else { shared.get(read).await }
    }

    /// The entries from which these requests are answered. Where a platform's own resources are to be found wherever they
    /// are, they are read by their owner: those that are to go, and those that are not in the desired VPC, which this
    /// platform or an earlier one of its name may have made in another.
    pub(super) async fn for_requests(
        &self,
        ec2: &Ec2,
        scope: &Scope,
        requests: &[&Request],
        freshness: Freshness,
        is_it: impl Fn(&Request, &T) -> bool,
    ) -> Result<BTreeMap<String, Arc<T>>, Error> {
        let by_id = |list: &List<T>| -> BTreeMap<String, Arc<T>> {
            list.0.iter().map(|entry| (entry.id().to_string(), Arc::clone(entry))).collect()
        };
        if requests.is_empty() {
            return Ok(BTreeMap::new());
        }
        if let Some(covered) = freshness.covered() {
            return Ok(by_id(&*self.of_region(ec2, covered).await?));
        }
        let vpc_of = |request: &Request| request.vpc_id.clone().filter(|_| !request.pruning);
        let vpcs: BTreeSet<String> = requests.iter().filter_map(|request| vpc_of(request)).collect();
        let from_now = freshness == Freshness::Current;
        let lists = vpcs.iter().map(|vpc_id| self.of_vpc(ec2, vpc_id, from_now));
        let mut found = BTreeMap::new();
        for list in join_all(lists).await {
            found.extend(by_id(&*list?));
        }
        let is_ours = |entry: &T| Owner::of(entry.tags(), &scope.owner) == Owner::Ours;
        let is_missing = |request: &Request| {
            let was_made = ec2.made.get(&(scope.owner.clone(), request.key.clone())).is_some();
            let is_found = found.values().any(|entry| is_it(request, entry) && is_ours(entry) && !entry.is_gone());
            !was_made && !is_found
        };
        if requests.iter().any(|request| vpc_of(request).is_none()) {
            found.extend(by_id(&self.of_owner(ec2, scope).await?));
        } else if requests.iter().any(|request| is_missing(request)) {
            found.extend(by_id(&*self.of_owner_before(ec2, scope).await?));
        }
        Ok(found)
    }

    /// Everything that belongs to the platform, wherever it is.
    async fn of_owner(&self, ec2: &Ec2, scope: &Scope) -> Result<List<T>, Error> {
        let owned = filter(&format!("tag:{}", tags::OWNER), [literal(&scope.owner)]);
        listed(&ec2.client, &scope.owner, vec![owned]).await
    }

    /// Everything that belonged to the platform before its latest writes, wherever it is. Platforms that have written
    /// nothing for a while share one list, which nobody's writes make out of date for them.
    async fn of_owner_before(&self, ec2: &Ec2, scope: &Scope) -> Result<Arc<List<T>>, Error> {
        if ec2.written.get(&scope.owner).is_some() {
            return self.of_owner(ec2, scope).await.map(Arc::new);
        }
        let (client, region) = (ec2.client.clone(), ec2.region.clone());
        let read = || async move { listed(&client, &region, vec![filter("tag-key", [tags::OWNER])]).await };
        self.platforms.get_within(MOMENT, read).await
    }
}

async fn listed<T: Entry>(client: &Client, subject: &str, filters: Vec<types::Filter>) -> Result<List<T>, Error> {
    Ok(List(T::list(client, subject, filters).await?.into_iter().map(Arc::new).collect()))
}

/// The state of a VPC endpoint: `VpcEndpoint`, Amazon EC2 API reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Available,
    Pending,
    PendingAcceptance,
    Partial,
    Failed,
    Rejected,
    Expired,
    Deleting,
    Deleted,
    Unknown,
}

impl State {
    /// The documentation writes states with a capital letter, and EC2 most of them without.
    pub(super) fn of(endpoint: &types::VpcEndpoint) -> Self {
        match state_name(endpoint).to_lowercase().as_str() {
            "available" => Self::Available,
            "pending" => Self::Pending,
            "pendingacceptance" => Self::PendingAcceptance,
            "partial" => Self::Partial,
            "failed" => Self::Failed,
            "rejected" => Self::Rejected,
            "expired" => Self::Expired,
            "deleting" => Self::Deleting,
            "deleted" => Self::Deleted,
            _ => Self::Unknown,
        }
    }
}

/// The state in EC2's words.
pub(super) fn state_name(endpoint: &types::VpcEndpoint) -> &str {
    endpoint.state.as_ref().map_or("", types::State::as_str)
}

/// The state in EC2's words, with the error that led there.
pub(super) fn state_text(endpoint: &types::VpcEndpoint) -> String {
    let state = state_name(endpoint);
    let error = endpoint.last_error.as_ref().map(|error| {
        let parts = [error.code.as_deref(), error.message.as_deref()];
        parts.into_iter().flatten().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": ")
    });
    let error = error.filter(|text| !text.is_empty()).or_else(|| endpoint.failure_reason.clone());
    error.map_or_else(|| format!("state {state}"), |error| format!("state {state} ({error})"))
}

/// The type, if it is one that the operator knows.
pub(super) fn endpoint_type(endpoint: &types::VpcEndpoint) -> Option<EndpointType> {
    match endpoint.vpc_endpoint_type {
        Some(types::VpcEndpointType::Interface) => Some(EndpointType::Interface),
        Some(types::VpcEndpointType::Gateway) => Some(EndpointType::Gateway),
        _ => None,
    }
}

pub(super) fn endpoint_tags(endpoint: &types::VpcEndpoint) -> Tags {
    from_sdk(endpoint.tags())
}

pub(super) fn group_tags(group: &types::SecurityGroup) -> Tags {
    from_sdk(group.tags())
}

impl Ec2 {
    /// The endpoint of this id as it is now, with whose it is; `None` where there is none.
    pub(super) async fn endpoint_now(
        &self,
        scope: &Scope,
        id: &str,
    ) -> Result<Option<(types::VpcEndpoint, Owner)>, Error> {
        let found: Vec<types::VpcEndpoint> = endpoints(&self.client, id, vec![filter("vpc-endpoint-id", [id])]).await?;
        Ok(found.into_iter().next().map(|endpoint| {
            let owner = Owner::of(&endpoint_tags(&endpoint), &scope.owner);
            (endpoint, owner)
        }))
    }

    /// The group of this id as it is now, with whose it is; `None` where there is none.
    pub(super) async fn group_now(
        &self,
        scope: &Scope,
        id: &str,
    ) -> Result<Option<(types::SecurityGroup, Owner)>, Error> {
        let found: Vec<types::SecurityGroup> = groups(&self.client, id, vec![filter("group-id", [id])]).await?;
        Ok(found.into_iter().next().map(|group| {
            let owner = Owner::of(&group_tags(&group), &scope.owner);
            (group, owner)
        }))
    }
}

/// VPC endpoints that pass filters. By filter and not by id: an id that does not exist is an error of the whole call.
pub(super) async fn endpoints<T: From<types::VpcEndpoint>>(
    client: &Client,
    subject: &str,
    filters: Vec<types::Filter>,
) -> Result<Vec<T>, Error> {
    let filters = (!filters.is_empty()).then_some(filters);
    let mut pages =
        client.describe_vpc_endpoints().set_filters(filters).into_paginator().page_size(PAGE).items().send();
    let mut all = Vec::new();
    while let Some(found) = pages.next().await {
        all.push(found.map_err(|error| refused(action::DESCRIBE, subject, &error))?.into());
    }
    Ok(all)
}

/// Security groups that pass filters.
pub(super) async fn groups<T: From<types::SecurityGroup>>(
    client: &Client,
    subject: &str,
    filters: Vec<types::Filter>,
) -> Result<Vec<T>, Error> {
    let filters = (!filters.is_empty()).then_some(filters);
    let mut pages =
        client.describe_security_groups().set_filters(filters).into_paginator().page_size(PAGE).items().send();
    let mut all = Vec::new();
    while let Some(found) = pages.next().await {
        all.push(found.map_err(|error| refused(group_action::DESCRIBE, subject, &error))?.into());
    }
    Ok(all)
}

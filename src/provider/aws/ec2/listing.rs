//! The lists of a region: all VPC endpoints and all security groups, and single ones read anew before they are written.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types;

use super::super::snapshots::{MOMENT, Shareable};
use super::refusal::refused;
use super::{Ec2, filter, from_sdk};
use crate::failure::Error;
use crate::features::network::security_group::action as group_action;
use crate::features::network::vpc_endpoint::{EndpointType, action};
use crate::resource::{Freshness, Owner};
use crate::scope::Scope;
use crate::tags::Tags;

/// Items of a page, the most that EC2 gives: `DescribeVpcEndpoints` and `DescribeSecurityGroups`, Amazon EC2 API
/// reference.
const PAGE: i32 = 1000;

/// The time for which a list is shared that is about to change by itself: whoever waits for that sees it soon.
const IN_TRANSITION: Duration = Duration::from_millis(500);

/// All VPC endpoints of a region.
pub(super) struct Endpoints(pub Vec<types::VpcEndpoint>);

/// All security groups of a region.
pub(super) struct Groups(pub Vec<types::SecurityGroup>);

impl Shareable for Endpoints {
    fn holds(&self) -> Duration {
        let changes = |endpoint| matches!(State::of(endpoint), State::Pending | State::Deleting);
        if self.0.iter().any(changes) { IN_TRANSITION } else { MOMENT }
    }
}

impl Shareable for Groups {
    fn holds(&self) -> Duration {
        MOMENT
    }
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
    pub(super) async fn all_endpoints(&self, freshness: Freshness) -> Result<Arc<Endpoints>, Error> {
        let (client, region) = (self.client.clone(), self.region.clone());
        let read = || async move { Ok(Endpoints(endpoints(&client, &region, Vec::new()).await?)) };
        match freshness {
            Freshness::Current => self.endpoints.get_fresh(read).await,
            Freshness::InTransition => self.endpoints.get(read).await,
            Freshness::Shared => self.endpoints.get_within(self.shared_for, read).await,
        }
    }

    pub(super) async fn all_groups(&self, freshness: Freshness) -> Result<Arc<Groups>, Error> {
        let (client, region) = (self.client.clone(), self.region.clone());
        let read = || async move { Ok(Groups(groups(&client, &region, Vec::new()).await?)) };
        match freshness {
            Freshness::Current => self.groups.get_fresh(read).await,
            Freshness::InTransition => self.groups.get(read).await,
            Freshness::Shared => self.groups.get_within(self.shared_for, read).await,
        }
    }

    /// The endpoint of this id as it is now, with whose it is; `None` where there is none.
    pub(super) async fn endpoint_now(
        &self,
        scope: &Scope,
        id: &str,
    ) -> Result<Option<(types::VpcEndpoint, Owner)>, Error> {
        let found = endpoints(&self.client, id, vec![filter("vpc-endpoint-id", [id])]).await?;
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
        let found = groups(&self.client, id, vec![filter("group-id", [id])]).await?;
        Ok(found.into_iter().next().map(|group| {
            let owner = Owner::of(&group_tags(&group), &scope.owner);
            (group, owner)
        }))
    }
}

/// VPC endpoints that pass filters. By filter and not by id: an id that does not exist is an error of the whole call.
pub(super) async fn endpoints(
    client: &Client,
    subject: &str,
    filters: Vec<types::Filter>,
) -> Result<Vec<types::VpcEndpoint>, Error> {
    let filters = (!filters.is_empty()).then_some(filters);
    let pages = client.describe_vpc_endpoints().set_filters(filters).into_paginator().page_size(PAGE).items().send();
    let all: Result<Vec<_>, _> = pages.collect().await;
    all.map_err(|error| refused(action::DESCRIBE, subject, &error))
}

/// Security groups that pass filters.
pub(super) async fn groups(
    client: &Client,
    subject: &str,
    filters: Vec<types::Filter>,
) -> Result<Vec<types::SecurityGroup>, Error> {
    let filters = (!filters.is_empty()).then_some(filters);
    let pages = client.describe_security_groups().set_filters(filters).into_paginator().page_size(PAGE).items().send();
    let all: Result<Vec<_>, _> = pages.collect().await;
    all.map_err(|error| refused(group_action::DESCRIBE, subject, &error))
}

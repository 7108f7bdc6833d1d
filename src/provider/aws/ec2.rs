//! Amazon EC2: VPC endpoints and security groups, and what a network is made of.

mod by_vpc;
mod changes;
mod endpoint;
mod entries;
mod group;
mod listing;
mod network;
mod observe;
mod refusal;
mod rules;
mod token;

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use scopeguard::guard;

use super::recent::Recent;
use super::requests::Measured;
use super::snapshots::{MOMENT, SharedRead};
use crate::failure::Error;
use crate::failures::Failures;
use crate::outcome::Applied;
use crate::plan::{Action, Step};
use crate::resource::{Key, Resource};
use crate::scope::Scope;
use crate::tags::Tags;
use by_vpc::ByVpc;
use entries::{EndpointEntry, GroupEntry};
use listing::{List, Lists};
use network::{Parts as NetworkParts, Services, VPC_KEPT, VpcAnswer};
use token::ClientToken;

/// The time within which EC2 lists what was made, unless somebody has taken it away since.
const LISTED_WITHIN: Duration = Duration::from_secs(15);

/// The time for which a platform that wrote reads what belongs to it by itself: no shared list that is used was begun
/// before EC2 lists what was made.
const READS_ALONE: Duration = LISTED_WITHIN.saturating_add(MOMENT);

/// The time within which the private DNS name of an endpoint that is gone is free again.
const NAME_FREE_WITHIN: Duration = Duration::from_mins(2);

/// The time for which a refused client token is remembered, longer than it is of use.
const TOKEN_REMEMBERED: Duration = Duration::from_mins(10);

/// EC2 in one region, as one account sees it: all platforms there share what is read.
pub(super) struct Ec2 {
    client: Client,
    region: String,
    /// The time for which lists are shared by platforms at rest.
    shared_for: Duration,
    endpoints: Lists<EndpointEntry>,
    groups: Lists<GroupEntry>,
    /// Lists of a VPC that endpoints were made after, a moment ago.
    listed: Recent<String, Arc<List<EndpointEntry>>>,
    services: SharedRead<Services>,
    /// By id.
    vpcs: ByVpc<VpcAnswer>,
    /// Subnets and route tables, by the id of their VPC.
    parts: ByVpc<NetworkParts>,
    /// Resources that were made and may not be listed yet, by owner and key: its id, and what was asked for.
    made: Recent<(String, Key), (String, Resource)>,
    /// Owners of what was written, or may have been.
    written: Recent<String, ()>,
    /// The VPCs and services of endpoints of ours that were seen on their way out.
    ended: Recent<(String, String), ()>,
    /// The time at which a token was first refused because of other parameters.
    refused_tokens: Recent<ClientToken, Instant>,
}

/// Something that a call writes, with the id of its VPC.
#[derive(Clone, Copy)]
enum Written<'a> {
    Endpoint(&'a str),
    Group(&'a str),
}

impl Ec2 {
    pub(super) fn new(config: &SdkConfig, measured: Measured, shared_for: Duration) -> Self {
        let measuring = aws_sdk_ec2::config::Builder::from(config).interceptor(measured).build();
        Self {
            client: Client::from_conf(measuring),
            region: config.region().map(ToString::to_string).unwrap_or_default(),
            shared_for,
            endpoints: Lists::default(),
            groups: Lists::default(),
            listed: Recent::new(MOMENT),
            services: SharedRead::default(),
            vpcs: ByVpc::new(VPC_KEPT),
            parts: ByVpc::new(VPC_KEPT),
            made: Recent::new(LISTED_WITHIN),
            written: Recent::new(READS_ALONE),
            ended: Recent::new(NAME_FREE_WITHIN),
            refused_tokens: Recent::new(TOKEN_REMEMBERED),
        }
    }

    pub(super) async fn apply(&self, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
        let _written = guard((), |()| self.written.put(scope.owner.clone(), ()));
        self.written.put(scope.owner.clone(), ());
        match (&step.action, &step.desired, &step.observed) {
            (Action::Create, Some(Resource::SecurityGroup(desired)), _) => {
                self.create_group(scope, step, desired).await
            }
            (Action::Update(changes), Some(Resource::SecurityGroup(desired)), _) => {
                self.update_group(scope, step, desired, changes).await
            }
            (Action::Delete { .. }, _, Some(Resource::SecurityGroup(_))) => Ok(self.delete_group(scope, step).await?),
            (Action::Create, Some(Resource::VpcEndpoint(desired)), _) => {
                Ok(self.create_endpoint(scope, step, desired).await?)
            }
            (Action::Update(changes), Some(Resource::VpcEndpoint(desired)), _) => {
                self.update_endpoint(scope, step, desired, changes).await
            }
            (Action::Delete { .. }, _, Some(Resource::VpcEndpoint(_))) => Ok(self.delete_endpoint(scope, step).await?),
            _ => Err(Error::unknown_step(step).into()),
        }
    }

    /// A call that writes: whoever reads after it has ended, or was given up, reads anew.
    async fn write<T>(&self, written: Written<'_>, call: impl Future<Output = T>) -> T {
        let _forget = guard((), |()| match written {
            Written::Endpoint(vpc_id) => self.endpoints.forget(vpc_id),
            Written::Group(vpc_id) => self.groups.forget(vpc_id),
        });
        call.await
    }

    async fn put_tags(
        &self,
        (tag, untag): (&str, &str),
        (written, id, subject): (Written<'_>, &str, &str),
        desired: &Tags,
        observed: &Tags,
    ) -> Result<(), Error> {
        let stale: Vec<Tag> =
            crate::tags::stale(desired, observed).into_iter().map(|key| Tag::builder().key(key).build()).collect();
        if !stale.is_empty() {
            let call = self.client.delete_tags().resources(id).set_tags(Some(stale));
            self.write(written, call.send()).await.map_err(|error| refusal::not_written(untag, subject, &error))?;
        }
        let changed = crate::tags::changed(desired, observed);
        if !changed.is_empty() {
            let call = self.client.create_tags().resources(id).set_tags(Some(to_sdk(&changed)));
            self.write(written, call.send()).await.map_err(|error| refusal::not_written(tag, subject, &error))?;
        }
        Ok(())
    }
}

/// The id of what a step is about, which was observed.
fn id_of(step: &Step) -> Result<&str, Error> {
    let bug = || Error::bug(step.action.name(), &step.key.to_string(), "its id is not known");
    step.id.as_deref().ok_or_else(bug)
}

fn filter(name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Filter {
    let values = values.into_iter().map(Into::into).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

/// The value of a filter that means itself: wildcards stand for more.
fn literal(value: &str) -> String {
    value.chars().flat_map(|c| ['*', '?', '\\'].contains(&c).then_some('\\').into_iter().chain([c])).collect()
}

fn to_sdk(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

fn from_sdk(tags: &[Tag]) -> Tags {
    tags.iter().filter_map(|tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()))).collect()
}

/// Tags in the call that makes something.
fn tagged(resource_type: ResourceType, tags: &Tags) -> TagSpecification {
    TagSpecification::builder().resource_type(resource_type).set_tags(Some(to_sdk(tags))).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_means_itself() {
        assert_eq!(literal("prod/ml/assistant"), "prod/ml/assistant");
        assert_eq!(literal(r"a*b?c\d"), r"a\*b\?c\\d");
    }
}

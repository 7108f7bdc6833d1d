//! The entries of the lists of a region or of a VPC: of each resource what observations are made of, and nothing else.

use std::collections::BTreeSet;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types;
use aws_smithy_types::DateTime;

use super::from_sdk;
use super::listing::{State, endpoint_type, endpoints, groups, state_text};
use super::rules::flattened;
use crate::failure::Error;
use crate::features::network::security_group::IngressRule;
use crate::features::network::vpc_endpoint::EndpointType;
use crate::tags::{self, Tags};

/// An entry of a list.
pub(super) trait Entry: Sized + Send + Sync + 'static {
    /// Everything of this kind that passes the filters.
    fn list(
        client: &Client,
        subject: &str,
        filters: Vec<types::Filter>,
    ) -> impl Future<Output = Result<Vec<Self>, Error>> + Send;

    /// The id, which AWS chose.
    fn id(&self) -> &str;

    /// The tags, of what belongs to a platform.
    fn tags(&self) -> &Tags;

    /// True while it is about to change by itself.
    fn is_changing(&self) -> bool;

    /// True where it is not there any more and listed still.
    fn is_gone(&self) -> bool;
}

/// A VPC endpoint in a list.
pub(super) struct EndpointEntry {
    pub(super) id: String,
    pub(super) vpc_id: String,
    pub(super) service_name: String,
    /// The type, if it is one that the operator knows.
    pub(super) endpoint_type: Option<EndpointType>,
    pub(super) state: State,
    pub(super) state_text: String,
    pub(super) created: Option<DateTime>,
    pub(super) subnet_ids: BTreeSet<String>,
    pub(super) route_table_ids: BTreeSet<String>,
    pub(super) group_ids: Vec<String>,
    pub(super) private_dns: bool,
    pub(super) dns_names: Vec<String>,
    /// The policy, of what belongs to a platform.
    pub(super) policy: Option<String>,
    /// All tags, of what belongs to a platform.
    pub(super) tags: Tags,
}

impl From<types::VpcEndpoint> for EndpointEntry {
    fn from(found: types::VpcEndpoint) -> Self {
        let (state, state_text, endpoint_type) = (State::of(&found), state_text(&found), endpoint_type(&found));
        let tags = of_a_platform(from_sdk(found.tags()));
        Self {
            state,
            state_text,
            endpoint_type,
            created: found.creation_timestamp,
            group_ids: found.groups().iter().filter_map(|group| group.group_id.clone()).collect(),
            dns_names: found.dns_entries().iter().filter_map(|entry| entry.dns_name.clone()).collect(),
            private_dns: found.private_dns_enabled.unwrap_or_default(),
            policy: found.policy_document.filter(|text| !text.is_empty() && !tags.is_empty()),
            tags,
            id: found.vpc_endpoint_id.unwrap_or_default(),
            vpc_id: found.vpc_id.unwrap_or_default(),
            service_name: found.service_name.unwrap_or_default(),
            subnet_ids: found.subnet_ids.into_iter().flatten().collect(),
            route_table_ids: found.route_table_ids.into_iter().flatten().collect(),
        }
    }
}

impl Entry for EndpointEntry {
    fn list(
        client: &Client,
        subject: &str,
        filters: Vec<types::Filter>,
    ) -> impl Future<Output = Result<Vec<Self>, Error>> + Send {
        endpoints(client, subject, filters)
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn is_changing(&self) -> bool {
        matches!(self.state, State::Pending | State::Deleting)
    }

    fn is_gone(&self) -> bool {
        self.state == State::Deleted
    }
}

/// A security group in a list.
pub(super) struct GroupEntry {
    pub(super) id: String,
    pub(super) vpc_id: String,
    pub(super) name: String,
    pub(super) description: String,
    /// The ingress rules, of what belongs to a platform.
    pub(super) ingress: BTreeSet<IngressRule>,
    /// All tags, of what belongs to a platform.
    pub(super) tags: Tags,
}

impl From<types::SecurityGroup> for GroupEntry {
    fn from(found: types::SecurityGroup) -> Self {
        let tags = of_a_platform(from_sdk(found.tags()));
        let permissions = if tags.is_empty() { &[] } else { found.ip_permissions() };
        Self {
            ingress: flattened(permissions).into_iter().map(|(rule, _)| rule).collect(),
            tags,
            id: found.group_id.unwrap_or_default(),
            vpc_id: found.vpc_id.unwrap_or_default(),
            name: found.group_name.unwrap_or_default(),
            description: found.description.unwrap_or_default(),
        }
    }
}

impl Entry for GroupEntry {
    fn list(
        client: &Client,
        subject: &str,
        filters: Vec<types::Filter>,
    ) -> impl Future<Output = Result<Vec<Self>, Error>> + Send {
        groups(client, subject, filters)
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn is_changing(&self) -> bool {
        false
    }

    fn is_gone(&self) -> bool {
        false
    }
}

/// The tags of what belongs to any platform. Those of the rest say nothing that the operator uses.
fn of_a_platform(found: Tags) -> Tags {
    if found.contains_key(tags::OWNER) { found } else { Tags::new() }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{IpPermission, IpRange, SecurityGroup, Tag, VpcEndpoint};

    use super::*;

    #[test]
    fn of_what_belongs_to_no_platform_only_that_is_kept_by_which_it_can_be_in_the_way() {
        let tag = |key: &str| Tag::builder().key(key).value("x").build();
        let endpoint =
            |key: &str| VpcEndpoint::builder().vpc_endpoint_id("vpce-1").policy_document("{}").tags(tag(key));
        let rule = IpPermission::builder().ip_protocol("-1").ip_ranges(IpRange::builder().cidr_ip("::/0").build());
        let group = |key: &str| SecurityGroup::builder().ip_permissions(rule.clone().build()).tags(tag(key)).build();
        for (key, kept) in [(tags::OWNER, 1), ("Name", 0)] {
            let endpoint = EndpointEntry::from(endpoint(key).build());
            assert_eq!(
                (endpoint.id.as_str(), endpoint.tags.len(), endpoint.policy.iter().count()),
                ("vpce-1", kept, kept)
            );
            let group = GroupEntry::from(group(key));
            assert_eq!((group.tags.len(), group.ingress.len()), (kept, kept), "{key}");
        }
    }
}

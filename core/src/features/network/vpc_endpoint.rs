//! A VPC endpoint: a private path from a VPC to one service of AWS.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use crate::api::network::OnConflict;
use crate::drift_events::naming::{RecordedCalls, with_ids};
use crate::grants::nothing_allowed;
use crate::kind::{
    Audited, Backend, BeforeDeletion, Busy, Creation, DELETION_POLICY, Identity, Info, MakesRole, Managed, Nothing,
    OwnedBy, Part, Reads, Reliance, Service,
};
use crate::operator_policy::{Condition, Permission, ResourcePattern};
use crate::policy::{Policy, document};
use crate::resource::reference::Reference;
use crate::resource::{Key, Kind, Owner, Removal, TAGS};
use crate::tags::Tags;

/// The names of the fields that are written by calls of their own, as they stand in diffs.
pub mod field {
    /// Tags.
    pub const TAGS: &str = "tags";
    /// Subnets.
    pub const SUBNETS: &str = "subnetIds";
    /// Route tables.
    pub const ROUTE_TABLES: &str = "routeTableIds";
    /// Security groups.
    pub const GROUPS: &str = "securityGroupIds";
    /// Private DNS.
    pub const PRIVATE_DNS: &str = "privateDns";
    /// The policy.
    pub const POLICY: &str = "policies";
}

/// The IAM actions behind the calls for VPC endpoints.
pub mod action {
    /// `DescribeVpcEndpoints`.
    pub const DESCRIBE: &str = "ec2:DescribeVpcEndpoints";
    /// `DescribeVpcEndpointServices`.
    pub const DESCRIBE_SERVICES: &str = "ec2:DescribeVpcEndpointServices";
    /// `DescribeVpcs`.
    pub const DESCRIBE_VPCS: &str = "ec2:DescribeVpcs";
    /// `DescribeVpcAttribute`.
    pub const DESCRIBE_VPC_ATTRIBUTE: &str = "ec2:DescribeVpcAttribute";
    /// `DescribeSubnets`.
    pub const DESCRIBE_SUBNETS: &str = "ec2:DescribeSubnets";
    /// `DescribeRouteTables`.
    pub const DESCRIBE_ROUTE_TABLES: &str = "ec2:DescribeRouteTables";
    /// `CreateVpcEndpoint`.
    pub const CREATE: &str = "ec2:CreateVpcEndpoint";
    /// `ModifyVpcEndpoint`.
    pub const MODIFY: &str = "ec2:ModifyVpcEndpoint";
    /// `DeleteVpcEndpoints`.
    pub const DELETE: &str = "ec2:DeleteVpcEndpoints";
    /// `CreateTags`, and tags in the call that makes something.
    pub const TAG: &str = "ec2:CreateTags";
    /// `DeleteTags`.
    pub const UNTAG: &str = "ec2:DeleteTags";
    /// Private DNS is a hosted zone of Amazon Route 53 that is associated with the VPC.
    pub const ASSOCIATE_ZONE: &str = "route53:AssociateVPCWithHostedZone";
}

/// The characters that the policy of an endpoint may have, white space among them: "AWS PrivateLink quotas".
pub const POLICY_LIMIT: usize = 20_480;

/// The name of the only policy of an endpoint.
pub const POLICY: &str = "policy";

/// The type of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum EndpointType {
    /// A network interface in each subnet, billed by the hour.
    Interface,
    /// A route in each route table, free of charge.
    Gateway,
}

impl EndpointType {
    /// The name in EC2.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Interface => "Interface",
            Self::Gateway => "Gateway",
        }
    }
}

/// The services whose endpoints are gateways unless something else is said: "Gateway endpoints", AWS PrivateLink guide.
pub const USUALLY_GATEWAYS: [&str; 3] = ["s3", "dynamodb", "s3express"];

/// The end of the names of interface endpoints for services that usually have gateways.
const INTERFACE: &str = "-interface";

/// The name of an endpoint. An interface endpoint for a service that usually has a gateway has a name of its own.
#[must_use]
pub fn endpoint_name(service: &str, endpoint_type: EndpointType) -> String {
    match endpoint_type {
        EndpointType::Interface if USUALLY_GATEWAYS.contains(&service) => format!("{service}{INTERFACE}"),
        EndpointType::Interface | EndpointType::Gateway => service.into(),
    }
}

/// The service and the type of the endpoint that has this name; no type where one of either type would have it.
#[must_use]
pub fn parse_endpoint_name(name: &str) -> (&str, Option<EndpointType>) {
    match name.strip_suffix(INTERFACE).filter(|service| USUALLY_GATEWAYS.contains(service)) {
        Some(service) => (service, Some(EndpointType::Interface)),
        None if USUALLY_GATEWAYS.contains(&name) => (name, Some(EndpointType::Gateway)),
        None => (name, None),
    }
}

/// A VPC endpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VpcEndpoint {
    /// Its name: that of the service, such as `bedrock-runtime`.
    pub name: String,
    /// The full name of the service, such as `com.amazonaws.eu-west-1.bedrock-runtime`.
    pub service_name: String,
    /// The type.
    pub endpoint_type: EndpointType,
    /// The VPC.
    pub vpc_id: String,
    /// Subnets of an interface endpoint, one in each zone.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub subnet_ids: BTreeSet<String>,
    /// Route tables of a gateway endpoint.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub route_table_ids: BTreeSet<String>,
    /// Security groups of an interface endpoint.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub security_group_ids: Vec<Reference>,
    /// True when the service's own DNS name leads to an interface endpoint.
    pub private_dns: bool,
    /// The policy under [`POLICY`]. Absent where the service takes none; without an entry where nothing is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<BTreeMap<String, Policy>>,
    /// Tags that are ours.
    pub tags: Tags,
    /// The way out of a conflict with an endpoint of somebody else. Not a field of the endpoint in AWS.
    #[serde(skip)]
    pub on_conflict: OnConflict,
}

impl VpcEndpoint {
    /// The policy document to write: one that allows nothing where nothing is left to allow, because an endpoint without
    /// a policy of its own allows everything.
    #[must_use]
    pub fn document(&self) -> Option<Value> {
        let policies = self.policies.as_ref()?;
        Some(policies.get(POLICY).map_or_else(|| document(&[nothing_allowed()]), Policy::as_written))
    }
}

/// Facts about an endpoint besides its fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndpointFacts {
    /// Its DNS names, the regional one first.
    pub dns_names: Vec<String>,
    /// Endpoints of others for the same service, in the VPC in which it is desired.
    pub others: Vec<OtherEndpoint>,
    /// True when it failed, so that EC2 can only delete it.
    pub has_failed: bool,
}

/// An endpoint of somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherEndpoint {
    /// Its id.
    pub id: String,
    /// Its type.
    pub endpoint_type: EndpointType,
    /// Its VPC.
    pub vpc_id: String,
    /// True when it holds the service's private DNS name.
    pub private_dns: bool,
    /// Its route tables.
    pub route_table_ids: BTreeSet<String>,
    /// Its DNS names, the regional one first.
    pub dns_names: Vec<String>,
    /// True when it can be used.
    pub is_available: bool,
    /// Its owner, as far as its tags say.
    pub owner: Owner,
}

impl Managed for VpcEndpoint {
    const INFO: Info = Info {
        name: "VpcEndpoint",
        noun: "VPC endpoint",
        part: Part::Network,
        backend: Backend::Aws(Service::Ec2),
        identity: Identity::AssignedByAws,
        owned_by: OwnedBy::Tag,
        adopted_by: Some("spec.network.endpoints.onConflict: Adopt"),
        busy: Busy::RefusesWrites,
        creation: Creation::ReadFirst,
        before_deletion: BeforeDeletion::Read,
        leaves: &[],
        reads: Reads::Resync,
        rests_on_events: false,
        removal: Removal::WhenEmpty,
        has_deletion_policy: false,
        kept_because: DELETION_POLICY,
        refers_to: &[Kind::SecurityGroup],
        relied_on: Reliance::AllBut(&[TAGS]),
        makes_role: MakesRole::No,
        audited: Audited::Everything,
        arns: Some("arn:aws:ec2:*:*:vpc-endpoint/*"),
        permissions: &[
            Permission {
                sid: "FindVpcEndpoints",
                actions: &[
                    action::DESCRIBE,
                    action::DESCRIBE_SERVICES,
                    action::DESCRIBE_VPCS,
                    action::DESCRIBE_SUBNETS,
                    action::DESCRIBE_ROUTE_TABLES,
                ],
                resources: &[ResourcePattern::AnyOf(Kind::VpcEndpoint)],
                conditions: &[],
                reason: "sees which VPC endpoints there are, whose they are, and whether the network can have more",
            },
            Permission {
                sid: "ReadVpcs",
                actions: &[action::DESCRIBE_VPC_ATTRIBUTE],
                resources: &[ResourcePattern::Vpc],
                conditions: &[],
                reason: "private DNS of endpoints needs two attributes of the VPC",
            },
            Permission {
                sid: "MakeVpcEndpoints",
                actions: &[action::CREATE],
                resources: &[ResourcePattern::Kind(Kind::VpcEndpoint)],
                conditions: &[Condition::RequestTag],
                reason: "makes VPC endpoints, never without the tag that says whose they are",
            },
            Permission {
                sid: "PutVpcEndpointsIntoNetworks",
                actions: &[action::CREATE, action::MODIFY],
                resources: &[
                    ResourcePattern::Vpc,
                    ResourcePattern::Subnet,
                    ResourcePattern::RouteTable,
                    ResourcePattern::EndpointGroup,
                    ResourcePattern::Kind(Kind::SecurityGroup),
                ],
                conditions: &[],
                reason: "an endpoint is in a VPC, in its subnets or route tables, with security groups",
            },
            Permission {
                sid: "NamePrivateDns",
                actions: &[action::ASSOCIATE_ZONE],
                resources: &[ResourcePattern::HostedZone],
                conditions: &[],
                reason: "private DNS of an endpoint is a hosted zone that EC2 associates with the VPC",
            },
            Permission {
                sid: "TagNewVpcEndpoints",
                actions: &[action::TAG],
                resources: &[ResourcePattern::Kind(Kind::VpcEndpoint)],
                conditions: &[Condition::RequestTag, Condition::CreatedBy(&["CreateVpcEndpoint"])],
                reason: "tags a VPC endpoint in the call that makes it",
            },
            Permission {
                sid: "ChangeOwnVpcEndpoints",
                actions: &[action::MODIFY, action::TAG, action::UNTAG, action::DELETE],
                resources: &[ResourcePattern::Kind(Kind::VpcEndpoint)],
                conditions: &[Condition::ResourceTag, Condition::RequestTagIfExists],
                reason: "puts back what drifts and takes VPC endpoints away, only those with our tag",
            },
        ],
        changed_by: &[
            RecordedCalls {
                names: &["DeleteVpcEndpoints", "ModifyVpcEndpoint"],
                about: |parameters| with_ids(parameters, "vpcEndpointId"),
            },
            RecordedCalls {
                names: &["CreateTags", "DeleteTags"],
                about: |parameters| with_ids(parameters, "resourceId"),
            },
        ],
    };
    type Write = Nothing;
    type Facts = EndpointFacts;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn needs(&self) -> Vec<Key> {
        self.security_group_ids.iter().filter_map(|group| group.key.clone()).collect()
    }

    fn field_needs(&self) -> Vec<(&'static str, Key)> {
        self.needs().into_iter().map(|key| (field::GROUPS, key)).collect()
    }

    /// The service, the type and the VPC cannot be changed. Lists are sets, and the policy is compared by its meaning.
    fn comparable(&self) -> Value {
        let set = |ids: &BTreeSet<String>| -> Value { ids.iter().map(|id| (id.clone(), json!(true))).collect() };
        let groups: BTreeSet<String> = self.security_group_ids.iter().map(|group| group.text().into()).collect();
        let mut fields = json!({"tags": self.tags});
        match self.endpoint_type {
            EndpointType::Interface => {
                fields[field::SUBNETS] = set(&self.subnet_ids);
                fields[field::GROUPS] = set(&groups);
                fields[field::PRIVATE_DNS] = json!(self.private_dns);
            }
            EndpointType::Gateway => fields[field::ROUTE_TABLES] = set(&self.route_table_ids),
        }
        if let Some(document) = self.document() {
            fields[field::POLICY] = json!({POLICY: Policy::new(&document).meaning()});
        }
        fields
    }

    fn tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }

    fn policies(&self) -> Option<&BTreeMap<String, Policy>> {
        self.policies.as_ref()
    }

    fn policies_mut(&mut self) -> Option<&mut BTreeMap<String, Policy>> {
        self.policies.as_mut()
    }

    fn vpc_id(&self) -> Option<&str> {
        Some(&self.vpc_id)
    }

    fn references(&self) -> Vec<&Reference> {
        self.security_group_ids.iter().collect()
    }

    fn resolve(&mut self, resolve: &mut dyn FnMut(&mut Reference)) {
        self.security_group_ids.iter_mut().for_each(resolve);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_endpoint_tells_its_service_and_its_type() {
        for service in ["s3", "dynamodb", "s3express"] {
            for endpoint_type in [EndpointType::Interface, EndpointType::Gateway] {
                let name = endpoint_name(service, endpoint_type);
                assert_eq!(parse_endpoint_name(&name), (service, Some(endpoint_type)));
            }
        }
        for service in ["sts", "bedrock-runtime", "sagemaker.api", "odd-interface"] {
            let name = endpoint_name(service, EndpointType::Interface);
            assert_eq!(parse_endpoint_name(&name), (service, None));
        }
    }
}

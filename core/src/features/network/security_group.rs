//! A security group of the platform's own: that of its endpoints, or that of its models.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::drift_events::naming::{RecordedCalls, with_ids};
use crate::kind::{
    Audited, Backend, BeforeDeletion, Busy, Creation, DELETION_POLICY, Identity, Info, MakesRole, Managed, Nothing,
    OwnedBy, Part, Reads, Reliance, Service,
};
use crate::operator_policy::{Condition, Permission, ResourcePattern};
use crate::resource::reference::Reference;
use crate::resource::{Key, Kind, Removal, TAGS};
use crate::tags::Tags;

/// The names of the fields that are written by calls of their own, as they stand in diffs.
pub mod field {
    /// Tags.
    pub const TAGS: &str = "tags";
    /// Ingress rules.
    pub const INGRESS: &str = "ingress";
}

/// The IAM actions behind the calls for security groups.
pub mod action {
    /// `DescribeSecurityGroups`.
    pub const DESCRIBE: &str = "ec2:DescribeSecurityGroups";
    /// `DescribeNetworkInterfaces`.
    pub const DESCRIBE_INTERFACES: &str = "ec2:DescribeNetworkInterfaces";
    /// `CreateSecurityGroup`.
    pub const CREATE: &str = "ec2:CreateSecurityGroup";
    /// `CreateTags`, and tags in the call that makes something.
    pub const TAG: &str = "ec2:CreateTags";
    /// `DeleteTags`.
    pub const UNTAG: &str = "ec2:DeleteTags";
    /// `AuthorizeSecurityGroupIngress`.
    pub const AUTHORIZE: &str = "ec2:AuthorizeSecurityGroupIngress";
    /// `RevokeSecurityGroupIngress`.
    pub const REVOKE: &str = "ec2:RevokeSecurityGroupIngress";
    /// `DeleteSecurityGroup`.
    pub const DELETE: &str = "ec2:DeleteSecurityGroup";
}

/// The longest group name: `CreateSecurityGroup`, Amazon EC2 API reference.
pub const NAME_LIMIT: usize = 255;

/// The protocol that means all of them: `IpPermission`, Amazon EC2 API reference.
pub const ALL_PROTOCOLS: &str = "-1";

/// A security group. Its egress rules are AWS's own default and not compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecurityGroup {
    /// Its name, unique in the VPC.
    pub name: String,
    /// The VPC.
    pub vpc_id: String,
    /// The description, which cannot be changed.
    pub description: String,
    /// Ingress rules.
    pub ingress: BTreeSet<IngressRule>,
    /// Tags that are ours.
    pub tags: Tags,
}

/// An ingress rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IngressRule {
    /// The protocol: `tcp`, or [`ALL_PROTOCOLS`].
    pub protocol: String,
    /// The ports, from and to; none for all of them.
    pub ports: Option<(i32, i32)>,
    /// The peer that is let in.
    pub peer: Peer,
}

/// The peer of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// Addresses, IPv4 or IPv6.
    Cidr(String),
    /// The addresses of the VPC, which are not looked up without AWS.
    Vpc(String),
    /// The members of a security group.
    Group(Reference),
    /// A list of prefixes that AWS or somebody else keeps.
    PrefixList(String),
}

impl Peer {
    /// The addresses of a CIDR block, as EC2 keeps it: without the bits of single hosts.
    #[must_use]
    pub fn cidr(block: &str) -> Self {
        Self::Cidr(masked(block).unwrap_or_else(|| block.into()))
    }
}

fn masked(block: &str) -> Option<String> {
    let (address, bits) = block.split_once('/')?;
    let bits: u32 = bits.parse().ok()?;
    let address = match address.parse().ok()? {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(u32::BITS.checked_sub(bits)?).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(u128::BITS.checked_sub(bits)?).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    };
    Some(format!("{address}/{bits}"))
}

impl IngressRule {
    /// TCP on one port from a peer.
    #[must_use]
    pub fn tcp(port: i32, peer: Peer) -> Self {
        Self { protocol: "tcp".into(), ports: Some((port, port)), peer }
    }

    /// The rule in one line, such as `tcp 443 from sg-1`.
    #[must_use]
    pub fn text(&self) -> String {
        let protocol = if self.protocol == ALL_PROTOCOLS { "all traffic" } else { &self.protocol };
        let ports = match self.ports {
            Some((from, to)) if from == to => format!(" {from}"),
            Some((from, to)) => format!(" {from}-{to}"),
            None => String::new(),
        };
        let peer = match &self.peer {
            Peer::Cidr(peer) | Peer::PrefixList(peer) => peer.clone(),
            Peer::Vpc(vpc) => format!("the CIDR blocks of {vpc} {}", crate::resource::reference::KNOWN_AFTER_APPLY),
            // Two groups that are both still to be made are two rules all the same.
            Peer::Group(Reference { id: None, key: Some(key) }) => {
                format!("{} {}", key.name, crate::resource::reference::KNOWN_AFTER_APPLY)
            }
            Peer::Group(group) => group.text().into(),
        };
        format!("{protocol}{ports} from {peer}")
    }
}

impl Serialize for IngressRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl Managed for SecurityGroup {
    const INFO: Info = Info {
        name: "SecurityGroup",
        noun: "security group",
        part: Part::Network,
        backend: Backend::Aws(Service::Ec2),
        identity: Identity::AssignedByAws,
        owned_by: OwnedBy::Tag,
        adopted_by: None,
        busy: Busy::AcceptsWrites,
        creation: Creation::ReadFirst,
        before_deletion: BeforeDeletion::Read,
        leaves: &[],
        reads: Reads::Resync,
        rests_on_events: false,
        removal: Removal::WhenEmpty,
        has_deletion_policy: false,
        kept_because: DELETION_POLICY,
        refers_to: &[Kind::SecurityGroup],
        relied_on: Reliance::AllBut(&[TAGS, field::INGRESS]),
        makes_role: MakesRole::No,
        audited: Audited::Everything,
        arns: Some("arn:aws:ec2:*:*:security-group/*"),
        permissions: &[
            Permission {
                sid: "FindSecurityGroups",
                actions: &[action::DESCRIBE, action::DESCRIBE_INTERFACES],
                resources: &[ResourcePattern::AnyOf(Kind::SecurityGroup)],
                conditions: &[],
                reason: "sees which security groups there are, whose they are, what they let in and what holds them",
            },
            Permission {
                sid: "MakeSecurityGroups",
                actions: &[action::CREATE],
                resources: &[ResourcePattern::Kind(Kind::SecurityGroup)],
                conditions: &[Condition::RequestTag],
                reason: "makes security groups, never without the tag that says whose they are",
            },
            Permission {
                sid: "MakeSecurityGroupsInVpcs",
                actions: &[action::CREATE],
                resources: &[ResourcePattern::Vpc],
                conditions: &[],
                reason: "a group is made in a VPC",
            },
            Permission {
                sid: "TagNewSecurityGroups",
                actions: &[action::TAG],
                resources: &[ResourcePattern::Kind(Kind::SecurityGroup)],
                conditions: &[Condition::RequestTag, Condition::CreatedBy(&["CreateSecurityGroup"])],
                reason: "tags a security group in the call that makes it",
            },
            Permission {
                sid: "ChangeOwnSecurityGroups",
                actions: &[action::AUTHORIZE, action::REVOKE, action::TAG, action::UNTAG, action::DELETE],
                resources: &[ResourcePattern::Kind(Kind::SecurityGroup)],
                conditions: &[Condition::ResourceTag, Condition::RequestTagIfExists],
                reason: "puts back what drifts and takes security groups away, only those with our tag",
            },
        ],
        changed_by: &[
            RecordedCalls {
                names: &[
                    "AuthorizeSecurityGroupEgress",
                    "AuthorizeSecurityGroupIngress",
                    "DeleteSecurityGroup",
                    "ModifySecurityGroupRules",
                    "RevokeSecurityGroupEgress",
                    "RevokeSecurityGroupIngress",
                ],
                about: |parameters| with_ids(parameters, "groupId"),
            },
            RecordedCalls {
                names: &["CreateTags", "DeleteTags"],
                about: |parameters| with_ids(parameters, "resourceId"),
            },
        ],
    };
    type Write = Nothing;
    type Facts = Nothing;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn needs(&self) -> Vec<Key> {
        self.references().into_iter().filter_map(|reference| reference.key.clone()).collect()
    }

    fn field_needs(&self) -> Vec<(&'static str, Key)> {
        self.needs().into_iter().map(|key| (field::INGRESS, key)).collect()
    }

    /// Neither the VPC nor the description can be changed.
    fn comparable(&self) -> Value {
        let ingress: BTreeMap<String, bool> = self.ingress.iter().map(|rule| (rule.text(), true)).collect();
        json!({"ingress": ingress, "tags": self.tags})
    }

    fn tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }

    fn vpc_id(&self) -> Option<&str> {
        Some(&self.vpc_id)
    }

    fn references(&self) -> Vec<&Reference> {
        let peers = self.ingress.iter().map(|rule| &rule.peer);
        peers.filter_map(|peer| if let Peer::Group(group) = peer { Some(group) } else { None }).collect()
    }

    fn resolve(&mut self, resolve: &mut dyn FnMut(&mut Reference)) {
        self.ingress = std::mem::take(&mut self.ingress)
            .into_iter()
            .map(|mut rule| {
                if let Peer::Group(group) = &mut rule.peer {
                    resolve(group);
                }
                rule
            })
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cidr_block_is_what_ec2_makes_of_it() {
        for (given, kept) in [
            ("10.0.0.0/16", "10.0.0.0/16"),
            ("100.68.0.18/18", "100.68.0.0/18"),
            ("10.1.2.3/32", "10.1.2.3/32"),
            ("10.1.2.3/0", "0.0.0.0/0"),
            ("2001:DB8:0::1/48", "2001:db8::/48"),
            ("::1/0", "::/0"),
            ("10.0.0.0/33", "10.0.0.0/33"),
            ("elsewhere", "elsewhere"),
        ] {
            assert_eq!(Peer::cidr(given), Peer::Cidr(kept.into()));
        }
    }
}

//! Changes of what a platform's network is made of, which is nobody's resource: a VPC, its subnets and its route tables.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::api::Network;
use crate::kind::Service;

/// The service that has networks.
pub(super) const SERVICE: Service = Service::Ec2;

/// The calls after which a lookup of a network may find something else. That something was added which no platform names
/// changes none.
pub(super) const CALLS: [&str; 6] = [
    "AssociateVpcCidrBlock",
    "DeleteRouteTable",
    "DeleteSubnet",
    "DeleteVpc",
    "DisassociateVpcCidrBlock",
    "ModifyVpcAttribute",
];

/// The prefixes of the ids by which platforms name parts of a network.
const NAMED: [&str; 3] = ["vpc-", "subnet-", "rtb-"];

/// The prefix of the ids of associations with a block of addresses, which is that of VPCs and more.
const ASSOCIATION: &str = "vpc-cidr-assoc-";

/// A change of a network, as an event tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkChange {
    /// The ids of what was changed; none where the call does not name it.
    ids: BTreeSet<String>,
}

impl NetworkChange {
    /// The change that a call makes; `None` for one that changes no network.
    pub(super) fn of(source: &str, call: &str, parameters: &Value) -> Option<Self> {
        let is_one = SERVICE.event_sources().contains(&source) && CALLS.contains(&call);
        is_one.then(|| {
            let mut ids = BTreeSet::new();
            collect(parameters, &mut ids);
            Self { ids }
        })
    }

    /// True where what has this id may have changed.
    #[must_use]
    pub fn is_of(&self, id: &str) -> bool {
        self.ids.is_empty() || self.ids.contains(id)
    }

    /// True where a platform with this network may be concerned. Of one that is borrowed nothing is said.
    #[must_use]
    pub fn concerns(&self, network: &Network) -> bool {
        let mut named = network.vpc_id.iter().chain(&network.subnet_ids).chain(&network.route_table_ids);
        network.from.is_some() || named.any(|id| self.is_of(id))
    }
}

/// Collects the ids of parts of a network, wherever they are: CloudTrail nests the parameters of some calls and not of
/// others.
fn collect(value: &Value, ids: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            if !text.starts_with(ASSOCIATION) && NAMED.iter().any(|prefix| text.starts_with(prefix)) {
                ids.insert(text.clone());
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, ids)),
        Value::Object(members) => members.values().for_each(|member| collect(member, ids)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn network(fields: Value) -> Network {
        serde_json::from_value(fields).unwrap()
    }

    #[test]
    fn a_platform_is_concerned_by_changes_of_what_it_names() {
        let own = network(json!({"vpcId": "vpc-1", "subnetIds": ["subnet-1"], "routeTableIds": ["rtb-1"]}));
        let of = |call: &str, parameters: Value| NetworkChange::of("ec2", call, &parameters).unwrap();
        let cases = [
            ("ModifyVpcAttribute", json!({"vpcId": "vpc-1", "enableDnsSupport": {"value": false}}), true),
            ("ModifyVpcAttribute", json!({"vpcId": "vpc-2", "enableDnsSupport": {"value": false}}), false),
            ("DeleteSubnet", json!({"subnetId": "subnet-1"}), true),
            ("DeleteSubnet", json!({"DeleteSubnetRequest": {"SubnetId": "subnet-2"}}), false),
            ("DeleteRouteTable", json!({"DeleteRouteTableRequest": {"RouteTableId": "rtb-1"}}), true),
            // It names no VPC.
            ("DisassociateVpcCidrBlock", json!({"associationId": "vpc-cidr-assoc-1"}), true),
        ];
        let borrowed = network(json!({"from": {"namespace": "shared", "name": "network"}}));
        assert!(of("DeleteSubnet", json!({"subnetId": "subnet-9"})).concerns(&borrowed));
        for (call, parameters, is_concerned) in cases {
            assert_eq!(of(call, parameters.clone()).concerns(&own), is_concerned, "{call} {parameters}");
        }
    }

    #[test]
    fn what_changes_no_network_is_none() {
        assert_eq!(NetworkChange::of("ec2", "CreateSubnet", &json!({"vpcId": "vpc-1"})), None);
        assert_eq!(NetworkChange::of("s3", "DeleteVpc", &json!({"vpcId": "vpc-1"})), None);
    }
}

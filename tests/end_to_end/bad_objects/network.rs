//! Networks that contradict themselves, or that EC2 would refuse.

use serde_json::{Value, json};

use super::{Case, plus};

fn network(fields: Value) -> Value {
    let mut network = json!({"vpcId": "vpc-0a", "subnetIds": ["subnet-0a"], "routeTableIds": ["rtb-0a"]});
    for (field, value) in fields.as_object().expect("fields") {
        network[field] = value.clone();
    }
    network.as_object_mut().expect("fields").retain(|_, value| !value.is_null());
    plus("network", network)
}

pub fn cases() -> Vec<Case> {
    let owner = json!({"namespace": "platform", "name": "shared"});
    vec![
        (network(json!({"vpcId": "vpc-"})), "spec.network.vpcId"),
        (network(json!({"vpcId": null})), "give a network of the platform's own"),
        (network(json!({"from": owner})), "a borrowed network is as its owner has it"),
        (network(json!({"subnetIds": []})), "subnetIds is empty"),
        (network(json!({"subnetIds": ["subnet-0a", "subnet-0a"]})), "names a subnet twice"),
        (network(json!({"routeTableIds": ["rtb-0a", "rtb-0a"]})), "names a route table twice"),
        (network(json!({"securityGroupIds": ["default"]})), "spec.network.securityGroupIds[0]"),
        (network(json!({"allowFrom": {}})), "allowFrom names nobody"),
        (
            network(json!({"allowFrom": {"cidrs": ["10.0.0.0/8"]}, "securityGroupIds": ["sg-0a"]})),
            "allowFrom is for the security group that is made where securityGroupIds is empty",
        ),
        (
            network(
                json!({"routeTableIds": null, "endpoints": {"additional": [{"service": "s3", "type": "Gateway"}]}}),
            ),
            "a gateway endpoint needs spec.network.routeTableIds",
        ),
        (
            network(json!({"endpoints": {"additional": [{"service": "kms"}], "policy": {"kms": "Scoped"}}})),
            "Scoped is for bedrock-runtime, sagemaker.runtime and s3",
        ),
        (
            network(json!({"endpoints": {"additional": [{"service": "kms"}, {"service": "kms"}]}})),
            "endpoints.additional names a service twice",
        ),
        (
            network(json!({"endpoints": {"additional": [{"service": "kms", "type": "Gateway"}]}})),
            "type Gateway is for s3, dynamodb and s3express",
        ),
        (
            network(json!({"endpoints": {"policy": {"s3": "Open"}}})),
            "supported values: \"Scoped\", \"Account\", \"Full\"",
        ),
        (network(json!({"shareWith": {"namespaces": ["Search"]}})), "spec.network.shareWith.namespaces[0]"),
    ]
}

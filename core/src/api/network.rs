//! `spec.network`: private paths from a VPC to the services that the platform uses.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The network. With it, models on SageMaker run in the VPC, and the services that the platform uses are reached by VPC
/// endpoints.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.from) != has(self.vpcId)", "give a network of the platform's own by vpcId and subnetIds, or the platform to borrow one of in from"))]
#[x_kube(validation = ("has(self.from) || (has(self.subnetIds) && size(self.subnetIds) > 0)", "subnetIds is empty: name one subnet in each zone"))]
#[x_kube(validation = ("!has(self.from) || !(has(self.subnetIds) || has(self.routeTableIds) || has(self.securityGroupIds) || has(self.modelSecurityGroupIds) || has(self.allowFrom) || has(self.endpoints) || has(self.shareWith))", "a borrowed network is as its owner has it: leave out everything beside from"))]
#[x_kube(validation = ("!has(self.allowFrom) || !has(self.securityGroupIds) || size(self.securityGroupIds) == 0", "allowFrom is for the security group that is made where securityGroupIds is empty: leave one of them out"))]
#[x_kube(validation = ("!has(self.endpoints) || !has(self.endpoints.additional) || !self.endpoints.additional.exists(e, has(e.type) && e.type == 'Gateway') || (has(self.routeTableIds) && size(self.routeTableIds) > 0)", "a gateway endpoint needs spec.network.routeTableIds"))]
pub struct Network {
    /// The VPC. To move to another one, take `network` out of the spec first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = "^vpc-[0-9a-f]+$"))]
    #[x_kube(validation = ("self == oldSelf", "vpcId is immutable: remove spec.network, wait until the platform is ready, and add it with the other VPC"))]
    pub vpc_id: Option<String>,
    /// Subnets for network interfaces, at most one in each zone; SageMaker wants two zones at least.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 32), regex(pattern = "^subnet-[0-9a-f]+$")))]
    #[x_kube(validation = ("self.all(s, self.exists_one(o, o == s))", "subnetIds names a subnet twice"))]
    pub subnet_ids: Vec<String>,
    /// Route tables for gateway endpoints, such as that of S3.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 32), regex(pattern = "^rtb-[0-9a-f]+$")))]
    #[x_kube(validation = ("self.all(s, self.exists_one(o, o == s))", "routeTableIds names a route table twice"))]
    pub route_table_ids: Vec<String>,
    /// Security groups of the interface endpoints. Default: one is made, which lets port 443 in from `allowFrom` and from
    /// the models.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5), inner(length(max = 32), regex(pattern = "^sg-[0-9a-f]+$")))]
    pub security_group_ids: Vec<String>,
    /// Security groups of SageMaker's network interfaces. Default: one is made, which lets nothing in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5), inner(length(max = 32), regex(pattern = "^sg-[0-9a-f]+$")))]
    pub model_security_group_ids: Vec<String>,
    /// Peers that may reach the endpoints on port 443, where `securityGroupIds` is empty. Default: the CIDR blocks of the
    /// VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_from: Option<AllowFrom>,
    /// Endpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Endpoints>,
    /// Platforms that may borrow this network, beside those of the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_with: Option<ShareWith>,
    /// The platform whose network is borrowed, in place of everything else here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<PlatformRef>,
}

/// Platforms that may borrow a network.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShareWith {
    /// Namespaces of such platforms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")))]
    pub namespaces: Vec<String>,
}

/// A platform by its name.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformRef {
    /// Its namespace.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub namespace: String,
    /// Its name.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub name: String,
}

/// Peers that may reach the endpoints.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("(has(self.securityGroupIds) && size(self.securityGroupIds) > 0) || (has(self.cidrs) && size(self.cidrs) > 0)", "allowFrom names nobody: give securityGroupIds or cidrs, or leave allowFrom out for the CIDR blocks of the VPC"))]
pub struct AllowFrom {
    /// Security groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 32), regex(pattern = "^sg-[0-9a-f]+$")))]
    pub security_group_ids: Vec<String>,
    /// CIDR blocks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 64), regex(pattern = "^[0-9a-fA-F.:]+/[0-9]{1,3}$")))]
    pub cidrs: Vec<String>,
}

/// VPC endpoints.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    /// Make an endpoint for every service that the platform uses.
    #[serde(default = "super::yes")]
    pub auto: bool,
    /// Further endpoints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = ("self.all(e, self.exists_one(o, o.service == e.service && o.type == e.type))", "endpoints.additional names a service twice"))]
    #[x_kube(validation = ("self.all(e, e.type != 'Gateway' || e.service in ['s3', 'dynamodb', 's3express'])", "type Gateway is for s3, dynamodb and s3express: leave type out for others"))]
    pub additional: Vec<AdditionalEndpoint>,
    /// Policies of endpoints by service. Default: Scoped for `bedrock-runtime` and `sagemaker.runtime`, Full for others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 40))]
    #[x_kube(validation = ("self.all(s, self[s] != 'Scoped' || s in ['bedrock-runtime', 'sagemaker.runtime', 's3'])", "Scoped is for bedrock-runtime, sagemaker.runtime and s3: take Account or Full for others"))]
    pub policy: BTreeMap<String, EndpointPolicy>,
    /// The way out when an endpoint of somebody else already has the DNS name of a service in the VPC, or the route to it.
    #[serde(default)]
    pub on_conflict: OnConflict,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self { auto: true, additional: Vec::new(), policy: BTreeMap::new(), on_conflict: OnConflict::Fail }
    }
}

/// An endpoint that the spec names.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdditionalEndpoint {
    /// The service, as its name ends: `kms`, `ecr.api`, `dynamodb`.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub service: String,
    /// The type.
    #[serde(default, rename = "type")]
    pub endpoint_type: EndpointType,
}

/// The type of an endpoint.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum EndpointType {
    /// A network interface in each subnet, billed by the hour.
    #[default]
    Interface,
    /// A route in each route table, free of charge: S3 and DynamoDB.
    Gateway,
}

/// The policy of an endpoint.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum EndpointPolicy {
    /// The models and buckets of the platform, and callers of the platform's account.
    Scoped,
    /// Everything for callers of the platform's account.
    Account,
    /// Everything for everybody.
    Full,
}

/// The way out of a conflict with an endpoint of somebody else.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum OnConflict {
    /// The platform stalls and names the endpoint.
    #[default]
    Fail,
    /// The endpoint is used as it is, and never changed or deleted.
    Adopt,
    /// Another endpoint is made, with DNS names of its own.
    WithoutPrivateDns,
}

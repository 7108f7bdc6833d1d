//! The network in the audit: the policies of its endpoints, and the paths that calls take to models.

use std::fmt;

use super::Audit;
use crate::api::network::{AllowFrom, EndpointPolicy, PlatformRef};
use crate::desire::inference;
use crate::features::network::vpc_endpoint::EndpointType;
use crate::grants::{endpoint_policy, nothing_allowed};
use crate::platform::{Endpoint, Model, Network, Platform};
use crate::policy::Statement;

/// The policy of one VPC endpoint that the platform makes.
#[derive(Clone, Debug)]
pub struct EndpointAudit {
    /// The endpoint's name: that of the service, unless it has another.
    pub name: String,
    /// The service, as its name ends.
    pub service: String,
    /// The type.
    pub endpoint_type: EndpointType,
    /// The policy that the spec asks for.
    pub policy: EndpointPolicy,
    /// The statements.
    pub statements: Vec<Statement>,
    /// The peers that can open a connection to it.
    pub reached_from: String,
    /// The parts of the spec, or the platforms, that want it.
    pub wanted_by: Vec<String>,
}

/// The paths by which one model can be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelPaths<'a> {
    /// The model.
    pub model: &'a str,
    /// The service that answers calls, as the name of its VPC endpoint ends; `kubernetes` for pods in the cluster.
    pub service: &'static str,
    /// The private path, where there is one.
    pub endpoint: Option<PathEndpoint<'a>>,
    /// True when the service has a public endpoint, which a private path does not close.
    pub is_public: bool,
    /// The consumers that may call it, whichever path they take.
    pub consumers: Vec<&'a str>,
}

/// The private path to a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathEndpoint<'a> {
    /// One of the platform's own: its name, and its policy.
    Own(&'a str, EndpointPolicy),
    /// One of the platform whose network is borrowed: its name. That platform's audit shows its policy.
    Borrowed(&'a str, &'a PlatformRef),
    /// One that is adopted from somebody else: its name. Its policy is that one's.
    Adopted(&'a str),
    /// A service in the cluster: its URL, and the pods that its network policy lets in.
    Pods(String, String),
}

impl fmt::Display for PathEndpoint<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(name, _) => write!(formatter, "VPC endpoint {name}"),
            Self::Borrowed(name, owner) => {
                write!(formatter, "VPC endpoint {name} of AIPlatform {}/{}", owner.namespace, owner.name)
            }
            Self::Adopted(name) => write!(formatter, "VPC endpoint {name} of somebody else"),
            Self::Pods(url, _) => write!(formatter, "{url}"),
        }
    }
}

impl PathEndpoint<'_> {
    /// The policy, in a word.
    #[must_use]
    pub fn policy(&self) -> String {
        match self {
            Self::Own(_, policy) => format!("policy {policy:?}"),
            Self::Borrowed(_, owner) => format!("policy in the audit of {}/{}", owner.namespace, owner.name),
            Self::Adopted(_) => "policy of its owner".into(),
            Self::Pods(_, peers) => format!("network policy for {peers}"),
        }
    }
}

/// The path that is there with or without a network: an endpoint is a further way, and closes none.
pub const PUBLIC_PATH: &str = "the service's public endpoint, with credentials that allow the call";

pub(super) fn endpoint_policies(platform: &Platform) -> Vec<EndpointAudit> {
    let Some(network) = platform.network.as_ref().filter(|network| network.from.is_none()) else { return Vec::new() };
    network.endpoints.iter().map(|(name, endpoint)| endpoint_audit(platform, network, name, endpoint)).collect()
}

fn endpoint_audit(platform: &Platform, network: &Network, name: &str, endpoint: &Endpoint) -> EndpointAudit {
    let mut statements = endpoint_policy(platform, network, endpoint);
    if statements.is_empty() {
        statements.push(nothing_allowed());
    }
    EndpointAudit {
        name: name.into(),
        service: endpoint.service.clone(),
        endpoint_type: endpoint.endpoint_type,
        policy: endpoint.policy,
        statements,
        reached_from: reached_from(platform, network, endpoint.endpoint_type),
        wanted_by: endpoint.sources.clone(),
    }
}

/// The peers that can open a connection, in a few words.
fn reached_from(platform: &Platform, network: &Network, endpoint_type: EndpointType) -> String {
    if endpoint_type == EndpointType::Gateway {
        return format!("subnets with route table {}", network.route_table_ids.join(", "));
    }
    if !network.security_group_ids.is_empty() {
        return format!("what security group {} lets in", network.security_group_ids.join(", "));
    }
    let mut peers = match &network.allow_from {
        None => vec![format!("the CIDR blocks of {}", network.vpc_id)],
        Some(AllowFrom { security_group_ids, cidrs }) => security_group_ids.iter().chain(cidrs).cloned().collect(),
    };
    if platform.runs_models_in_network() {
        peers.push("the models' own containers".into());
    }
    if peers.is_empty() { "nowhere".into() } else { peers.join(", ") }
}

pub(super) fn paths(audit: &Audit) -> Vec<ModelPaths<'_>> {
    audit.platform.models.iter().map(|model| paths_to(audit, model)).collect()
}

fn paths_to<'a>(audit: &'a Audit, model: &'a Model) -> ModelPaths<'a> {
    let platform = &audit.platform;
    let consumers = platform.access.iter().filter(|consumer| consumer.models.contains(&model.name));
    let consumers = consumers.map(|consumer| consumer.name.as_str()).collect();
    let Some(service) = model.backend.runtime() else {
        let endpoint = model.kubernetes().map(|spec| {
            PathEndpoint::Pods(
                inference::url(platform, &model.name, spec),
                inference::admitted(platform, &model.name, spec),
            )
        });
        return ModelPaths { model: &model.name, service: "kubernetes", endpoint, is_public: false, consumers };
    };
    let endpoint = platform.network.as_ref().and_then(|network| {
        let is_for = |(_, endpoint): &(&String, &Endpoint)| {
            endpoint.service == service && endpoint.endpoint_type == EndpointType::Interface
        };
        let (name, endpoint) = network.endpoints.iter().find(is_for)?;
        Some(match &network.from {
            Some(owner) => PathEndpoint::Borrowed(name, owner),
            None if audit.endpoint_policies.iter().any(|own| own.name == *name) => {
                PathEndpoint::Own(name, endpoint.policy)
            }
            None => PathEndpoint::Adopted(name),
        })
    });
    ModelPaths { model: &model.name, service, endpoint, is_public: true, consumers }
}

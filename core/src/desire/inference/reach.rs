//! The network policy of a model: who reaches its pods, and what they reach.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Served, scaling};
use crate::api::kubernetes::{Kubernetes, Peer};
use crate::features::inference::NetworkPolicy;
use crate::grants::ServiceAccount;
use crate::platform::{Identity, Platform};

/// The label that every namespace has.
const NAMESPACE_LABEL: &str = "kubernetes.io/metadata.name";

/// The namespace and the label of the pods of Prometheus, where its operator runs it as its documentation shows.
const PROMETHEUS: (&str, &str) = ("monitoring", "prometheus");

/// The namespace and the label of the pods of KEDA, where it is installed as its documentation shows.
const KEDA: (&str, &str) = ("keda", "keda-operator");

/// The address of the DNS cache that runs on each node. Source: "Using `NodeLocal` `DNSCache`", Kubernetes documentation.
const NODE_LOCAL_DNS: &str = "169.254.20.10/32";

/// The addresses of the agent that gives pods their credentials. Source: "Set up the Amazon EKS Pod Identity Agent",
/// Amazon EKS user guide.
const POD_IDENTITY_AGENT: [&str; 2] = ["169.254.170.23/32", "fd00:ec2::23/128"];

/// The network policy of a model: calls come from whom the spec lets in, and the pods reach names and their weights.
pub(super) fn network_policy(served: &Served) -> NetworkPolicy {
    let peers: Vec<Value> = admitted_peers(served.platform, served.model, served.spec).iter().map(peer).collect();
    let call = json!([{"port": served.container.port, "protocol": "TCP"}]);
    let mut ingress = vec![json!({"from": peers, "ports": call})];
    if let Some(metrics) = &served.container.metrics {
        let mut scrapers = vec![component(PROMETHEUS)];
        if scaling::is_by_queue(served.spec) {
            scrapers.push(component(KEDA));
        }
        ingress.push(json!({"from": scrapers, "ports": [{"port": metrics.port, "protocol": "TCP"}]}));
    }
    NetworkPolicy(served.manifest(json!({
        "podSelector": {"matchLabels": super::labels::selector(served)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": ingress,
        "egress": egress(served),
    })))
}

/// Pods that may call a model, in a few words.
#[must_use]
pub fn admitted(platform: &Platform, model: &str, spec: &Kubernetes) -> String {
    let peers = admitted_peers(platform, model, spec);
    peers.iter().map(|peer| described(platform, peer)).collect::<Vec<_>>().join(", ")
}

/// Peers of the spec, or the platform's own namespace, and the namespaces of consumers beside it.
fn admitted_peers(platform: &Platform, model: &str, spec: &Kubernetes) -> Vec<Peer> {
    let of_namespace = |namespace: &str| Peer {
        namespace_labels: BTreeMap::from([(NAMESPACE_LABEL.into(), namespace.into())]),
        pod_labels: BTreeMap::new(),
    };
    let mut peers = spec.allow_from.clone();
    if peers.is_empty() {
        peers.push(of_namespace(&platform.namespace));
    }
    let consumers = platform.access.iter().filter(|consumer| consumer.models.iter().any(|name| name == model));
    let accounts = consumers.filter_map(|consumer| consumer.service_account.as_ref());
    for account in accounts.map(|account| ServiceAccount::of(account, &platform.namespace)) {
        let peer = of_namespace(&account.namespace);
        if account.namespace != platform.namespace && !peers.contains(&peer) {
            peers.push(peer);
        }
    }
    peers
}

fn peer(peer: &Peer) -> Value {
    let mut value = json!({});
    if !peer.namespace_labels.is_empty() {
        value["namespaceSelector"] = json!({"matchLabels": peer.namespace_labels});
    }
    if !peer.pod_labels.is_empty() {
        value["podSelector"] = json!({"matchLabels": peer.pod_labels});
    }
    value
}

fn described(platform: &Platform, peer: &Peer) -> String {
    let listed = |labels: &BTreeMap<String, String>| {
        labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
    };
    let namespaces = match (peer.namespace_labels.len(), peer.namespace_labels.get(NAMESPACE_LABEL)) {
        (0, _) => format!("namespace {}", platform.namespace),
        (1, Some(name)) => format!("namespace {name}"),
        _ => format!("namespaces with {}", listed(&peer.namespace_labels)),
    };
    if peer.pod_labels.is_empty() {
        format!("pods of {namespaces}")
    } else {
        format!("pods with {} of {namespaces}", listed(&peer.pod_labels))
    }
}

/// A component of the cluster, by its namespace and the name of its pods: both have to match.
fn component((namespace, name): (&str, &str)) -> Value {
    json!({
        "namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: namespace}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": name}},
    })
}

fn egress(served: &Served) -> Vec<Value> {
    let resolvers = json!([
        {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: "kube-system"}}},
        {"ipBlock": {"cidr": NODE_LOCAL_DNS}},
    ]);
    let mut egress =
        vec![json!({"to": resolvers, "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]})];
    let source = served.spec.source.as_ref();
    let loads = source.is_some_and(|source| source.s3.is_some() || source.hugging_face.is_some());
    if loads {
        let anywhere = json!([{"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "::/0"}}]);
        egress.push(json!({"to": anywhere, "ports": [{"port": 443, "protocol": "TCP"}]}));
    }
    let has_role = source.is_some_and(|source| source.s3.is_some());
    if has_role && matches!(served.platform.identity, Some(Identity::PodIdentity { .. })) {
        let agent: Vec<Value> = POD_IDENTITY_AGENT.iter().map(|cidr| json!({"ipBlock": {"cidr": cidr}})).collect();
        egress.push(json!({"to": agent, "ports": [{"port": 80, "protocol": "TCP"}]}));
    }
    egress
}

//! Who may reach the pods of a model, and whom they may reach.

use super::manifest::{INFO, body, manifest_kind, read};
use crate::kind::{Backend, ClusterApi, Info};

manifest_kind!(
    /// A network policy of the platform's own.
    NetworkPolicy,
    Info {
        name: "NetworkPolicy",
        noun: "network policy",
        backend: Backend::Cluster(ClusterApi {
            group: "networking.k8s.io",
            kind: "NetworkPolicy",
            plural: "networkpolicies",
            body: body::<NetworkPolicy>,
            read: read::<NetworkPolicy>,
            ..ClusterApi::PLAIN
        }),
        ..INFO
    }
);

//! The address of a model in the cluster.

use super::manifest::{INFO, body, manifest_kind, read};
use crate::kind::{Backend, ClusterApi, Info};

manifest_kind!(
    /// A service of the platform's own.
    Service,
    Info {
        name: "Service",
        noun: "service",
        backend: Backend::Cluster(ClusterApi {
            kind: "Service",
            plural: "services",
            body: body::<Service>,
            read: read::<Service>,
            ..ClusterApi::PLAIN
        }),
        ..INFO
    }
);

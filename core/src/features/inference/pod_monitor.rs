//! The object by which Prometheus finds and scrapes the pods of a model. The Prometheus operator serves the API, where
//! it is installed.

use super::manifest::{INFO, body, manifest_kind, read};
use crate::kind::{Backend, ClusterApi, Info};

manifest_kind!(
    /// A pod monitor of the platform's own.
    PodMonitor,
    Info {
        name: "PodMonitor",
        noun: "pod monitor",
        backend: Backend::Cluster(ClusterApi {
            group: "monitoring.coreos.com",
            kind: "PodMonitor",
            plural: "podmonitors",
            is_optional: true,
            body: body::<PodMonitor>,
            read: read::<PodMonitor>,
            ..ClusterApi::PLAIN
        }),
        ..INFO
    }
);

//! The Lease object: read, taken, renewed, given back. Every write names the version that was read, so that of two
//! candidates one is refused.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use super::LEASE;
use crate::controller::FIELD_MANAGER;

/// The timeout of requests about the Lease.
pub(super) const ANSWER: Duration = Duration::from_secs(4);

/// The Lease could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// Somebody else wrote it since it was read.
    #[error("somebody else wrote the Lease")]
    Overtaken,
    /// The API server says no.
    #[error("the API server refuses the Lease: {0}")]
    Refused(String),
    /// It says nothing.
    #[error("the API server does not answer about the Lease: {0}")]
    Unanswered(String),
}

/// The Lease, for one candidate.
pub(super) struct LeaseObject {
    api: Api<Lease>,
    name: String,
    pub(super) identity: String,
}

impl LeaseObject {
    pub(super) fn new(client: Client, namespace: &str, name: String, identity: String) -> Self {
        Self { api: Api::namespaced(client, namespace), name, identity }
    }

    /// The Lease, if it is there.
    pub(super) async fn read(&self) -> Result<Option<Lease>, Error> {
        within(self.api.get_opt(&self.name)).await
    }

    /// Takes the Lease that was found, or makes it.
    pub(super) async fn take(&self, found: Option<&Lease>) -> Result<Lease, Error> {
        let now = microseconds(Timestamp::now());
        let before = found.and_then(|lease| lease.spec.as_ref()).and_then(|spec| spec.lease_transitions).unwrap_or(0);
        let spec = json!({
            "holderIdentity": self.identity, "leaseDurationSeconds": LEASE.as_secs(),
            "acquireTime": now, "renewTime": now, "leaseTransitions": before.saturating_add(1),
        });
        if let Some(found) = found {
            return self.write(found, spec).await;
        }
        let spec: LeaseSpec = serde_json::from_value(spec).map_err(|error| Error::Refused(error.to_string()))?;
        let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
        let lease = Lease { metadata, spec: Some(spec) };
        within(self.api.create(&PostParams::default(), &lease)).await
    }

    /// Renews the Lease, which is ours as far as we know.
    pub(super) async fn renew(&self, ours: &Lease) -> Result<Lease, Error> {
        let now = microseconds(Timestamp::now());
        self.write(ours, json!({"renewTime": now, "leaseDurationSeconds": LEASE.as_secs()})).await
    }

    /// Gives the Lease back: as client-go does it, with a duration of a second.
    pub(super) async fn give_back(&self, ours: &Lease) -> Result<Lease, Error> {
        let now = microseconds(Timestamp::now());
        self.write(ours, json!({"holderIdentity": "", "renewTime": now, "leaseDurationSeconds": 1})).await
    }

    async fn write(&self, read: &Lease, spec: Value) -> Result<Lease, Error> {
        let exactly = json!({"resourceVersion": read.resource_version(), "uid": read.uid()});
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        within(self.api.patch(&self.name, &parameters, &Patch::Merge(json!({"metadata": exactly, "spec": spec})))).await
    }
}

async fn within<T>(question: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Error> {
    match tokio::time::timeout(ANSWER, question).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => Err(Error::Overtaken),
        Ok(Err(kube::Error::Api(status))) => Err(Error::Refused(status.message.clone())),
        Ok(Err(error)) => Err(Error::Unanswered(error.to_string())),
        Err(_) => Err(Error::Unanswered(format!("nothing for {} seconds", ANSWER.as_secs()))),
    }
}

/// Kubernetes writes and expects exactly six digits.
fn microseconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

//! The cluster itself: one adapter for every kind of object, whose description says what is applied and what is read.
//!
//! Everything is written by server-side apply under one field manager, so that the API server takes away exactly what
//! the operator set, and only what it manages is compared. A new object is applied for a version that nothing has, so that
//! nothing is ever written to what somebody else made a moment ago. Every other write is for the version that was read in
//! the same step: what somebody else did since then stands.

mod fields;
mod object;
mod outage;
mod ownership;
mod served;
mod watched;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DynamicObject, ListParams};
use kube::core::Status;
use kube::{Api, Client, ResourceExt};

use crate::api::AIPlatform;
use crate::api::network::PlatformRef;
use crate::failure::{Class, Error, UNREACHABLE};
use crate::failures::Failures;
use crate::guardrails::Labels;
use crate::lookup::ApiLookup;
use crate::outcome::Applied;
use crate::plan::{Action, Step};
use crate::resource::{Key, Observed, Request};
use crate::scope::Scope;
use object::Object;
pub use outage::SILENCE;
use served::Served;
pub use watched::Watched;

/// Reads of one pass in flight at most.
const CONCURRENT_READS: usize = 16;

/// The cluster that the operator runs for.
pub struct Cluster {
    client: Client,
    /// What watches show, where somebody watches.
    pub watched: Arc<Watched>,
}

impl Cluster {
    /// The cluster behind this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, watched: Arc::default() }
    }

    /// Answers a lookup of platforms.
    ///
    /// # Errors
    /// The error of the API server.
    pub async fn platform(&self, named: &PlatformRef) -> Result<Option<AIPlatform>, Error> {
        let api: Api<AIPlatform> = Api::namespaced(self.client.clone(), &named.namespace);
        let subject = format!("AIPlatform {}/{}", named.namespace, named.name);
        api.get_opt(&named.name).await.map_err(|error| failed("get aiplatforms", &subject, &error))
    }

    /// The platforms of some namespaces.
    ///
    /// # Errors
    /// The error of the API server.
    pub async fn platforms(&self, namespaces: &BTreeSet<String>) -> Result<Vec<AIPlatform>, Error> {
        let mut platforms = Vec::new();
        for namespace in namespaces {
            let api: Api<AIPlatform> = Api::namespaced(self.client.clone(), namespace);
            let subject = format!("namespace {namespace}");
            let listed = api.list(&ListParams::default()).await;
            platforms.extend(listed.map_err(|error| failed("list aiplatforms", &subject, &error))?);
        }
        Ok(platforms)
    }

    /// Answers a lookup of an API: true where the API server serves it.
    ///
    /// # Errors
    /// The error of the API server.
    pub async fn serves(&self, api: &ApiLookup) -> Result<bool, Error> {
        match self.watched.apis.known(api) {
            Some(is_served) => Ok(is_served),
            None => serves(&self.client, &self.watched.apis, api).await,
        }
    }

    /// Observes objects.
    pub async fn observe_all(&self, scope: &Scope, requests: &[&Request]) -> Vec<(Key, Observed)> {
        let reads: Vec<_> = requests.iter().map(|request| self.answer(scope, request)).collect();
        stream::iter(reads).buffer_unordered(CONCURRENT_READS).collect().await
    }

    async fn answer(&self, scope: &Scope, request: &Request) -> (Key, Observed) {
        let seen = self.observe(scope, request).await.unwrap_or_else(Observed::unreadable);
        (request.key.clone(), seen)
    }

    /// Observes one object. Where everything is to be read, what is there is read in any case.
    ///
    /// # Errors
    /// The error of the API server.
    pub async fn observe(&self, scope: &Scope, request: &Request) -> Result<Observed, Error> {
        let object = Object::of(&self.client, &self.watched.apis, &request.key)?;
        if !request.thorough && !request.pruning {
            if let Some(known) = self.watched.known(&request.key, &scope.owner) {
                return Ok(known);
            }
            if let Some(shown) = self.watched.shown(&request.key) {
                return self.remembered(&object, scope, &shown).await;
            }
        }
        if request.may_be_made && self.watched.is_absent(&request.key) {
            return Ok(Observed::absent());
        }
        let found = object.find().await?;
        self.watched.found(&request.key, found.is_some());
        match found {
            Some(found) => self.remembered(&object, scope, &found).await,
            None => Ok(Observed::absent()),
        }
    }

    /// Observes an object as it was found, and remembers that.
    async fn remembered(&self, object: &Object<'_>, scope: &Scope, found: &DynamicObject) -> Result<Observed, Error> {
        let observed = object.observed(scope, found).await?;
        let of = (scope.owner.as_str(), found.resource_version());
        self.watched.remember(object.key(), of, &observed, object.has_beneath(found));
        Ok(observed)
    }

    /// Takes one step.
    ///
    /// # Errors
    /// The error of the API server.
    pub async fn apply(&self, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
        let object = Object::of(&self.client, &self.watched.apis, &step.key)?;
        self.watched.forget(&step.key);
        match (&step.action, &step.desired) {
            (Action::Create | Action::Update(_), Some(desired)) => {
                let (applied, written) = object.put(scope, step, desired).await?;
                self.watched.wrote(&step.key, written.resource_version());
                if applied == Applied::Ready {
                    self.remembered(&object, scope, &written).await?;
                }
                Ok(applied)
            }
            (Action::Delete { .. }, _) => Ok(object.release(scope).await?),
            _ => Err(Error::unknown_step(step).into()),
        }
    }
}

/// True where the API server serves an API, as it says now.
async fn serves(client: &Client, apis: &Served, api: &ApiLookup) -> Result<bool, Error> {
    let ApiLookup { group, version, plural } = api;
    let asked = apis.ask(api);
    let is_served = match client.list_api_group_resources(&format!("{group}/{version}")).await {
        Ok(list) => list.resources.iter().any(|resource| resource.name == *plural),
        Err(kube::Error::Api(status)) if status.code == 404 => false,
        Err(error) => return Err(failed("discover", &format!("{plural}.{group}"), &error)),
    };
    apis.answered(api, asked, is_served);
    Ok(is_served)
}

/// The labels of a namespace; one that is not there has none.
///
/// # Errors
/// The error of the API server.
pub async fn namespace_labels(client: &Client, namespace: &str) -> Result<Labels, Error> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let found = namespaces.get_opt(namespace).await;
    let found = found.map_err(|error| failed("get namespaces", &format!("Namespace {namespace}"), &error))?;
    Ok(found.and_then(|namespace| namespace.metadata.labels).unwrap_or_default())
}

/// The class of a status. The API server forbids more than what RBAC does not grant.
///
/// Source: the admission plugins `resourcequota`, whose message begins so, and `namespace/lifecycle`, which names a cause.
fn class(status: &Status) -> Class {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let is_of_namespace = causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating");
    match status.code {
        // The namespace takes the platform with it.
        403 if is_of_namespace => Class::Transient,
        403 if status.message.contains("exceeded quota: ") => Class::Quota,
        code => Class::of_status(code),
    }
}

/// `action` is the verb and the resource, as a role of RBAC names them.
fn failed(action: &str, subject: &str, error: &kube::Error) -> Error {
    let (class, code, message) = match error {
        // Somebody was faster: the next pass finds out.
        kube::Error::Api(status) if ["Conflict", "AlreadyExists"].contains(&status.reason.as_str()) => {
            (Class::Conflict, status.reason.clone(), status.message.clone())
        }
        kube::Error::Api(status) => (class(status), status.reason.clone(), status.message.clone()),
        other => (Class::Transient, UNREACHABLE.into(), other.to_string()),
    };
    Error { class, action: action.into(), subject: subject.into(), code, message, request_id: None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_forbidden_is_not_always_for_want_of_a_right() {
        let status = |message: &str, cause: &str| -> Status {
            let details = json!({"causes": [{"reason": cause}]});
            let status = json!({"code": 403, "message": message, "reason": "Forbidden", "details": details});
            serde_json::from_value(status).unwrap()
        };
        for (message, cause, expected) in [
            ("deployments.apps is forbidden: User \"a\" cannot create resource", "", Class::Denied),
            (
                "deployments.apps \"a\" is forbidden: exceeded quota: none, requested: count/deployments.apps=1",
                "",
                Class::Quota,
            ),
            ("deployments.apps \"a\" is forbidden: it is being terminated", "NamespaceTerminating", Class::Transient),
        ] {
            assert_eq!(class(&status(message, cause)), expected, "{message}");
        }
    }
}

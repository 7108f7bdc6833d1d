//! The cluster itself: service accounts in the platform's own namespace.
//!
//! What is written is owned by our field manager, so that server-side apply takes away exactly what we set.

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount as CoreServiceAccount};
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use crate::controller::FIELD_MANAGER;
use crate::failure::{Class, Error, UNREACHABLE};
use crate::failures::Failures;
use crate::guardrails::Labels;
use crate::outcome::Applied;
use crate::plan::{Action, Step};
use crate::resource::service_account::{ROLE_ANNOTATION, ServiceAccount};
use crate::resource::{Observed, Owner, Request, Resource};
use crate::scope::Place;
use crate::tags;

/// Says that a service account was made by us, and may go with its platform.
const CREATED: &str = "aiplatform.dev/created";

/// The cluster that the operator runs for.
pub struct Kubernetes {
    client: Client,
}

impl Kubernetes {
    /// The cluster behind this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Looks at one service account.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn observe(&self, place: &Place, request: &Request) -> Result<Observed, Error> {
        let (namespace, name) = split(&request.key.name);
        let found = self
            .api(namespace)
            .get_opt(name)
            .await
            .map_err(|error| account_failed("get", &request.key.name, &error))?;
        let Some(found) = found else { return Ok(Observed::absent()) };
        let annotation = |key: &str| found.annotations().get(key).cloned();
        let bound = annotation(ROLE_ANNOTATION);
        let owner = match (annotation(tags::OWNER), &bound) {
            (Some(owner), _) if owner == place.owner => Owner::Ours,
            (Some(owner), _) => Owner::Theirs(owner),
            (None, Some(role)) => Owner::Theirs(format!("whoever bound it to {role}")),
            (None, None) => Owner::Nobody,
        };
        let account = ServiceAccount {
            namespace: namespace.into(),
            name: name.into(),
            owner: annotation(tags::OWNER).unwrap_or_default(),
            role: bound.as_deref().and_then(|role| role.rsplit('/').next()).map(Into::into),
            role_arn: bound,
        };
        Ok(Observed::present(Resource::ServiceAccount(account), owner))
    }

    /// Takes one step with a service account.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn apply(&self, step: &Step) -> Result<Applied, Failures> {
        match (&step.action, &step.desired) {
            // Looked at again: what somebody made since the plan was made is not ours to take away one day.
            (Action::Create | Action::Update(_), Some(Resource::ServiceAccount(desired))) => {
                let created = self.find(step).await?.is_none_or(|found| was_created(&found));
                Ok(self.bind(step, desired, created).await?)
            }
            (Action::Delete { .. }, _) => Ok(self.release(step).await?),
            _ => Err(Error::unknown_step(step).into()),
        }
    }

    async fn bind(&self, step: &Step, desired: &ServiceAccount, created: bool) -> Result<Applied, Error> {
        let mut annotations = json!({tags::OWNER: desired.owner});
        if let Some(role) = &desired.role_arn {
            annotations[ROLE_ANNOTATION] = json!(role);
        }
        if created {
            annotations[CREATED] = json!("true");
        }
        self.set(step, annotations).await?;
        Ok(Applied::Ready)
    }

    /// What we made goes; what was there before loses what we set.
    async fn release(&self, step: &Step) -> Result<Applied, Error> {
        let Some(found) = self.find(step).await? else { return Ok(Applied::Gone) };
        if was_created(&found) {
            let (namespace, name) = split(&step.key.name);
            let exactly = Preconditions { uid: found.uid(), resource_version: None };
            let parameters = DeleteParams { preconditions: Some(exactly), ..DeleteParams::default() };
            match self.api(namespace).delete(name, &parameters).await {
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                other => {
                    other.map_err(|error| account_failed("delete", &step.key.name, &error))?;
                }
            }
        } else {
            self.set(step, json!({})).await?;
        }
        Ok(Applied::Gone)
    }

    async fn find(&self, step: &Step) -> Result<Option<CoreServiceAccount>, Error> {
        let (namespace, name) = split(&step.key.name);
        self.api(namespace).get_opt(name).await.map_err(|error| account_failed("get", &step.key.name, &error))
    }

    async fn set(&self, step: &Step, annotations: Value) -> Result<(), Error> {
        let (namespace, name) = split(&step.key.name);
        let object = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "annotations": annotations}});
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        self.api(namespace)
            .patch(name, &parameters, &Patch::Apply(object))
            .await
            .map_err(|error| account_failed("patch", &step.key.name, &error))?;
        Ok(())
    }

    fn api(&self, namespace: &str) -> Api<CoreServiceAccount> {
        Api::namespaced(self.client.clone(), namespace)
    }
}

/// Whether we made the service account, so that it may go with its platform.
fn was_created(found: &CoreServiceAccount) -> bool {
    found.annotations().contains_key(CREATED)
}

/// The labels of a namespace; one that is not there has none.
///
/// # Errors
/// What the API server says.
pub async fn namespace_labels(client: &Client, namespace: &str) -> Result<Labels, Error> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let found = namespaces.get_opt(namespace).await;
    let found = found.map_err(|error| failed("get namespaces", &format!("Namespace {namespace}"), &error))?;
    Ok(found.and_then(|namespace| namespace.metadata.labels).unwrap_or_default())
}

fn split(key: &str) -> (&str, &str) {
    key.split_once('/').unwrap_or(("default", key))
}

fn account_failed(verb: &str, name: &str, error: &kube::Error) -> Error {
    failed(&format!("{verb} serviceaccounts"), &format!("ServiceAccount {name}"), error)
}

/// `action` is the verb and the resource, as a role of RBAC names them.
fn failed(action: &str, subject: &str, error: &kube::Error) -> Error {
    let (class, code, message) = match error {
        // Somebody was faster: the next look tells.
        kube::Error::Api(status) if ["Conflict", "AlreadyExists"].contains(&status.reason.as_str()) => {
            (Class::Conflict, status.reason.clone(), status.message.clone())
        }
        kube::Error::Api(status) => (Class::of_status(status.code), status.reason.clone(), status.message.clone()),
        other => (Class::Transient, UNREACHABLE.into(), other.to_string()),
    };
    Error { class, action: action.into(), subject: subject.into(), code, message }
}

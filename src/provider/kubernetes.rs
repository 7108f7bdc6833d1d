//! The cluster itself: service accounts in the platform's own namespace.
//!
//! What is written is owned by our field manager, so that server-side apply takes away exactly what we set. Every write
//! is for the version that was looked at in the same step: what somebody else did since then stands.

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount as CoreServiceAccount};
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams, Preconditions};
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
        let owner = owner(&found, place);
        let annotation = |key: &str| found.annotations().get(key).cloned();
        let bound = annotation(ROLE_ANNOTATION);
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
    pub async fn apply(&self, place: &Place, step: &Step) -> Result<Applied, Failures> {
        match (&step.action, &step.desired) {
            (Action::Create | Action::Update(_), Some(Resource::ServiceAccount(desired))) => {
                Ok(self.bind(place, step, desired).await?)
            }
            (Action::Delete { .. }, _) => Ok(self.release(place, step).await?),
            _ => Err(Error::unknown_step(step).into()),
        }
    }

    /// Looked at again: what somebody made or bound since the plan was made is not ours to write to.
    async fn bind(&self, place: &Place, step: &Step, desired: &ServiceAccount) -> Result<Applied, Error> {
        let found = match self.find(step).await? {
            Some(found) => found,
            None => self.create(step, desired).await?,
        };
        if let Owner::Theirs(holder) = owner(&found, place) {
            return Err(Error::owner_changed("patch serviceaccounts", &step.key.to_string(), Some(&holder)));
        }
        let mut annotations = json!({tags::OWNER: desired.owner});
        if let Some(role) = &desired.role_arn {
            annotations[ROLE_ANNOTATION] = json!(role);
        }
        if was_created(&found) {
            annotations[CREATED] = json!("true");
        }
        self.set(step, &found, annotations).await?;
        Ok(Applied::Ready)
    }

    /// Makes it with its owner in the same call. Server-side apply would write to one that somebody made a moment ago.
    async fn create(&self, step: &Step, desired: &ServiceAccount) -> Result<CoreServiceAccount, Error> {
        let (namespace, name) = split(&step.key.name);
        let annotations = [(tags::OWNER, desired.owner.as_str()), (CREATED, "true")];
        let annotations = annotations.map(|(key, value)| (key.to_string(), value.to_string())).into();
        let metadata = ObjectMeta { name: Some(name.into()), annotations: Some(annotations), ..ObjectMeta::default() };
        let parameters = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
        let made = CoreServiceAccount { metadata, ..CoreServiceAccount::default() };
        self.api(namespace)
            .create(&parameters, &made)
            .await
            .map_err(|error| account_failed("create", &step.key.name, &error))
    }

    /// What we made goes, unless others manage it by now; whatever stays loses what we set.
    async fn release(&self, place: &Place, step: &Step) -> Result<Applied, Error> {
        let Some(found) = self.find(step).await? else { return Ok(Applied::Gone) };
        if owner(&found, place) != Owner::Ours {
            return Ok(Applied::Gone);
        }
        if was_created(&found) && !is_managed_by_others(&found) {
            let (namespace, name) = split(&step.key.name);
            let exactly = Preconditions { uid: found.uid(), resource_version: found.resource_version() };
            let parameters = DeleteParams { preconditions: Some(exactly), ..DeleteParams::default() };
            match self.api(namespace).delete(name, &parameters).await {
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                other => {
                    other.map_err(|error| account_failed("delete", &step.key.name, &error))?;
                }
            }
        } else {
            let left = self.set(step, &found, json!({})).await?;
            self.unmark(step, &left).await?;
        }
        Ok(Applied::Gone)
    }

    async fn find(&self, step: &Step) -> Result<Option<CoreServiceAccount>, Error> {
        let (namespace, name) = split(&step.key.name);
        self.api(namespace).get_opt(name).await.map_err(|error| account_failed("get", &step.key.name, &error))
    }

    /// Makes these the annotations that are ours, if the service account is still as it was found.
    async fn set(
        &self,
        step: &Step,
        found: &CoreServiceAccount,
        annotations: Value,
    ) -> Result<CoreServiceAccount, Error> {
        let (namespace, name) = split(&step.key.name);
        let object = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {
            "name": name,
            "uid": found.uid(),
            "resourceVersion": found.resource_version(),
            "annotations": annotations,
        }});
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        self.api(namespace)
            .patch(name, &parameters, &Patch::Apply(object))
            .await
            .map_err(|error| account_failed("patch", &step.key.name, &error))
    }

    /// Takes off what says that it is ours, which server-side apply leaves where the creation set it.
    async fn unmark(&self, step: &Step, found: &CoreServiceAccount) -> Result<(), Error> {
        if ![tags::OWNER, CREATED].iter().any(|key| found.annotations().contains_key(*key)) {
            return Ok(());
        }
        let (namespace, name) = split(&step.key.name);
        let without = json!({"metadata": {
            "resourceVersion": found.resource_version(),
            "annotations": {tags::OWNER: null, CREATED: null},
        }});
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        self.api(namespace)
            .patch(name, &parameters, &Patch::Merge(without))
            .await
            .map_err(|error| account_failed("patch", &step.key.name, &error))?;
        Ok(())
    }

    fn api(&self, namespace: &str) -> Api<CoreServiceAccount> {
        Api::namespaced(self.client.clone(), namespace)
    }
}

/// Who holds a service account.
fn owner(found: &CoreServiceAccount, place: &Place) -> Owner {
    let annotation = |key: &str| found.annotations().get(key).cloned();
    match (annotation(tags::OWNER), annotation(ROLE_ANNOTATION)) {
        (Some(owner), _) if owner == place.owner => Owner::Ours,
        (Some(owner), _) => Owner::Theirs(owner),
        (None, Some(role)) => Owner::Theirs(format!("whoever bound it to {role}")),
        (None, None) => Owner::Nobody,
    }
}

/// Whether somebody else set anything in it. What the control plane puts into every service account is nobody's: the
/// tokens that clusters before Kubernetes 1.24 made, and the pull secrets that `OpenShift` makes.
fn is_managed_by_others(found: &CoreServiceAccount) -> bool {
    let entries = found.managed_fields().iter().filter(|entry| entry.manager.as_deref() != Some(FIELD_MANAGER));
    let fields = entries.filter_map(|entry| Some((entry.manager.as_deref()?, &entry.fields_v1.as_ref()?.0)));
    fields.into_iter().any(|(manager, fields)| {
        let is_everywhere = |path: &str| {
            manager.ends_with("controller-manager")
                && (["f:secrets", "f:imagePullSecrets"].iter().any(|field| path.starts_with(field))
                    || path.contains("openshift.io/"))
        };
        leaves(fields, "").iter().any(|path| !is_everywhere(path))
    })
}

/// The fields that an entry of `managedFields` names, as paths. A dot stands for the map itself, which is nobody's.
fn leaves(fields: &Value, path: &str) -> Vec<String> {
    let Some(fields) = fields.as_object().filter(|fields| !fields.is_empty()) else {
        return if path.is_empty() { Vec::new() } else { vec![path.into()] };
    };
    let named = fields.iter().filter(|(name, _)| *name != ".");
    named
        .flat_map(|(name, below)| leaves(below, &if path.is_empty() { name.clone() } else { format!("{path}/{name}") }))
        .collect()
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

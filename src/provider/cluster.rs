//! The cluster itself: one adapter for every kind of object, whose description says what is applied and what is read.
//!
//! Everything is written by server-side apply under one field manager, so that the API server takes away exactly what
//! the operator set, and only what it manages is compared. Every write is for the version that was read in the same
//! step: what somebody else did since then stands.

mod fields;

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, ObjectMeta, Patch, PatchParams, PostParams,
    Preconditions,
};
use kube::{Api, Client, Resource as _, ResourceExt};
use serde_json::{Value, json};

use crate::api::AIPlatform;
use crate::api::network::PlatformRef;
use crate::controller::FIELD_MANAGER;
use crate::failure::{Class, Error, UNREACHABLE};
use crate::failures::Failures;
use crate::guardrails::Labels;
use crate::kind::{Backend, ClusterApi, Extent, Live, Standing};
use crate::lookup::ApiLookup;
use crate::outcome::Applied;
use crate::plan::{Action, Step};
use crate::resource::{Kind, Observed, Owner, Request, Resource};
use crate::scope::Scope;
use crate::tags;

/// Says that an object was made by us, and may go with its platform.
const CREATED: &str = "aiplatform.dev/created";

/// The cluster that the operator runs for.
pub struct Cluster {
    client: Client,
}

impl Cluster {
    /// The cluster behind this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
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
        let ApiLookup { group, version, plural } = api;
        match self.client.list_api_group_resources(&format!("{group}/{version}")).await {
            Ok(list) => Ok(list.resources.iter().any(|resource| resource.name == *plural)),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            Err(error) => Err(failed("discover", &format!("{plural}.{group}"), &error)),
        }
    }

    /// Observes one object.
    ///
    /// # Errors
    /// The error of the API server.
    pub async fn observe(&self, scope: &Scope, request: &Request) -> Result<Observed, Error> {
        let object = Object::of(self, &request.key.to_string(), request.key.kind, &request.key.name)?;
        let Some(found) = object.find().await? else { return Ok(Observed::absent()) };
        let owner = owner(&object.description, &found, scope);
        let whole = serde_json::to_value(&found).unwrap_or_default();
        let managed = fields::managed(&whole, found.managed_fields(), FIELD_MANAGER);
        let Some(resource) = (object.description.read)(&request.key.name, &managed) else {
            return Err(Error::bug("observe", &request.key.to_string(), "the object cannot be read as its kind"));
        };
        let live = Live { object: &whole, managed: &managed.object, beneath: &[], now: Timestamp::now() };
        let Standing { state, remarks, facts } = (object.description.standing)(&live);
        Ok(Observed { state, remarks, facts, ..Observed::present(resource, owner) })
    }

    /// Takes one step.
    ///
    /// # Errors
    /// The error of the API server.
    pub async fn apply(&self, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
        let object = Object::of(self, &step.key.to_string(), step.key.kind, &step.key.name)?;
        match (&step.action, &step.desired) {
            (Action::Create | Action::Update(_), Some(desired)) => Ok(object.put(scope, step, desired).await?),
            (Action::Delete { .. }, _) => Ok(object.release(scope).await?),
            _ => Err(Error::unknown_step(step).into()),
        }
    }
}

/// One object, with the ways to it.
struct Object<'a> {
    api: Api<DynamicObject>,
    description: ClusterApi,
    name: &'a str,
    subject: String,
}

impl<'a> Object<'a> {
    fn of(cluster: &Cluster, subject: &str, kind: Kind, key: &'a str) -> Result<Self, Error> {
        let Backend::Cluster(description) = kind.info().backend else {
            return Err(Error::bug("reach", subject, "it is not in the cluster"));
        };
        let (namespace, name) =
            key.split_once('/').ok_or_else(|| Error::bug("reach", subject, "it has no namespace"))?;
        let gvk = GroupVersionKind::gvk(description.group, description.version, description.kind);
        let resource = ApiResource::from_gvk_with_plural(&gvk, description.plural);
        let api = Api::namespaced_with(cluster.client.clone(), namespace, &resource);
        Ok(Self { api, description, name, subject: subject.into() })
    }

    async fn find(&self) -> Result<Option<DynamicObject>, Error> {
        self.api.get_opt(self.name).await.map_err(|error| self.failed("get", &error))
    }

    /// Read again: what somebody made or took over since the plan was made is not ours to write to.
    async fn put(&self, scope: &Scope, step: &Step, desired: &Resource) -> Result<Applied, Error> {
        let Some(body) = (self.description.body)(desired) else {
            return Err(Error::bug(step.action.name(), &self.subject, "it is not of its kind"));
        };
        let found = match self.find().await? {
            Some(found) => found,
            None => self.create(scope).await?,
        };
        if let Owner::Theirs(holder) = owner(&self.description, &found, scope) {
            let action = format!("patch {}", self.description.plural);
            return Err(Error::owner_changed(&action, &self.subject, Some(&holder)));
        }
        self.set(&found, self.marked(scope, body, was_created(&found))).await?;
        Ok(Applied::Ready)
    }

    /// Makes it with its owner in the same call. Server-side apply would write to one that somebody made a moment ago.
    /// Nothing else is in it: what a creation sets, applying without it does not take away again.
    async fn create(&self, scope: &Scope) -> Result<DynamicObject, Error> {
        let mut object = self.marked(scope, json!({}), true);
        object["metadata"]["name"] = json!(self.name);
        let bug = |error: serde_json::Error| Error::bug("create", &self.subject, error);
        let object: DynamicObject = serde_json::from_value(object).map_err(bug)?;
        let parameters = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
        self.api.create(&parameters, &object).await.map_err(|error| self.failed("create", &error))
    }

    /// The body with what says whose it is. What is wholly ours goes with the platform's object even when nobody is
    /// there to delete it.
    fn marked(&self, scope: &Scope, mut body: Value, is_created: bool) -> Value {
        body["apiVersion"] = json!(self.description.api_version());
        body["kind"] = json!(self.description.kind);
        body["metadata"]["annotations"][tags::OWNER] = json!(scope.owner);
        if is_created {
            body["metadata"]["annotations"][CREATED] = json!("true");
        }
        if self.description.extent == Extent::Object {
            let platform = scope.owner.rsplit('/').next().unwrap_or_default();
            body["metadata"]["labels"][tags::PLATFORM_LABEL] = json!(platform);
            if !scope.uid.is_empty() {
                body["metadata"]["ownerReferences"] = json!([{
                    "apiVersion": AIPlatform::api_version(&()), "kind": AIPlatform::kind(&()), "name": platform, "uid": scope.uid,
                    "controller": true, "blockOwnerDeletion": false,
                }]);
            }
        }
        body
    }

    /// Deletes an object that we made, unless others manage it by now; an object that stays loses the fields we set.
    async fn release(&self, scope: &Scope) -> Result<Applied, Error> {
        let Some(found) = self.find().await? else { return Ok(Applied::Gone) };
        if owner(&self.description, &found, scope) != Owner::Ours {
            return Ok(Applied::Gone);
        }
        let is_ours_alone = self.description.extent == Extent::Object
            || !fields::are_managed_by_others(found.managed_fields(), FIELD_MANAGER);
        if was_created(&found) && is_ours_alone {
            let exactly = Preconditions { uid: found.uid(), resource_version: found.resource_version() };
            let parameters = DeleteParams { preconditions: Some(exactly), ..DeleteParams::default() };
            match self.api.delete(self.name, &parameters).await {
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                other => {
                    other.map_err(|error| self.failed("delete", &error))?;
                }
            }
        } else {
            let nothing = json!({"apiVersion": self.description.api_version(), "kind": self.description.kind});
            let left = self.set(&found, nothing).await?;
            self.unmark(&left).await?;
        }
        Ok(Applied::Gone)
    }

    /// Makes this what is ours in the object, if it is still as it was found.
    async fn set(&self, found: &DynamicObject, mut body: Value) -> Result<DynamicObject, Error> {
        body["metadata"]["name"] = json!(self.name);
        body["metadata"]["uid"] = json!(found.uid());
        body["metadata"]["resourceVersion"] = json!(found.resource_version());
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(body);
        self.api.patch(self.name, &parameters, &patch).await.map_err(|error| self.failed("patch", &error))
    }

    /// Takes off what says that it is ours, which server-side apply leaves where the creation set it.
    async fn unmark(&self, found: &DynamicObject) -> Result<(), Error> {
        if ![tags::OWNER, CREATED].iter().any(|key| found.annotations().contains_key(*key)) {
            return Ok(());
        }
        let without = json!({"metadata": {
            "resourceVersion": found.resource_version(),
            "annotations": {tags::OWNER: null, CREATED: null},
        }});
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        let patch = Patch::Merge(without);
        self.api.patch(self.name, &parameters, &patch).await.map_err(|error| self.failed("patch", &error))?;
        Ok(())
    }

    fn failed(&self, verb: &str, error: &kube::Error) -> Error {
        failed(&format!("{verb} {}", self.description.plural), &self.subject, error)
    }
}

/// The holder of an object.
fn owner(description: &ClusterApi, found: &DynamicObject, scope: &Scope) -> Owner {
    let metadata: &ObjectMeta = &found.metadata;
    let marked = metadata.annotations.as_ref().and_then(|annotations| annotations.get(tags::OWNER));
    match marked {
        Some(owner) if *owner == scope.owner => Owner::Ours,
        Some(owner) => Owner::Theirs(owner.clone()),
        None => {
            let annotations = metadata.annotations.clone().unwrap_or_default();
            (description.claimed)(&annotations).map_or(Owner::Nobody, Owner::Theirs)
        }
    }
}

/// True when we made the object, so that it may go with its platform.
fn was_created(found: &DynamicObject) -> bool {
    found.annotations().contains_key(CREATED)
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

/// `action` is the verb and the resource, as a role of RBAC names them.
fn failed(action: &str, subject: &str, error: &kube::Error) -> Error {
    let (class, code, message) = match error {
        // Somebody was faster: the next pass finds out.
        kube::Error::Api(status) if ["Conflict", "AlreadyExists"].contains(&status.reason.as_str()) => {
            (Class::Conflict, status.reason.clone(), status.message.clone())
        }
        kube::Error::Api(status) => (Class::of_status(status.code), status.reason.clone(), status.message.clone()),
        other => (Class::Transient, UNREACHABLE.into(), other.to_string()),
    };
    Error { class, action: action.into(), subject: subject.into(), code, message }
}

//! One object in the cluster, with the ways to it.

use jiff::Timestamp;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, ObjectMeta, Patch, PatchParams,
    Preconditions,
};
use kube::{Api, Client, Resource as _, ResourceExt};
use serde_json::{Value, json};

use super::ownership::settled;
use super::served::Served;
use super::{failed, fields, serves};
use crate::api::AIPlatform;
use crate::cluster_manifests::overlay;
use crate::controller::FIELD_MANAGER;
use crate::failure::{Class, Error};
use crate::kind::{Backend, Beneath, ClusterApi, Extent, Live, Standing};
use crate::lookup::ApiLookup;
use crate::outcome::Applied;
use crate::plan::{Action, Step};
use crate::resource::{Key, Observed, ObservedState, Owner, Resource};
use crate::scope::Scope;
use crate::tags;

/// The most objects that are read beneath one: they only say why it is as it is.
const BENEATH: u32 = 100;

/// Tries of a write that others get in the way of.
const TRIES: u32 = 5;

/// A version that no object has, since the first revision of etcd is that of an empty store: to apply for it makes what is
/// not there and is a conflict with what is. Source: <https://github.com/kubernetes/kubernetes/issues/106745>.
const VERSION_OF_NOTHING: &str = "1";

/// The code of an error about an API that the cluster lacks.
const NOT_SERVED: &str = "NotServed";

/// One object.
pub(super) struct Object<'a> {
    client: &'a Client,
    apis: &'a Served,
    api: Api<DynamicObject>,
    description: ClusterApi,
    key: &'a Key,
    namespace: &'a str,
    name: &'a str,
    subject: String,
}

impl<'a> Object<'a> {
    /// The object of a key.
    ///
    /// # Errors
    /// A bug where it is not one.
    pub(super) fn of(client: &'a Client, apis: &'a Served, key: &'a Key) -> Result<Self, Error> {
        let subject = key.to_string();
        let Backend::Cluster(description) = key.kind.info().backend else {
            return Err(Error::bug("reach", &subject, "it is not in the cluster"));
        };
        let (namespace, name) =
            key.name.split_once('/').ok_or_else(|| Error::bug("reach", &subject, "it has no namespace"))?;
        let ClusterApi { group, version, kind, plural, .. } = description;
        let api = Api::namespaced_with(client.clone(), namespace, &api_resource(group, version, kind, plural));
        Ok(Self { client, apis, api, description, key, namespace, name, subject })
    }

    /// The object, where it is there. One whose API is not served any more went with it.
    ///
    /// # Errors
    /// The error of the API server.
    pub(super) async fn find(&self) -> Result<Option<DynamicObject>, Error> {
        match self.api.get(self.name).await {
            Ok(found) => Ok(Some(found)),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
            Err(error) => {
                let failed = self.failed("get", &error);
                if self.may_lack_its_api(&failed) && !self.is_served().await? { Ok(None) } else { Err(failed) }
            }
        }
    }

    /// The observation of the object as it was found.
    ///
    /// # Errors
    /// A bug where it cannot be read as its kind.
    pub(super) async fn observed(&self, scope: &Scope, found: &DynamicObject) -> Result<Observed, Error> {
        let owner = owner(&self.description, found, scope);
        let whole = serde_json::to_value(found).unwrap_or_default();
        let managed = fields::managed(&whole, found.managed_fields(), FIELD_MANAGER);
        let Some(resource) = (self.description.read)(&self.key.name, &managed) else {
            return Err(Error::bug("observe", &self.subject, "the object cannot be read as its kind"));
        };
        let (beneath, unknown) = match (self.description.beneath)(&whole) {
            Some(beneath) if owner == Owner::Ours => match self.beneath(&beneath).await {
                Ok(objects) => (objects, None),
                Err(error) => (Vec::new(), Some((beneath.plural.to_string(), error))),
            },
            Some(_) | None => (Vec::new(), None),
        };
        let Standing { state, remarks, facts } = self.standing(&whole, &managed.object, &beneath);
        let unknown = unknown.into_iter().collect();
        Ok(Observed { state, remarks, facts, unknown, ..Observed::present(resource, owner) })
    }

    /// The key of the object.
    pub(super) fn key(&self) -> &Key {
        self.key
    }

    /// True where objects beneath it say why it is as it was found.
    pub(super) fn has_beneath(&self, found: &DynamicObject) -> bool {
        (self.description.beneath)(&serde_json::to_value(found).unwrap_or_default()).is_some()
    }

    fn standing(&self, object: &Value, managed: &Value, beneath: &[Value]) -> Standing {
        let standing = (self.description.standing)(&Live { object, managed, beneath, now: Timestamp::now() });
        match leaving(object) {
            Some(why) => Standing { state: ObservedState::Progressing(why), ..standing },
            None => standing,
        }
    }

    async fn beneath(&self, beneath: &Beneath) -> Result<Vec<Value>, Error> {
        let Beneath { group, version, kind, plural, selector } = beneath;
        let resource = api_resource(group, version, kind, plural);
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), self.namespace, &resource);
        let listed = api.list(&ListParams::default().labels(selector).limit(BENEATH)).await;
        let listed = listed.map_err(|error| failed(&format!("list {plural}"), &self.subject, &error))?;
        Ok(listed.into_iter().map(|object| serde_json::to_value(object).unwrap_or_default()).collect())
    }

    /// Makes it as desired; the result, and the object as it is then. Controllers write to its status all the time: it is read again then, for a few times.
    ///
    /// # Errors
    /// The error of the API server.
    pub(super) async fn put(
        &self,
        scope: &Scope,
        step: &Step,
        desired: &Resource,
    ) -> Result<(Applied, DynamicObject), Error> {
        let mut tries = 1;
        loop {
            match self.try_put(scope, step, desired).await {
                Err(error) if is_outdated(&error) && tries < TRIES => tries += 1,
                other => return other,
            }
        }
    }

    /// What is to be made is created at once, which fails where somebody has made it since the plan. All else is read
    /// again: what somebody made or took over in the meantime is not ours to write to.
    async fn try_put(&self, scope: &Scope, step: &Step, desired: &Resource) -> Result<(Applied, DynamicObject), Error> {
        let Some(body) = (self.description.body)(desired) else {
            return Err(Error::bug(step.action.name(), &self.subject, "it is not of its kind"));
        };
        let found = if matches!(step.action, Action::Create) { None } else { self.find().await? };
        let found = match found {
            Some(found) => found,
            None => match self.create(scope, &body, (self.description.initial)(desired)).await {
                Ok(created) => return Ok((self.applied(step, &created)?, created)),
                Err(error) if is_outdated(&error) => self.find().await?.ok_or(error)?,
                Err(error) => return Err(error),
            },
        };
        let action = || format!("patch {}", self.description.plural);
        match owner(&self.description, &found, scope) {
            Owner::Ours => {}
            Owner::Theirs(holder) => return Err(Error::owner_changed(&action(), &self.subject, Some(&holder))),
            // Only what is not wholly ours is ever adopted, and never what the plan took for absent.
            Owner::Nobody if self.description.extent == Extent::Fields && step.action != Action::Create => {}
            Owner::Nobody => return Err(Error::owner_changed(&action(), &self.subject, None)),
        }
        let body = self.marked(scope, body, was_created(&found));
        let written = self.set(&found, body).await?;
        Ok((self.applied(step, &written)?, written))
    }

    /// What came of a write that left the object so.
    fn applied(&self, step: &Step, written: &DynamicObject) -> Result<Applied, Error> {
        let object = serde_json::to_value(written).unwrap_or_default();
        let managed = fields::managed(&object, written.managed_fields(), FIELD_MANAGER);
        match self.standing(&object, &managed.object, &[]).state {
            ObservedState::Progressing(why) | ObservedState::Failed(why) => Ok(Applied::Progressing(why)),
            // What its status comes to is found out by a read: until then nobody knows what serves.
            ObservedState::Ready if self.description.status_matters => {
                Ok(Applied::Progressing("it was written, and is read again".into()))
            }
            ObservedState::Ready => Ok(Applied::Ready),
            ObservedState::Absent | ObservedState::Unreadable(_) => {
                Err(Error::bug(step.action.name(), &self.subject, "its standing is that of nothing"))
            }
        }
    }

    /// Makes it as a whole with its owner in one request, which is refused as a conflict where somebody has made one.
    async fn create(&self, scope: &Scope, body: &Value, initial: Option<Value>) -> Result<DynamicObject, Error> {
        let mut object = self.marked(scope, body.clone(), true);
        object["metadata"]["name"] = json!(self.name);
        object["metadata"]["resourceVersion"] = json!(VERSION_OF_NOTHING);
        if let Some(initial) = &initial {
            overlay(&mut object, initial.clone());
        }
        let created = match self.api.patch(self.name, &applying(), &Patch::Apply(object)).await {
            Ok(created) => created,
            Err(error) => {
                let failed = self.failed("create", &error);
                let is_lacking = self.may_lack_its_api(&failed) && !self.is_served().await?;
                return Err(if is_lacking { self.not_served(failed) } else { failed });
            }
        };
        let released = if initial.is_some() { self.settle(&created, body).await? } else { None };
        Ok(released.unwrap_or(created))
    }

    /// The body with what says whose it is. What is wholly ours goes with the platform's object even when nobody is
    /// there to delete it.
    fn marked(&self, scope: &Scope, mut body: Value, is_created: bool) -> Value {
        body["apiVersion"] = json!(self.description.api_version());
        body["kind"] = json!(self.description.kind);
        body["metadata"]["annotations"][tags::OWNER] = json!(scope.owner);
        if is_created {
            body["metadata"]["annotations"][tags::CREATED] = json!("true");
        }
        if self.description.extent == Extent::Object {
            let platform = scope.owner.rsplit('/').next().unwrap_or_default();
            let label = tags::platform_label(platform);
            if label != platform {
                body["metadata"]["annotations"][tags::PLATFORM_LABEL] = json!(platform);
            }
            body["metadata"]["labels"][tags::PLATFORM_LABEL] = json!(label);
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
    ///
    /// # Errors
    /// The error of the API server.
    pub(super) async fn release(&self, scope: &Scope) -> Result<Applied, Error> {
        let mut tries = 1;
        loop {
            match self.try_release(scope).await {
                Err(error) if is_outdated(&error) && tries < TRIES => tries += 1,
                other => return other,
            }
        }
    }

    async fn try_release(&self, scope: &Scope) -> Result<Applied, Error> {
        let Some(found) = self.find().await? else { return Ok(Applied::Gone) };
        if owner(&self.description, &found, scope) != Owner::Ours {
            return Ok(Applied::Gone);
        }
        if let Some(why) = leaving(&serde_json::to_value(&found).unwrap_or_default()) {
            return Ok(Applied::Progressing(why));
        }
        let is_ours_alone = self.description.extent == Extent::Object
            || !fields::are_managed_by_others(found.managed_fields(), FIELD_MANAGER);
        if was_created(&found) && is_ours_alone {
            return self.delete(&found).await;
        }
        let nothing = json!({"apiVersion": self.description.api_version(), "kind": self.description.kind});
        let left = self.set(&found, nothing).await?;
        self.unmark(&left).await?;
        Ok(Applied::Gone)
    }

    async fn delete(&self, found: &DynamicObject) -> Result<Applied, Error> {
        let exactly = Preconditions { uid: found.uid(), resource_version: found.resource_version() };
        let parameters = DeleteParams { preconditions: Some(exactly), ..DeleteParams::default() };
        match self.api.delete(self.name, &parameters).await {
            Ok(answer) => {
                let left = answer.left().map(|left| serde_json::to_value(left).unwrap_or_default());
                Ok(left.as_ref().and_then(leaving).map_or(Applied::Gone, Applied::Progressing))
            }
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(Applied::Gone),
            Err(error) => Err(self.failed("delete", &error)),
        }
    }

    /// Makes this what is ours in the object, if it is still as it was found. What we no longer set and the description
    /// releases stays as it is.
    async fn set(&self, found: &DynamicObject, mut body: Value) -> Result<DynamicObject, Error> {
        let settled = self.settle(found, &body).await?;
        let found = settled.as_ref().unwrap_or(found);
        body["metadata"]["name"] = json!(self.name);
        body["metadata"]["uid"] = json!(found.uid());
        body["metadata"]["resourceVersion"] = json!(found.resource_version());
        self.patch(&applying(), &Patch::Apply(body)).await
    }

    /// Makes everything that the operator manages of the object applied, and gives up what this body does not set and the
    /// description releases. The object then, where there was anything to do.
    async fn settle(&self, found: &DynamicObject, body: &Value) -> Result<Option<DynamicObject>, Error> {
        let released = self.description.released.iter().copied();
        let let_go: Vec<&[&str]> = released.filter(|path| !holds(body, path)).collect();
        let Some(entries) = settled(found.managed_fields(), FIELD_MANAGER, &let_go) else { return Ok(None) };
        let entries = json!({"metadata": {
            "resourceVersion": found.resource_version(), "uid": found.uid(), "managedFields": entries,
        }});
        self.patch(&by_us(), &Patch::Merge(entries)).await.map(Some)
    }

    /// Takes off what says that it is ours, where others set it as well.
    async fn unmark(&self, found: &DynamicObject) -> Result<(), Error> {
        if ![tags::OWNER, tags::CREATED].iter().any(|key| found.annotations().contains_key(*key)) {
            return Ok(());
        }
        let without = json!({"metadata": {
            "resourceVersion": found.resource_version(),
            "annotations": {tags::OWNER: null, tags::CREATED: null},
        }});
        self.patch(&by_us(), &Patch::Merge(without)).await.map(|_| ())
    }

    async fn patch(&self, parameters: &PatchParams, patch: &Patch<Value>) -> Result<DynamicObject, Error> {
        self.api.patch(self.name, parameters, patch).await.map_err(|error| self.failed("patch", &error))
    }

    fn failed(&self, verb: &str, error: &kube::Error) -> Error {
        failed(&format!("{verb} {}", self.description.plural), &self.subject, error)
    }

    /// True for an answer that an API server gives which does not serve the API. A proxy may give it too.
    fn may_lack_its_api(&self, error: &Error) -> bool {
        self.description.is_optional && error.class == Class::NotFound
    }

    async fn is_served(&self) -> Result<bool, Error> {
        match ApiLookup::of(self.key.kind) {
            Some(api) => serves(self.client, self.apis, &api).await,
            None => Ok(true),
        }
    }

    fn not_served(&self, error: Error) -> Error {
        let ClusterApi { plural, group, version, .. } = self.description;
        let message = format!("the cluster does not serve {plural} of {group}/{version}: install what does");
        Error { code: NOT_SERVED.into(), message, ..error }
    }
}

/// True where somebody wrote to the object since it was read.
fn is_outdated(error: &Error) -> bool {
    error.class == Class::Conflict && error.code == "Conflict"
}

fn api_resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

/// Fields that others have set as well become the operator's.
fn applying() -> PatchParams {
    PatchParams::apply(FIELD_MANAGER).force()
}

fn by_us() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() }
}

/// True when an object has something at this path.
fn holds(object: &Value, path: &[&str]) -> bool {
    path.iter().try_fold(object, |value, name| value.get(name)).is_some()
}

/// The reason for which an object that is being deleted is still there.
fn leaving(object: &Value) -> Option<String> {
    object.pointer("/metadata/deletionTimestamp")?;
    let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array).into_iter().flatten();
    let finalizers: Vec<&str> = finalizers.filter_map(Value::as_str).collect();
    Some(match finalizers.as_slice() {
        [] => "it is being deleted".into(),
        finalizers => format!("it is being deleted, and waits for whoever has set {}", finalizers.join(", ")),
    })
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
    found.annotations().contains_key(tags::CREATED)
}

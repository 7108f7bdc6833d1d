//! Watches of the objects in the cluster that are wholly a platform's: what somebody changes or deletes in them wakes it.

use futures::StreamExt;
use futures::stream::{self, BoxStream, SelectAll};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, PartialObjectMeta};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Error as WatchError, Event, watcher};
use kube::{Api, Client};

use super::{FIELD_MANAGER, ObjectKey};
use crate::kind::{Backend, ClusterApi, Extent};
use crate::resource::Kind;
use crate::tags;

/// Events of children, each with the name of its watch.
pub(super) type Children = SelectAll<BoxStream<'static, (String, Result<Child, WatchError>)>>;

/// An event of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Child {
    /// The platform with this key has a child that somebody else changed or deleted.
    Changed(ObjectKey),
    /// The API server answers, and there is nothing to do.
    Unchanged,
    /// The watch begins, which shows nothing yet.
    Begun,
}

/// A watch for each kind that is wholly a platform's, in each of these namespaces, or in all of them.
pub(super) fn watch(client: &Client, namespaces: &[String]) -> Children {
    let apis = Kind::ALL.iter().filter_map(|kind| match kind.info().backend {
        Backend::Cluster(api) if api.extent == Extent::Object => Some(api),
        Backend::Cluster(_) | Backend::Aws(_) => None,
    });
    let watches = apis.flat_map(|api| {
        let each: Vec<Option<&String>> =
            if namespaces.is_empty() { vec![None] } else { namespaces.iter().map(Some).collect() };
        each.into_iter().map(move |namespace| watch_of(client, api, namespace)).collect::<Vec<_>>()
    });
    stream::select_all(watches)
}

fn watch_of(
    client: &Client,
    description: ClusterApi,
    namespace: Option<&String>,
) -> BoxStream<'static, (String, Result<Child, WatchError>)> {
    let gvk = GroupVersionKind::gvk(description.group, description.version, description.kind);
    let resource = ApiResource::from_gvk_with_plural(&gvk, description.plural);
    let api: Api<PartialObjectMeta<DynamicObject>> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let name = match namespace {
        Some(namespace) => format!("watch of {} in {namespace}", description.plural),
        None => format!("watch of {}", description.plural),
    };
    let config = watcher::Config::default().labels(tags::PLATFORM_LABEL);
    watcher(api, config).default_backoff().map(move |event| (name.clone(), event.map(|it| child(&it)))).boxed()
}

/// The initial list says how things are, and the first pass over each platform finds that out by itself.
fn child(event: &Event<PartialObjectMeta<DynamicObject>>) -> Child {
    match event {
        Event::Init | Event::InitApply(_) => Child::Begun,
        Event::InitDone => Child::Unchanged,
        Event::Apply(object) if is_own_write(&object.metadata) => Child::Unchanged,
        Event::Apply(object) | Event::Delete(object) => {
            parent(&object.metadata).map_or(Child::Unchanged, Child::Changed)
        }
    }
}

fn parent(metadata: &ObjectMeta) -> Option<ObjectKey> {
    let name = metadata.labels.as_ref()?.get(tags::PLATFORM_LABEL)?.clone();
    Some(ObjectKey { namespace: metadata.namespace.clone()?, name })
}

/// True when the last write to an object was the operator's. Where somebody else wrote within the same second, nobody
/// can tell.
fn is_own_write(metadata: &ObjectMeta) -> bool {
    let entries = metadata.managed_fields.as_deref().unwrap_or_default();
    let written = |is_ours: bool| -> Option<Timestamp> {
        let those = entries.iter().filter(|entry| (entry.manager.as_deref() == Some(FIELD_MANAGER)) == is_ours);
        those.filter_map(|entry| entry.time.as_ref().map(|time| time.0)).max()
    };
    written(true) > written(false)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(managers: &[(&str, &str)]) -> PartialObjectMeta<DynamicObject> {
        let fields: Vec<Value> = managers
            .iter()
            .map(|(manager, time)| json!({"manager": manager, "operation": "Apply", "time": time, "fieldsV1": {}}))
            .collect();
        let metadata = json!({"name": "a-endpoints", "namespace": "n", "labels": {tags::PLATFORM_LABEL: "a"}, "managedFields": fields});
        serde_json::from_value(json!({"metadata": metadata})).unwrap()
    }

    #[test]
    fn what_others_do_to_a_child_wakes_its_platform_and_what_the_operator_does_itself_wakes_nobody() {
        let key = || Child::Changed(ObjectKey { namespace: "n".into(), name: "a".into() });
        let ours = ("aiplatform", "2026-01-01T00:00:05Z");
        let apply = |managers: &[(&str, &str)]| child(&Event::Apply(object(managers)));
        assert_eq!(apply(&[ours]), Child::Unchanged);
        assert_eq!(apply(&[ours, ("kubectl", "2026-01-01T00:00:04Z")]), Child::Unchanged);
        assert_eq!(apply(&[ours, ("kubectl", "2026-01-01T00:00:05Z")]), key(), "nobody can tell who was last");
        assert_eq!(apply(&[ours, ("kubectl", "2026-01-01T00:00:06Z")]), key());
        assert_eq!(child(&Event::Delete(object(&[ours]))), key());
        assert_eq!(child(&Event::InitApply(object(&[("kubectl", "2026-01-01T00:00:06Z")]))), Child::Begun);
    }
}

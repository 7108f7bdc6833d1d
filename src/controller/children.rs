//! Watches of a platform's objects in the cluster, and of the pods beneath them: what somebody changes or deletes in them
//! wakes it. And watches of the APIs that a cluster may lack.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::{self, BoxStream, SelectAll};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, PartialObjectMeta, PartialObjectMetaExt};
use kube::core::DynamicResourceScope;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Error as WatchError, Event, watcher};
use kube::{Api, Client};
use tokio::sync::watch;

use super::{FIELD_MANAGER, ObjectKey};
use crate::api_server::WATCH_SECONDS;
use crate::kind::{Backend, ClusterApi, Extent};
use crate::lookup::{ApiLookup, optional_kinds};
use crate::provider::cluster::Watched;
use crate::resource::Kind;
use crate::tags;

/// The time after which a watch of an API that the cluster lacks is tried again, if nobody says that it has it now. Until
/// then each pass reads its objects all the same.
const LACKING: Duration = Duration::from_mins(15);

/// The time after which a watch is tried again that the operator has no right to and can do without.
const DENIED: Duration = Duration::from_hours(1);

/// The longest pause after any other failure.
const PAUSE_MOST: Duration = Duration::from_secs(30);

/// The watches.
pub(super) struct Children {
    /// Their events, each with the name of its watch.
    pub(super) events: SelectAll<Events>,
    /// The signal to look again, by the kind whose API the cluster may lack.
    signals: BTreeMap<Kind, watch::Sender<()>>,
}

impl Children {
    /// Begins the watches of a kind anew whose API was not served before.
    pub(super) fn look_again(&self, kind: Kind) {
        if let Some(signal) = self.signals.get(&kind) {
            signal.send_replace(());
        }
    }
}

type Events = BoxStream<'static, (String, Result<Child, WatchError>)>;

/// An event of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Child {
    /// The platform with this key has a child that somebody else changed or deleted.
    Changed(ObjectKey),
    /// A child of the platform with this key, or a pod beneath it, says of itself that it is in another state.
    StatusChanged(ObjectKey),
    /// The cluster may serve the API of a kind now that it lacked before, or the other way round.
    ApiChanged(Kind),
    /// The watch of a kind shows everything anew, and not what happened since it broke off.
    Relisted(Kind),
    /// The API server answers, and there is nothing to do.
    Unchanged,
    /// The watch begins, which shows nothing yet.
    Begun,
}

/// A watch for each kind of object and for pods, in each of these namespaces, or in all of them, and one
/// for each API that the cluster may lack.
pub(super) fn watch(client: &Client, namespaces: &[String], shown: &Arc<Watched>) -> Children {
    let each: Vec<Option<&String>> =
        if namespaces.is_empty() { vec![None] } else { namespaces.iter().map(Some).collect() };
    let signals: BTreeMap<Kind, watch::Sender<()>> =
        optional_kinds().map(|(kind, _)| (kind, watch::Sender::new(()))).collect();
    let kinds = Kind::ALL.iter().filter_map(|kind| match kind.info().backend {
        Backend::Cluster(api) => Some((*kind, api)),
        Backend::Aws(_) => None,
    });
    let mut watches: Vec<Events> = Vec::new();
    for (kind, api) in kinds {
        let signal = signals.get(&kind).map(watch::Sender::subscribe);
        let of = |namespace| watch_of(client, api, namespace, (kind, Arc::clone(shown)), signal.clone());
        watches.extend(each.iter().copied().map(of));
    }
    watches.extend(each.iter().map(|namespace| watch_of_pods(client, *namespace)));
    watches.extend(optional_kinds().map(|(kind, api)| watch_of_definition(client, kind, api, shown)));
    Children { events: stream::select_all(watches), signals }
}

fn watches() -> watcher::Config {
    watcher::Config::default().timeout(WATCH_SECONDS)
}

fn watch_of(
    client: &Client,
    description: ClusterApi,
    namespace: Option<&String>,
    (kind, watched): (Kind, Arc<Watched>),
    signal: Option<watch::Receiver<()>>,
) -> Events {
    let gvk = GroupVersionKind::gvk(description.group, description.version, description.kind);
    let resource = ApiResource::from_gvk_with_plural(&gvk, description.plural);
    let name = name_of(description.plural, namespace);
    let events = match description.extent {
        // All of it, so that what it shows need not be read.
        Extent::Object => {
            let shown = Arc::clone(&watched);
            let config = watches().labels(tags::PLATFORM_LABEL);
            let events = watcher(api_of::<DynamicObject>(client, namespace, &resource), config);
            events.map(move |event| event.map(|event| metadata(kind, event, &shown))).boxed()
        }
        // Whoever made such an object has labelled it as they like.
        Extent::Fields => {
            watcher(api_of::<PartialObjectMeta<DynamicObject>>(client, namespace, &resource), watches()).boxed()
        }
    };
    let events = match (signal, description.extent) {
        (Some(signal), _) => forgiving(events, 404, LACKING, Some(signal)).boxed(),
        // Without the right to watch, each pass reads.
        (None, Extent::Fields) => forgiving(events, 403, DENIED, None).boxed(),
        (None, Extent::Object) => events.default_backoff().map(Some).boxed(),
    };
    let namespace = namespace.cloned();
    let events = events.inspect(move |event| note(&watched, kind, namespace.as_deref(), event.as_ref()));
    named(name, events.boxed(), meaning(kind, description.status_matters))
}

/// The meaning of the events of a watch, in their order.
fn meaning<K>(kind: Kind, status_matters: bool) -> impl Fn(&Event<PartialObjectMeta<K>>) -> Child {
    let is_listed = AtomicBool::new(false);
    move |event| match event {
        Event::InitDone if is_listed.swap(true, Ordering::Relaxed) => Child::Relisted(kind),
        other => child(other, status_matters),
    }
}

fn api_of<K>(client: &Client, namespace: Option<&String>, resource: &ApiResource) -> Api<K>
where
    K: kube::Resource<Scope = DynamicResourceScope, DynamicType = ApiResource>,
{
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
        None => Api::all_with(client.clone(), resource),
    }
}

/// The event with the metadata alone, once the object that it shows is noted.
fn metadata(kind: Kind, event: Event<DynamicObject>, watched: &Watched) -> Event<PartialObjectMeta<DynamicObject>> {
    let bare = |object: DynamicObject| object.metadata.into_response_partial();
    if let Event::InitApply(object) | Event::Apply(object) = &event {
        watched.showed(kind, object);
    }
    match event {
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
        Event::InitApply(object) => Event::InitApply(bare(object)),
        Event::Apply(object) => Event::Apply(bare(object)),
        Event::Delete(object) => Event::Delete(bare(object)),
    }
}

/// Notes what the watch of a kind shows of versions. Nothing stands for a failure that is forgiven.
fn note<K>(
    watched: &Watched,
    kind: Kind,
    namespace: Option<&str>,
    event: Option<&Result<Event<PartialObjectMeta<K>>, WatchError>>,
) {
    match event {
        Some(Err(_)) => watched.failed(kind, namespace, Instant::now()),
        Some(Ok(_)) | None => watched.works(kind, namespace),
    }
    match event {
        Some(Ok(Event::InitApply(object) | Event::Apply(object))) => watched.changed(kind, &object.metadata),
        Some(Ok(Event::Delete(object))) => watched.deleted(kind, &object.metadata),
        Some(Ok(Event::InitDone)) => watched.completed(kind, namespace),
        Some(Ok(Event::Init)) | None => watched.lost(kind, namespace),
        Some(Err(_)) => {}
    }
}

/// Why pods do not come up is in their own status.
fn watch_of_pods(client: &Client, namespace: Option<&String>) -> Events {
    let api: Api<PartialObjectMeta<Pod>> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let events = watcher(api, watches().labels(tags::PLATFORM_LABEL)).default_backoff();
    named(name_of("pods", namespace), events.map(Some).boxed(), |event| match child(event, true) {
        // Pods are made by controllers: what happens to one is a state of its Deployment.
        Child::Changed(key) => Child::StatusChanged(key),
        other => other,
    })
}

/// Without the right to it, each pass finds out whether the cluster serves the API.
fn watch_of_definition(client: &Client, kind: Kind, of: ApiLookup, watched: &Arc<Watched>) -> Events {
    let api: Api<PartialObjectMeta<CustomResourceDefinition>> = Api::all(client.clone());
    let definition = of.definition();
    let config = watches().fields(&format!("metadata.name={definition}"));
    let events = forgiving(watcher(api, config), 403, DENIED, None);
    let watched = Arc::clone(watched);
    let events = events.inspect(move |event| match event {
        Some(Ok(Event::InitApply(_))) => watched.apis.listed(&of),
        Some(Ok(Event::InitDone)) => watched.apis.completed(&of),
        Some(Ok(Event::Apply(_))) => watched.apis.changed(&of, true),
        Some(Ok(Event::Delete(_))) => watched.apis.changed(&of, false),
        Some(Ok(Event::Init)) | None => watched.apis.lost(&of),
        Some(Err(_)) => watched.apis.failed(&of, Instant::now()),
    });
    let is_listed = AtomicBool::new(false);
    named(format!("watch of the definition {definition}"), events.boxed(), move |event| match event {
        Event::Init | Event::InitApply(_) => Child::Begun,
        // It may have come or gone since the watch broke off.
        Event::InitDone if is_listed.swap(true, Ordering::Relaxed) => Child::ApiChanged(kind),
        Event::InitDone => Child::Unchanged,
        Event::Apply(_) | Event::Delete(_) => Child::ApiChanged(kind),
    })
}

fn name_of(plural: &str, namespace: Option<&String>) -> String {
    match namespace {
        Some(namespace) => format!("watch of {plural} in {namespace}"),
        None => format!("watch of {plural}"),
    }
}

/// The events of a watch with its name; nothing stands for a failure that is forgiven.
fn named<K: Send + 'static>(
    name: String,
    events: BoxStream<'static, Option<Result<Event<K>, WatchError>>>,
    meaning: impl Fn(&Event<K>) -> Child + Send + 'static,
) -> Events {
    let events = events.map(move |event| match event {
        Some(event) => (name.clone(), event.map(|event| meaning(&event))),
        None => (name.clone(), Ok(Child::Unchanged)),
    });
    events.boxed()
}

/// A watch that forgives one status of the API server: it is tried again after this pause, or when the signal comes.
fn forgiving<K: Send + 'static>(
    events: impl futures::Stream<Item = Result<Event<K>, WatchError>> + Send + 'static,
    forgiven: u16,
    pause: Duration,
    signal: Option<watch::Receiver<()>>,
) -> impl futures::Stream<Item = Option<Result<Event<K>, WatchError>>> + Send + 'static {
    let state = (events.boxed(), signal, Duration::ZERO);
    stream::unfold(state, move |(mut events, mut signal, wait)| async move {
        if !wait.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = signalled(&mut signal) => {}
            }
        }
        let event = events.next().await?;
        let (event, wait) = match event {
            Ok(event) => (Some(Ok(event)), Duration::ZERO),
            Err(error) if status_of(&error) == Some(forgiven) => (None, pause),
            Err(error) => (Some(Err(error)), (wait * 2).clamp(Duration::from_secs(1), PAUSE_MOST)),
        };
        Some((event, (events, signal, wait)))
    })
}

/// Waits for a signal that comes after the last one that was seen.
async fn signalled(signal: &mut Option<watch::Receiver<()>>) {
    let is_open = match signal {
        Some(signal) => signal.changed().await.is_ok(),
        None => false,
    };
    if !is_open {
        std::future::pending::<()>().await;
    }
}

/// The status with which the API server refuses a list or a watch.
fn status_of(error: &WatchError) -> Option<u16> {
    match error {
        WatchError::InitialListFailed(kube::Error::Api(status))
        | WatchError::WatchStartFailed(kube::Error::Api(status))
        | WatchError::WatchError(status) => Some(status.code),
        _ => None,
    }
}

/// The initial list says how things are, and the first pass over each platform finds that out by itself.
fn child<K>(event: &Event<PartialObjectMeta<K>>, status_matters: bool) -> Child {
    match event {
        Event::Init | Event::InitApply(_) => Child::Begun,
        Event::InitDone => Child::Unchanged,
        Event::Apply(object) if is_own_write(&object.metadata, status_matters) => Child::Unchanged,
        Event::Apply(object) if is_own_write(&object.metadata, false) => {
            parent(&object.metadata).map_or(Child::Unchanged, Child::StatusChanged)
        }
        Event::Apply(object) | Event::Delete(object) => {
            parent(&object.metadata).map_or(Child::Unchanged, Child::Changed)
        }
    }
}

/// The platform of an object: by its label or, of one that is not wholly the platform's, by the owner in its annotation.
fn parent(metadata: &ObjectMeta) -> Option<ObjectKey> {
    let annotation = |key: &str| metadata.annotations.as_ref().and_then(|annotations| annotations.get(key));
    let labelled = || metadata.labels.as_ref().and_then(|labels| labels.get(tags::PLATFORM_LABEL));
    let owner = || annotation(tags::OWNER).and_then(|owner| owner.rsplit('/').next());
    let name = annotation(tags::PLATFORM_LABEL).or_else(labelled).map(String::as_str).or_else(owner)?;
    Some(ObjectKey { namespace: metadata.namespace.clone()?, name: name.into() })
}

/// True when the last write to an object was the operator's, writes to its status aside where that does not matter. Where
/// somebody else wrote within the same second, nobody can tell.
fn is_own_write(metadata: &ObjectMeta, status_matters: bool) -> bool {
    let entries = metadata.managed_fields.iter().flatten();
    let entries = entries.filter(|entry| status_matters || entry.subresource.as_deref() != Some("status"));
    let entries: Vec<_> = entries.collect();
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
        let apply = |managers: &[(&str, &str)]| child(&Event::Apply(object(managers)), false);
        assert_eq!(apply(&[ours]), Child::Unchanged);
        assert_eq!(apply(&[ours, ("kubectl", "2026-01-01T00:00:04Z")]), Child::Unchanged);
        assert_eq!(apply(&[ours, ("kubectl", "2026-01-01T00:00:05Z")]), key(), "nobody can tell who was last");
        assert_eq!(apply(&[ours, ("kubectl", "2026-01-01T00:00:06Z")]), key());
        assert_eq!(child(&Event::Delete(object(&[ours])), false), key());
        assert_eq!(child(&Event::InitApply(object(&[("kubectl", "2026-01-01T00:00:06Z")])), false), Child::Begun);
    }

    #[test]
    fn what_a_watch_shows_anew_may_have_changed_unseen() {
        let meaning = meaning::<DynamicObject>(Kind::Service, false);
        let shown = || Event::InitApply(object(&[]));
        for last in [Child::Unchanged, Child::Relisted(Kind::Service), Child::Relisted(Kind::Service)] {
            assert_eq!([Event::Init, shown()].map(|event| meaning(&event)), [Child::Begun, Child::Begun]);
            assert_eq!(meaning(&Event::InitDone), last);
        }
    }

    #[test]
    fn a_platform_whose_name_is_longer_than_a_label_is_woken_by_its_whole_name() {
        let long = format!("{}.{}", "a".repeat(63), "b".repeat(63));
        let mut changed = object(&[("kubectl", "2026-01-01T00:00:06Z")]).metadata;
        changed.labels = Some([(tags::PLATFORM_LABEL.to_string(), tags::platform_label(&long))].into());
        changed.annotations = Some([(tags::PLATFORM_LABEL.to_string(), long.clone())].into());
        assert_eq!(parent(&changed), Some(ObjectKey { namespace: "n".into(), name: long }));
    }

    #[test]
    fn a_service_account_wakes_the_platform_that_has_bound_it_and_others_nobody() {
        let mut account = object(&[("kubectl", "2026-01-01T00:00:06Z")]);
        account.metadata.labels = None;
        assert_eq!(child(&Event::Apply(account.clone()), false), Child::Unchanged);
        account.metadata.annotations = Some([(tags::OWNER.to_string(), "prod/n/a".to_string())].into());
        let key = ObjectKey { namespace: "n".into(), name: "a".into() };
        assert_eq!(child(&Event::Apply(account), false), Child::Changed(key));
    }

    #[test]
    fn a_status_wakes_where_it_says_how_the_platform_is() {
        let mut scaled = object(&[("aiplatform", "2026-01-01T00:00:05Z"), ("controller", "2026-01-01T00:00:06Z")]);
        let entries = scaled.metadata.managed_fields.as_mut().unwrap();
        entries[1].subresource = Some("status".into());
        assert_eq!(child(&Event::Apply(scaled.clone()), false), Child::Unchanged);
        let key = || ObjectKey { namespace: "n".into(), name: "a".into() };
        assert_eq!(child(&Event::Apply(scaled.clone()), true), Child::StatusChanged(key()));
        assert_eq!(child(&Event::Delete(scaled.clone()), true), Child::Changed(key()));
        scaled.metadata.managed_fields.as_mut().unwrap()[1].subresource = Some("scale".into());
        assert_eq!(child(&Event::Apply(scaled.clone()), false), Child::Changed(key()));
        assert_eq!(child(&Event::Apply(scaled), true), Child::Changed(key()), "not the status alone");
    }

    fn refused(code: u16) -> WatchError {
        WatchError::InitialListFailed(kube::Error::Api(kube::core::Status::failure("no", "No").with_code(code).boxed()))
    }

    #[tokio::test]
    async fn an_api_that_the_cluster_lacks_is_no_failure_and_is_looked_for_when_it_may_have_come() {
        let signal = watch::Sender::new(());
        let lacking = || stream::iter([Err(refused(404)), Ok(Event::<()>::InitDone)]);
        let mut events = forgiving(lacking(), 404, DENIED, Some(signal.subscribe())).boxed();
        assert!(matches!(events.next().await, Some(None)));
        signal.send_replace(());
        assert!(matches!(events.next().await, Some(Some(Ok(_)))), "the signal came before an hour was over");
        let mut events = forgiving(lacking(), 404, Duration::from_millis(1), Some(signal.subscribe())).boxed();
        assert!(matches!(events.next().await, Some(None)));
        assert!(matches!(events.next().await, Some(Some(Ok(_)))), "nobody has to say it");
        let mut events = forgiving(lacking(), 403, DENIED, None).boxed();
        assert!(matches!(events.next().await, Some(Some(Err(_)))), "another failure is reported");
        assert!(matches!(events.next().await, Some(Some(Ok(_)))));
    }
}

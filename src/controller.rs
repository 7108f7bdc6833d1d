//! Watches `AIPlatform` objects and takes passes over them.

mod allowance;
mod children;
mod dispatch;
mod error;
mod events;
mod finalizer;
mod object_state;
mod objects;
mod queue;
mod reconcile_object;
mod reconcile_result;
mod recorder;
mod unreadable;

use std::collections::HashMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::FutureExt;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::Api;
use kube::{Client, Resource, ResourceExt};
use tokio::sync::mpsc::UnboundedReceiver;
use tracing::{Instrument, error, error_span, info, warn};

use crate::api::AIPlatform;
use crate::api::network::PlatformRef;
use crate::drift_listeners::{DriftEvents, News};
use crate::guardrails::Guardrails;
use crate::http::Pages;
use crate::leadership::Authority;
use crate::metrics::Metrics;
use crate::provider::Provider;
use crate::provider::cluster::Watched;
use crate::readiness::Readiness;
use crate::session::UserRequest;
use crate::traces::TARGET;
use error::{Attempt, Error};
use events::Note;
use objects::Object;
use queue::Urgency;
use reconcile_result::ReconcileResult;
use recorder::Recorder;

/// The name under which the operator writes to Kubernetes.
pub const FIELD_MANAGER: &str = "aiplatform";

/// The settings of the controller.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespaces to watch; all of them when empty.
    pub namespaces: Vec<String>,
    /// Only objects with these labels.
    pub label_selector: Option<String>,
    /// The cluster's name in owner tags.
    pub cluster: String,
    /// Passes under way at most, but for those that wait for a server that does not answer.
    pub concurrency: u16,
    /// The first polling interval of what is in transition.
    pub transition: Duration,
    /// The guardrails, which limit what objects may request.
    pub guardrails: Guardrails,
}

/// Where the controller hears of changes besides its own watches, and where it notes what they show.
pub struct Listeners {
    /// The listeners to what others change in AWS.
    pub drift_events: Arc<DriftEvents>,
    /// What they hear.
    pub news: UnboundedReceiver<News>,
    /// What watches of objects in the cluster show.
    pub watched: Arc<Watched>,
}

/// The key of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct ObjectKey {
    namespace: String,
    name: String,
}

impl ObjectKey {
    fn of(meta: &ObjectMeta) -> Self {
        Self { namespace: meta.namespace.clone().unwrap_or_default(), name: meta.name.clone().unwrap_or_default() }
    }
}

impl From<&PlatformRef> for ObjectKey {
    fn from(named: &PlatformRef) -> Self {
        Self { namespace: named.namespace.clone(), name: named.name.clone() }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

/// The context that all passes share.
struct Context<P> {
    client: Client,
    provider: Arc<P>,
    settings: Settings,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
    recorder: Recorder,
    states: Mutex<HashMap<String, object_state::ObjectState>>,
    authority: Authority,
    drift_events: Arc<DriftEvents>,
    began: Instant,
}

/// The end of a pass: its result, and the object and version it began with.
struct Processed {
    result: ReconcileResult,
    uid: String,
    version: Option<String>,
}

/// Runs until the operator ends, then lets the steps in hand end. Whether they did, so that nothing of ours is on its way
/// any more.
pub async fn run<P: Provider + 'static>(
    client: Client,
    provider: Arc<P>,
    settings: Settings,
    pages: &Pages,
    authority: Authority,
    listeners: Listeners,
) -> bool {
    let Listeners { drift_events, news, watched } = listeners;
    let context = Context {
        recorder: Recorder::new(client.clone()),
        client,
        provider,
        settings,
        metrics: Arc::clone(&pages.metrics),
        readiness: Arc::clone(&pages.readiness),
        states: Mutex::default(),
        authority,
        drift_events,
        began: Instant::now(),
    };
    dispatch::dispatch(Arc::new(context), news, &watched).await
}

/// Reconciles an object and reports the result, with the time of the next reconciliation.
async fn process<P: Provider + 'static>(object: &Object, context: &Context<P>) -> Processed {
    let meta = object.meta();
    // At the level of an error, so that whichever lines a filter lets through name the platform.
    let span = error_span!(target: TARGET, "reconcile", platform = %ObjectKey::of(meta));
    let began = Instant::now();
    context.metrics.reconcile_began();
    let work = async {
        match &object.0 {
            Ok(object) => reconcile_with_finalizer(object, context).await,
            Err(invalid) => unreadable::report(invalid, context).await,
        }
    };
    let result = isolated(work).instrument(span.clone()).await;
    let took = began.elapsed();
    let result = match result {
        Ok(result) => result,
        Err(error) => {
            report(&error, meta, context).instrument(span).await;
            ReconcileResult { obstacle: error.obstacle(), ..reconcile_object::failed(meta, began, context) }
        }
    };
    context.metrics.reconcile_ended(result.verdict.name(), took);
    context.readiness.set(&ObjectKey::of(meta).to_string(), result.obstacle.clone());
    Processed { result, uid: meta.uid.clone().unwrap_or_default(), version: meta.resource_version.clone() }
}

/// Reports a failed pass where its status cannot: in the log, in metrics and, where somebody has to act,
/// in an event.
async fn report<P>(error: &Error, meta: &ObjectMeta, context: &Context<P>) {
    let reason = error.reason();
    context.metrics.failed(reason);
    error!(reason, "{error}");
    if !error.needs_somebody() {
        return;
    }
    let note = Note {
        warning: true,
        reason: reason.to_string(),
        action: "Reconcile",
        message: error.to_string(),
        about: None,
    };
    if let Err(error) = context.recorder.publish(note, &reference(meta)).await {
        warn!(%error, "an event could not be published");
    }
}

/// The reference to an object in an event, whether the object can be decoded or not.
fn reference(meta: &ObjectMeta) -> ObjectReference {
    ObjectReference {
        api_version: Some(AIPlatform::api_version(&()).into_owned()),
        kind: Some(AIPlatform::kind(&()).into_owned()),
        name: meta.name.clone(),
        namespace: meta.namespace.clone(),
        uid: meta.uid.clone(),
        resource_version: meta.resource_version.clone(),
        ..ObjectReference::default()
    }
}

async fn reconcile_with_finalizer<P: Provider + 'static>(
    object: &AIPlatform,
    context: &Context<P>,
) -> Result<ReconcileResult, Error> {
    let api: Api<AIPlatform> = Api::namespaced(context.client.clone(), &object.namespace().unwrap_or_default());
    let is_deleting = object.metadata.deletion_timestamp.is_some();
    match (is_deleting, finalizer::is_on(object)) {
        (true, false) => Ok(ReconcileResult::done()),
        (true, true) => {
            let result = reconcile_object::reconcile_object(object, context).await?;
            if result.finished {
                info!("nothing is left to delete");
                finalizer::take_off(&api, result.object.as_ref().unwrap_or(object))
                    .await
                    .map_err(Attempt::WriteFinalizer.failed())?;
                return Ok(ReconcileResult::done());
            }
            Ok(result)
        }
        (false, true) => reconcile_object::reconcile_object(object, context).await,
        (false, false) => {
            // The status of a new object comes first: it says that nothing was made yet, and the finalizer that something
            // may have been. The first pass makes no call.
            let first = match &object.status {
                None => Some(reconcile_object::reconcile_object(object, context).await?),
                Some(_) => None,
            };
            let latest = first.as_ref().and_then(|result| result.object.as_ref()).unwrap_or(object);
            let kept = finalizer::put_on(&api, latest).await.map_err(Attempt::WriteFinalizer.failed())?;
            object_state::record_own_write(&kept, context);
            // An edit that came in between is under our own write, which the watch does not show as a change.
            let is_outdated = UserRequest::of(&kept) != UserRequest::of(latest);
            let result = first.filter(|_| !is_outdated).unwrap_or_else(|| ReconcileResult::requeue(Urgency::Edit));
            Ok(ReconcileResult { object: Some(kept), ..result })
        }
    }
}

/// A panic in one pass must not stop the others.
async fn isolated<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().cloned();
        let message = message.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Err(Error::Panicked(message.unwrap_or_else(|| "without a message".into())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_an_error_of_that_pass() {
        let result = isolated::<()>(async { panic!("boom {}", 1) }).await;
        assert_eq!(result.unwrap_err().to_string(), "the pass panicked: boom 1");
        assert_eq!(isolated(async { Ok(7) }).await.unwrap(), 7);
    }
}

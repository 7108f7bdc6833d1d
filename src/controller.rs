//! Watches `AIPlatform` objects and takes passes over them.

mod allowance;
mod children;
mod dispatch;
mod error;
mod events;
mod finalizer;
mod objects;
mod queue;
mod recorder;
mod unreadable;
mod visit;

use std::collections::HashMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures::FutureExt;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::Api;
use kube::{Client, Resource, ResourceExt};
use tracing::{Instrument, error, info, info_span, warn};

use crate::api::AIPlatform;
use crate::guardrails::Guardrails;
use crate::http::Pages;
use crate::leadership::Authority;
use crate::metrics::Metrics;
use crate::provider::Provider;
use crate::readiness::Readiness;
use crate::schedule::Periods;
use crate::session::UserRequest;
use error::{Attempt, Error};
use events::Note;
use objects::Object;
use queue::Urgency;
use recorder::Recorder;
use visit::Visited;

/// The name under which the operator writes to Kubernetes.
pub const FIELD_MANAGER: &str = "aiplatform";

/// How the controller works.
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
    /// When to look again.
    pub periods: Periods,
    /// What objects may ask for.
    pub guardrails: Guardrails,
}

/// Which object it is.
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

impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

/// What every pass works with.
struct Context<P> {
    client: Client,
    provider: Arc<P>,
    settings: Settings,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
    recorder: Recorder,
    visits: Mutex<HashMap<String, visit::Visit>>,
    authority: Authority,
    began: Instant,
}

/// How a pass ended, and which object in which version it began with.
struct Ended {
    visited: Visited,
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
) -> bool {
    let context = Context {
        recorder: Recorder::new(client.clone()),
        client,
        provider,
        settings,
        metrics: Arc::clone(&pages.metrics),
        readiness: Arc::clone(&pages.readiness),
        visits: Mutex::default(),
        authority,
        began: Instant::now(),
    };
    dispatch::dispatch(Arc::new(context)).await
}

/// Takes passes over an object, and says when it is to be visited again.
async fn attend<P: Provider + 'static>(object: &Object, context: &Context<P>) -> Ended {
    let meta = object.meta();
    let span = info_span!(
        "reconcile",
        namespace = meta.namespace.as_deref().unwrap_or_default(),
        name = meta.name.as_deref().unwrap_or_default()
    );
    let began = Instant::now();
    context.metrics.pass_began();
    let work = async {
        match &object.0 {
            Ok(object) => attend_readable(object, context).await,
            Err(invalid) => unreadable::report(invalid, context).await,
        }
    };
    let result = isolated(work).instrument(span.clone()).await;
    context.metrics.pass_ended(began.elapsed());
    let visited = match result {
        Ok(visited) => visited,
        Err(error) => {
            report(&error, meta, context).instrument(span).await;
            Visited { obstacle: error.obstacle(), ..visit::failed(meta, began, context) }
        }
    };
    context.readiness.set(&ObjectKey::of(meta).to_string(), visited.obstacle.clone());
    Ended { visited, uid: meta.uid.clone().unwrap_or_default(), version: meta.resource_version.clone() }
}

/// Tells of a pass that did not end well, where its status cannot: in the log, in metrics and, where somebody has to act,
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

/// What an event about the object refers to, whether the object can be decoded or not.
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

async fn attend_readable<P: Provider + 'static>(object: &AIPlatform, context: &Context<P>) -> Result<Visited, Error> {
    let api: Api<AIPlatform> = Api::namespaced(context.client.clone(), &object.namespace().unwrap_or_default());
    let is_deleting = object.metadata.deletion_timestamp.is_some();
    match (is_deleting, finalizer::is_on(object)) {
        (true, false) => Ok(Visited::for_good()),
        (true, true) => {
            let visited = visit::visit(object, context).await?;
            if visited.finished {
                info!("nothing is left to delete");
                finalizer::take_off(&api, visited.object.as_ref().unwrap_or(object))
                    .await
                    .map_err(Attempt::WriteFinalizer.failed())?;
                return Ok(Visited::for_good());
            }
            Ok(visited)
        }
        (false, true) => visit::visit(object, context).await,
        (false, false) => {
            // The status of a new object comes first: it says that nothing was made yet, and the finalizer that something
            // may have been. The first visit makes no call.
            let first = match &object.status {
                None => Some(visit::visit(object, context).await?),
                Some(_) => None,
            };
            let latest = first.as_ref().and_then(|visited| visited.object.as_ref()).unwrap_or(object);
            let kept = finalizer::put_on(&api, latest).await.map_err(Attempt::WriteFinalizer.failed())?;
            visit::wrote(&kept, context);
            // An edit that came in between is under our own write, which is no news.
            let is_outdated = UserRequest::of(&kept) != UserRequest::of(latest);
            let visited = first.filter(|_| !is_outdated).unwrap_or_else(|| Visited::again(Urgency::Edit));
            Ok(Visited { object: Some(kept), ..visited })
        }
    }
}

/// A panic in one pass must not stop the others.
async fn isolated<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| {
        let told = panic.downcast_ref::<String>().cloned();
        let told = told.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Err(Error::Panicked(told.unwrap_or_else(|| "without a message".into())))
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

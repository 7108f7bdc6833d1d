//! Watches `AIPlatform` objects and takes passes over them.

mod events;
mod visit;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::{FutureExt, StreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::controller::{Action, Config};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::finalizer::{self, Event as FinalizerEvent, finalizer};
use kube::runtime::{Controller, watcher};
use kube::{Client, Resource, ResourceExt};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, error, info, info_span};

use crate::api::{AIPlatform, FINALIZER};
use crate::guardrails::Guardrails;
use crate::metrics::Metrics;
use crate::provider::Provider;
use crate::schedule::Periods;

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
    /// Passes under way at most.
    pub concurrency: u16,
    /// When to look again.
    pub periods: Periods,
    /// What objects may ask for.
    pub guardrails: Guardrails,
}

/// What every pass works with.
struct Context<P> {
    client: Client,
    provider: Arc<P>,
    settings: Settings,
    metrics: Arc<Metrics>,
    recorder: Recorder,
    permits: Semaphore,
    visits: Mutex<HashMap<String, visit::Visit>>,
    stop: CancellationToken,
}

/// Why a pass over an object did not end well.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// The API server refused something.
    #[error("{0}")]
    Kubernetes(#[from] kube::Error),
    /// The object is on its way out and the finalizer has to stay.
    #[error("deletion is under way")]
    Deleting(Option<Duration>),
    /// The finalizer could not be set or taken away, or the work under it failed.
    #[error("{0}")]
    Finalizer(#[source] Box<finalizer::Error<Error>>),
    /// A bug of ours, kept away from the other objects.
    #[error("the pass panicked: {0}")]
    Panicked(String),
}

impl Error {
    fn reason(&self) -> &'static str {
        match self {
            Self::Kubernetes(_) => "KubernetesError",
            Self::Deleting(_) => "Deleting",
            Self::Finalizer(error) => match error.as_ref() {
                finalizer::Error::ApplyFailed(error) | finalizer::Error::CleanupFailed(error) => error.reason(),
                _ => "FinalizerError",
            },
            Self::Panicked(_) => "Panicked",
        }
    }

    /// What an orderly deletion asks for, if this is one.
    fn deleting(&self) -> Option<Action> {
        match self {
            Self::Deleting(delay) => Some(action(*delay)),
            Self::Finalizer(error) => match error.as_ref() {
                finalizer::Error::CleanupFailed(error) => error.deleting(),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Runs until `stop`, then ends the steps in hand and returns.
pub async fn run<P: Provider + 'static>(
    client: Client,
    provider: Arc<P>,
    settings: Settings,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    let reporter = Reporter { controller: FIELD_MANAGER.into(), instance: None };
    let concurrency = settings.concurrency.max(1);
    let context = Arc::new(Context {
        recorder: Recorder::new(client.clone(), reporter),
        client: client.clone(),
        provider,
        metrics,
        permits: Semaphore::new(usize::from(concurrency)),
        visits: Mutex::default(),
        stop: stop.clone(),
        settings: settings.clone(),
    });
    let apis: Vec<Api<DeserializeGuard<AIPlatform>>> = match settings.namespaces.as_slice() {
        [] => vec![Api::all(client)],
        namespaces => namespaces.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect(),
    };
    let watched = watcher::Config { label_selector: settings.label_selector.clone(), ..watcher::Config::default() };
    let controllers = apis.into_iter().map(|api| {
        Controller::new(api, watched.clone())
            .with_config(Config::default().concurrency(concurrency))
            .graceful_shutdown_on(stop.clone().cancelled_owned())
            .run(reconcile, error_policy, Arc::clone(&context))
            .for_each(|result| async move {
                if let Err(error) = result {
                    debug!(%error, "controller");
                }
            })
    });
    // A controller that never saw its objects, because the cluster is away, does not end by itself.
    let nothing_in_hand = async {
        stop.cancelled().await;
        context.permits.acquire_many(u32::from(concurrency)).await.is_ok()
    };
    tokio::select! {
        _ = futures::future::join_all(controllers) => {}
        _ = nothing_in_hand => {}
    }
}

async fn reconcile<P: Provider + 'static>(
    object: Arc<DeserializeGuard<AIPlatform>>,
    context: Arc<Context<P>>,
) -> Result<Action, Error> {
    let meta = object.meta();
    let span = info_span!(
        "reconcile",
        namespace = meta.namespace.as_deref().unwrap_or_default(),
        name = meta.name.as_deref().unwrap_or_default()
    );
    let Ok(_permit) = context.permits.acquire().await else { return Ok(Action::await_change()) };
    let began = Instant::now();
    context.metrics.pass_began();
    let result = isolated(attend(&object, &context)).instrument(span.clone()).await;
    context.metrics.pass_ended(began.elapsed());
    if let Err(error) = &result
        && error.deleting().is_none()
    {
        context.metrics.failed(error.reason());
        let _entered = span.enter();
        error!(reason = error.reason(), "{error}");
    }
    result
}

/// A panic in one pass must not stop the others.
async fn isolated<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| {
        let told = panic.downcast_ref::<String>().cloned();
        let told = told.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Err(Error::Panicked(told.unwrap_or_else(|| "without a message".into())))
    })
}

async fn attend<P: Provider + 'static>(
    object: &DeserializeGuard<AIPlatform>,
    context: &Context<P>,
) -> Result<Action, Error> {
    let object = match &object.0 {
        Ok(object) => object,
        Err(invalid) => return report_unreadable(invalid, context).await,
    };
    let namespace = object.namespace().unwrap_or_default();
    let api: Api<AIPlatform> = Api::namespaced(context.client.clone(), &namespace);
    finalizer(&api, FINALIZER, Arc::new(object.clone()), |event| async {
        match event {
            FinalizerEvent::Apply(object) => Ok(action(visit::visit(&object, context).await?.1)),
            FinalizerEvent::Cleanup(object) => {
                let (finished, delay) = visit::visit(&object, context).await?;
                if finished {
                    info!("nothing is left to delete");
                    visit::forget(&object, context);
                    return Ok(Action::await_change());
                }
                Err(Error::Deleting(delay))
            }
        }
    })
    .await
    .or_else(|error| match error {
        // An event that came late: the object is gone already.
        finalizer::Error::RemoveFinalizer(kube::Error::Api(status)) if status.code == 404 => Ok(Action::await_change()),
        other => Err(Error::Finalizer(Box::new(other))),
    })
}

fn action(delay: Option<Duration>) -> Action {
    delay.map_or_else(Action::await_change, Action::requeue)
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is kube's")]
fn error_policy<P>(object: Arc<DeserializeGuard<AIPlatform>>, error: &Error, context: Arc<Context<P>>) -> Action {
    if let Some(action) = error.deleting() {
        return action;
    }
    let repeats = {
        let mut visits = context.visits.lock().unwrap_or_else(PoisonError::into_inner);
        visits.entry(object.meta().uid.clone().unwrap_or_default()).or_default().failed()
    };
    action(crate::schedule::delay(crate::schedule::Next::Retry, context.settings.periods, repeats, fastrand::f64()))
}

/// An object that an older or newer definition let in: its status says so, and the others go on.
async fn report_unreadable<P>(invalid: &InvalidObject, context: &Context<P>) -> Result<Action, Error> {
    let ObjectMeta { name, namespace, generation, .. } = &invalid.metadata;
    let (name, namespace) = (name.clone().unwrap_or_default(), namespace.clone().unwrap_or_default());
    let message = format!("the object does not fit this version of aiplatform: {}", invalid.error);
    error!(reason = "InvalidSpec", "{message}");
    context.metrics.failed("InvalidSpec");
    let resource = kube::api::ApiResource::erase::<AIPlatform>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), &namespace, &resource);
    let before = api.get(&name).await?;
    let known = before.data.pointer("/status/conditions/0/message").and_then(|known| known.as_str());
    if known == Some(message.as_str()) {
        return Ok(Action::await_change());
    }
    let now = visit::now();
    let condition = |kind: &str, status: &str| {
        serde_json::json!({"type": kind, "status": status, "reason": "InvalidSpec", "message": message,
            "observedGeneration": generation, "lastTransitionTime": now.to_string()})
    };
    let patch = serde_json::json!({
        "apiVersion": resource.api_version, "kind": resource.kind,
        "status": {"observedGeneration": generation, "phase": "Stalled",
            "conditions": [condition("Ready", "False"), condition("Stalled", "True")]},
    });
    api.patch_status(&name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(patch)).await?;
    Ok(Action::await_change())
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

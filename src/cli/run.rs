//! `aiplatform run`: the operator.

use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use axum::http::header::USER_AGENT;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, Config};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{ClusterArguments, Error, LEADERSHIP_LOST, RunArguments, SUCCESS, log};
use crate::api_server::{self, Record};
use crate::controller::{self, Listeners, Settings};
use crate::drift_events::inbox::Listener as Identity;
use crate::drift_listeners::{self, DriftEvents};
use crate::guardrails::Guardrails;
use crate::http::{self, Pages};
use crate::leadership::{self, Authority, LONGEST_CALL, Selection, lease_name};
use crate::metrics::Metrics;
use crate::provider::aws::{Aws, snapshots};
use crate::provider::cluster::Cluster;
use crate::provider::providers::Providers;
use crate::readiness::{self, Readiness, cluster_obstacle};
use crate::schedule;
use crate::traces::Traces;

pub(super) fn run(arguments: RunArguments) -> Result<u8, Error> {
    let guardrails = arguments.guardrails.enforced()?;
    let runtime = runtime()?;
    let pages = Pages::default();
    let traces = Traces::begin(runtime.handle(), &pages.metrics).map_err(|error| Error::Start(error.to_string()))?;
    log::begin(arguments.log_format, traces.as_ref());
    let code = runtime.block_on(operate(arguments, guardrails, pages));
    // The runtime is there until here: it sends the last spans.
    if let Some(traces) = traces {
        traces.end();
    }
    code
}

/// Bytes of a worker's stack. Only what is used of it takes memory.
const STACK: usize = 8 << 20;

pub(super) fn runtime() -> Result<Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread()
        // A pass is one deep future: builds without optimisation need more than the default for the calls at its end.
        .thread_stack_size(STACK)
        .enable_all()
        .build()
        .map_err(|error| Error::Start(format!("the asynchronous runtime did not start: {error}")))
}

/// The cluster that the environment names.
pub(super) async fn cluster() -> Result<Config, Error> {
    let mut config = Config::infer().await.map_err(|error| Error::NoKubeconfig(error.to_string()))?;
    config.headers.push((USER_AGENT, HeaderValue::from_static(concat!("aiplatform/", env!("CARGO_PKG_VERSION")))));
    Ok(config)
}

/// A client for the cluster that the environment names.
pub(super) async fn client() -> Result<Client, Error> {
    let config = cluster().await?;
    guarded(|| Client::try_from(config))
}

/// Makes a client from what names a cluster. kube panics on credentials that no header can hold, which a plugin may bring as well as a file.
pub(super) fn guarded(make: impl FnOnce() -> Result<Client, kube::Error>) -> Result<Client, Error> {
    // Nothing else runs yet whose panics this could hide.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let result = panic::catch_unwind(AssertUnwindSafe(make));
    panic::set_hook(hook);
    match result {
        Ok(client) => client.map_err(|error| Error::NoKubeconfig(error.to_string())),
        Err(_) => Err(Error::Credentials),
    }
}

/// AWS and the cluster, as the environment names them.
pub(super) async fn providers(
    client: &Client,
    s3_path_style: bool,
    shared_for: Duration,
    authority: Authority,
    metrics: Arc<Metrics>,
) -> Providers {
    let aws = Aws::new(s3_path_style, shared_for, authority, metrics).await;
    Providers { aws, cluster: Cluster::new(client.clone()) }
}

/// The cluster's name in owner tags.
pub(super) async fn cluster_name(client: &Client, arguments: &ClusterArguments) -> Result<String, Error> {
    if let Some(name) = &arguments.cluster_name {
        return Ok(name.clone());
    }
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let system = match namespaces.get("kube-system").await {
        Ok(system) => system,
        Err(kube::Error::Api(status)) => return Err(Error::NoClusterName(status.message.clone())),
        Err(error) => return Err(Error::Cluster(cluster_obstacle(&error))),
    };
    system.metadata.uid.ok_or_else(|| Error::NoClusterName("it has none".into()))
}

async fn operate(arguments: RunArguments, guardrails: Guardrails, pages: Pages) -> Result<u8, Error> {
    let config = cluster().await?;
    let stop = stop_on_signal()?;
    let authority =
        if arguments.leader_elect { Authority::elected(stop.clone()) } else { Authority::unelected(stop.clone()) };
    // The lease and the probes have a client of their own, which may speak before this operator leads.
    let record = Record { metrics: Arc::clone(&pages.metrics), contact: Arc::default() };
    let plain = guarded(|| api_server::plain_client(config.clone(), &record))?;
    let client = guarded(|| api_server::client(config, authority.clone(), &record))?;
    pages.metrics.follow(authority.clone());
    let listener = listen(&arguments.http_addr).await?;
    let serving = tokio::spawn(http::serve(listener, pages.clone(), stop.clone()));

    let (s3_path_style, shared_for) =
        (arguments.aws.s3_path_style, snapshots::period(arguments.resync.unwrap_or(schedule::RESYNC)));
    let metrics = Arc::clone(&pages.metrics);
    let provider = Arc::new(providers(&client, s3_path_style, shared_for, authority.clone(), metrics).await);
    let probing = tokio::spawn(readiness::watch(
        Arc::clone(&pages.readiness),
        plain.clone(),
        record.contact,
        Arc::clone(&provider),
        provider.aws.home(),
        Arc::clone(&pages.metrics),
        stop.clone(),
    ));
    let mut code = SUCCESS;
    if let Some(cluster) = wait_for_cluster(&plain, &arguments.cluster, &pages.readiness, &stop).await {
        let tenure = if arguments.leader_elect {
            let selection = Selection {
                namespaces: &distinct(arguments.namespaces.clone()),
                label_selector: arguments.label_selector.as_deref(),
            };
            let name = arguments.lease_name.clone().unwrap_or_else(|| lease_name(&selection));
            let place = (lease_namespace(&plain), name);
            leadership::lead(plain.clone(), place, &authority, &pages.readiness).await
        } else {
            None
        };
        let settings = Settings {
            namespaces: distinct(arguments.namespaces),
            label_selector: arguments.label_selector,
            cluster,
            concurrency: arguments.concurrency,
            transition: arguments.transition_poll,
            guardrails,
        };
        if !stop.is_cancelled() {
            info!(cluster = settings.cluster, "watching");
            let identity = Identity {
                cluster: settings.cluster.clone(),
                namespaces: settings.namespaces.clone(),
                label_selector: settings.label_selector.clone(),
            };
            let (drift_events, news) = DriftEvents::new(arguments.drift_events, identity, arguments.resync);
            let listening = tokio::spawn(drift_listeners::run(
                Arc::clone(&drift_events),
                Arc::clone(&provider),
                Arc::clone(&pages.metrics),
                authority.clone(),
            ));
            let watched = Arc::clone(&provider.cluster.watched);
            let listeners = Listeners { drift_events, news, watched };
            let nothing_in_hand = controller::run(client, provider, settings, &pages, authority, listeners).await;
            let _ = listening.await;
            match tenure {
                Some(tenure) if tenure.is_lost() => code = LEADERSHIP_LOST,
                // What was cut off may still be on its way: then the lease has to run out.
                Some(tenure) if nothing_in_hand => tenure.give_back().await,
                _ => {}
            }
        } else if let Some(tenure) = tenure {
            tenure.give_back().await;
        }
    }
    stop.cancel();
    // Whoever reads a page to the end is not waited for for ever.
    let _ = tokio::time::timeout(Duration::from_secs(2), async { tokio::join!(serving, probing) }).await;
    info!("shut down");
    Ok(code)
}

/// Each namespace once, in the order given: two watches of one would tell everything twice.
fn distinct(namespaces: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    namespaces.into_iter().filter(|namespace| seen.insert(namespace.clone())).collect()
}

/// The namespace of the Lease: the operator's own.
fn lease_namespace(client: &Client) -> String {
    std::env::var("POD_NAMESPACE").unwrap_or_else(|_| client.default_namespace().to_string())
}

/// A cluster that is away, or that does not tell its name, is waited for: the probes and the log say so meanwhile.
async fn wait_for_cluster(
    client: &Client,
    arguments: &ClusterArguments,
    readiness: &Readiness,
    stop: &CancellationToken,
) -> Option<String> {
    const PERIOD: Duration = Duration::from_secs(2);
    const PART: &str = "cluster name";
    while !stop.is_cancelled() {
        let asked = tokio::time::timeout(LONGEST_CALL, cluster_name(client, arguments)).await;
        let obstacle = match asked {
            Ok(Ok(name)) => {
                readiness.set(PART, None);
                return Some(name);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("the API server does not answer: timed out after {} seconds", LONGEST_CALL.as_secs()),
        };
        readiness.set(PART, Some(obstacle));
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
    None
}

/// Cancelled by SIGTERM, as Kubernetes sends it, and by SIGINT.
fn stop_on_signal() -> Result<CancellationToken, Error> {
    let failed = |error: std::io::Error| Error::Start(format!("signals cannot be listened for: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let stop = CancellationToken::new();
    let cancelled = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        info!("shutting down, finishing in-flight steps");
        cancelled.cancel();
    });
    Ok(stop)
}

async fn listen(address: &str) -> Result<TcpListener, Error> {
    let listener = http::listen(address).await.map_err(|error| Error::Http { address: address.into(), error })?;
    if let Ok(bound) = listener.local_addr() {
        info!(address = %bound, "serving /metrics, /healthz and /readyz");
    }
    Ok(listener)
}

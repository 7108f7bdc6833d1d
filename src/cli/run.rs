//! `aiplatform run`: the operator.

use std::io::IsTerminal;
use std::sync::Arc;

use axum::http::HeaderValue;
use axum::http::header::USER_AGENT;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, Config};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;
use tracing_subscriber::EnvFilter;

use super::{ClusterArguments, Error, LogFormat, RunArguments, SUCCESS};
use crate::controller::{self, Settings};
use crate::guardrails::Guardrails;
use crate::http::{self, Pages};
use crate::provider::aws::Aws;
use crate::provider::kubernetes::Kubernetes;
use crate::provider::world::World;
use crate::readiness::cluster_obstacle;
use crate::schedule::Periods;
use crate::{leadership, readiness};

pub(super) fn run(arguments: RunArguments) -> Result<u8, Error> {
    let guardrails = arguments.guardrails.enforced()?;
    log(arguments.log_format);
    runtime()?.block_on(operate(arguments, guardrails))
}

pub(super) fn runtime() -> Result<Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Start(format!("the asynchronous runtime did not start: {error}")))
}

/// A client for the cluster that the environment names.
pub(super) async fn client() -> Result<Client, Error> {
    let mut config = Config::infer().await.map_err(|error| Error::NoKubeconfig(error.to_string()))?;
    config.headers.push((USER_AGENT, HeaderValue::from_static(concat!("aiplatform/", env!("CARGO_PKG_VERSION")))));
    Client::try_from(config).map_err(|error| Error::NoKubeconfig(error.to_string()))
}

/// AWS and the cluster, as the environment names them.
pub(super) async fn world(client: &Client, s3_path_style: bool) -> World {
    World { aws: Aws::new(s3_path_style).await, kubernetes: Kubernetes::new(client.clone()) }
}

/// The cluster's name in owner tags.
pub(super) async fn cluster_name(client: &Client, arguments: &ClusterArguments) -> Result<String, Error> {
    if let Some(name) = &arguments.cluster_name {
        return Ok(name.clone());
    }
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let system = namespaces.get("kube-system").await.map_err(|error| Error::Cluster(cluster_obstacle(&error)))?;
    system.metadata.uid.ok_or_else(|| Error::Cluster("the namespace kube-system has no UID: set --cluster-name".into()))
}

async fn operate(arguments: RunArguments, guardrails: Guardrails) -> Result<u8, Error> {
    let client = client().await?;
    let stop = stop_on_signal()?;
    let pages = Pages::default();
    let listener = listen(&arguments.http_addr).await?;
    let serving = tokio::spawn(http::serve(listener, pages.clone(), stop.clone()));

    let provider = Arc::new(world(&client, arguments.aws.s3_path_style).await);
    let probing = tokio::spawn(readiness::watch(
        Arc::clone(&pages.readiness),
        client.clone(),
        arguments.namespaces.clone(),
        Arc::clone(&provider),
        provider.aws.home(),
        stop.clone(),
    ));
    if let Some(cluster) = wait_for_cluster(&client, &arguments.cluster, &stop).await {
        if arguments.leader_elect {
            let namespace = std::env::var("POD_NAMESPACE").unwrap_or_else(|_| client.default_namespace().to_string());
            leadership::lead(client.clone(), &namespace, &stop)
                .await
                .map_err(|error| Error::Start(error.to_string()))?;
        }
        let settings = Settings {
            namespaces: arguments.namespaces,
            label_selector: arguments.label_selector,
            cluster,
            concurrency: arguments.concurrency,
            periods: Periods { resync: arguments.resync, transition: arguments.transition_poll },
            guardrails,
        };
        info!(cluster = settings.cluster, "watching");
        controller::run(client, provider, settings, pages.metrics, stop.clone()).await;
    }
    stop.cancel();
    let _ = tokio::join!(serving, probing);
    info!("ended");
    Ok(SUCCESS)
}

/// A cluster that is away is waited for: the probes say so meanwhile.
async fn wait_for_cluster(client: &Client, arguments: &ClusterArguments, stop: &CancellationToken) -> Option<String> {
    const PERIOD: std::time::Duration = std::time::Duration::from_secs(2);
    while !stop.is_cancelled() {
        if let Ok(name) = cluster_name(client, arguments).await {
            return Some(name);
        }
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
        info!("ending after the steps in hand");
        cancelled.cancel();
    });
    Ok(stop)
}

async fn listen(address: &str) -> Result<TcpListener, Error> {
    let full = if address.starts_with(':') { format!("0.0.0.0{address}") } else { address.to_string() };
    let listener = TcpListener::bind(&full).await.map_err(|error| Error::Http { address: address.into(), error })?;
    if let Ok(bound) = listener.local_addr() {
        info!(address = %bound, "serving /metrics, /healthz and /readyz");
    }
    Ok(listener)
}

fn log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,kube=warn"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => log.with_target(false).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

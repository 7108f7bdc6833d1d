//! `/metrics`, `/healthz` and `/readyz`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::readiness::Readiness;

/// What the pages show.
#[derive(Clone, Default)]
pub struct Pages {
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Whether the operator can work.
    pub readiness: Arc<Readiness>,
}

/// Serves the pages until `stop`.
///
/// # Errors
/// When the socket fails.
pub async fn serve(listener: TcpListener, pages: Pages, stop: CancellationToken) -> std::io::Result<()> {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(pages);
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn metrics(State(pages): State<Pages>) -> impl IntoResponse {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], pages.metrics.text())
}

async fn ready(State(pages): State<Pages>) -> impl IntoResponse {
    match pages.readiness.obstacles() {
        obstacles if obstacles.is_empty() => (StatusCode::OK, "ok\n".to_string()),
        obstacles => (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", obstacles.join("\n"))),
    }
}

//! `/metrics`, `/healthz` and `/readyz`.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::readiness::{AWS, Readiness};

/// The state that the pages show.
#[derive(Clone, Default)]
pub struct Pages {
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// True when the operator can work.
    pub readiness: Arc<Readiness>,
}

/// Listens on an address. Without a host, such as in `:8080`, it listens on all addresses of both families, and on those
/// of IPv4 alone where the system has no IPv6.
///
/// # Errors
/// When the address is none, or is in use.
pub async fn listen(address: &str) -> std::io::Result<TcpListener> {
    let Some(port) = address.strip_prefix(':') else { return TcpListener::bind(address).await };
    let port: u16 = port.parse().map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidInput, error))?;
    match both_families(port) {
        Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
        }
        other => TcpListener::from_std(other?),
    }
}

fn both_families(port: u16) -> std::io::Result<std::net::TcpListener> {
    const BACKLOG: i32 = 128;
    let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))?;
    // Whatever net.ipv6.bindv6only says.
    socket.set_only_v6(false)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
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
    pages.metrics.aws.credentials(pages.readiness.is_clear(AWS));
    pages.metrics.obstacles(pages.readiness.parts());
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], pages.metrics.text())
}

async fn ready(State(pages): State<Pages>) -> impl IntoResponse {
    match pages.readiness.obstacles() {
        obstacles if obstacles.is_empty() => (StatusCode::OK, "ok\n".to_string()),
        obstacles => (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", obstacles.join("\n"))),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn without_a_host_both_families_are_served() {
        let listener = listen(":0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("IPv4");
        if listener.local_addr().unwrap().is_ipv6() {
            TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await.expect("IPv6");
        }
        assert!(listen(&format!(":{port}")).await.is_err(), "it is in use");
    }

    #[tokio::test]
    async fn a_host_is_taken_as_it_is() {
        let listener = listen("127.0.0.1:0").await.unwrap();
        assert!(listener.local_addr().unwrap().is_ipv4());
        for wrong in [":x", ":99999", "nonsense"] {
            assert!(listen(wrong).await.is_err(), "{wrong}");
        }
    }
}

//! Traces over OTLP, where `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector: a span for each reconcile, step and request to
//! AWS. The other variables of OpenTelemetry's specification hold, such as `OTEL_SERVICE_NAME` and `OTEL_TRACES_SAMPLER`.

use std::fmt::{self, Debug};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response, ResponseExt};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;
use tracing::{info, warn};

use crate::metrics::Metrics;

/// The target of the spans that are exported. No other span is, whatever a library says of itself.
pub const TARGET: &str = "aiplatform::traces";

/// The time that an export may take.
const EXPORT: Duration = Duration::from_secs(10);

/// The time that the last spans may take when the operator ends.
const FLUSH: Duration = Duration::from_secs(2);

/// The variables that name a collector.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// The way to a collector.
pub struct Traces {
    provider: SdkTracerProvider,
}

/// The reason for which traces cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address that is none, or another setting that the specification does not know.
    #[error(
        "{variable} is {endpoint:?}, and no spans can be exported there: {error}; set it to http://<host>:4318, or unset it"
    )]
    Endpoint {
        /// The variable.
        variable: &'static str,
        /// Its value.
        endpoint: String,
        /// What is wrong with it.
        error: String,
    },
}

impl Error {
    /// A word for the kind of error.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Endpoint { .. } => "InvalidEndpoint",
        }
    }
}

impl Traces {
    /// The way to the collector that the environment names, if it names one.
    ///
    /// # Errors
    /// When nothing can be exported there.
    pub fn begin(runtime: &Handle, metrics: &Arc<Metrics>) -> Result<Option<Self>, Error> {
        let is_disabled = std::env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value.eq_ignore_ascii_case("true"));
        let named = ENDPOINTS.into_iter().find_map(|variable| {
            std::env::var(variable).ok().filter(|endpoint| !endpoint.is_empty()).map(|endpoint| (variable, endpoint))
        });
        let Some((variable, endpoint)) = named.filter(|_| !is_disabled) else { return Ok(None) };
        let failed = |error: String| Error::Endpoint { variable, endpoint: endpoint.clone(), error };
        let client: Arc<dyn HttpClient> = if endpoint.starts_with("https:") {
            let connector =
                HttpsConnectorBuilder::new().with_native_roots().map_err(|error| failed(error.to_string()))?;
            Arc::new(HyperClient::new(connector.https_only().enable_http1().build(), EXPORT, None))
        } else if endpoint.starts_with("http:") {
            Arc::new(HyperClient::new(HttpConnector::new(), EXPORT, None))
        } else {
            return Err(failed("it does not begin with http:// or https://".into()));
        };
        let metrics = Arc::clone(metrics);
        let collector = Collector { client, runtime: runtime.clone(), metrics, is_away: AtomicBool::new(false) };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_http_client(collector)
            .build()
            .map_err(|error| failed(error.to_string()))?;
        let resource = Resource::builder();
        let resource = match std::env::var("OTEL_SERVICE_NAME") {
            Ok(_) => resource,
            Err(_) => resource.with_service_name("aiplatform"),
        };
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
        Ok(Some(Self { provider }))
    }

    /// Where spans begin.
    #[must_use]
    pub fn tracer(&self) -> SdkTracer {
        self.provider.tracer("aiplatform")
    }

    /// Exports what is left.
    pub fn end(self) {
        // A collector that is away was reported already.
        let _ = self.provider.shutdown_with_timeout(FLUSH);
    }
}

/// A collector, of which it is said once that it is away, and once that it is back. Spans are exported by a thread of their
/// own, and those that find no room in its queue are dropped: nothing waits for a collector.
struct Collector {
    client: Arc<dyn HttpClient>,
    runtime: Handle,
    metrics: Arc<Metrics>,
    is_away: AtomicBool,
}

impl fmt::Debug for Collector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Collector")
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = Arc::clone(&self.client);
        // The exporting thread has no runtime.
        let sending = self.runtime.spawn(async move { client.send_bytes(request).await?.error_for_status() });
        let result = sending.await.map_err(HttpError::from).and_then(|result| result);
        self.metrics.trace_export(result.is_ok());
        match &result {
            Ok(_) if self.is_away.swap(false, Ordering::Relaxed) => info!("the collector of traces takes spans again"),
            Err(error) if !self.is_away.swap(true, Ordering::Relaxed) => {
                warn!("the collector of traces takes no spans, which are lost until it does: {error}");
            }
            _ => {}
        }
        result
    }
}

//! The clients that the operator works with in the cluster. Every request is counted, and its answer says whether the API
//! server is there; those of passes are bounded in time, and none that changes something is sent without the authority to.

mod contact;
mod request;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::{Method, Request, Response};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use tower_layer::Layer;
use tower_service::Service;

use crate::leadership::{Authority, LONGEST_CALL};
use crate::metrics::Metrics;
pub use contact::Contact;
use request::Described;

/// The time after which the API server ends a watch, in seconds, so that its next one may go to another replica. Its
/// own bound is as long by default. Source: `--min-request-timeout` of kube-apiserver.
pub const WATCH_SECONDS: u32 = 1800;

/// A connection that brings nothing for so long is taken for dead. Watches bring a bookmark each minute. Source:
/// `defaultBookmarkFrequency` of the API server's watch cache.
const READ_TIMEOUT: Duration = Duration::from_mins(3);

/// An error in one of the layers of a client.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The API server said nothing for as long as a request may take.
#[derive(Debug, thiserror::Error)]
#[error("the API server does not answer: timed out after {} seconds", .0.as_secs())]
struct Silent(Duration);

/// The record of what is asked of the API server, which all clients share.
#[derive(Clone, Default)]
pub struct Record {
    /// The metrics in which requests are counted.
    pub metrics: Arc<Metrics>,
    /// When the API server last answered.
    pub contact: Arc<Contact>,
}

/// A client for what passes do.
///
/// # Errors
/// When the configuration cannot be used.
pub fn client(mut config: Config, authority: Authority, record: &Record) -> Result<Client, kube::Error> {
    // Its retries would be sent without being asked about here; passes are taken again by themselves.
    config.default_retry = false;
    config.read_timeout = Some(READ_TIMEOUT);
    let builder = ClientBuilder::try_from(config)?.with_layer(&Recording(record.clone()));
    Ok(builder.with_layer(&Gate { authority, longest: LONGEST_CALL }).build())
}

/// A client for the lease and for probes, which may speak before this operator leads.
///
/// # Errors
/// When the configuration cannot be used.
pub fn plain_client(config: Config, record: &Record) -> Result<Client, kube::Error> {
    Ok(ClientBuilder::try_from(config)?.with_layer(&Recording(record.clone())).build())
}

struct Recording(Record);

impl<S> Layer<S> for Recording {
    type Service = Recorded<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Recorded { inner, record: self.0.clone() }
    }
}

struct Recorded<S> {
    inner: S,
    record: Record,
}

/// Takes note of a request that nobody waited for to the end.
struct Unanswered<'a>(Option<&'a Contact>);

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(contact) = self.0 {
            contact.doubt();
        }
    }
}

impl<S, B> Service<Request<Body>> for Recorded<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let described = Described::of(request.method(), request.uri());
        self.record.metrics.cluster_request(described.verb, &described.resource);
        let contact = Arc::clone(&self.record.contact);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut unanswered = Unanswered(Some(&contact));
            let answer = answer.await.map_err(Into::into)?;
            if !answer.status().is_server_error() {
                unanswered.0 = None;
                contact.answered();
            }
            Ok(answer)
        })
    }
}

struct Gate {
    authority: Authority,
    longest: Duration,
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Gated { inner, authority: self.authority.clone(), longest: self.longest }
    }
}

struct Gated<S> {
    inner: S,
    authority: Authority,
    longest: Duration,
}

impl<S, B> Service<Request<Body>> for Gated<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let reads = request.method() == Method::GET;
        let (authority, longest) = (self.authority.clone(), self.longest);
        let answer = self.inner.call(request);
        Box::pin(async move {
            if !reads {
                authority.check()?;
            }
            // A watch is answered at once too: what may take as long as it likes is its body.
            tokio::time::timeout(longest, answer).await.map_err(|_| Silent(longest))?.map_err(Into::into)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio_util::sync::CancellationToken;

    use super::*;

    /// Counts what reaches it, and answers or not.
    struct Server {
        reached: Arc<AtomicUsize>,
        answers: bool,
    }

    impl Service<Request<Body>> for Server {
        type Response = Response<()>;
        type Error = BoxError;
        type Future = Pin<Box<dyn Future<Output = Result<Response<()>, BoxError>> + Send>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<Body>) -> Self::Future {
            let (reached, answers) = (Arc::clone(&self.reached), self.answers);
            Box::pin(async move {
                reached.fetch_add(1, Ordering::SeqCst);
                if answers { Ok(Response::new(())) } else { std::future::pending().await }
            })
        }
    }

    async fn send(authority: &Authority, answers: bool, method: Method) -> (Result<Response<()>, BoxError>, usize) {
        let reached = Arc::<AtomicUsize>::default();
        let mut gated = Gate { authority: authority.clone(), longest: Duration::from_millis(20) }
            .layer(Server { reached: Arc::clone(&reached), answers });
        let request = Request::builder().method(method).uri("/").body(Body::empty()).unwrap();
        let answer = gated.call(request).await;
        (answer, reached.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn who_does_not_lead_reads_and_writes_nothing() {
        let authority = Authority::elected(CancellationToken::new());
        for method in [Method::PATCH, Method::POST, Method::PUT, Method::DELETE] {
            let (answer, reached) = send(&authority, true, method.clone()).await;
            assert!(answer.is_err() && reached == 0, "{method} was sent");
        }
        assert!(send(&authority, true, Method::GET).await.0.is_ok());
        let unelected = Authority::unelected(CancellationToken::new());
        assert!(send(&unelected, true, Method::PATCH).await.0.is_ok());
    }

    #[tokio::test]
    async fn an_api_server_that_says_nothing_is_not_waited_for() {
        let authority = Authority::unelected(CancellationToken::new());
        let (answer, reached) = send(&authority, false, Method::PATCH).await;
        assert_eq!(reached, 1);
        assert!(answer.unwrap_err().to_string().contains("does not answer"));
    }
}

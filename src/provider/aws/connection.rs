//! The last thing before the wire: every attempt of every call to AWS, retries included, passes here.
//!
//! It asks whether this operator still leads, whether the service answers at all, and whether the budget of the account
//! and the number of calls in flight have room for another one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Builder, ConnectorBuilder, tls};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_types::config_bag::ConfigBag;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::breaker::{Breaker, Call, Silence};
use super::budget::Budget;
use crate::leadership::{Authority, LONGEST_CALL, NotLeading};
use crate::stall;

/// Calls in flight at most, to one service of one account in one region.
const IN_FLIGHT: usize = 32;

/// The interval at which a waiting call checks whether the service answers others.
const PATIENCE: Duration = Duration::from_millis(250);

/// The time after which a call, or a place in the queue, counts as hanging although the service answers others.
const LONG: Duration = Duration::from_secs(2);

/// A call that was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsent {
    /// This operator may not change anything.
    #[error("{0}")]
    NotLeading(#[from] NotLeading),
    /// The service did not answer others.
    #[error("AWS service {service} in region {region} has not answered since {since}; next attempt at {again}")]
    Silent {
        /// The service, as its endpoint is called.
        service: &'static str,
        /// The region.
        region: String,
        /// Since when, to the second.
        since: Timestamp,
        /// The time of the next probe, to the second.
        again: Timestamp,
    },
}

/// HTTPS as the SDK does it by itself, but one set of connections and certificates for all clients.
pub(super) fn https() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let provider = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
        let mut connector = ConnectorBuilder::default().tls_provider(provider);
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    })
}

/// One service in one region, whichever account is asked about.
#[derive(Debug)]
pub(super) struct Line {
    service: &'static str,
    region: String,
    breaker: Mutex<Breaker>,
    began: Instant,
}

impl Line {
    pub(super) fn new(service: &'static str, region: &str) -> Self {
        Self { service, region: region.into(), breaker: Mutex::default(), began: Instant::now() }
    }

    fn admit(self: &Arc<Self>) -> Result<Flight, Unsent> {
        let call = self.breaker(Breaker::admit).map_err(|silence| self.unsent(silence))?;
        Ok(Flight { line: Arc::clone(self), call: Some(call) })
    }

    /// Waits for an answer, and reports while there is reason to believe that none is on its way.
    async fn patiently<T>(&self, answer: impl Future<Output = T>) -> T {
        let sent = self.began.elapsed();
        let mut answer = std::pin::pin!(answer);
        loop {
            self.report(sent);
            if let Ok(answer) = tokio::time::timeout(PATIENCE, &mut answer).await {
                return answer;
            }
        }
    }

    fn report(&self, since: Duration) {
        if self.breaker(|breaker, now| breaker.is_silent(now)) || self.began.elapsed().saturating_sub(since) >= LONG {
            stall::report();
        }
    }

    fn check(&self) -> Result<(), Unsent> {
        self.breaker(Breaker::check).map_err(|silence| self.unsent(silence))
    }

    fn breaker<T>(&self, action: impl FnOnce(&mut Breaker, Duration) -> T) -> T {
        action(&mut self.breaker.lock().unwrap_or_else(PoisonError::into_inner), self.began.elapsed())
    }

    fn unsent(&self, silence: Silence) -> Unsent {
        let (now, elapsed) = (Timestamp::now(), self.began.elapsed());
        let seconds = |time: Timestamp| Timestamp::from_second(time.as_second()).unwrap_or(Timestamp::UNIX_EPOCH);
        let since = now.checked_sub(elapsed.saturating_sub(silence.since)).unwrap_or(now);
        let again = now.checked_add(silence.again.saturating_sub(elapsed)).unwrap_or(now);
        Unsent::Silent {
            service: self.service,
            region: self.region.clone(),
            since: seconds(since),
            again: seconds(again),
        }
    }
}

/// A call under way. Given up when it is dropped.
struct Flight {
    line: Arc<Line>,
    call: Option<Call>,
}

impl Flight {
    fn end(mut self, how: impl FnOnce(&mut Breaker, Call, Duration)) {
        if let Some(call) = self.call.take() {
            self.line.breaker(|breaker, now| how(breaker, call, now));
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            self.line.breaker(|breaker, now| breaker.abandoned(call, now));
        }
    }
}

/// The connector through which the clients of one service, for one account in one region, send.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    https: SharedHttpClient,
    line: Arc<Line>,
    budget: Arc<Budget>,
    room: Arc<Semaphore>,
    authority: Option<Authority>,
}

impl Connection {
    /// Without `authority`, calls are sent whoever leads: they change nothing.
    pub(super) fn new(
        https: SharedHttpClient,
        line: Arc<Line>,
        budget: Arc<Budget>,
        authority: Option<Authority>,
    ) -> Self {
        Self { https, line, budget, room: Arc::new(Semaphore::new(IN_FLIGHT)), authority }
    }

    /// Waits for room, unless the service turns out not to answer.
    async fn room(&self) -> Result<Option<OwnedSemaphorePermit>, Unsent> {
        let since = self.line.began.elapsed();
        let mut room = std::pin::pin!(Arc::clone(&self.room).acquire_owned());
        loop {
            if let Ok(room) = tokio::time::timeout(PATIENCE, &mut room).await {
                // Nobody closes it.
                return Ok(room.ok());
            }
            self.line.check()?;
            self.line.report(since);
        }
    }

    async fn send(self, connector: SharedHttpConnector, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        self.line.check().map_err(unsent)?;
        self.budget.wait().await;
        let _room = self.room().await.map_err(unsent)?;
        let flight = self.line.admit().map_err(unsent)?;
        if let Some(authority) = &self.authority {
            authority.check().map_err(|error| unsent(error.into()))?;
        }
        let answer = match tokio::time::timeout(LONGEST_CALL, self.line.patiently(connector.call(request))).await {
            Ok(answer) => answer,
            Err(elapsed) => Err(ConnectorError::timeout(elapsed.into())),
        };
        match &answer {
            Err(error) if error.is_timeout() || error.is_io() => flight.end(Breaker::failed),
            // The request was at fault, not the service.
            Err(_) => drop(flight),
            Ok(_) => flight.end(Breaker::answered),
        }
        answer
    }
}

/// The reason for which a call was not sent, if it was not.
pub(super) fn why_unsent<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Unsent> {
    let mut layers = std::iter::successors(Some(error), |layer| layer.source());
    layers.find_map(|layer| layer.downcast_ref())
}

/// Not one of the errors that the SDK tries again.
fn unsent(error: Unsent) -> ConnectorError {
    ConnectorError::other(error.into(), None)
}

impl HttpClient for Connection {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let connector = self.https.http_connector(settings, components);
        SharedHttpConnector::new(Connector { connection: self.clone(), connector })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        HttpClient::validate_base_client_config(&self.https, components, config)
    }

    fn validate_final_config(&self, components: &RuntimeComponents, config: &ConfigBag) -> Result<(), BoxError> {
        HttpClient::validate_final_config(&self.https, components, config)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.https.connector_metadata()
    }
}

#[derive(Debug)]
struct Connector {
    connection: Connection,
    connector: SharedHttpConnector,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.connection.clone().send(self.connector.clone(), request))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_smithy_types::body::SdkBody;
    use tokio_util::sync::CancellationToken;

    use super::super::budget::Budgets;
    use super::*;

    /// Answers, fails or hangs, and counts what reaches it.
    #[derive(Debug, Default)]
    struct Service {
        reached: AtomicUsize,
        hangs: bool,
        fails: bool,
    }

    #[derive(Clone, Debug)]
    struct Wire(Arc<Service>);

    impl HttpConnector for Wire {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            let service = Arc::clone(&self.0);
            HttpConnectorFuture::new(async move {
                service.reached.fetch_add(1, Ordering::SeqCst);
                if service.hangs {
                    return std::future::pending().await;
                }
                if service.fails {
                    return Err(ConnectorError::io("connection refused".into()));
                }
                let status = 403.try_into().map_err(|_| ConnectorError::user("a status".into()))?;
                Ok(HttpResponse::new(status, SdkBody::empty()))
            })
        }
    }

    fn connection(authority: Option<Authority>) -> Connection {
        let budget = Budgets::default().of("s3", "eu-west-1", "", &Arc::default());
        Connection::new(https(), Arc::new(Line::new("s3", "eu-west-1")), budget, authority)
    }

    async fn send(connection: &Connection, service: &Arc<Service>) -> Result<HttpResponse, ConnectorError> {
        let connector = SharedHttpConnector::new(Wire(Arc::clone(service)));
        connection.clone().send(connector, HttpRequest::empty()).await
    }

    fn why(error: &ConnectorError) -> &Unsent {
        std::error::Error::source(error).and_then(|source| source.downcast_ref()).expect("it was not sent")
    }

    #[tokio::test]
    async fn nothing_is_sent_by_who_does_not_lead() {
        let authority = Authority::elected(CancellationToken::new());
        let service = Arc::<Service>::default();
        let error = send(&connection(Some(authority)), &service).await.unwrap_err();
        assert_eq!(*why(&error), Unsent::NotLeading(NotLeading));
        assert_eq!(service.reached.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_service_that_cannot_be_reached_is_left_alone_and_named() {
        let connection = connection(None);
        let service = Arc::new(Service { fails: true, ..Service::default() });
        for _ in 0..50 {
            let _ = send(&connection, &service).await;
        }
        assert_eq!(service.reached.load(Ordering::SeqCst), 5);
        let error = send(&connection, &service).await.unwrap_err();
        let message = why(&error).to_string();
        assert!(message.starts_with("AWS service s3 in region eu-west-1 has not answered since 2"), "{message}");
        assert!(message.contains("; next attempt at 2"), "{message}");
    }

    #[tokio::test]
    async fn a_pass_hears_that_it_waits_for_a_service_that_does_not_answer() {
        let connection = connection(None);
        let signals = Arc::<AtomicUsize>::default();
        let listener = {
            let signals = Arc::clone(&signals);
            move || {
                signals.fetch_add(1, Ordering::SeqCst);
            }
        };
        let answering = Arc::<Service>::default();
        stall::listen(listener.clone(), send(&connection, &answering)).await.unwrap();
        assert_eq!(signals.load(Ordering::SeqCst), 0);
        let hanging = Arc::new(Service { hangs: true, ..Service::default() });
        let call = stall::listen(listener, send(&connection, &hanging));
        assert!(tokio::time::timeout(Duration::from_secs(2), call).await.is_err());
        assert!(signals.load(Ordering::SeqCst) > 0);
    }

    #[tokio::test]
    async fn refusals_are_answers() {
        let connection = connection(None);
        let service = Arc::<Service>::default();
        for _ in 0..50 {
            send(&connection, &service).await.unwrap();
        }
        assert_eq!(service.reached.load(Ordering::SeqCst), 50);
    }

    #[tokio::test]
    async fn so_many_calls_are_in_flight_and_those_that_wait_for_room_hear_that_it_does_not_answer() {
        let connection = connection(None);
        send(&connection, &Arc::default()).await.unwrap();
        let service = Arc::new(Service { hangs: true, ..Service::default() });
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..IN_FLIGHT + 20 {
            let (connection, service) = (connection.clone(), Arc::clone(&service));
            calls.spawn(async move { send(&connection, &service).await.map(|_| ()) });
        }
        let mut refused = 0;
        while refused < 20 {
            let ended = tokio::time::timeout(Duration::from_secs(30), calls.join_next()).await;
            let error = ended.expect("those that wait are told").unwrap().unwrap().unwrap_err();
            assert!(matches!(why(&error), Unsent::Silent { service: "s3", .. }));
            refused += 1;
        }
        assert_eq!(service.reached.load(Ordering::SeqCst), IN_FLIGHT);
    }
}

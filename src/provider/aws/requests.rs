//! What is measured of every request to AWS: an interceptor of the SDK that all clients have.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use aws_config::Region;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, Error, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::Headers;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use jiff::Timestamp;
use tracing::field::Empty;
use tracing::{Span, debug_span};

use super::budget::Budget;
use super::connection::why_unsent;
use super::own_calls::{Answered, OwnCalls};
use crate::aws_requests;
use crate::install_check::clock::GivenTime;
use crate::metrics::{AwsRequest, Metrics};
use crate::traces::TARGET;

/// The headers that carry the id of a request. Source: "Common response headers" of each service; S3 has its own.
const REQUEST_ID: [&str; 3] = ["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"];

/// The codes of answers to somebody who asks too much. Source: `THROTTLING_ERRORS` of the AWS SDK's retries, and the error
/// codes of Amazon S3.
const THROTTLES: [&str; 13] = [
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// The id of the request that was answered with these headers.
pub(super) fn request_id(headers: &Headers) -> Option<&str> {
    REQUEST_ID.into_iter().find_map(|name| headers.get(name)).filter(|id| !id.is_empty())
}

/// Measures every attempt of every call.
#[derive(Clone)]
pub(super) struct Measured {
    metrics: Arc<Metrics>,
    own_calls: Arc<OwnCalls>,
    /// The account of the credentials, once it is known.
    account_id: Arc<OnceLock<String>>,
    /// The budget that a refusal as too much shrinks.
    budget: Option<Arc<Budget>>,
}

impl Measured {
    pub(super) fn new(metrics: Arc<Metrics>, own_calls: Arc<OwnCalls>) -> Self {
        Self { metrics, own_calls, account_id: Arc::default(), budget: None }
    }

    /// The same for the calls of one budget.
    pub(super) fn within(&self, budget: Arc<Budget>) -> Self {
        Self { budget: Some(budget), ..self.clone() }
    }

    /// The same for clients with other credentials.
    pub(super) fn of_another_account(&self) -> Self {
        Self { account_id: Arc::default(), ..self.clone() }
    }

    /// Takes note of whose the credentials are.
    pub(super) fn know_account(&self, account_id: &str) {
        self.account_id.get_or_init(|| account_id.into());
    }

    pub(super) fn own_calls(&self) -> &OwnCalls {
        &self.own_calls
    }
}

impl fmt::Debug for Measured {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Measured")
    }
}

/// The time at which an attempt began, and its span in the trace.
#[derive(Clone, Debug)]
struct Began(Instant, Span);

impl Storable for Began {
    type Storer = StoreReplace<Self>;
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Measured {
    fn name(&self) -> &'static str {
        "Measured"
    }

    fn read_before_attempt(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let span = config.load::<Metadata>().map_or_else(Span::none, |metadata| {
            let (service, operation) = (metadata.service(), metadata.name());
            debug_span!(
                target: TARGET,
                "request",
                otel.name = format!("{service}.{operation}"),
                otel.kind = "client",
                rpc.system = "aws-api",
                rpc.service = service,
                rpc.method = operation,
                http.response.status_code = Empty,
                aws.request_id = Empty,
                error.r#type = Empty,
                otel.status_code = Empty,
            )
        });
        config.interceptor_state().store_put(Began(Instant::now(), span));
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (Some(metadata), Some(Began(began, span))) = (config.load::<Metadata>(), config.load::<Began>()) else {
            return Ok(());
        };
        let error = context.output_or_error().and_then(Result::err);
        let response = context.response();
        let id = response.and_then(|response| request_id(response.headers()));
        aws_requests::note(id);
        if let Some(date) = response.and_then(|response| response.headers().get("date")) {
            self.metrics.aws.time_given(GivenTime { date: date.into(), received: Timestamp::now() });
        }
        let code = code(error, response);
        span.record("aws.request_id", id);
        span.record("http.response.status_code", response.map(|response| response.status().as_u16()));
        if error.is_some() {
            span.record("error.type", code.as_str());
            span.record("otel.status_code", "ERROR");
        }
        let is_throttled = response.is_some_and(is_throttled);
        if let Some(budget) = self.budget.as_ref().filter(|_| is_throttled) {
            budget.throttled();
        }
        self.metrics.aws.answered(&AwsRequest {
            service: metadata.service(),
            operation: metadata.name(),
            code: &code,
            took: began.elapsed(),
            is_throttled,
        });
        if let Some(request_id) = id {
            let region = config.load::<Region>().map_or("", AsRef::as_ref);
            self.own_calls.note(&Answered {
                service: metadata.service(),
                operation: metadata.name(),
                region,
                account_id: self.account_id.get().map(String::as_str),
                request_id,
                is_success: response.is_some_and(|response| response.status().is_success()),
            });
        }
        // It ends here, and not with the configuration of the call.
        config.interceptor_state().store_put(Began(Instant::now(), Span::none()));
        Ok(())
    }
}

/// The HTTP status, or a word for why there is none.
fn code(error: Option<&OrchestratorError<Error>>, response: Option<&HttpResponse>) -> String {
    match (error, response) {
        (Some(error), _) if error.is_timeout_error() => "timeout".into(),
        (_, Some(response)) => response.status().as_u16().to_string(),
        (Some(error), None) if error.as_connector_error().is_some_and(|error| why_unsent(error).is_some()) => {
            "not_sent".into()
        }
        (_, None) => "unreachable".into(),
    }
}

fn is_throttled(response: &HttpResponse) -> bool {
    let status = response.status().as_u16();
    if status < 400 {
        return false;
    }
    let header = response.headers().get("x-amzn-errortype").unwrap_or_default();
    let body = response.body().bytes().map(String::from_utf8_lossy).unwrap_or_default();
    status == 429 || THROTTLES.iter().any(|code| is_named(code, header) || is_named(code, &body))
}

/// True where the text has the code as a whole word: as an element of XML, or as a value of JSON, with or without a
/// namespace before it.
fn is_named(code: &str, text: &str) -> bool {
    text.match_indices(code).any(|(at, _)| {
        let is_letter = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_alphanumeric());
        let (before, after) = (&text[..at], &text[at + code.len()..]);
        !is_letter(before.chars().next_back()) && !is_letter(after.chars().next())
    })
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn answer(status: u16, body: &str) -> HttpResponse {
        HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))
    }

    #[test]
    fn throttles_are_known_in_every_protocol() {
        for (status, body) in [
            (503, "<Error><Code>SlowDown</Code></Error>"),
            (400, "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>"),
            (400, r#"{"__type":"com.amazonaws.sagemaker#ThrottlingException"}"#),
            (429, ""),
        ] {
            assert!(is_throttled(&answer(status, body)), "{body}");
        }
        for (status, body) in [(200, "SlowDown"), (403, "<Code>AccessDenied</Code>"), (400, "Throttlings")] {
            assert!(!is_throttled(&answer(status, body)), "{body}");
        }
    }

    #[test]
    fn the_id_of_a_request_stands_in_one_of_several_headers() {
        for name in REQUEST_ID {
            let mut answered = answer(200, "");
            answered.headers_mut().insert(name, "A1");
            assert_eq!(request_id(answered.headers()), Some("A1"), "{name}");
        }
        assert_eq!(request_id(answer(200, "").headers()), None);
    }
}

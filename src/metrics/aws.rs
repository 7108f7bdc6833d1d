//! The metrics of calls to AWS.

use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::install_check::clock::GivenTime;

/// One attempt of a call to AWS.
#[derive(Clone, Copy, Debug)]
pub struct AwsRequest<'a> {
    /// The service, as the SDK calls it.
    pub service: &'a str,
    /// The operation, such as `PutBucketPolicy`.
    pub operation: &'a str,
    /// The HTTP status; `timeout`, `unreachable` or `not_sent` where there is none.
    pub code: &'a str,
    /// The time until the answer.
    pub took: Duration,
    /// True when AWS says that too much was asked.
    pub is_throttled: bool,
}

/// The calls to AWS, the credentials that they are made with, and the time that the answers give.
pub struct AwsCalls {
    requests: Family<Request, Counter>,
    durations: Family<Operation, Histogram, fn() -> Histogram>,
    throttled: Family<Operation, Counter>,
    waiting: Family<Waiting, Gauge>,
    credentials: Gauge,
    clock_skew: Gauge<f64, AtomicU64>,
    last_time: Mutex<Option<GivenTime>>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    service: String,
    operation: String,
    code: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Operation {
    service: String,
    operation: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Waiting {
    service: &'static str,
    priority: &'static str,
}

impl Default for AwsCalls {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(histogram),
            throttled: Family::default(),
            waiting: Family::default(),
            credentials: Gauge::default(),
            clock_skew: Gauge::default(),
            last_time: Mutex::default(),
        }
    }
}

impl AwsCalls {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("aws_requests", "Requests to AWS, retries included, by HTTP status", self.requests.clone());
        let durations = self.durations.clone();
        registry.register_with_unit(
            "aws_request_duration",
            "Time until AWS answered a request",
            Unit::Seconds,
            durations,
        );
        registry.register("aws_throttled_requests", "Requests that AWS refused as too many", self.throttled.clone());
        registry.register(
            "aws_requests_waiting",
            "Requests to AWS that wait for the budget of their account, by service and priority",
            self.waiting.clone(),
        );
        registry.register(
            "aws_credentials_valid",
            "1 while AWS knows whose the operator's own credentials are",
            self.credentials.clone(),
        );
        registry.register_with_unit(
            "clock_skew",
            "Time by which the clock of this machine was ahead of AWS's at the last answer",
            Unit::Seconds,
            self.clock_skew.clone(),
        );
    }

    /// A request to AWS was answered, or came to nothing.
    pub fn answered(&self, request: &AwsRequest) {
        let AwsRequest { service, operation, code, took, is_throttled } = *request;
        let labels = Operation { service: service.into(), operation: operation.into() };
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
        if is_throttled {
            self.throttled.get_or_create(&labels).inc();
        }
        let Operation { service, operation } = labels;
        self.requests.get_or_create(&Request { service, operation, code: code.into() }).inc();
    }

    /// A request to AWS has to wait for the budget.
    pub fn waits(&self, service: &'static str, priority: &'static str) {
        self.waiting.get_or_create(&Waiting { service, priority }).inc();
    }

    /// A request to AWS has waited for the budget, or nobody waits for it any more.
    pub fn waits_no_more(&self, service: &'static str, priority: &'static str) {
        self.waiting.get_or_create(&Waiting { service, priority }).dec();
    }

    /// AWS knows whose the operator's own credentials are, or does not.
    pub fn credentials(&self, are_valid: bool) {
        self.credentials.set(are_valid.into());
    }

    /// AWS gave the time.
    pub fn time_given(&self, given: GivenTime) {
        if let Some(ahead) = given.ahead() {
            self.clock_skew.set(ahead.as_secs_f64());
        }
        *self.last_time.lock().unwrap_or_else(PoisonError::into_inner) = Some(given);
    }

    /// The time that AWS gave last.
    #[must_use]
    pub fn last_time(&self) -> Option<GivenTime> {
        self.last_time.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn histogram() -> Histogram {
    Histogram::new([0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
}

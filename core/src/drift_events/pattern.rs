//! The pattern of events that the rule of a place matches: calls that change resources of our kinds, and did not fail.
//!
//! Names of platforms' resources have nothing in common, and what is adopted may be called anything, so that the names of
//! the calls are what narrows it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Place;
use crate::kind::Service;
use crate::resource::Kind;

/// The longest pattern, in characters: "Event pattern size" in the quotas of Amazon EventBridge.
pub const LIMIT: usize = 2048;

/// The `detail-type` of what CloudTrail sends.
pub const DETAIL_TYPE: &str = "AWS API Call via CloudTrail";

/// The pattern for a place: of regional services where platforms are in its region, of global ones where their events
/// come there.
#[must_use]
pub fn pattern(place: &Place, has_platforms: bool) -> Value {
    let comes_here = |service: Service| {
        if service.is_global() { place.is_of_global_services() } else { has_platforms }
    };
    let services = || Service::ALL.into_iter().filter(|service| comes_here(*service));
    let sources: BTreeSet<&str> = services().flat_map(Service::event_sources).copied().collect();
    let names: BTreeSet<&str> = services().flat_map(calls).collect();
    json!({
        "detail-type": [DETAIL_TYPE],
        "detail": {
            "eventSource": sources.iter().map(|source| format!("{source}.amazonaws.com")).collect::<Vec<_>>(),
            "eventName": names,
            "errorCode": [{"exists": false}],
        },
    })
}

/// The calls that change resources of a service's kinds.
fn calls(service: Service) -> impl Iterator<Item = &'static str> {
    let kinds = Kind::ALL.iter().filter(move |kind| kind.info().backend.service() == Some(service));
    kinds.flat_map(|kind| kind.info().changed_by).flat_map(|calls| calls.names).copied()
}

/// The service whose event a call becomes, by the name that its SDK has for it; none where it becomes none that a rule of
/// ours matches.
#[must_use]
pub fn recorded(service_of_sdk: &str, operation: &str) -> Option<Service> {
    let service = Service::ALL.into_iter().find(|service| service.sdk_name() == service_of_sdk)?;
    calls(service).any(|call| call == operation).then_some(service)
}

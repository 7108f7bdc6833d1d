//! The pattern of events that the rule of a place matches: calls that change resources of our kinds, and did not fail.
//!
//! Names of platforms' resources have nothing in common, and what is adopted may be called anything, so that the names of
//! the calls are what narrows it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Place, network_change};
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
    let of_kinds = services().flat_map(Service::event_sources).copied();
    let sources: BTreeSet<&str> = of_kinds.chain(OF_INBOX.iter().map(|(source, _)| *source)).collect();
    let of_inbox = OF_INBOX.iter().flat_map(|(_, calls)| *calls).copied();
    let of_networks =
        services().filter(|service| *service == network_change::SERVICE).flat_map(|_| network_change::CALLS);
    let names: BTreeSet<&str> = services().flat_map(calls).chain(of_networks).chain(of_inbox).collect();
    json!({
        "detail-type": [DETAIL_TYPE],
        "detail": {
            "eventSource": sources.iter().map(|source| format!("{source}.amazonaws.com")).collect::<Vec<_>>(),
            "eventName": names,
            "errorCode": [{"exists": false}],
        },
    })
}

/// The calls that change the queue or the rule itself, by the source of their events. One of them the operator makes every
/// hour, so that there is a write of its own whose event proves that events come.
const OF_INBOX: [(&str, &[&str]); 2] = [
    ("events", &["DeleteRule", "DisableRule", "PutRule", "RemoveTargets"]),
    ("sqs", &["DeleteQueue", "SetQueueAttributes", PROBE, "UntagQueue"]),
];

/// The call that proves that events come: it sets the tags of the queue that it has.
const PROBE: &str = "TagQueue";

/// True for a call that may change a queue or a rule, by the source of its event.
#[must_use]
pub fn is_of_inbox(source: &str, call: &str) -> bool {
    OF_INBOX.iter().any(|(of, calls)| *of == source && calls.contains(&call))
}

/// The calls that change resources of a service's kinds.
fn calls(service: Service) -> impl Iterator<Item = &'static str> {
    let kinds = Kind::ALL.iter().filter(move |kind| kind.info().backend.service() == Some(service));
    kinds.flat_map(|kind| kind.info().changed_by).flat_map(|calls| calls.names).copied()
}

/// The region that a call's event is delivered in, where a rule of ours matches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryRegion {
    /// That of the call.
    Own,
    /// The one that has the events of global services.
    Global,
}

/// The region that a call's event is delivered in, by the name that its SDK has for the service; none where no rule of
/// ours matches it.
#[must_use]
pub fn delivery_region(service_of_sdk: &str, operation: &str) -> Option<DeliveryRegion> {
    if (service_of_sdk, operation) == ("SQS", PROBE) {
        return Some(DeliveryRegion::Own);
    }
    let service = Service::ALL.into_iter().find(|service| service.sdk_name() == service_of_sdk)?;
    let region = if service.is_global() { DeliveryRegion::Global } else { DeliveryRegion::Own };
    calls(service).any(|call| call == operation).then_some(region)
}

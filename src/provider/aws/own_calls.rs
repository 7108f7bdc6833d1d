//! The calls that this process made to change something, as far as events tell of them: the ids by which its own events are
//! known, and the proof that events come.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::drift_events::Place;
use crate::drift_events::flow::{Flow, Proof};
use crate::drift_events::origin::{Operator, RecentIds};
use crate::drift_events::pattern::{DeliveryRegion, delivery_region};
use crate::drift_events::record::Record;

/// Operations that change nothing begin with one of these.
const READS: [&str; 4] = ["Get", "List", "Describe", "Head"];

/// The memory of them, which all clients share.
#[derive(Debug, Default)]
pub struct OwnCalls(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    requests: RecentIds,
    proofs: BTreeMap<Place, Proof>,
}

/// A call that was answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered<'a> {
    /// The service, as the SDK calls it.
    pub service: &'a str,
    /// The operation.
    pub operation: &'a str,
    /// The region that it was sent to.
    pub region: &'a str,
    /// The account of the credentials, where it is known.
    pub account_id: Option<&'a str>,
    /// The id of the request.
    pub request_id: &'a str,
    /// True when it succeeded.
    pub is_success: bool,
}

impl OwnCalls {
    /// Takes note of a call, unless it changed nothing.
    pub(super) fn note(&self, call: &Answered) {
        if READS.iter().any(|read| call.operation.starts_with(read)) {
            return;
        }
        let now = Timestamp::now();
        let mut memory = self.memory();
        memory.requests.note(call.request_id, now);
        let region = delivery_region(call.service, call.operation).filter(|_| call.is_success);
        if let (Some(region), Some(account_id)) = (region, call.account_id) {
            let here = Place { account_id: account_id.into(), region: call.region.into() };
            let place = match region {
                DeliveryRegion::Own => here,
                DeliveryRegion::Global => here.of_global_services(),
            };
            memory.proofs.entry(place).or_default().wrote(now);
        }
    }

    /// Takes note of an event that came in a place.
    pub fn received(&self, place: &Place) {
        self.memory().proofs.entry(place.clone()).or_default().received();
    }

    /// The flow of events in a place.
    #[must_use]
    pub fn flow(&self, place: &Place) -> Flow {
        self.memory().proofs.get(place).copied().unwrap_or_default().flow(Timestamp::now())
    }

    /// True when the call that an event tells of was made by this operator, which has the identity `arn` and makes changes
    /// since it `began`.
    #[must_use]
    pub fn include(&self, record: &Record, arn: &str, began: Timestamp) -> bool {
        let requests = &self.memory().requests;
        Operator { arn, application: super::APP_NAME, began, requests }.made(record)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

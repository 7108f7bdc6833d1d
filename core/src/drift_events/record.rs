//! A record of CloudTrail, as EventBridge delivers it: which resources it concerns, who called and when.
//!
//! Source: "CloudTrail record contents" in the AWS CloudTrail User Guide.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::Place;
use super::naming::Identifier;
use super::network_change::NetworkChange;
use super::pattern::is_of_inbox;
use crate::kind::Service;
use crate::printable::printable;
use crate::resource::Kind;

/// The longest text that is taken over from an event, in characters: as long as an ARN gets.
const SHOWN: usize = 256;

/// A call that was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The id of the event, by which a duplicate is known.
    pub id: String,
    /// The account in which it happened.
    pub account_id: String,
    /// The region in which it happened; of a global service, the one that has its events.
    pub region: String,
    /// The call, as CloudTrail names it.
    pub call: String,
    /// The time of the call.
    pub at: Timestamp,
    /// The ARN of the principal, or what else is known of it.
    pub by: String,
    /// The id of the request, as the answer to it had it.
    pub request_id: Option<String>,
    /// The user agent of the caller.
    pub user_agent: String,
    /// The resources that it may have changed. None where it is none of our kinds', or failed.
    pub concerns: Vec<(Kind, Identifier)>,
    /// The change of a network, where it is one.
    pub network: Option<NetworkChange>,
    /// The parameters of a call that may have changed a queue or a rule.
    of_inbox: Option<String>,
}

/// A message that is no event of CloudTrail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a record of CloudTrail: {0}")]
pub struct Malformed(String);

impl Malformed {
    /// A word for the kind of error.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        "Malformed"
    }
}

#[derive(Deserialize)]
struct Envelope {
    id: String,
    account: String,
    region: String,
    detail: Detail,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    event_source: String,
    event_name: String,
    event_time: Timestamp,
    #[serde(default)]
    user_identity: Value,
    #[serde(default)]
    user_agent: Option<String>,
    #[serde(rename = "requestID", default)]
    request_id: Option<String>,
    #[serde(rename = "eventID", default)]
    event_id: Option<String>,
    #[serde(default)]
    error_code: Option<String>,
    #[serde(default)]
    request_parameters: Value,
}

impl Record {
    /// Reads a message of the queue.
    ///
    /// # Errors
    /// When it is no event of CloudTrail.
    pub fn parse(message: &str) -> Result<Self, Malformed> {
        let envelope: Envelope = serde_json::from_str(message).map_err(|error| Malformed(error.to_string()))?;
        let Envelope { id, account, region, detail } = envelope;
        Ok(Self {
            // EventBridge gives a duplicate of the record another id of its own.
            id: detail.event_id.clone().unwrap_or(id),
            account_id: account,
            region,
            call: shown(&detail.event_name),
            at: detail.event_time,
            by: principal(&detail.user_identity),
            concerns: concerns(&detail),
            network: network_change(&detail),
            of_inbox: is_of_inbox(source(&detail), &detail.event_name).then(|| detail.request_parameters.to_string()),
            request_id: detail.request_id,
            user_agent: detail.user_agent.unwrap_or_default(),
        })
    }

    /// True where it may have changed the queue or the rule of this name.
    #[must_use]
    pub fn is_of_inbox(&self, name: &str) -> bool {
        self.of_inbox.as_ref().is_some_and(|parameters| parameters.contains(name))
    }

    /// The place in which it happened.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { account_id: self.account_id.clone(), region: self.region.clone() }
    }
}

/// The source of an event, without what all have in common.
fn source(detail: &Detail) -> &str {
    detail.event_source.strip_suffix(".amazonaws.com").unwrap_or_default()
}

/// The resources that a call may have changed. One that failed has changed nothing.
fn concerns(detail: &Detail) -> Vec<(Kind, Identifier)> {
    let source = source(detail);
    let Some(service) = Service::ALL.into_iter().find(|service| service.event_sources().contains(&source)) else {
        return Vec::new();
    };
    if detail.error_code.is_some() {
        return Vec::new();
    }
    let kinds = Kind::ALL.iter().filter(|kind| kind.info().backend.service() == Some(service));
    let calls = kinds.flat_map(|kind| kind.info().changed_by.iter().map(move |calls| (*kind, calls)));
    let named = calls.filter(|(_, calls)| calls.names.contains(&detail.event_name.as_str()));
    named
        .flat_map(|(kind, calls)| (calls.about)(&detail.request_parameters).into_iter().map(move |it| (kind, it)))
        .collect()
}

/// The change of a network. A call that failed has made none.
fn network_change(detail: &Detail) -> Option<NetworkChange> {
    let change = NetworkChange::of(source(detail), &detail.event_name, &detail.request_parameters);
    change.filter(|_| detail.error_code.is_none())
}

/// Who called: the ARN where there is one, else the service on whose behalf the call was made, or whatever identifies it.
///
/// Source: "CloudTrail userIdentity element" in the AWS CloudTrail User Guide.
fn principal(identity: &Value) -> String {
    let member = |name: &str| identity.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let known = ["arn", "invokedBy", "principalId", "accountId", "type"].into_iter().find_map(member);
    known.map_or_else(|| "somebody unknown".into(), shown)
}

/// Text of others, to be shown.
fn shown(text: &str) -> String {
    let text = printable(text);
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_string(),
    }
}

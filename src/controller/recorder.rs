//! Publishes events, and counts the same one as one: the same text about the same thing. Another text is another event,
//! so that a count never stands under words that were said of something else.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};

use super::FIELD_MANAGER;
use super::events::{NOTE_LIMIT, Note};
use crate::printable::printable;
use crate::request_id;

/// The time for which the same event is counted as one. The API server keeps events for an hour.
const COUNTED: Duration = Duration::from_mins(6);

/// The identity of an event: the object's UID, and everything that the event says but the ids of requests.
type Sameness = (String, Note);

/// Publishes events.
pub(super) struct Recorder {
    client: Client,
    published: Mutex<HashMap<Sameness, Published>>,
}

/// An event that is out.
#[derive(Clone)]
struct Published {
    name: String,
    count: i32,
    at: Instant,
}

impl Recorder {
    pub(super) fn new(client: Client) -> Self {
        Self { client, published: Mutex::default() }
    }

    /// Publishes a note about an object.
    ///
    /// # Errors
    /// The error of the API server.
    pub(super) async fn publish(&self, mut note: Note, about: &ObjectReference) -> Result<(), kube::Error> {
        note.message = printable(&note.message).into_owned();
        note.message.truncate(note.message.floor_char_boundary(NOTE_LIMIT));
        let now = MicroTime(Timestamp::now());
        let api: Api<Event> = Api::namespaced(self.client.clone(), about.namespace.as_deref().unwrap_or("default"));
        // The API server takes no other text for an event that is out, so that of the first request stays.
        let same = Note { message: request_id::without(&note.message).into_owned(), ..note.clone() };
        let sameness = (about.uid.clone().unwrap_or_default(), same);
        if let Some(before) = self.before(&sameness) {
            let series = EventSeries { count: before.count + 1, last_observed_time: now.clone() };
            let patch = serde_json::json!({"series": series});
            match api.patch(&before.name, &PatchParams::default(), &Patch::Merge(patch)).await {
                // It has expired, or somebody deleted it.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => return Err(error),
                Ok(_) => {
                    self.remember(sameness, Published { count: before.count + 1, at: Instant::now(), ..before });
                    return Ok(());
                }
            }
        }
        let event = event(note, about, now);
        let name = event.metadata.name.clone().unwrap_or_default();
        api.create(&PostParams::default(), &event).await?;
        self.remember(sameness, Published { name, count: 1, at: Instant::now() });
        Ok(())
    }

    fn before(&self, sameness: &Sameness) -> Option<Published> {
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        published.retain(|_, event| event.at.elapsed() < COUNTED);
        published.get(sameness).cloned()
    }

    fn remember(&self, sameness: Sameness, event: Published) {
        self.published.lock().unwrap_or_else(PoisonError::into_inner).insert(sameness, event);
    }
}

fn event(note: Note, about: &ObjectReference, now: MicroTime) -> Event {
    let name = about.name.as_deref().unwrap_or(FIELD_MANAGER);
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{name}.{:x}{:04x}", now.0.as_nanosecond(), fastrand::u16(..))),
            namespace: about.namespace.clone(),
            ..ObjectMeta::default()
        },
        type_: Some(if note.warning { "Warning" } else { "Normal" }.into()),
        reason: Some(note.reason),
        action: Some(note.action.into()),
        note: Some(note.message),
        regarding: Some(about.clone()),
        related: note.about.map(|about| ObjectReference {
            kind: Some(about.kind),
            name: Some(about.name),
            ..ObjectReference::default()
        }),
        event_time: Some(now),
        reporting_controller: Some(FIELD_MANAGER.into()),
        reporting_instance: Some(FIELD_MANAGER.into()),
        ..Event::default()
    }
}

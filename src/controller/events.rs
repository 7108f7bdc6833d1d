//! Kubernetes events: what `kubectl describe` and `kubectl events` tell. A pass that changes nothing tells nothing.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use kube::runtime::events::{Event, EventType};
use tracing::warn;

use super::Context;
use crate::api::AIPlatform;
use crate::api::status::{AIPlatformStatus, ModelStatus, ResourceStatus, State};
use crate::execute::Outcome;
use crate::provider::Applied;
use crate::reconcile::Pass;
use crate::render;
use crate::status::ROLLED_BACK;

/// Something worth telling.
#[derive(Debug, PartialEq)]
struct Note {
    warning: bool,
    reason: String,
    action: &'static str,
    message: String,
    /// Which resource it is about. The API server's clients count events of the same reason about the same resource
    /// as one, whatever they say.
    about: Option<ObjectReference>,
}

/// The longest note the events API takes, in bytes.
const NOTE_LIMIT: usize = 1024;

pub(super) async fn publish<P>(object: &AIPlatform, pass: &Pass, context: &Context<P>) {
    let reference = object.object_ref(&());
    for note in notes(object.status.as_ref(), pass) {
        let mut message = note.message;
        message.truncate(message.floor_char_boundary(NOTE_LIMIT));
        let event = Event {
            type_: if note.warning { EventType::Warning } else { EventType::Normal },
            reason: note.reason,
            note: Some(message),
            action: note.action.into(),
            secondary: note.about,
        };
        if let Err(error) = context.recorder.publish(&event, &reference).await {
            warn!(%error, "an event could not be published");
        }
    }
}

/// What is new since the previous status.
fn notes(previous: Option<&AIPlatformStatus>, pass: &Pass) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    for step in &pass.plan.steps {
        let Some(Outcome::Done(applied)) = pass.outcomes.get(&step.key) else { continue };
        let (reason, action) = match (step.action.name(), applied) {
            ("Create", _) => ("Created", "Create"),
            ("Update", _) => ("Updated", "Update"),
            ("Delete", Applied::Gone) => ("Deleted", "Delete"),
            ("Delete", Applied::Progressing(_)) => ("Deleting", "Delete"),
            _ => continue,
        };
        let fields = render::fields(&step.action).join(", ");
        let what = if fields.is_empty() { step.key.to_string() } else { format!("{}: {fields}", step.key) };
        let about = Some(about(step.key.kind.name(), &step.key.name, Some(fields)));
        notes.push(Note { warning: false, reason: reason.into(), action, message: what, about });
    }
    for resource in &pass.status.resources {
        let before = previous.and_then(|status| status.resources.iter().find(|before| same(before, resource)));
        let is_new = before.is_none_or(|before| before.state != resource.state || before.reason != resource.reason);
        let warning = matches!(resource.state, State::Failed | State::Refused);
        if is_new && (warning || resource.state == State::Retained) {
            notes.push(Note {
                warning,
                reason: resource.reason.clone().unwrap_or_else(|| "Failed".into()),
                action: "Reconcile",
                message: format!(
                    "{} {}: {}",
                    resource.kind,
                    resource.name,
                    resource.message.as_deref().unwrap_or_default()
                ),
                about: Some(about(&resource.kind, &resource.name, None)),
            });
        }
    }
    for model in &pass.status.models {
        let before = previous.and_then(|status| status.models.iter().find(|before| before.name == model.name));
        notes.extend(milestone(before, model));
    }
    notes.extend(turned(previous, &pass.status));
    notes
}

/// What a rollout has come to. That it began, failed or was rolled back is told of its resources.
fn milestone(before: Option<&ModelStatus>, model: &ModelStatus) -> Option<Note> {
    let (outcome, endpoint) = (model.outcome.as_deref()?, model.endpoint.as_deref()?);
    let revision = model.revision.as_deref().unwrap_or_default();
    let was = before.and_then(|before| before.outcome.as_deref());
    let ran = before.and_then(|before| before.revision.as_deref());
    let (warning, message) = match outcome {
        "InService" if model.ready && (ran != Some(revision) || was == Some(ROLLED_BACK)) => {
            let count = model.instances.map(|instances| format!(", capacity {}", instances.current));
            (false, format!("model {} is served by revision {revision}{}", model.name, count.unwrap_or_default()))
        }
        "RollingBack" if was != Some("RollingBack") => {
            (true, format!("model {} goes back to revision {revision}", model.name))
        }
        _ => return None,
    };
    let about = Some(about("SageMakerEndpoint", endpoint, Some(revision.to_string())));
    Some(Note { warning, reason: outcome.into(), action: "Rollout", message, about })
}

/// The platform as a whole became ready or stalled.
fn turned(previous: Option<&AIPlatformStatus>, status: &AIPlatformStatus) -> Option<Note> {
    let now = status.conditions.iter().find(|condition| condition.type_ == "Ready")?;
    let before = previous.and_then(|status| status.conditions.iter().find(|condition| condition.type_ == "Ready"));
    if before.is_some_and(|before| before.status == now.status && before.reason == now.reason) {
        return None;
    }
    let stalled = status.conditions.iter().any(|condition| condition.type_ == "Stalled");
    if now.status == "True" || stalled {
        let message = now.message.clone();
        return Some(Note { warning: stalled, reason: now.reason.clone(), action: "Reconcile", message, about: None });
    }
    None
}

fn about(kind: &str, name: &str, fields: Option<String>) -> ObjectReference {
    ObjectReference {
        kind: Some(kind.into()),
        name: Some(name.into()),
        field_path: fields.filter(|fields| !fields.is_empty()),
        ..ObjectReference::default()
    }
}

fn same(one: &ResourceStatus, other: &ResourceStatus) -> bool {
    one.kind == other.kind && one.name == other.name
}

//! Renderings of a plan: text for people, JSON for machines.

mod text;
mod tree;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::plan::{Action, Plan, Step};

pub use text::Text;
pub use tree::Tree;

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut plan = serializer.serialize_struct("Plan", 4)?;
        plan.serialize_field("namespace", &self.namespace)?;
        plan.serialize_field("name", &self.name)?;
        plan.serialize_field("steps", &self.steps)?;
        plan.serialize_field("summary", &self.summary())?;
        plan.end()
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut step = serializer.serialize_struct("Step", 9)?;
        step.serialize_field("action", self.action.name())?;
        step.serialize_field("kind", &self.key.kind)?;
        step.serialize_field("name", &self.key.name)?;
        step.serialize_field("arn", &self.arn)?;
        step.serialize_field("needs", &self.needs)?;
        step.serialize_field("fields", &fields(&self.action))?;
        match &self.action {
            Action::Update(changes) => step.serialize_field("changes", changes)?,
            _ => step.skip_field("changes")?,
        }
        step.serialize_field("desired", &self.desired)?;
        match message(self) {
            Some(message) => step.serialize_field("message", &message)?,
            None => step.skip_field("message")?,
        }
        step.end()
    }
}

/// The fields an action changes.
#[must_use]
pub fn fields(action: &Action) -> Vec<String> {
    match action {
        Action::Update(changes) => {
            let mut paths: Vec<String> = changes.iter().map(|change| change.path.clone()).collect();
            paths.dedup();
            paths
        }
        _ => Vec::new(),
    }
}

/// The reason for which a step is not taken, or a part of it is left out.
#[must_use]
pub fn message(step: &Step) -> Option<String> {
    match &step.action {
        Action::Wait(why) | Action::Retain(why) => Some(why.clone()),
        Action::Blocked(on) => {
            Some(format!("waits for {}", on.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")))
        }
        Action::Refuse(refusal) => Some(refusal.message.clone()),
        Action::Unreadable(error) => Some(error.to_string()),
        Action::Create | Action::Update(_) | Action::Delete { .. } | Action::Keep => {
            let unknown = step.unknown.values().map(ToString::to_string);
            let held_back = step.held_back.iter().map(|held_back| held_back.message.clone());
            let messages: Vec<String> = held_back.chain(unknown).chain(not_granted(step)).collect();
            if messages.is_empty() { step.not_applied.map(Into::into) } else { Some(messages.join("; ")) }
        }
    }
}

fn not_granted(step: &Step) -> Option<String> {
    let messages: Vec<&str> = step.left_out.iter().map(|left| left.message.as_str()).collect();
    (!messages.is_empty()).then(|| messages.join("; "))
}

//! Renderings of a plan: text for people, JSON for machines.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::Value;

use crate::diff::Change;
use crate::plan::{Action, Plan, Step, Summary, rules};
use crate::printable::{printable, printable_json};
use crate::resource::bucket;
use crate::tags;

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

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", Text { plan: self, colour: false })
    }
}

/// A plan as text, with colour or without.
pub struct Text<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// True to colour the signs, as on a terminal.
    pub colour: bool,
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = self.plan;
        writeln!(formatter, "AIPlatform {}/{}", printable(&plan.namespace), printable(&plan.name))?;
        for step in &plan.steps {
            let (sign, code) = sign(&step.action);
            let sign = if self.colour { format!("\x1b[{code}m{sign}\x1b[0m") } else { sign.to_string() };
            writeln!(
                formatter,
                "  {sign} {:<9} {} {}",
                step.action.name().to_lowercase(),
                step.key.kind,
                printable(&step.key.name)
            )?;
            match &step.action {
                Action::Create => {
                    if let Some(desired) = &step.desired {
                        let value = serde_json::to_value(desired).unwrap_or_default();
                        write_fields(formatter, &value, 6)?;
                    }
                }
                Action::Update(changes) => {
                    for change in changes.iter().filter(|change| !is_bookkeeping(change)) {
                        write_change(formatter, change)?;
                    }
                }
                _ => {}
            }
            if let Some(message) = message(step) {
                writeln!(formatter, "      {}", printable(&message))?;
            }
            for remark in step.remarks.iter().chain(step.exposures.iter().map(|exposure| &exposure.message)) {
                writeln!(formatter, "      note: {}", printable(remark))?;
            }
        }
        let Summary { create, update, delete, keep } = plan.summary();
        let mut parts = vec![
            format!("{create} to create"),
            format!("{update} to update"),
            format!("{delete} to delete"),
            format!("{keep} to keep"),
        ];
        let others = plan.steps.len() - create - update - delete - keep;
        if others > 0 {
            parts.push(format!("{others} waiting or refused"));
        }
        writeln!(formatter, "  {}", parts.join(", "))?;
        for remark in rules::remarks(plan) {
            writeln!(formatter, "  {}", printable(&remark))?;
        }
        Ok(())
    }
}

fn sign(action: &Action) -> (char, u8) {
    match action {
        Action::Create => ('+', 32),
        Action::Update(_) => ('~', 33),
        Action::Delete { .. } => ('-', 31),
        Action::Keep | Action::Retain(_) => ('=', 2),
        Action::Wait(_) | Action::Blocked(_) => ('.', 36),
        Action::Refuse(_) | Action::Unreadable(_) => ('!', 31),
    }
}

/// Tags by which we remember something for ourselves.
fn is_bookkeeping(change: &Change) -> bool {
    change.path == format!("{}.{}", bucket::field::TAGS, tags::TAG_KEYS)
}

fn write_change(formatter: &mut fmt::Formatter<'_>, change: &Change) -> fmt::Result {
    let path = printable(&change.path);
    match (&change.from, &change.to) {
        (Value::Null, added @ Value::Object(_)) => {
            writeln!(formatter, "      + {path}:")?;
            write_fields(formatter, added, 10)
        }
        (removed @ Value::Object(_), Value::Null) if change.path.ends_with("[]") => {
            writeln!(formatter, "      - {path}:")?;
            write_fields(formatter, removed, 10)
        }
        (Value::Object(_), Value::Null) => writeln!(formatter, "      - {path}"),
        (from, to) => writeln!(formatter, "      {path}: {} -> {}", scalar(from), scalar(to)),
    }
}

fn write_fields(formatter: &mut fmt::Formatter<'_>, value: &Value, indent: usize) -> fmt::Result {
    let Value::Object(fields) = value else { return Ok(()) };
    for (name, value) in fields {
        let name = printable(name);
        match value {
            Value::Object(nested) if !nested.is_empty() => {
                writeln!(formatter, "{:indent$}{name}:", "")?;
                write_fields(formatter, value, indent + 2)?;
            }
            Value::Object(_) | Value::Null => {}
            _ => writeln!(formatter, "{:indent$}{name}: {}", "", scalar(value))?,
        }
    }
    Ok(())
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "(none)".into(),
        Value::String(text) => printable(text).into_owned(),
        other => printable_json(&other.to_string()).into_owned(),
    }
}

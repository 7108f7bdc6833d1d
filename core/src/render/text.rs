//! A plan as text: every step with its fields, then all steps on one line each.

use std::fmt::{self, Formatter};

use serde_json::{Map, Value};
use similar::{ChangeTag, TextDiff};

use super::message;
use crate::diff::Change;
use crate::plan::{Action, Plan, Step, Summary, rules};
use crate::printable::{printable, printable_json};
use crate::resource::bucket;
use crate::tags;

/// The longest list that is written on the line of its field.
const LIST_WIDTH: usize = 80;

/// Unchanged lines of a text that are shown around a changed one.
const CONTEXT: usize = 2;

/// A plan as text, with colour or without.
pub struct Text<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// True to colour the signs, as on a terminal.
    pub colour: bool,
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", Text { plan: self, colour: false })
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let plan = self.plan;
        writeln!(formatter, "AIPlatform {}/{}", printable(&plan.namespace), printable(&plan.name))?;
        for step in plan.steps.iter().filter(|step| has_details(step)) {
            self.details(formatter, step)?;
        }
        self.overview(formatter)?;
        writeln!(formatter, "  {}", summary(plan))?;
        for remark in rules::remarks(plan) {
            writeln!(formatter, "  {}", printable(&remark))?;
        }
        Ok(())
    }
}

impl Text<'_> {
    fn sign(&self, action: &Action) -> String {
        let (sign, code) = sign(action);
        if self.colour { format!("\x1b[{code}m{sign}\x1b[0m") } else { sign.to_string() }
    }

    fn details(&self, formatter: &mut Formatter<'_>, step: &Step) -> fmt::Result {
        let (sign, action) = (self.sign(&step.action), step.action.name().to_lowercase());
        writeln!(formatter, "  {sign} {action:<9} {} {}", step.key.kind, printable(&step.key.name))?;
        match &step.action {
            Action::Create => {
                if let Some(Value::Object(fields)) = step.desired.as_ref().and_then(|it| serde_json::to_value(it).ok())
                {
                    write_fields(formatter, &fields, 6)?;
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
        Ok(())
    }

    /// Every step on one line, so that all of them are seen at once.
    fn overview(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let steps = &self.plan.steps;
        if steps.len() < 2 {
            return Ok(());
        }
        let width = |text: fn(&Step) -> String| steps.iter().map(|step| text(step).len()).max().unwrap_or_default();
        let actions = width(|step| step.action.name().into());
        let kinds = width(|step| step.key.kind.to_string());
        writeln!(formatter, "\n  {} steps", steps.len())?;
        for step in steps {
            let (sign, action) = (self.sign(&step.action), step.action.name().to_lowercase());
            let name = printable(&step.key.name);
            writeln!(formatter, "  {sign} {action:<actions$}  {:<kinds$}  {name}", step.key.kind)?;
        }
        Ok(())
    }
}

/// True for a step that says more than its line: what is kept as it is does not.
fn has_details(step: &Step) -> bool {
    let says = message(step).is_some() || !step.remarks.is_empty() || !step.exposures.is_empty();
    says || !matches!(step.action, Action::Keep)
}

fn summary(plan: &Plan) -> String {
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
    parts.join(", ")
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

fn write_change(formatter: &mut Formatter<'_>, change: &Change) -> fmt::Result {
    let path = printable(&change.path);
    match (&change.from, &change.to) {
        (Value::Null, added) => write_field(formatter, "      + ", &path, added, 10),
        (Value::Object(_), Value::Null) if !change.path.ends_with(']') => writeln!(formatter, "      - {path}"),
        (removed, Value::Null) => write_field(formatter, "      - ", &path, removed, 10),
        (Value::Array(from), Value::Array(to)) => {
            writeln!(formatter, "      ~ {path}:")?;
            write_list_change(formatter, from, to)
        }
        (Value::String(from), Value::String(to)) if from.contains('\n') || to.contains('\n') => {
            writeln!(formatter, "      ~ {path}:")?;
            write_text_change(formatter, from, to)
        }
        (from, to) => writeln!(formatter, "      ~ {path}: {} -> {}", scalar(from), scalar(to)),
    }
}

/// The items that go and come; those that stay are counted.
fn write_list_change(formatter: &mut Formatter<'_>, from: &[Value], to: &[Value]) -> fmt::Result {
    let stay = to.iter().filter(|item| from.contains(item)).count();
    for item in from.iter().filter(|item| !to.contains(item)) {
        write_item(formatter, "          - ", item, 12)?;
    }
    for item in to.iter().filter(|item| !from.contains(item)) {
        write_item(formatter, "          + ", item, 12)?;
    }
    let is_moved = stay == from.len() && stay == to.len();
    match stay {
        _ if is_moved => writeln!(formatter, "            (the same items in another order)"),
        0 => Ok(()),
        count => writeln!(formatter, "            ({count} unchanged)"),
    }
}

/// The lines that changed, with those around them.
fn write_text_change(formatter: &mut Formatter<'_>, from: &str, to: &str) -> fmt::Result {
    let diff = TextDiff::from_lines(from, to);
    for (index, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if index > 0 {
            writeln!(formatter, "            ...")?;
        }
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            writeln!(formatter, "          {sign} {}", printable(change.value().trim_end_matches('\n')))?;
        }
    }
    Ok(())
}

fn write_fields(formatter: &mut Formatter<'_>, fields: &Map<String, Value>, indent: usize) -> fmt::Result {
    let start = " ".repeat(indent);
    let mut shown = fields.iter().filter(|(_, value)| !is_nothing(value));
    shown.try_for_each(|(name, value)| write_field(formatter, &start, &printable(name), value, indent + 2))
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

/// A field behind what its line starts with; `indent` is for what stands below it.
fn write_field(formatter: &mut Formatter<'_>, start: &str, name: &str, value: &Value, indent: usize) -> fmt::Result {
    match value {
        Value::Object(fields) => {
            writeln!(formatter, "{start}{name}:")?;
            write_fields(formatter, fields, indent)
        }
        Value::Array(items) if !fits(items) => {
            writeln!(formatter, "{start}{name}:")?;
            let start = format!("{:indent$}- ", "");
            items.iter().try_for_each(|item| write_item(formatter, &start, item, indent + 2))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(scalar).collect();
            writeln!(formatter, "{start}{name}: [{}]", items.join(", "))
        }
        Value::String(text) if text.trim_end().contains('\n') => {
            writeln!(formatter, "{start}{name}:")?;
            text.lines().try_for_each(|line| writeln!(formatter, "{:indent$}{}", "", printable(line)))
        }
        other => writeln!(formatter, "{start}{name}: {}", scalar(other)),
    }
}

/// An item of a list: the first of its fields stands behind the hyphen.
fn write_item(formatter: &mut Formatter<'_>, start: &str, item: &Value, indent: usize) -> fmt::Result {
    let Value::Object(fields) = item else { return writeln!(formatter, "{start}{}", scalar(item)) };
    let below = " ".repeat(indent);
    let mut shown = fields.iter().filter(|(_, value)| !is_nothing(value)).collect::<Vec<_>>();
    // What an item is called says more than what comes first in the alphabet.
    shown.sort_by_key(|(name, _)| !["name", "Sid", "id", "type"].contains(&name.as_str()));
    if shown.is_empty() {
        return writeln!(formatter, "{start}{{}}");
    }
    for (index, (name, value)) in shown.into_iter().enumerate() {
        let start = if index == 0 { start } else { below.as_str() };
        write_field(formatter, start, &printable(name), value, indent + 2)?;
    }
    Ok(())
}

/// True for a list that is read at a glance.
fn fits(items: &[Value]) -> bool {
    let is_plain = |item: &Value| !item.is_object() && !item.is_array();
    items.iter().all(is_plain) && items.iter().map(|item| scalar(item).len() + 2).sum::<usize>() <= LIST_WIDTH
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "(none)".into(),
        Value::String(text) => printable(text.trim_end_matches('\n')).into_owned(),
        other => printable_json(&other.to_string()).into_owned(),
    }
}

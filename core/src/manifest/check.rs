//! Checks a document against a schema: the custom resource's own, or that of a settings file.
//!
//! Only what a structural schema can say is checked; the CEL rules are the API server's and have their twins in
//! [`crate::platform::validate`].

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps as Schema, JSONSchemaPropsOrArray as Items, JSONSchemaPropsOrBool as Additional,
};
use kube::CustomResourceExt;
use regex::Regex;

use super::PROBLEMS_LIMIT;
use super::metadata;
use super::node::{Entry, Node, Value};
use super::yaml;
use crate::api::AIPlatform;

/// The schema of `crds/aiplatform.yaml`, as `build.rs` makes it.
const CHECKED_IN: &str = include_str!(concat!(env!("OUT_DIR"), "/schema.json"));

/// Something wrong at a place in the document.
#[derive(Debug)]
pub(super) struct Finding {
    pub line: usize,
    pub path: String,
    pub message: String,
}

/// The result of checking one document.
#[derive(Default)]
pub(super) struct Report {
    /// The findings, up to as many as are reported.
    pub findings: Vec<Finding>,
    /// The number of findings beyond those.
    pub more: usize,
    /// True when a list, an object or a text is larger than the schema allows.
    pub is_oversized: bool,
    /// The line of every path, as [`crate::platform::validate`] writes it.
    pub lines: BTreeMap<String, usize>,
}

/// The meaning of a key without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Empty {
    /// The key might as well not be there, where it has a default or may be null: so the API server takes it.
    Absent,
    /// Nothing: where an absent key allows everything, one whose values were taken out must not.
    Refused,
}

/// The schema, and the patterns in it that were needed so far.
pub(super) struct Checker {
    schema: Schema,
    empty: Empty,
    patterns: HashMap<String, Option<Regex>>,
}

impl Checker {
    pub(super) fn new(schema: Schema, empty: Empty) -> Self {
        Self { schema, empty, patterns: HashMap::new() }
    }

    pub(super) fn check(&mut self, document: &Node) -> Report {
        let Self { schema, empty, patterns } = self;
        let mut walk = Walk { empty: *empty, patterns, report: Report::default() };
        walk.value(schema, document, document.line, "");
        walk.report
    }
}

/// The definition's schema, with what the API server adds to it.
pub(super) fn platform() -> Schema {
    let text = || Schema { type_: Some("string".into()), ..Schema::default() };
    let mut root = serde_json::from_str(CHECKED_IN).unwrap_or_else(|_| derived());
    let fields = root.properties.get_or_insert_default();
    let status = fields.get("status").map(metadata::status).unwrap_or_default();
    fields.extend(
        [("apiVersion", text()), ("kind", text()), ("metadata", metadata::metadata()), ("status", status)]
            .map(|(field, schema)| (field.into(), schema)),
    );
    root.required.get_or_insert_default().push("metadata".into());
    root
}

/// The definition's schema as the types give it.
fn derived() -> Schema {
    let versions = AIPlatform::crd().spec.versions;
    versions.into_iter().find_map(|version| version.schema?.open_api_v3_schema).unwrap_or_default()
}

struct Walk<'a> {
    empty: Empty,
    patterns: &'a mut HashMap<String, Option<Regex>>,
    report: Report,
}

impl Walk<'_> {
    /// `key` is the line of the key that holds the value, which is where one looks for what the value lacks.
    fn value(&mut self, schema: &Schema, node: &Node, key: usize, path: &str) {
        self.report.lines.insert(path.into(), node.line);
        if let Some(message) = self.wrong(schema, node) {
            self.finding(node.line, path, message);
            return;
        }
        match &node.value {
            Value::Map(entries) => self.entries(schema, entries, key, path),
            Value::List(items) => {
                if let Some(Items::Schema(schema)) = &schema.items {
                    for (index, item) in items.iter().enumerate() {
                        self.value(schema, item, item.line, &format!("{path}[{index}]"));
                    }
                }
            }
            _ => {}
        }
    }

    fn entries(&mut self, schema: &Schema, entries: &[Entry], key: usize, path: &str) {
        let none = BTreeMap::new();
        let properties = schema.properties.as_ref().unwrap_or(&none);
        let mut first_lines: HashMap<&str, usize> = HashMap::new();
        let mut meant = Vec::new();
        for entry in entries {
            let additional = match &schema.additional_properties {
                Some(Additional::Schema(schema)) => Some(&**schema),
                _ => None,
            };
            let property = properties.get(entry.key.as_ref());
            let path = match additional {
                Some(_) if property.is_none() => format!("{path}[{:?}]", cut(&entry.key)),
                _ => join(path, &cut(&entry.key)),
            };
            if let Some(first) = first_lines.insert(&entry.key, entry.line) {
                self.finding(entry.line, &path, format!("is given twice, first on line {first}: keep one"));
                continue;
            }
            if let Some(schema) = property.or(additional) {
                self.value(schema, &entry.value, entry.line, &path);
            } else if !is_open(schema) {
                let near = if self.is_full() { None } else { nearest(&entry.key, properties.keys()) };
                let known = properties.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                let message = match near {
                    Some(near) => format!("unknown field; did you mean {near}? (known: {known})"),
                    None => format!("unknown field (known: {known})"),
                };
                meant.extend(near);
                self.finding(entry.line, &path, message);
            }
        }
        for field in schema.required.iter().flatten() {
            let there = entries.iter().any(|entry| entry.key == *field) || meant.contains(&field.as_str());
            if !there {
                self.finding(key, &join(path, field), "is missing".into());
            }
        }
    }

    /// The reason for which a value does not match the schema, without what is in it.
    fn wrong(&mut self, schema: &Schema, node: &Node) -> Option<String> {
        let kind = schema.type_.as_deref();
        match &node.value {
            Value::Tagged(tag) => {
                return Some(format!("the tag {tag} means nothing here: write the value itself"));
            }
            Value::Null if self.empty == Empty::Refused && kind.is_none() => {
                return Some(format!("is empty{FILL}"));
            }
            Value::Null if self.empty == Empty::Refused => {}
            // The API server takes such a field out before it puts the default in.
            Value::Null if kind.is_none() || schema.nullable == Some(true) || schema.default.is_some() => return None,
            _ => {}
        }
        let wrong = kind.and_then(|kind| wrong_type(kind, &node.value)).or_else(|| match &node.value {
            Value::Text(text) => wrong_enum(schema, text).or_else(|| self.wrong_text(schema, text)),
            Value::Number(number, written) => wrong_number(schema, number.as_f64()?, written),
            Value::List(items) => wrong_count("items", items.len(), schema.min_items, schema.max_items),
            Value::Map(entries) => wrong_count("entries", entries.len(), schema.min_properties, schema.max_properties),
            _ => None,
        });
        let is_too_many = |most: Option<i64>, found: usize| most.is_some_and(|most| count(most) < found);
        self.report.is_oversized |= match &node.value {
            Value::Text(text) => is_too_many(schema.max_length, text.chars().count()),
            Value::List(items) => is_too_many(schema.max_items, items.len()),
            Value::Map(entries) => is_too_many(schema.max_properties, entries.len()),
            _ => false,
        };
        wrong
    }

    fn wrong_text(&mut self, schema: &Schema, text: &str) -> Option<String> {
        let length = text.chars().count();
        if schema.min_length.is_some_and(|least| count(least) > length) {
            let least = schema.min_length.unwrap_or_default();
            return Some(if length == 0 {
                format!("is empty, and at least {least} {} expected", plural(least, "character is", "characters are"))
            } else {
                format!("{text:?} is too short: {length} characters, and at least {least} are expected")
            });
        }
        if let Some(most) = schema.max_length.filter(|most| count(*most) < length) {
            return Some(format!("{:?} is too long: {length} characters, and at most {most} are allowed", cut(text)));
        }
        let pattern = schema.pattern.as_ref()?;
        let regex = self.patterns.entry(pattern.clone()).or_insert_with(|| Regex::new(pattern).ok());
        if regex.as_ref()?.is_match(text) {
            return None;
        }
        let about = schema.description.as_deref().map(first_sentence);
        let about = about.map(|about| format!(" ({about})")).unwrap_or_default();
        Some(format!("{:?} does not match {pattern}{about}", cut(text)))
    }

    fn finding(&mut self, line: usize, path: &str, message: String) {
        if self.is_full() {
            self.report.more += 1;
        } else {
            self.report.findings.push(Finding { line, path: path.into(), message });
        }
    }

    fn is_full(&self) -> bool {
        self.report.findings.len() == PROBLEMS_LIMIT
    }
}

/// The way out for a key without a value.
const FILL: &str = ": fill it, or leave the key out";

fn wrong_type(kind: &str, value: &Value) -> Option<String> {
    let expected = match kind {
        "string" => "a string",
        "boolean" => "a boolean",
        "integer" => "a whole number",
        "number" => "a number",
        "array" => "a list",
        "object" => "an object",
        _ => return None,
    };
    let (found, hint) = match (value, kind) {
        (Value::Text(_), "string")
        | (Value::Boolean(..), "boolean")
        | (Value::Number(..), "number")
        | (Value::List(_), "array")
        | (Value::Map(_), "object") => return None,
        (Value::Number(number, _), "integer") if number.is_i64() => return None,
        (Value::Boolean(_, written), "string") => (format!("{written} is a boolean"), ": put it in quotes"),
        (Value::Number(_, written) | Value::OddNumber(written), "string") => {
            (format!("{written} is a number"), ": put it in quotes")
        }
        (Value::OddNumber(written), "integer" | "number") => {
            (format!("{written} is a number that JSON has no form for"), "")
        }
        (Value::Text(text), _) => {
            let unquoted = match yaml::meant(text.as_ref().into()) {
                Value::Text(_) => false,
                value => wrong_type(kind, &value).is_none(),
            };
            (format!("{:?} is a string", cut(text)), if unquoted { ": take the quotes away" } else { "" })
        }
        (Value::Boolean(_, written), _) => (format!("{written} is a boolean"), ""),
        (Value::Number(_, written) | Value::OddNumber(written), _) => (format!("{written} is a number"), ""),
        (Value::List(_), _) => ("is a list".into(), ""),
        (Value::Map(_), _) => ("is an object".into(), ""),
        (Value::Null | Value::Tagged(_), _) => ("is empty".into(), FILL),
    };
    Some(format!("{found}, and {expected} is expected{hint}"))
}

fn wrong_enum(schema: &Schema, text: &str) -> Option<String> {
    let allowed: Vec<&str> = schema.enum_.as_ref()?.iter().filter_map(|value| value.0.as_str()).collect();
    (!allowed.contains(&text)).then(|| format!("{:?} is not one of {}", cut(text), allowed.join(", ")))
}

fn wrong_number(schema: &Schema, value: f64, written: &str) -> Option<String> {
    let (least, most) = match schema.format.as_deref() {
        Some("int32") => (Some(f64::from(i32::MIN)), Some(f64::from(i32::MAX))),
        _ => (None, None),
    };
    let (least, most) = (schema.minimum.or(least), schema.maximum.or(most));
    if let Some(least) = least.filter(|least| value < *least) {
        return Some(format!("{written} is too small: at least {least} is expected"));
    }
    if let Some(most) = most.filter(|most| value > *most) {
        return Some(format!("{written} is too large: at most {most} is allowed"));
    }
    let unit = schema.multiple_of.filter(|unit| value % unit != 0.0)?;
    Some(format!("{written} is not a multiple of {unit}"))
}

fn wrong_count(what: &str, found: usize, least: Option<i64>, most: Option<i64>) -> Option<String> {
    if let Some(least) = least.filter(|least| count(*least) > found) {
        return Some(format!("{found} {what} are too few: at least {least}"));
    }
    most.filter(|most| count(*most) < found).map(|most| format!("{found} {what} are too many: at most {most}"))
}

fn is_open(schema: &Schema) -> bool {
    schema.x_kubernetes_preserve_unknown_fields == Some(true)
        || matches!(schema.additional_properties, Some(Additional::Bool(true)))
        || (schema.properties.is_none() && schema.additional_properties.is_none())
}

/// The known field that was probably meant: one slip for every four letters, whatever the case and the underscores.
fn nearest<'a>(field: &str, known: impl Iterator<Item = &'a String>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    let folded = |name: &str| name.replace(['_', '-'], "").to_lowercase();
    let field = folded(if field.len() > LONGEST { return None } else { field });
    known
        .map(|name| (strsim::osa_distance(&field, &folded(name)), name.as_str()))
        .min()
        .filter(|(distance, name)| *distance <= (name.len() / 4).max(1))
        .map(|(_, name)| name)
}

pub(super) fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.into() } else { format!("{path}.{field}") }
}

/// A text that is short enough for a message.
pub(super) fn cut(text: &str) -> String {
    const MOST: usize = 60;
    if text.chars().count() <= MOST {
        return text.into();
    }
    text.chars().take(MOST).chain(['…']).collect()
}

fn count(limit: i64) -> usize {
    usize::try_from(limit).unwrap_or_default()
}

fn plural(number: i64, one: &'static str, many: &'static str) -> &'static str {
    if number == 1 { one } else { many }
}

/// The beginning of a description, up to the first full stop that ends a sentence.
fn first_sentence(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    line.split_once(". ").map_or(line, |(sentence, _)| sentence).trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checked_in_schema_is_the_one_that_the_types_give() {
        let read: Schema = serde_json::from_str(CHECKED_IN).unwrap();
        assert_eq!(read, derived(), "crds/aiplatform.yaml is not what the code makes: run make generate");
    }
}

//! YAML documents as trees that know their lines.
//!
//! Plain scalars mean what they mean to kubectl, which reads YAML 1.1: `yes` and `on` are booleans there, and a platform
//! that is right here has to be right there.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, StrInput, Tag};
use serde_json::Number;

/// The most values that aliases may add to one document, so that a few lines cannot fill the memory.
const ALIAS_LIMIT: usize = 100_000;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub line: usize,
    pub value: Value,
}

/// What a node holds. Scalars that are not text keep how they were written, for messages.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Boolean(bool, String),
    Number(Number, String),
    /// A number that JSON has no form for, such as `0x1F` or `007`: readers do not agree what it is.
    OddNumber(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// A value with a tag that nothing here can resolve.
    Tagged(String),
}

/// One key of a mapping. A key that is given twice is there twice.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: String,
    pub line: usize,
    pub value: Node,
}

/// A document that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub line: usize,
    pub message: String,
}

impl Node {
    /// The value of a key, when this is a mapping that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            _ => None,
        }
    }

    /// The text of a key, when this is a mapping that has it.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match &self.get(key)?.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// As JSON, without keys that have no value: to the API server they are not there either.
    pub(super) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Boolean(value, _) => (*value).into(),
            Value::Number(number, _) => number.clone().into(),
            Value::OddNumber(text) | Value::Text(text) | Value::Tagged(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Node::to_json).collect(),
            Value::Map(entries) => entries
                .iter()
                .filter(|entry| !matches!(entry.value.value, Value::Null))
                .map(|entry| (entry.key.clone(), entry.value.to_json()))
                .collect(),
        }
    }

    fn size(&self) -> usize {
        1 + match &self.value {
            Value::List(items) => items.iter().map(Node::size).sum(),
            Value::Map(entries) => entries.iter().map(|entry| entry.value.size()).sum(),
            _ => 0,
        }
    }
}

/// The documents of a text. One that is broken hides only itself.
pub(super) fn documents(text: &str) -> Vec<Result<Node, Broken>> {
    let options = granit_parser::options! { emit_comments: false };
    let mut reader = Reader {
        parser: Parser::new_from_str_with_options(text, options),
        anchors: HashMap::new(),
        aliased: 0,
        line: 1,
    };
    let mut documents = Vec::new();
    loop {
        match reader.event() {
            Ok(Event::StreamEnd) => return documents,
            Ok(Event::DocumentStart(..)) => match reader.document() {
                Ok(node) => documents.push(Ok(node)),
                Err(broken) => {
                    documents.push(Err(broken));
                    if !reader.skip_document() {
                        return documents;
                    }
                }
            },
            Ok(_) => {}
            Err(broken) => {
                documents.push(Err(broken));
                if !reader.skip_document() {
                    return documents;
                }
            }
        }
    }
}

/// What a scalar without quotes means.
pub(super) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => {
            return Value::Boolean(true, text.into());
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            return Value::Boolean(false, text.into());
        }
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") || is_odd_integer(unsigned) {
        return Value::OddNumber(text.into());
    }
    match number(text, unsigned) {
        Some(number) => Value::Number(number, text.into()),
        None => Value::Text(text.into()),
    }
}

fn is_odd_integer(unsigned: &str) -> bool {
    let digits = |text: &str, radix| {
        text.contains(|digit: char| digit.is_digit(radix))
            && text.chars().all(|digit| digit.is_digit(radix) || digit == '_')
    };
    let based = |prefix, radix| unsigned.strip_prefix(prefix).is_some_and(|rest| digits(rest, radix));
    let decimal = unsigned.starts_with(|first: char| first.is_ascii_digit()) && digits(unsigned, 10);
    based("0x", 16)
        || based("0o", 8)
        || based("0b", 2)
        || (decimal && (unsigned.contains('_') || (unsigned.len() > 1 && unsigned.starts_with('0'))))
}

fn number(text: &str, unsigned: &str) -> Option<Number> {
    if let Ok(integer) = text.parse::<i64>() {
        return Some(integer.into());
    }
    let like_a_number = unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && unsigned.contains(|digit: char| digit.is_ascii_digit());
    if !like_a_number {
        return None;
    }
    let float: f64 = text.parse().ok()?;
    Number::from_f64(float)
}

struct Reader<'text> {
    parser: Parser<'text, StrInput<'text>>,
    anchors: HashMap<usize, Node>,
    aliased: usize,
    /// Where the latest event begins.
    line: usize,
}

impl<'text> Reader<'text> {
    fn event(&mut self) -> Result<Event<'text>, Broken> {
        match self.parser.next_event() {
            None => Ok(Event::StreamEnd),
            Some(Ok((event, span))) => {
                self.line = span.start.line();
                Ok(event)
            }
            Some(Err(error)) => Err(broken(&error)),
        }
    }

    fn skip_document(&mut self) -> bool {
        matches!(self.parser.proceed_next_document(), Ok(true))
    }

    fn document(&mut self) -> Result<Node, Broken> {
        self.anchors.clear();
        self.aliased = 0;
        let event = self.event()?;
        self.node(event)
    }

    fn node(&mut self, event: Event<'text>) -> Result<Node, Broken> {
        let line = self.line;
        let (anchor, value) = match event {
            Event::Alias(anchor) => return self.alias(anchor),
            Event::Scalar(text, style, anchor, tag) => (anchor, scalar(&text, style, tag.as_deref())),
            Event::SequenceStart(_, anchor, tag) => {
                let items = self.list()?;
                (anchor, tagged(tag.as_deref(), "seq").unwrap_or(Value::List(items)))
            }
            Event::MappingStart(_, anchor, tag) => {
                let entries = self.map()?;
                (anchor, tagged(tag.as_deref(), "map").unwrap_or(Value::Map(entries)))
            }
            _ => return Err(Broken { line, message: "a value is expected here".into() }),
        };
        let node = Node { line, value };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize) -> Result<Node, Broken> {
        let line = self.line;
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(Broken { line, message: "this alias stands inside of what it refers to".into() });
        };
        self.aliased += node.size();
        if self.aliased > ALIAS_LIMIT {
            return Err(Broken { line, message: format!("aliases repeat more than {ALIAS_LIMIT} values") });
        }
        Ok(node.clone())
    }

    fn list(&mut self) -> Result<Vec<Node>, Broken> {
        let mut items = Vec::new();
        loop {
            match self.event()? {
                Event::SequenceEnd => return Ok(items),
                event => items.push(self.node(event)?),
            }
        }
    }

    fn map(&mut self) -> Result<Vec<Entry>, Broken> {
        let mut entries = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (key, mergeable) = match self.event()? {
                Event::MappingEnd => break,
                Event::Scalar(text, style, anchor, _) => {
                    if anchor != 0 {
                        self.anchors.insert(anchor, Node { line: self.line, value: Value::Text(text.to_string()) });
                    }
                    let mergeable = style == ScalarStyle::Plain && text == "<<";
                    (text.into_owned(), mergeable)
                }
                Event::Alias(anchor) => match self.alias(anchor)?.value {
                    Value::Text(text) => (text, false),
                    _ => return Err(self.bad_key()),
                },
                _ => return Err(self.bad_key()),
            };
            let line = self.line;
            let event = self.event()?;
            // The parser puts a value that is not there at what comes next, which may be lines away.
            if matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text.is_empty()) {
                self.line = line;
            }
            let value = self.node(event)?;
            if mergeable {
                merged.push(value);
            } else {
                entries.push(Entry { key, line, value });
            }
        }
        for source in merged {
            merge(source, &mut entries)?;
        }
        Ok(entries)
    }

    fn bad_key(&self) -> Broken {
        Broken { line: self.line, message: "a key has to be text".into() }
    }
}

/// Adds what a `<<` key brings; keys that are there already win.
fn merge(source: Node, entries: &mut Vec<Entry>) -> Result<(), Broken> {
    match source.value {
        Value::Map(inherited) => {
            for entry in inherited {
                if entries.iter().all(|own| own.key != entry.key) {
                    entries.push(entry);
                }
            }
            Ok(())
        }
        Value::List(sources) => sources.into_iter().try_for_each(|source| merge(source, entries)),
        _ => Err(Broken { line: source.line, message: "<< takes a mapping, or a list of mappings".into() }),
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let Some(tag) = tag else {
        return if style == ScalarStyle::Plain { plain(text) } else { Value::Text(text.into()) };
    };
    match tag.core_suffix() {
        Some("str") => Value::Text(text.into()),
        Some("int" | "float" | "bool" | "null") => plain(text),
        _ => Value::Tagged(tag.original()),
    }
}

fn tagged(tag: Option<&Tag>, own: &str) -> Option<Value> {
    tag.filter(|tag| tag.core_suffix() != Some(own)).map(|tag| Value::Tagged(tag.original()))
}

fn broken(error: &ScanError) -> Broken {
    let marker = error.marker();
    Broken { line: marker.line(), message: format!("not YAML: {} (column {})", error.info(), marker.col() + 1) }
}

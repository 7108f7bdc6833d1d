//! The tree of a document, whose values know their lines.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::Number;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node<'text> {
    pub line: usize,
    pub value: Value<'text>,
    /// The bytes it takes in memory, with everything written out that aliases stand for.
    pub bytes: usize,
}

/// The value of a node. Scalars that are not text keep how they were written, for messages.
#[derive(Clone, Debug)]
pub(super) enum Value<'text> {
    Null,
    Boolean(bool, Cow<'text, str>),
    Number(Number, Cow<'text, str>),
    /// A number that JSON has no form for: `.inf` and `.nan`.
    OddNumber(Cow<'text, str>),
    Text(Cow<'text, str>),
    List(Rc<Vec<Node<'text>>>),
    Map(Rc<Vec<Entry<'text>>>),
    /// A value with a tag that nothing here can resolve.
    Tagged(Rc<str>),
}

/// One key of a mapping. A key that is given twice is there twice.
#[derive(Clone, Debug)]
pub(super) struct Entry<'text> {
    pub key: Cow<'text, str>,
    pub line: usize,
    pub value: Node<'text>,
}

/// A document that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub line: usize,
    pub message: String,
}

impl<'text> Node<'text> {
    pub(super) fn new(line: usize, value: Value<'text>) -> Self {
        let within = match &value {
            Value::Null => 0,
            Value::Boolean(_, text) | Value::Number(_, text) | Value::OddNumber(text) | Value::Text(text) => text.len(),
            Value::List(items) => items.iter().map(|item| item.bytes).sum(),
            Value::Map(entries) => entries.iter().map(Entry::bytes).sum(),
            Value::Tagged(tag) => tag.len(),
        };
        Self { line, value, bytes: size_of::<Self>() + within }
    }

    /// The value of a key, when this is a mapping that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Node<'text>> {
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
            Value::OddNumber(text) | Value::Text(text) => text.as_ref().into(),
            Value::Tagged(tag) => tag.as_ref().into(),
            Value::List(items) => items.iter().map(Node::to_json).collect(),
            Value::Map(entries) => entries.iter().filter_map(Entry::to_json).collect(),
        }
    }

    /// The same of a mapping without one of its keys.
    pub(super) fn to_json_without(&self, key: &str) -> serde_json::Value {
        match &self.value {
            Value::Map(entries) => entries.iter().filter(|entry| entry.key != key).filter_map(Entry::to_json).collect(),
            _ => self.to_json(),
        }
    }
}

impl Entry<'_> {
    fn to_json(&self) -> Option<(String, serde_json::Value)> {
        let has_value = !matches!(self.value.value, Value::Null);
        has_value.then(|| (self.key.to_string(), self.value.to_json()))
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() - size_of::<Node>() + self.key.len() + self.value.bytes
    }
}

/// The entries of a mapping while it is read.
#[derive(Default)]
pub(super) struct Entries<'text> {
    pub list: Vec<Entry<'text>>,
    /// The position of each key that a `<<` may stand above or under; empty as long as there is none.
    index: HashMap<Cow<'text, str>, usize>,
    /// True for each of them that came by `<<`.
    inherited: Vec<bool>,
}

impl<'text> Entries<'text> {
    pub(super) fn put(&mut self, entry: Entry<'text>) {
        if !self.inherited.is_empty() {
            match self.index.get(&entry.key) {
                Some(&at) if self.inherited[at] => {
                    self.inherited[at] = false;
                    self.list[at] = entry;
                    return;
                }
                Some(_) => {}
                None => drop(self.index.insert(entry.key.clone(), self.list.len())),
            }
            self.inherited.push(false);
        }
        self.list.push(entry);
    }

    pub(super) fn inherit(&mut self, entry: &Entry<'text>) {
        if self.inherited.is_empty() {
            self.inherited = vec![false; self.list.len()];
            for (at, own) in self.list.iter().enumerate() {
                self.index.insert(own.key.clone(), at);
            }
        }
        if let Some(&at) = self.index.get(&entry.key) {
            self.list[at].value = entry.value.clone();
        } else {
            self.index.insert(entry.key.clone(), self.list.len());
            self.list.push(entry.clone());
            self.inherited.push(true);
        }
    }
}

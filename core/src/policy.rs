//! IAM policy documents: typed, written in one form, compared by what they mean and not by how they are written.
//!
//! Grammar and limits: "IAM JSON policy elements" and "IAM and STS quotas" in the IAM user guide.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::document::Document;
use crate::resource::Key;

/// Inline policies of one role, together, in characters that are not white space.
pub const INLINE_LIMIT: usize = 10_240;

/// One policy, in characters that are not white space.
pub const POLICY_LIMIT: usize = 6_144;

/// A trust policy, in characters that are not white space.
pub const TRUST_LIMIT: usize = 2_048;

/// The policy language that everything here is written in.
const VERSION: &str = "2012-10-17";

/// The effect of a statement: allow or deny.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Allows.
    Allow,
    /// Denies, whatever else allows.
    Deny,
}

/// Operator, key, values.
pub type Conditions = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// One statement, with the reason for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its name in the document: letters and digits.
    pub sid: String,
    /// The effect.
    pub effect: Effect,
    /// The principals, where the document is attached to a resource or is a trust policy: kind and names.
    pub principals: BTreeMap<String, Vec<String>>,
    /// The actions.
    pub actions: Vec<String>,
    /// On what; empty in trust policies.
    pub resources: Vec<String>,
    /// The conditions.
    pub conditions: Conditions,
    /// The reason, for those who read the policy.
    pub reason: String,
    /// The path in the spec without which it would not be there, such as `spec.access[0].models[1]`.
    pub source: String,
    /// The resource of the platform that it is about: it is granted only while that is the platform's own. `None` where
    /// it is about nothing that the platform makes.
    pub about: Option<Key>,
}

impl Statement {
    /// A statement that allows.
    #[must_use]
    pub fn allow(sid: impl Into<String>, actions: &[&str], resources: Vec<String>, reason: impl Into<String>) -> Self {
        Self {
            sid: sid.into(),
            effect: Effect::Allow,
            principals: BTreeMap::new(),
            actions: actions.iter().map(ToString::to_string).collect(),
            resources,
            conditions: Conditions::new(),
            reason: reason.into(),
            source: String::new(),
            about: None,
        }
    }

    /// The same statement, about this resource of the platform.
    #[must_use]
    pub fn about(self, key: Key) -> Self {
        Self { about: Some(key), ..self }
    }

    /// The same statement, because of this path in the spec.
    #[must_use]
    pub fn since(self, path: &str) -> Self {
        Self { source: path.into(), ..self }
    }

    /// The same statement, denying.
    #[must_use]
    pub fn denying(self) -> Self {
        Self { effect: Effect::Deny, ..self }
    }

    /// The same statement, for these only.
    #[must_use]
    pub fn by(mut self, kind: &str, names: Vec<String>) -> Self {
        self.principals.insert(kind.into(), names);
        self
    }

    /// The same statement, only when `key` is one of `values`.
    #[must_use]
    pub fn when(mut self, operator: &str, key: &str, values: Vec<String>) -> Self {
        self.conditions.entry(operator.into()).or_default().insert(key.into(), values);
        self
    }

    /// Everybody is written `"*"`, as the documentation does.
    fn principal(&self) -> Value {
        let everybody = BTreeMap::from([("AWS".to_string(), vec!["*".to_string()])]);
        if self.principals == everybody {
            return json!("*");
        }
        self.principals.iter().map(|(kind, names)| (kind.clone(), one_or_many(names))).collect()
    }

    /// The size of the statement in a document, in characters that are not white space.
    fn size(&self) -> usize {
        let everybody = self.principal() == json!("*");
        let principals = self.principals.iter().map(|(kind, names)| (text_size(kind), one_or_many_size(names)));
        let conditions = self.conditions.iter().map(|(operator, keys)| {
            let keys = keys.iter().map(|(key, values)| (text_size(key), one_or_many_size(values)));
            (text_size(operator), object_size(keys))
        });
        let fields = [
            ("Sid", Some(text_size(&self.sid))),
            ("Effect", Some(text_size(if self.effect == Effect::Allow { "Allow" } else { "Deny" }))),
            ("Principal", (!self.principals.is_empty()).then(|| if everybody { 3 } else { object_size(principals) })),
            ("Action", Some(one_or_many_size(&self.actions))),
            ("Resource", (!self.resources.is_empty()).then(|| one_or_many_size(&self.resources))),
            ("Condition", (!self.conditions.is_empty()).then(|| object_size(conditions))),
        ];
        object_size(fields.into_iter().filter_map(|(name, value)| Some((name.len() + 2, value?))))
    }

    /// The statement as IAM takes it.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut fields = Map::new();
        fields.insert("Sid".into(), json!(self.sid));
        fields.insert("Effect".into(), json!(if self.effect == Effect::Allow { "Allow" } else { "Deny" }));
        if !self.principals.is_empty() {
            fields.insert("Principal".into(), self.principal());
        }
        fields.insert("Action".into(), one_or_many(&self.actions));
        if !self.resources.is_empty() {
            fields.insert("Resource".into(), one_or_many(&self.resources));
        }
        if !self.conditions.is_empty() {
            let conditions = self.conditions.iter().map(|(operator, keys)| {
                let keys = keys.iter().map(|(key, values)| (key.clone(), one_or_many(values))).collect();
                (operator.clone(), Value::Object(keys))
            });
            fields.insert("Condition".into(), Value::Object(conditions.collect()));
        }
        Value::Object(fields)
    }
}

/// A document as IAM takes it.
#[must_use]
pub fn document(statements: &[Statement]) -> Value {
    json!({"Version": VERSION, "Statement": statements.iter().map(Statement::to_value).collect::<Vec<_>>()})
}

/// The reason for each statement, by Sid.
#[must_use]
pub fn reasons(statements: &[Statement]) -> BTreeMap<String, String> {
    statements.iter().map(|statement| (statement.sid.clone(), statement.reason.clone())).collect()
}

/// True when a principal is the unique id of a role or a user, which AWS shows in place of the ARN of one that was
/// deleted. Source: "Unique identifiers", IAM user guide.
#[must_use]
pub fn is_unique_id(principal: &str) -> bool {
    let is_id = |rest: &str| rest.len() >= 12 && rest.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    ["AROA", "AIDA"].iter().any(|prefix| principal.strip_prefix(prefix).is_some_and(is_id))
}

/// A document as it is sent. IAM takes characters up to U+00FF alone, so what is above is written as an escape, which
/// means the same.
///
/// Source: the pattern of `PolicyDocument`, `PutRolePolicy` and `CreateRole`, IAM API reference.
#[must_use]
pub fn text(document: &Value) -> String {
    const LAST: char = '\u{ff}';
    let plain = document.to_string();
    if plain.chars().all(|character| character <= LAST) {
        return plain;
    }
    let mut text = String::new();
    for character in plain.chars() {
        if character <= LAST {
            text.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = write!(text, "\\u{unit:04x}");
        }
    }
    text
}

/// The size that IAM counts: characters that are not white space.
#[must_use]
pub fn size(document: &Value) -> usize {
    text(document).chars().filter(|character| !character.is_whitespace()).count()
}

/// The size of a document of these statements, without writing it: policies are measured over and over.
#[must_use]
pub fn size_of(statements: &[Statement]) -> usize {
    let commas = statements.len().saturating_sub(1);
    EMPTY + commas + statements.iter().map(Statement::size).sum::<usize>()
}

/// The size of a document without statements: `{"Statement":[],"Version":"2012-10-17"}`.
const EMPTY: usize = 39;

/// The size of a text in a document: with its quotes, and with what stands for characters that JSON or IAM does not take.
fn text_size(text: &str) -> usize {
    let written = text.chars().map(|character| match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..'\u{20}' => 6,
        '\u{100}'.. => 6 * character.len_utf16(),
        other => usize::from(!other.is_whitespace()),
    });
    2 + written.sum::<usize>()
}

fn one_or_many_size(names: &[String]) -> usize {
    let texts: usize = names.iter().map(|name| text_size(name)).sum();
    if names.len() == 1 { texts } else { 2 + names.len().saturating_sub(1) + texts }
}

/// The size of an object: the sizes of its keys and values, each with a colon, with commas between them.
fn object_size(fields: impl Iterator<Item = (usize, usize)>) -> usize {
    let (count, within) = fields.fold((0, 0), |(count, size), (key, value)| (count + 1, size + key + 1 + value));
    2 + within + usize::saturating_sub(count, 1)
}

/// Puts statements into as few documents as fit into `limit` characters each, in their order.
///
/// # Errors
/// The Sid of a statement that does not fit by itself, and its size.
pub fn split(statements: Vec<Statement>, limit: usize) -> Result<Vec<Vec<Statement>>, (String, usize)> {
    let mut documents: Vec<(usize, Vec<Statement>)> = Vec::new();
    for statement in statements {
        let own = statement.size();
        if EMPTY + own > limit {
            return Err((statement.sid, EMPTY + own));
        }
        match documents.last_mut() {
            // A comma stands between two.
            Some((size, last)) if *size + 1 + own <= limit => {
                *size += 1 + own;
                last.push(statement);
            }
            _ => documents.push((EMPTY + own, vec![statement])),
        }
    }
    Ok(documents.into_iter().map(|(_, statements)| statements).collect())
}

/// A document that is equal to every other that means the same.
#[derive(Clone, Debug)]
pub struct Policy {
    written: Document,
    /// The resource of the platform that each statement is about, in their order; empty where nobody has said.
    about: Vec<Option<Key>>,
    idle: bool,
}

impl Policy {
    /// A document as it was written.
    #[must_use]
    pub fn new(written: &Value) -> Self {
        Self { written: Document::new(written), about: Vec::new(), idle: false }
    }

    /// The policy of something that is kept and does not run.
    #[must_use]
    pub fn idle(self) -> Self {
        Self { idle: true, ..self }
    }

    /// True when nothing works with it now, so that what it lacks holds nothing up.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.idle
    }

    /// The document as it was written.
    #[must_use]
    pub fn as_written(&self) -> Value {
        self.written.content()
    }

    /// The meaning, in the form that is compared.
    #[must_use]
    pub fn meaning(&self) -> Value {
        meaning(&self.as_written())
    }

    /// The resources of the platform that its statements are about.
    pub fn subjects(&self) -> impl Iterator<Item = &Key> {
        self.about.iter().flatten()
    }

    /// The policy without the statements for which `is_left_out` holds of the resource they are about; `None` where
    /// nothing is left, because IAM takes no policy without statements.
    #[must_use]
    pub fn without(&self, mut is_left_out: impl FnMut(&Key, &Value) -> bool) -> Option<Self> {
        let mut written = self.as_written();
        let about = self.about.iter().map(Option::as_ref).chain(std::iter::repeat(None));
        let (statements, about): (Vec<Value>, Vec<Option<Key>>) = statements(&written)
            .into_iter()
            .zip(about)
            .filter(|(statement, about)| !about.is_some_and(|key| is_left_out(key, statement)))
            .map(|(statement, about)| (statement, about.cloned()))
            .unzip();
        if statements.is_empty() {
            return None;
        }
        written["Statement"] = Value::Array(statements);
        Some(Self { about, idle: self.idle, ..Self::new(&written) })
    }

    /// True when one of its statements means the same as this one.
    #[must_use]
    pub fn says(&self, statement: &Value) -> bool {
        let wanted = statement_meaning(statement);
        statements(&self.as_written()).iter().any(|found| statement_meaning(found) == wanted)
    }
}

impl From<&[Statement]> for Policy {
    /// A denial is about nothing: leaving it out would allow more, not less.
    fn from(statements: &[Statement]) -> Self {
        let allowed = |statement: &Statement| statement.about.clone().filter(|_| statement.effect == Effect::Allow);
        Self { about: statements.iter().map(allowed).collect(), ..Self::new(&document(statements)) }
    }
}

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written || self.meaning() == other.meaning()
    }
}

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(serializer)
    }
}

/// The statements of a document, which AWS also takes as a single object.
#[must_use]
pub fn statements(document: &Value) -> Vec<Value> {
    match document.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(statement @ Value::Object(_)) => vec![statement.clone()],
        _ => Vec::new(),
    }
}

/// One form for all spellings of the same statement: a list of one is that one, lists are in order, and what AWS
/// compares as text is text.
#[must_use]
pub fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), canonical(value))).collect())
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(canonical).collect();
            items.sort_by_key(Value::to_string);
            items.dedup();
            match items.len() {
                1 => items.remove(0),
                _ => Value::Array(items),
            }
        }
        Value::Bool(flag) => Value::String(flag.to_string()),
        Value::Number(number) => Value::String(number.to_string()),
        other => other.clone(),
    }
}

/// The meaning of a document: without Sids, in one order, with one spelling of everything that IAM takes in several.
fn meaning(document: &Value) -> Value {
    let mut statements: Vec<Value> = statements(document).iter().map(statement_meaning).collect();
    statements.sort_by_key(Value::to_string);
    statements.dedup();
    let version = document.get("Version").cloned().unwrap_or_else(|| json!("2008-10-17"));
    let mut meaning = json!({"Version": version, "Statement": statements});
    for (name, value) in document.as_object().into_iter().flatten() {
        if !["Version", "Statement", "Id"].contains(&name.as_str()) {
            meaning[name] = value.clone();
        }
    }
    meaning
}

/// The meaning of a statement: without its Sid, with one spelling of everything that IAM takes in several.
#[must_use]
pub fn statement_meaning(statement: &Value) -> Value {
    let Value::Object(fields) = statement else { return statement.clone() };
    let mut meaning = Map::new();
    for (name, value) in fields {
        let value = match name.as_str() {
            "Sid" => continue,
            "Action" | "NotAction" => canonical(&each_text(value, &known_spelling)),
            "Principal" | "NotPrincipal" => principal_meaning(value),
            "Condition" => condition_meaning(value),
            _ => canonical(value),
        };
        meaning.insert(name.clone(), value);
    }
    Value::Object(meaning)
}

/// The spelling for people of what IAM compares without regard to case: as in the documentation, where we know it.
fn known_spelling(text: &str) -> String {
    let known = crate::grants::ACTIONS.iter().chain(&crate::grants::OBJECT_ACTIONS).chain(&crate::grants::CONDITIONS);
    let known = known.copied().find(|known| known.eq_ignore_ascii_case(text));
    known.map_or_else(|| text.to_ascii_lowercase(), ToString::to_string)
}

/// An account's number stands for its root, and `"*"` for `{"AWS": "*"}`.
fn principal_meaning(value: &Value) -> Value {
    match value {
        Value::String(text) if text == "*" => json!({"AWS": "*"}),
        Value::Object(kinds) => {
            let kinds = kinds.iter().map(|(kind, names)| {
                let names = if kind == "AWS" { each_text(names, &account_number) } else { names.clone() };
                (kind.clone(), canonical(&names))
            });
            Value::Object(kinds.collect())
        }
        other => canonical(other),
    }
}

fn account_number(principal: &str) -> String {
    let parts: Vec<&str> = principal.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "iam", "", account, "root"] => (*account).to_string(),
        _ => principal.to_string(),
    }
}

/// Operators and keys are compared without regard to case.
fn condition_meaning(value: &Value) -> Value {
    let Value::Object(operators) = value else { return canonical(value) };
    respelled(operators, |keys| match keys {
        Value::Object(keys) => respelled(keys, canonical),
        other => canonical(other),
    })
}

/// The fields in the spelling that we know. Where one stands there in two spellings, nobody says which of them AWS goes
/// by: all stay as they are written, so that they are equal to nothing of ours.
fn respelled(fields: &Map<String, Value>, meaning: impl Fn(&Value) -> Value) -> Value {
    let known: Map<String, Value> = fields.iter().map(|(name, value)| (known_spelling(name), meaning(value))).collect();
    if known.len() == fields.len() {
        return Value::Object(known);
    }
    Value::Object(fields.iter().map(|(name, value)| (name.clone(), meaning(value))).collect())
}

fn each_text(value: &Value, change: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(change(text)),
        Value::Array(items) => Value::Array(items.iter().map(|item| each_text(item, change)).collect()),
        other => other.clone(),
    }
}

fn one_or_many(names: &[String]) -> Value {
    match names {
        [one] => json!(one),
        many => json!(many),
    }
}

#[cfg(test)]
mod tests;

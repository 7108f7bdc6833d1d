//! The calls by which anybody changes resources of a kind, and what of a recorded call tells which resource it is about.

use serde_json::Value;

use crate::api::status::ResourceStatus;

/// Calls that change resources of a kind.
#[derive(Clone, Copy, Debug)]
pub struct RecordedCalls {
    /// The calls, as CloudTrail names them. S3's are not called as its API is.
    pub names: &'static [&'static str],
    /// The resources that the parameters of such a call name.
    pub about: fn(&Value) -> Vec<Identifier>,
}

/// The identifier of a resource in the parameters of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identifier {
    /// The name of its key.
    Name(String),
    /// The id that AWS chose.
    Id(String),
    /// Its ARN.
    Arn(String),
}

impl Identifier {
    /// True where it is that of this resource.
    #[must_use]
    pub fn is_of(&self, resource: &ResourceStatus) -> bool {
        let arn = resource.arn.as_deref();
        match self {
            Self::Name(name) => *name == resource.name,
            Self::Id(id) => {
                resource.id.as_ref() == Some(id)
                    || arn.and_then(|arn| arn.strip_suffix(id.as_str())).is_some_and(|before| before.ends_with('/'))
            }
            Self::Arn(given) => {
                let (given, known) = (given.trim_end_matches(":*"), arn.map(|arn| arn.trim_end_matches(":*")));
                let before = given.strip_suffix(resource.name.as_str());
                known == Some(given) || known.is_none() && before.is_some_and(|it| it.ends_with(['/', ':']))
            }
        }
    }
}

/// The values of a member of the parameters, wherever it stands. CloudTrail writes most members with a small first
/// letter, those of newer calls of EC2 with a capital one, and lists in several ways.
#[must_use]
pub fn values(parameters: &Value, member: &str) -> Vec<String> {
    let mut found = Vec::new();
    collect(parameters, member, false, &mut found);
    found
}

/// The resources that a member names.
#[must_use]
pub fn named(parameters: &Value, member: &str) -> Vec<Identifier> {
    values(parameters, member).into_iter().map(Identifier::Name).collect()
}

/// The resources whose ids a member holds.
#[must_use]
pub fn with_ids(parameters: &Value, member: &str) -> Vec<Identifier> {
    values(parameters, member).into_iter().map(Identifier::Id).collect()
}

/// The resources whose ARNs a member holds.
#[must_use]
pub fn with_arns(parameters: &Value, member: &str) -> Vec<Identifier> {
    values(parameters, member).into_iter().map(Identifier::Arn).collect()
}

fn collect(value: &Value, member: &str, is_within: bool, found: &mut Vec<String>) {
    match value {
        Value::String(text) if is_within => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, member, is_within, found)),
        Value::Object(fields) => {
            for (name, field) in fields {
                collect(field, member, is_within || name.eq_ignore_ascii_case(member), found);
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

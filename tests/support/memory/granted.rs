//! What roles may do with what is not the platform's own.

use std::collections::BTreeSet;

use aiplatform::policy::statements;
use aiplatform::resource::{Key, Kind, Owner};
use serde_json::Value;

use super::FakeCloud;

/// Something that a role of ours may do with what is not ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Beyond {
    pub role: String,
    /// What is named; without it the statement is about every bucket that its key protects.
    pub key: Option<Key>,
    pub statement: String,
}

impl FakeCloud {
    /// What roles of ours may do with what is not ours. Buckets in `allowed` may be named.
    pub fn granted_beyond(&self, ours: &str, allowed: &BTreeSet<String>) -> BTreeSet<Beyond> {
        let carriers = self.resources.iter().filter_map(|(key, stored)| Some((key, stored.resource.policies()?)));
        let mut beyond = BTreeSet::new();
        for (role, policies) in carriers.filter(|(key, _)| self.holder(key, ours) == Some(Owner::Ours)) {
            for statement in policies.values().flat_map(|policy| statements(&policy.as_written())) {
                let is_ours = |key: &Key| {
                    let is_allowed = key.kind == Kind::Bucket && allowed.contains(&key.name);
                    is_allowed || self.holder(key, ours) == Some(Owner::Ours)
                };
                let named = named(&statement);
                let entry = |key| Beyond { role: role.name.clone(), key, statement: statement.to_string() };
                if named.is_empty() && statement.to_string().contains(":kms:") {
                    beyond.insert(entry(None));
                }
                beyond.extend(named.into_iter().filter(|key| !is_ours(key)).map(|key| entry(Some(key))));
            }
        }
        beyond
    }
}

/// The buckets and endpoints that a statement names, among its resources or in its conditions.
fn named(statement: &Value) -> BTreeSet<Key> {
    let mut texts = Vec::new();
    collect(&statement["Resource"], &mut texts);
    collect(&statement["Condition"], &mut texts);
    texts.into_iter().filter_map(subject).collect()
}

fn subject(text: &str) -> Option<Key> {
    let rest: Vec<&str> = text.splitn(6, ':').collect();
    let (kind, name) = match rest.as_slice() {
        ["arn", _, "s3", _, _, object] => (Kind::Bucket, object.split('/').next()?),
        ["arn", _, "sagemaker", _, _, endpoint] => (Kind::SageMakerEndpoint, endpoint.strip_prefix("endpoint/")?),
        _ => return None,
    };
    Some(Key { kind, name: name.into() })
}

fn collect<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, texts)),
        _ => {}
    }
}

//! What roles may do with what is not the platform's own.

use std::collections::BTreeSet;

use aiplatform::policy::statements;
use aiplatform::resource::{Key, Kind, Owner};
use serde_json::Value;

use super::{World, owner};

impl World {
    /// What roles of ours name that is not ours: each with the role and the statement. Buckets in `allowed` may be named.
    pub fn granted_beyond(&self, ours: &str, allowed: &BTreeSet<String>) -> BTreeSet<String> {
        let roles = self.roles.iter().filter(|(_, role)| owner(&role.tags, ours) == Owner::Ours);
        let mut beyond = BTreeSet::new();
        for (name, role) in roles {
            for statement in role.policies.values().flat_map(|policy| statements(policy.as_written())) {
                for key in named(&statement) {
                    let is_allowed = key.kind == Kind::Bucket && allowed.contains(&key.name);
                    if !is_allowed && self.holder(&key, ours) != Some(Owner::Ours) {
                        beyond.insert(format!("{name} on {key}: {statement}"));
                    }
                }
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

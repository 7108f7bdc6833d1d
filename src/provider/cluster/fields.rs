//! Managed fields: which part of an object belongs to whom.
//!
//! Source: "Server-Side Apply" in the Kubernetes documentation, and the format `FieldsV1` of its API reference: `f:` before
//! the name of a field, `k:` before the keys of an item, `v:` before the value of an item, a dot for the container itself.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::{Map, Value};

/// The part of an object that a manager manages.
pub(super) fn managed(object: &Value, entries: &[ManagedFieldsEntry], manager: &str) -> Value {
    let ours = entries.iter().filter(|entry| entry.manager.as_deref() == Some(manager) && entry.subresource.is_none());
    let mut part = Value::Object(Map::new());
    for fields in ours.filter_map(|entry| entry.fields_v1.as_ref()) {
        if let Some(selected) = select(object, &fields.0) {
            merge(&mut part, selected);
        }
    }
    part
}

/// True when somebody else set anything in an object. What the control plane puts into every service account is
/// nobody's: the tokens that clusters before Kubernetes 1.24 made, and the pull secrets that `OpenShift` makes.
pub(super) fn are_managed_by_others(entries: &[ManagedFieldsEntry], manager: &str) -> bool {
    let others = entries.iter().filter(|entry| entry.manager.as_deref() != Some(manager));
    let fields = others.filter_map(|entry| Some((entry.manager.as_deref()?, &entry.fields_v1.as_ref()?.0)));
    fields.into_iter().any(|(other, fields)| {
        let is_everywhere = |path: &str| {
            other.ends_with("controller-manager")
                && (["f:secrets", "f:imagePullSecrets"].iter().any(|field| path.starts_with(field))
                    || path.contains("openshift.io/"))
        };
        leaves(fields, "").iter().any(|path| !is_everywhere(path))
    })
}

/// The part of a value that these fields select.
fn select(value: &Value, fields: &Value) -> Option<Value> {
    let names: Vec<&String> = fields.as_object()?.keys().filter(|name| *name != ".").collect();
    if names.is_empty() {
        return Some(value.clone());
    }
    let selected = |name: &String| {
        let (sort, rest) = name.split_once(':')?;
        let below = &fields[name];
        match (sort, value) {
            ("f", Value::Object(object)) => Some((Some(rest.to_string()), select(object.get(rest)?, below)?)),
            ("k", Value::Array(items)) => {
                let keys: Value = serde_json::from_str(rest).ok()?;
                let item = items.iter().find(|item| keys.as_object().is_some_and(|keys| has_all(item, keys)))?;
                Some((None, select(item, below)?))
            }
            ("v", Value::Array(items)) => {
                let wanted: Value = serde_json::from_str(rest).ok()?;
                Some((None, items.iter().find(|item| **item == wanted)?.clone()))
            }
            _ => None,
        }
    };
    let parts = names.into_iter().filter_map(selected);
    if value.is_array() {
        return Some(Value::Array(parts.map(|(_, part)| part).collect()));
    }
    Some(Value::Object(parts.filter_map(|(name, part)| Some((name?, part))).collect()))
}

fn has_all(item: &Value, keys: &Map<String, Value>) -> bool {
    keys.iter().all(|(name, value)| item.get(name) == Some(value))
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(from)) => {
            for item in from {
                if !into.contains(&item) {
                    into.push(item);
                }
            }
        }
        (into, from) => *into = from,
    }
}

/// The fields that an entry names, as paths. A dot stands for the map itself, which is nobody's.
fn leaves(fields: &Value, path: &str) -> Vec<String> {
    let Some(fields) = fields.as_object().filter(|fields| !fields.is_empty()) else {
        return if path.is_empty() { Vec::new() } else { vec![path.into()] };
    };
    let named = fields.iter().filter(|(name, _)| *name != ".");
    named
        .flat_map(|(name, below)| leaves(below, &if path.is_empty() { name.clone() } else { format!("{path}/{name}") }))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(manager: &str, fields: &Value) -> ManagedFieldsEntry {
        serde_json::from_value(json!({"manager": manager, "operation": "Apply", "fieldsV1": fields})).unwrap()
    }

    #[test]
    fn what_others_manage_is_left_out() {
        let object = json!({"metadata": {"name": "a", "labels": {"ours": "1", "theirs": "2"}}, "data": {"a": "x", "b": "y"},
            "spec": {"containers": [{"name": "app", "image": "i", "tty": true}, {"name": "side"}], "list": ["x", "y"]}});
        let entries = [
            entry("us", &json!({"f:metadata": {"f:labels": {".": {}, "f:ours": {}}}, "f:data": {"f:a": {}}})),
            entry(
                "us",
                &json!({"f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {".": {}, "f:name": {}, "f:image": {}}},
                "f:list": {"v:\"y\"": {}}}}),
            ),
            entry("them", &json!({"f:metadata": {"f:labels": {"f:theirs": {}}}, "f:data": {"f:b": {}}})),
        ];
        let expected = json!({"metadata": {"labels": {"ours": "1"}}, "data": {"a": "x"},
            "spec": {"containers": [{"name": "app", "image": "i"}], "list": ["y"]}});
        assert_eq!(managed(&object, &entries, "us"), expected);
        assert!(are_managed_by_others(&entries, "us"));
        assert!(!are_managed_by_others(&entries[..2], "us"));
        assert_eq!(managed(&object, &entries[2..], "us"), json!({}), "nothing of it is ours");
    }

    #[test]
    fn what_the_control_plane_puts_into_every_service_account_is_nobodys() {
        let token = entry("kube-controller-manager", &json!({"f:secrets": {"v:{\"name\":\"token\"}": {}}}));
        assert!(!are_managed_by_others(&[token], "us"));
    }
}

//! Managed fields: which part of an object belongs to whom.
//!
//! Source: "Server-Side Apply" in the Kubernetes documentation, and the format `FieldsV1` of its API reference: `f:` before
//! the name of a field, `k:` before the keys of an item, `v:` before the value of an item, a dot for the container itself.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::{Value, json};

use crate::kind::ManagedFields;

/// The part of an object that a manager manages.
pub(super) fn managed(object: &Value, entries: &[ManagedFieldsEntry], manager: &str) -> ManagedFields {
    let ours = entries.iter().filter(|entry| entry.manager.as_deref() == Some(manager) && entry.subresource.is_none());
    let mut fields = json!({});
    for entry in ours.filter_map(|entry| entry.fields_v1.as_ref()) {
        unite(&mut fields, &entry.0);
    }
    let mut selection = Selection::default();
    if fields == json!({}) {
        return ManagedFields::from(fields);
    }
    let object = selection.of(object, &fields, "").unwrap_or_else(|| json!({}));
    ManagedFields { object, whole: selection.whole }
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

/// Adds the fields of one entry to those of another.
pub(super) fn unite(into: &mut Value, from: &Value) {
    let (Value::Object(into), Value::Object(from)) = (into, from) else { return };
    for (name, below) in from {
        unite(into.entry(name).or_insert_with(|| json!({})), below);
    }
}

/// The parts of a value that fields select, in the order in which the API server keeps them.
#[derive(Default)]
struct Selection {
    whole: BTreeSet<String>,
}

impl Selection {
    /// The part of a value at this pointer. A field that is not there is null.
    fn of(&mut self, value: &Value, fields: &Value, pointer: &str) -> Option<Value> {
        let fields = fields.as_object()?;
        if fields.is_empty() {
            if value.is_object() || value.is_array() {
                self.whole.insert(pointer.into());
            }
            return Some(value.clone());
        }
        match value {
            Value::Object(object) => {
                let named = fields.iter().filter_map(|(name, below)| Some((name.strip_prefix("f:")?, below)));
                let selected = named.filter_map(|(name, below)| {
                    let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                    let part = match object.get(name) {
                        Some(value) => self.of(value, below, &pointer)?,
                        None => Value::Null,
                    };
                    Some((name.to_string(), part))
                });
                Some(Value::Object(selected.collect()))
            }
            Value::Array(items) => {
                let mut selected = Vec::new();
                for item in items {
                    let below = fields.iter().find_map(|(name, below)| selects(name, item).then_some(below));
                    let pointer = format!("{pointer}/{}", selected.len());
                    selected.extend(below.and_then(|below| self.of(item, below, &pointer)));
                }
                Some(Value::Array(selected))
            }
            _ => None,
        }
    }
}

/// True when a part of a field's path means this item of a list.
fn selects(path: &str, item: &Value) -> bool {
    match path.split_once(':') {
        Some(("k", keys)) => serde_json::from_str::<Value>(keys).is_ok_and(|keys| {
            keys.as_object().is_some_and(|keys| keys.iter().all(|(name, value)| item.get(name) == Some(value)))
        }),
        Some(("v", value)) => serde_json::from_str::<Value>(value).is_ok_and(|value| value == *item),
        _ => false,
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
        assert_eq!(managed(&object, &entries, "us"), ManagedFields::from(expected));
        assert!(are_managed_by_others(&entries, "us"));
        assert!(!are_managed_by_others(&entries[..2], "us"));
        assert_eq!(managed(&object, &entries[2..], "us").object, json!({}), "nothing of it is ours");
    }

    #[test]
    fn items_are_in_the_order_of_the_object_and_what_was_dropped_is_null() {
        let object = json!({"spec": {"env": [{"name": "b", "value": "1"}, {"name": "theirs"}, {"name": "a"}],
            "ingress": [{"ports": [{"port": 1, "protocol": "TCP"}]}]}});
        let item = |more: &Value| {
            let mut fields = json!({".": {}, "f:name": {}});
            unite(&mut fields, more);
            fields
        };
        let spec = json!({"f:env": {"k:{\"name\":\"a\"}": item(&json!({"f:value": {}})), "k:{\"name\":\"b\"}": item(&json!({}))},
            "f:hostNetwork": {}, "f:ingress": {}});
        let entries = [
            entry("us", &json!({"f:spec": spec})),
            entry("us", &json!({"f:spec": {"f:env": {"k:{\"name\":\"b\"}": {"f:value": {}}}}})),
        ];
        let found = managed(&object, &entries, "us");
        let expected = json!({"spec": {"env": [{"name": "b", "value": "1"}, {"name": "a", "value": null}],
            "hostNetwork": null, "ingress": [{"ports": [{"port": 1, "protocol": "TCP"}]}]}});
        assert_eq!(found.object, expected);
        assert_eq!(found.whole, ["/spec/ingress".to_string()].into());
    }

    #[test]
    fn what_the_control_plane_puts_into_every_service_account_is_nobodys() {
        let token = entry("kube-controller-manager", &json!({"f:secrets": {"v:{\"name\":\"token\"}": {}}}));
        assert!(!are_managed_by_others(&[token], "us"));
    }
}

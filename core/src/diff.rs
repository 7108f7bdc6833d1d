//! Differences between two resources, field by field, for people and for the adapters.

use serde::Serialize;
use serde_json::Value;

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Path of the field, such as `lifecycle.expire-evals.expiration.days`; it ends in `[]` for one item of a list.
    pub path: String,
    /// The observed value; `null` when it is not there.
    pub from: Value,
    /// The desired value; `null` when it should not be there.
    pub to: Value,
}

impl Change {
    /// The field that holds it, which is what an adapter writes.
    #[must_use]
    pub fn field(&self) -> &str {
        self.path.split('.').next().unwrap_or_default()
    }
}

/// Every field in which `to` differs from `from`, in the order of their names.
#[must_use]
pub fn changes(from: &Value, to: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    compare("", from, to, &mut found);
    found
}

fn compare(path: &str, from: &Value, to: &Value, found: &mut Vec<Change>) {
    if from == to {
        return;
    }
    match (from, to) {
        (Value::Object(left), Value::Object(right)) => {
            let mut names: Vec<&String> = left.keys().chain(right.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let missing = Value::Null;
                let nested = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(&nested, left.get(name).unwrap_or(&missing), right.get(name).unwrap_or(&missing), found);
            }
        }
        (Value::Array(left), Value::Array(right)) if left.iter().chain(right).all(Value::is_object) => {
            let path = format!("{path}[]");
            let gone = left.iter().filter(|item| !right.contains(item));
            found.extend(gone.map(|item| Change { path: path.clone(), from: item.clone(), to: Value::Null }));
            let new = right.iter().filter(|item| !left.contains(item));
            found.extend(new.map(|item| Change { path: path.clone(), from: Value::Null, to: item.clone() }));
        }
        _ => found.push(Change { path: path.into(), from: from.clone(), to: to.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_changed_leaf_is_named() {
        let from = json!({"a": 1, "b": {"c": [1, 2], "d": "x"}, "gone": true});
        let to = json!({"a": 1, "b": {"c": [1, 3], "d": "x"}, "new": "y"});
        let found = changes(&from, &to);
        let paths: Vec<(&str, &str)> = found.iter().map(|change| (change.path.as_str(), change.field())).collect();
        assert_eq!(paths, [("b.c", "b"), ("gone", "gone"), ("new", "new")]);
        assert_eq!(found[0].from, json!([1, 2]));
        assert_eq!(found[1].to, Value::Null);
    }

    #[test]
    fn items_that_stay_in_a_list_are_not_named() {
        let from = json!({"list": [{"a": 1}, {"b": 2}]});
        let to = json!({"list": [{"b": 2}, {"c": 3}]});
        let change = |from: Value, to: Value| Change { path: "list[]".into(), from, to };
        let expected = [change(json!({"a": 1}), Value::Null), change(Value::Null, json!({"c": 3}))];
        assert_eq!(changes(&from, &to), expected);
    }

    #[test]
    fn equal_values_have_no_changes() {
        let value = json!({"a": {"b": 1}});
        assert!(changes(&value, &value).is_empty());
    }
}

//! Differences between two resources, field by field, for people and for the adapters.

use serde::Serialize;
use serde_json::Value;

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Path of the field, such as `lifecycle.expire-evals.expiration.days` or `containers[engine].image`, where items of a
    /// list have names; it ends in `[]` for one item of another list.
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
        (Value::Array(left), Value::Array(right))
            if are_named(left) && are_named(right) && !(left.is_empty() && right.is_empty()) =>
        {
            if !in_one_order(left, right) {
                found.push(Change { path: path.into(), from: from.clone(), to: to.clone() });
                return;
            }
            for name in
                names(left).into_iter().chain(names(right).into_iter().filter(|name| named(left, name).is_none()))
            {
                let missing = Value::Null;
                let nested = format!("{path}[{name}]");
                compare(&nested, named(left, name).unwrap_or(&missing), named(right, name).unwrap_or(&missing), found);
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

/// The name of an item: that of an object in the cluster, or the Sid of a statement.
fn name_of(item: &Value) -> Option<&str> {
    item.get("name").or_else(|| item.get("Sid"))?.as_str()
}

/// The names of the items of a list, as far as they have any.
fn names(items: &[Value]) -> Vec<&str> {
    items.iter().filter_map(name_of).collect()
}

fn named<'a>(items: &'a [Value], name: &str) -> Option<&'a Value> {
    items.iter().find(|item| name_of(item) == Some(name))
}

/// True when every item has a name, and no other has the same.
fn are_named(items: &[Value]) -> bool {
    let mut names = names(items);
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    count == items.len() && names.len() == count
}

/// True when the items that are in both lists are in the same order in both.
fn in_one_order(left: &[Value], right: &[Value]) -> bool {
    let common = |items: &[Value], others: &[Value]| -> Vec<String> {
        let names = names(items).into_iter().filter(|name| named(others, name).is_some());
        names.map(ToString::to_string).collect()
    };
    common(left, right) == common(right, left)
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
    fn items_with_names_are_compared_by_name() {
        let from = json!({"containers": [{"name": "engine", "image": "a"}, {"name": "old"}]});
        let to = json!({"containers": [{"name": "engine", "image": "b"}, {"name": "new"}]});
        let paths: Vec<String> = changes(&from, &to).into_iter().map(|change| change.path).collect();
        assert_eq!(paths, ["containers[engine].image", "containers[old]", "containers[new]"]);
        let list = |names: [&str; 2]| json!({"env": names.map(|name| json!({"name": name}))});
        let moved = changes(&list(["a", "b"]), &list(["b", "a"]));
        assert_eq!(moved.len(), 1, "an order is a part of what is declared: {moved:?}");
        assert_eq!(moved[0].path, "env");
    }

    #[test]
    fn equal_values_have_no_changes() {
        let value = json!({"a": {"b": 1}});
        assert!(changes(&value, &value).is_empty());
    }
}

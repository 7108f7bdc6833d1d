//! The comparison of what is declared with what the API server keeps of it: defaults that it fills in, empty values that
//! it drops and quantities that it spells anew are no differences.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::quantity::Quantity;

/// The observed value, in the spelling of the desired one wherever both mean the same. `whole` are pointers to values
/// that are managed as a whole: of what is within them and not desired, the API server has filled it in.
///
/// A null in what was observed is a field that is managed and not there.
pub(super) fn aligned(observed: &Value, desired: &Value, whole: &BTreeSet<String>) -> Value {
    Alignment { whole }.value(observed, desired, &Position::default())
}

struct Alignment<'a> {
    whole: &'a BTreeSet<String>,
}

/// The place of a value.
#[derive(Clone, Default)]
struct Position {
    /// JSON pointer into what was observed, which has no labels of its own above the metadata.
    pointer: String,
    /// The names of the fields around it, the innermost last.
    names: Vec<String>,
    /// True within a value that is managed as a whole.
    is_within_whole: bool,
}

impl Alignment<'_> {
    fn value(&self, observed: &Value, desired: &Value, at: &Position) -> Value {
        match (observed, desired) {
            (Value::Null, desired) if is_empty(desired) => desired.clone(),
            (Value::Object(fields), Value::Object(wanted)) => self.object(fields, wanted, at),
            (Value::Array(items), Value::Array(wanted)) => self.array(items, wanted, at),
            (observed, desired) if at.is_quantity() && is_same_quantity(observed, desired) => desired.clone(),
            (observed, _) => observed.clone(),
        }
    }

    fn object(&self, fields: &Map<String, Value>, wanted: &Map<String, Value>, at: &Position) -> Value {
        let aligned = fields.iter().filter_map(|(name, value)| match wanted.get(name) {
            Some(wanted) => {
                let value = self.value(value, wanted, &at.field(name, self.whole));
                (!value.is_null()).then(|| (name.clone(), value))
            }
            None => (!value.is_null() && !at.is_within_whole).then(|| (name.clone(), value.clone())),
        });
        let dropped =
            wanted.iter().filter(|(name, value)| at.is_within_whole && is_empty(value) && !fields.contains_key(*name));
        Value::Object(aligned.chain(dropped.map(|(name, value)| (name.clone(), value.clone()))).collect())
    }

    /// Items belong together by their name, where they have one, and else by their place.
    fn array(&self, items: &[Value], wanted: &[Value], at: &Position) -> Value {
        let name = |item: &Value| item.get("name").and_then(Value::as_str).map(ToString::to_string);
        let aligned = items.iter().enumerate().map(|(index, item)| {
            let counterpart = match name(item) {
                Some(known) => wanted.iter().find(|wanted| name(wanted).as_ref() == Some(&known)),
                None => wanted.get(index).filter(|_| items.len() == wanted.len()),
            };
            counterpart.map_or_else(|| item.clone(), |wanted| self.value(item, wanted, &at.item(index, self.whole)))
        });
        Value::Array(aligned.collect())
    }
}

impl Position {
    fn field(&self, name: &str, whole: &BTreeSet<String>) -> Self {
        let pointer = format!("{}/{}", self.pointer, name.replace('~', "~0").replace('/', "~1"));
        let is_within_whole = self.is_within_whole || whole.contains(&pointer);
        let names = self.names.iter().cloned().chain([name.to_string()]).collect();
        Self { pointer, names, is_within_whole }
    }

    fn item(&self, index: usize, whole: &BTreeSet<String>) -> Self {
        let pointer = format!("{}/{index}", self.pointer);
        let is_within_whole = self.is_within_whole || whole.contains(&pointer);
        Self { pointer, names: self.names.clone(), is_within_whole }
    }

    /// True where the API server keeps a quantity.
    ///
    /// Source: the fields of type `Quantity` in the API reference of apps/v1, autoscaling/v2 and core/v1.
    fn is_quantity(&self) -> bool {
        let named = |back: usize| self.names.len().checked_sub(back).and_then(|at| self.names.get(at));
        let (parent, name) = (named(2).map(String::as_str), named(1).map(String::as_str));
        matches!(parent, Some("limits" | "requests"))
            || matches!(name, Some("sizeLimit" | "divisor" | "averageValue"))
            || (parent == Some("target") && name == Some("value"))
    }
}

fn is_same_quantity(one: &Value, other: &Value) -> bool {
    let one = Quantity::of(one);
    one.is_some() && one == Quantity::of(other)
}

/// True for a value that the API server may drop.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(truth) => !truth,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diff::changes;

    fn differs(observed: &Value, desired: &Value, whole: &[&str]) -> Vec<String> {
        let whole = whole.iter().map(ToString::to_string).collect();
        changes(&aligned(observed, desired, &whole), desired).into_iter().map(|change| change.path).collect()
    }

    #[test]
    fn a_quantity_that_is_spelled_in_another_way_is_the_same_and_no_other_text_is() {
        let container = |memory: &str, cpu: Value, text: &str| {
            json!({"spec": {"containers": [{
                "name": "engine",
                "resources": {"limits": {"memory": memory, "cpu": cpu, "nvidia.com/gpu": 1}},
                "env": [{"name": "CACHE", "value": text}],
            }]}})
        };
        let (one, other) = (container("1Gi", json!("500m"), "1Gi"), container("1024Mi", json!(0.5), "1Gi"));
        assert_eq!(differs(&one, &other, &[]), Vec::<String>::new());
        let more = container("1025Mi", json!(1), "1024Mi");
        let paths = ["env[CACHE].value", "resources.limits.cpu", "resources.limits.memory"];
        assert_eq!(differs(&one, &more, &[]), paths.map(|path| format!("spec.containers[engine].{path}")));
        let target = |value: &str| json!({"target": {"averageValue": value, "value": value}, "value": value});
        assert_eq!(differs(&target("5"), &target("5000m"), &[]), ["value"]);
    }

    #[test]
    fn empty_values_that_the_api_server_drops_are_no_difference_and_those_that_somebody_took_away_are() {
        let desired = json!({"hostNetwork": false, "args": [], "nodeSelector": {}, "env": "", "count": 0});
        let dropped = json!({"hostNetwork": null, "args": null, "nodeSelector": null, "env": null, "count": null});
        assert_eq!(differs(&dropped, &desired, &[]), Vec::<String>::new());
        let desired = json!({"allowPrivilegeEscalation": false, "peer": {"namespaceSelector": {}}});
        assert_eq!(differs(&json!({}), &desired, &[]), ["allowPrivilegeEscalation", "peer"]);
        let desired = json!({"allowPrivilegeEscalation": true});
        assert_eq!(differs(&json!({"allowPrivilegeEscalation": null}), &desired, &[]), ["allowPrivilegeEscalation"]);
    }

    #[test]
    fn what_the_api_server_fills_in_within_a_value_managed_as_a_whole_is_no_difference() {
        let desired = json!({"spec": {"ingress": [{"ports": [{"port": 8000}], "from": []}], "replicas": 1}});
        let observed = json!({"spec": {"ingress": [{"ports": [{"port": 8000, "protocol": "TCP"}]}], "replicas": 1}});
        assert_eq!(differs(&observed, &desired, &["/spec/ingress"]), Vec::<String>::new());
        assert!(!differs(&observed, &desired, &[]).is_empty(), "what was declared before is to go");
        let other = json!({"spec": {"ingress": [{"ports": [{"port": 8001, "protocol": "TCP"}]}], "replicas": 1}});
        assert!(!differs(&other, &desired, &["/spec/ingress"]).is_empty());
        let more = json!({"spec": {"ingress": [{"ports": [{"port": 8000}]}, {}], "replicas": 1}});
        assert!(!differs(&more, &desired, &["/spec/ingress"]).is_empty(), "an item is no default");
    }

    #[test]
    fn items_belong_together_by_name() {
        let observed = json!({"list": [{"name": "b", "limits": {"cpu": "1"}}]});
        let desired = json!({"list": [{"name": "a"}, {"name": "b", "limits": {"cpu": "1000m"}}]});
        assert_eq!(differs(&observed, &desired, &[]), ["list[a]"]);
    }
}

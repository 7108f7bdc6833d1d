//! Differences between the schema that the API server serves and the one of this version.
//!
//! The served one is read from the `OpenAPI` v3 document, which everybody who is authenticated may read (the cluster role
//! `system:discovery`), so that neither the operator nor who checks an installation needs a right to read definitions.

use std::collections::BTreeSet;
use std::fmt;

use kube::{CustomResourceExt, Resource};
use serde_json::{Map, Value};

use crate::api::AIPlatform;

/// The most fields that a message names.
const NAMED: usize = 5;

/// The parts of an object that the definition describes; the rest is the API server's own.
const PARTS: [&str; 2] = ["spec", "status"];

/// A way to change the definition, for messages.
pub const WAY_OUT: &str = "aiplatform crd | kubectl apply --server-side -f -";

/// The differences between the served schema and the one of this version. Descriptions do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Fields of this version that are not served: the API server drops them from every object that is written.
    pub lacking: BTreeSet<String>,
    /// Fields that are served and that this version does not know.
    pub unknown: BTreeSet<String>,
    /// Fields with other rules.
    pub changed: BTreeSet<String>,
}

/// The relation of the served schema to the one of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The same.
    Same,
    /// It lacks fields, and has none that this version does not know.
    Older,
    /// It has fields that this version does not know, and lacks none.
    Newer,
    /// Of another version, of which fields do not say whether it is older or newer.
    Other,
}

impl Difference {
    /// The relation that they make.
    #[must_use]
    pub fn relation(&self) -> Relation {
        match (self.lacking.is_empty(), self.unknown.is_empty(), self.changed.is_empty()) {
            (true, true, true) => Relation::Same,
            (false, true, _) => Relation::Older,
            (true, false, _) => Relation::Newer,
            (true, true, false) | (false, false, _) => Relation::Other,
        }
    }

    /// True where something that this version writes would be lost, or could be refused. A newer definition is no
    /// hindrance: that is how a version is rolled back.
    #[must_use]
    pub fn is_obstacle(&self) -> bool {
        match self.relation() {
            Relation::Same | Relation::Newer => false,
            Relation::Older | Relation::Other => true,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = env!("CARGO_PKG_VERSION");
        match self.relation() {
            Relation::Same => write!(formatter, "the installed definition is the one of aiplatform {version}"),
            Relation::Older => write!(
                formatter,
                "the installed definition is older than aiplatform {version}: it lacks {}, which are dropped from every \
                 object that is written",
                named(&self.lacking)
            ),
            Relation::Newer => write!(
                formatter,
                "the installed definition is newer than aiplatform {version}, which ignores {}",
                named(&self.unknown)
            ),
            Relation::Other => {
                write!(formatter, "the installed definition is of another version than aiplatform {version}: ")?;
                let parts =
                    [("it lacks", &self.lacking), ("it adds", &self.unknown), ("other rules for", &self.changed)];
                let parts = parts.into_iter().filter(|(_, fields)| !fields.is_empty());
                let parts: Vec<String> = parts.map(|(what, fields)| format!("{what} {}", named(fields))).collect();
                formatter.write_str(&parts.join("; "))
            }
        }
    }
}

/// The schema could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The definition that the API server serves has no schema of platforms.
    #[error("the API server serves no schema for {0}")]
    NotServed(String),
    /// The definition of this version cannot be written as JSON.
    #[error("the definition of this version cannot be written as JSON: {0}")]
    Own(#[from] serde_json::Error),
}

impl Error {
    /// A word for the kind of error.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotServed(_) => "NotServed",
            Self::Own(_) => "OwnDefinition",
        }
    }
}

/// The path of the `OpenAPI` v3 document that has the schema.
#[must_use]
pub fn document_path() -> String {
    format!("/openapi/v3/apis/{}", AIPlatform::api_version(&()))
}

/// The difference between the schema in an `OpenAPI` v3 document and the one of this version.
///
/// # Errors
/// When the document has no schema of platforms.
pub fn difference(document: &Value) -> Result<Difference, Error> {
    let kind = AIPlatform::kind(&());
    let schemas = document["components"]["schemas"].as_object();
    let mut served = schemas.into_iter().flat_map(Map::values);
    let served = served.find(|schema| is_of_platforms(schema)).ok_or_else(|| Error::NotServed(kind.to_string()))?;
    let own = serde_json::to_value(AIPlatform::crd())?;
    let own = &own["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut found = Difference::default();
    for part in PARTS {
        compare(&own["properties"][part], &served["properties"][part], part, &mut found);
    }
    Ok(found)
}

fn is_of_platforms(schema: &Value) -> bool {
    let kinds = schema["x-kubernetes-group-version-kind"].as_array();
    kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"] == *AIPlatform::kind(&())))
}

fn compare(own: &Value, served: &Value, path: &str, found: &mut Difference) {
    let (Some(own), Some(served)) = (own.as_object(), served.as_object()) else {
        if !is_equal(own, served) {
            found.changed.insert(path.into());
        }
        return;
    };
    let keys: BTreeSet<&String> = own.keys().chain(served.keys()).filter(|key| *key != "description").collect();
    for key in keys {
        match (key.as_str(), own.get(key), served.get(key)) {
            ("properties", own, served) => fields(own, served, path, found),
            ("items", Some(own), Some(served)) => compare(own, served, &format!("{path}[]"), found),
            ("additionalProperties", Some(own), Some(served)) => compare(own, served, &format!("{path}.*"), found),
            (_, Some(own), Some(served)) if is_equal(own, served) => {}
            _ => {
                found.changed.insert(path.into());
            }
        }
    }
}

fn fields(own: Option<&Value>, served: Option<&Value>, path: &str, found: &mut Difference) {
    let names = |side: Option<&Value>| -> BTreeSet<String> {
        side.and_then(Value::as_object).into_iter().flat_map(Map::keys).cloned().collect()
    };
    for name in names(own).union(&names(served)) {
        let path = format!("{path}.{name}");
        match (own.and_then(|own| own.get(name)), served.and_then(|served| served.get(name))) {
            (Some(own), Some(served)) => compare(own, served, &path, found),
            (Some(_), None) => drop(found.lacking.insert(path)),
            (None, _) => drop(found.unknown.insert(path)),
        }
    }
}

/// True for the same value: a number is the same with and without a fraction of nothing, and lists are compared in order.
fn is_equal(own: &Value, served: &Value) -> bool {
    match (own, served) {
        (Value::Number(own), Value::Number(served)) => own.as_f64() == served.as_f64(),
        (Value::Array(own), Value::Array(served)) => {
            own.len() == served.len() && own.iter().zip(served).all(|(own, served)| is_equal(own, served))
        }
        (Value::Object(own), Value::Object(served)) => {
            own.len() == served.len()
                && own.iter().all(|(key, own)| served.get(key).is_some_and(|served| is_equal(own, served)))
        }
        _ => own == served,
    }
}

fn named(fields: &BTreeSet<String>) -> String {
    let mut names: Vec<&str> = fields.iter().take(NAMED).map(String::as_str).collect();
    let more = (fields.len() > NAMED).then(|| format!("{} more", fields.len() - NAMED));
    names.extend(more.as_deref());
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The document that serves this version's own definition, with a change.
    fn served(change: impl FnOnce(&mut Value)) -> Value {
        let definition = serde_json::to_value(AIPlatform::crd()).unwrap();
        let mut schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
        change(&mut schema["properties"]);
        schema["x-kubernetes-group-version-kind"] =
            json!([{"group": "aiplatform.dev", "kind": "AIPlatform", "version": "v1alpha1"}]);
        let list = json!({"x-kubernetes-group-version-kind": [{"kind": "AIPlatformList"}]});
        json!({"components": {"schemas": {"list": list, "one": schema}}})
    }

    fn found(change: impl FnOnce(&mut Value)) -> Difference {
        difference(&served(change)).unwrap()
    }

    #[test]
    fn the_own_definition_is_the_same_whatever_its_numbers_and_texts_look_like() {
        let same = found(|properties| {
            properties["spec"]["description"] = json!("other words");
            let minimum = &mut properties["spec"]["properties"]["models"]["items"]["properties"]["sagemaker"]["properties"]
                ["keepRevisions"]["minimum"];
            assert!(minimum.is_number());
            *minimum = json!(0);
        });
        assert_eq!(same, Difference::default());
        assert_eq!((same.relation(), same.is_obstacle()), (Relation::Same, false));
    }

    #[test]
    fn a_definition_without_fields_is_older_and_in_the_way() {
        let older = found(|properties| {
            properties["spec"]["properties"].as_object_mut().unwrap().remove("network");
            properties["status"]["properties"].as_object_mut().unwrap().remove("writtenBy");
        });
        assert_eq!((older.relation(), older.is_obstacle()), (Relation::Older, true));
        let text = older.to_string();
        assert!(text.contains("older") && text.contains("it lacks spec.network, status.writtenBy"), "{text}");
    }

    #[test]
    fn a_definition_with_more_fields_is_newer_and_no_obstacle() {
        let newer = found(|properties| {
            for number in 0..7 {
                properties["spec"]["properties"][format!("future{number}")] = json!({"type": "string"});
            }
        });
        assert_eq!((newer.relation(), newer.is_obstacle()), (Relation::Newer, false));
        let text = newer.to_string();
        assert!(text.contains("newer") && text.contains("spec.future4, 2 more"), "{text}");
    }

    #[test]
    fn other_rules_are_those_of_another_version() {
        let other = found(|properties| properties["spec"]["x-kubernetes-validations"] = json!([]));
        assert_eq!((other.relation(), other.is_obstacle()), (Relation::Other, true));
        assert!(other.to_string().contains("other rules for spec"), "{other}");
        let loose = found(|properties| {
            properties["spec"] = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        });
        assert!(loose.is_obstacle(), "{loose}");
    }

    #[test]
    fn a_document_about_something_else_is_an_error() {
        let error = difference(&json!({"components": {"schemas": {}}})).unwrap_err();
        assert_eq!((error.reason(), error.to_string().contains("AIPlatform")), ("NotServed", true));
    }
}

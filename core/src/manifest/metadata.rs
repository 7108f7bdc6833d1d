//! `metadata` and `status` of a platform: what every Kubernetes object has, and what the operator writes.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps as Schema, JSONSchemaPropsOrArray as Items, JSONSchemaPropsOrBool as Additional,
};

use super::check::{Finding, cut};
use super::node::{Entry, Node, Value};
use crate::labels::{check_annotation_key, check_key, check_value};

/// The most bytes of all annotations together. Source: `ValidateAnnotationsSize` of k8s.io/apimachinery.
const ANNOTATIONS_LIMIT: usize = 256 << 10;

/// The schema of `metadata`. Source: `ObjectMeta` of k8s.io/apimachinery, which names every field; the API server decodes
/// it strictly, and every field but the name may be null.
pub(super) fn metadata() -> Schema {
    let nullable = |schema: Schema| Schema { nullable: Some(true), ..schema };
    let texts = Schema { additional_properties: Some(Additional::Schema(Box::new(of("string")))), ..of("object") };
    let list = |items: Schema| Schema { items: Some(Items::Schema(Box::new(items))), ..of("array") };
    let owner = Schema {
        required: Some(["apiVersion", "kind", "name", "uid"].map(String::from).into()),
        ..object([
            ("apiVersion", of("string")),
            ("kind", of("string")),
            ("name", of("string")),
            ("uid", of("string")),
            ("controller", nullable(of("boolean"))),
            ("blockOwnerDeletion", nullable(of("boolean"))),
        ])
    };
    let text = || nullable(of("string"));
    let managed = object([
        ("apiVersion", text()),
        ("fieldsType", text()),
        ("fieldsV1", nullable(of("object"))),
        ("manager", text()),
        ("operation", text()),
        ("subresource", text()),
        ("time", text()),
    ]);
    let name = Schema { min_length: Some(1), max_length: Some(253), ..of("string") };
    Schema {
        required: Some(vec!["name".into()]),
        ..object([
            ("name", name),
            ("generateName", text()),
            ("namespace", Schema { max_length: Some(63), ..text() }),
            ("labels", nullable(texts.clone())),
            ("annotations", nullable(texts)),
            ("finalizers", nullable(list(of("string")))),
            ("ownerReferences", nullable(list(owner))),
            ("managedFields", nullable(list(managed))),
            ("uid", text()),
            ("resourceVersion", text()),
            ("selfLink", text()),
            ("creationTimestamp", text()),
            ("deletionTimestamp", text()),
            ("generation", nullable(of("integer"))),
            ("deletionGracePeriodSeconds", nullable(of("integer"))),
        ])
    }
}

/// The schema of `status` in a file: its fields have to be known, and what is in them is not read. The API server decodes
/// all of an object strictly before it drops the status of what is created.
pub(super) fn status(schema: &Schema) -> Schema {
    let items = match &schema.items {
        Some(Items::Schema(items)) => Some(Items::Schema(Box::new(status(items)))),
        _ => None,
    };
    let additional_properties = match &schema.additional_properties {
        Some(Additional::Schema(schema)) => Some(Additional::Schema(Box::new(status(schema)))),
        other => other.clone(),
    };
    let fields = schema.properties.as_ref();
    let properties =
        fields.map(|fields| fields.iter().map(|(field, schema)| (field.clone(), status(schema))).collect());
    let x_kubernetes_preserve_unknown_fields = schema.x_kubernetes_preserve_unknown_fields;
    Schema { properties, items, additional_properties, x_kubernetes_preserve_unknown_fields, ..Schema::default() }
}

fn of(kind: &str) -> Schema {
    Schema { type_: Some(kind.into()), ..Schema::default() }
}

fn object<const N: usize>(fields: [(&str, Schema); N]) -> Schema {
    let properties = fields.into_iter().map(|(field, schema)| (field.to_string(), schema)).collect();
    Schema { properties: Some(properties), ..of("object") }
}

/// Checks of `metadata` that no schema can express: the keys of labels and annotations, and how large these may be
/// together.
pub(super) fn check(document: &Node) -> Vec<Finding> {
    let Some(metadata) = document.get("metadata") else { return Vec::new() };
    let entries = |field: &str| -> Vec<Entry> {
        match metadata.get(field).map(|node| &node.value) {
            Some(Value::Map(entries)) => entries.to_vec(),
            _ => Vec::new(),
        }
    };
    let mut findings = Vec::new();
    let mut refuse = |line: usize, path: String, value: &str, rule: Result<(), String>| {
        if let Err(rule) = rule {
            findings.push(Finding { line, path, message: format!("{:?} {rule}", cut(value)) });
        }
    };
    for Entry { key, line, value } in entries("labels") {
        let path = format!("metadata.labels[{:?}]", cut(&key));
        refuse(line, path.clone(), &key, check_key(&key));
        if let Value::Text(text) = &value.value {
            refuse(value.line, path, text, check_value(text));
        }
    }
    let mut size = 0;
    for Entry { key, line, value } in entries("annotations") {
        refuse(line, format!("metadata.annotations[{:?}]", cut(&key)), &key, check_annotation_key(&key));
        size += key.len() + if let Value::Text(text) = &value.value { text.len() } else { 0 };
    }
    if let Some(Value::List(finalizers)) = metadata.get("finalizers").map(|node| &node.value) {
        for (index, finalizer) in finalizers.iter().enumerate() {
            if let Value::Text(text) = &finalizer.value {
                refuse(finalizer.line, format!("metadata.finalizers[{index}]"), text, check_key(text));
            }
        }
    }
    if size > ANNOTATIONS_LIMIT {
        let line = metadata.get("annotations").map_or(metadata.line, |node| node.line);
        let message = format!("take {size} bytes together, and at most {ANNOTATIONS_LIMIT} are allowed: write less");
        findings.push(Finding { line, path: "metadata.annotations".into(), message });
    }
    findings
}

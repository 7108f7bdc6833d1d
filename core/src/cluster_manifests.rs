//! The objects in the cluster that a plan makes or keeps, as manifests that `kubectl` takes.

use serde_json::{Value, json};

use crate::kind::Backend;
use crate::plan::Plan;
use crate::printable::{printable, printable_json};
use crate::resource::Resource;

/// A manifest that cannot be written as YAML.
#[derive(Debug, thiserror::Error)]
#[error("the manifest of {name} cannot be written as YAML: {why}")]
pub struct Error {
    name: String,
    why: String,
}

/// The manifests of a plan as one YAML stream, with what the plan is of in a comment.
///
/// # Errors
/// A manifest that cannot be written as YAML.
pub fn yaml(plan: &Plan) -> Result<String, Error> {
    let mut stream = format!("# AIPlatform {}/{}: its objects in the cluster\n", plan.namespace, plan.name);
    for manifest in manifests(plan) {
        stream += "---\n";
        stream += &document(&manifest)?;
    }
    Ok(stream)
}

/// One manifest. A text in it that would not be seen is escaped as JSON has it, which is YAML too.
fn document(manifest: &Value) -> Result<String, Error> {
    let name = || manifest["metadata"]["name"].as_str().unwrap_or_default().to_string();
    let written = serde_saphyr::to_string(manifest);
    let text = written.map_err(|error| Error { name: name(), why: error.to_string() })?;
    let is_seen = text.lines().all(|line| printable(line) == line);
    Ok(if is_seen { text } else { format!("{}\n", printable_json(&format!("{manifest:#}"))) })
}

/// The manifests of a plan, in the order of its steps. Resources in AWS have none.
#[must_use]
pub fn manifests(plan: &Plan) -> Vec<Value> {
    plan.steps.iter().filter_map(|step| manifest(step.desired.as_ref()?)).collect()
}

/// One object, with the fields that a new one begins with.
fn manifest(resource: &Resource) -> Option<Value> {
    let Backend::Cluster(api) = resource.kind().info().backend else { return None };
    let mut manifest = (api.body)(resource)?;
    if let Some(initial) = (api.initial)(resource) {
        overlay(&mut manifest, initial);
    }
    let name = resource.name();
    let (namespace, name) = name.split_once('/')?;
    manifest["apiVersion"] = json!(api.api_version());
    manifest["kind"] = json!(api.kind);
    manifest["metadata"]["namespace"] = json!(namespace);
    manifest["metadata"]["name"] = json!(name);
    Some(manifest)
}

/// Puts the fields of one object over those of another.
pub fn overlay(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                overlay(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desire::desire;
    use crate::plan::{Intent, plan};
    use crate::platform::validate;
    use crate::resource::Observations;
    use crate::testing::{CLUSTER, object};

    #[test]
    fn a_manifest_has_its_name_and_what_a_new_object_begins_with() {
        let model = json!({"engine": "Custom", "image": "registry.example.com/server:1"});
        let object = object(json!({"models": [{"name": "local", "kubernetes": model}]}));
        let platform = validate(&object).unwrap();
        let desired = desire(&platform, CLUSTER);
        let intent = Intent::keep(platform.management_policy);
        let manifests = manifests(&plan("support", "assistant", &desired, &Observations::new(), &intent));
        let kinds: Vec<&str> = manifests.iter().map(|manifest| manifest["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["ServiceAccount", "NetworkPolicy", "Deployment", "Service", "ConfigMap"]);
        let deployment = &manifests[2];
        assert_eq!((&deployment["apiVersion"], &deployment["spec"]["replicas"]), (&json!("apps/v1"), &json!(1)));
        let metadata = &deployment["metadata"];
        assert_eq!((&metadata["namespace"], &metadata["name"]), (&json!("support"), &json!("assistant-local")));
    }
}

//! The endpoints of a platform, as applications find them: one config map with what they need to call each model, so that
//! no name is copied by hand.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::desire::inference;
use crate::desire::sagemaker::endpoint_name;
use crate::grants::Purpose;
use crate::kind::{
    Audited, Backend, BeforeDeletion, Busy, ClusterApi, Creation, DELETION_POLICY, Identity, Info, MakesRole, Managed,
    ManagedFields, Nothing, OwnedBy, Part, Reads, Reliance,
};
use crate::platform::{Backend as ModelBackend, Platform};
use crate::resource::{Desired, Removal, Resource};

/// A config map of the platform's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMap {
    /// Its namespace, which is the platform's.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its entries: file names with JSON documents.
    pub data: BTreeMap<String, String>,
}

impl Managed for ConfigMap {
    const INFO: Info = Info {
        name: "ConfigMap",
        noun: "config map",
        part: Part::Access,
        backend: Backend::Cluster(ClusterApi {
            kind: "ConfigMap",
            plural: "configmaps",
            body,
            read,
            ..ClusterApi::PLAIN
        }),
        identity: Identity::Name,
        owned_by: OwnedBy::Annotation,
        adopted_by: None,
        busy: Busy::AcceptsWrites,
        creation: Creation::ReadFirst,
        before_deletion: BeforeDeletion::Read,
        leaves: &[],
        reads: Reads::Always,
        rests_on_events: false,
        removal: Removal::WhenEmpty,
        has_deletion_policy: false,
        kept_because: DELETION_POLICY,
        refers_to: &[],
        relied_on: Reliance::AllBut(&[]),
        makes_role: MakesRole::No,
        audited: Audited::Everything,
        arns: None,
        permissions: &[],
        changed_by: &[],
    };
    type Write = Nothing;
    type Facts = Nothing;

    fn name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// The config map with the endpoints of a platform that has any.
#[must_use]
pub fn desire(platform: &Platform) -> Option<Desired> {
    let entries = platform.models.iter().map(|model| {
        let mut entry = match &model.backend {
            ModelBackend::Bedrock(bedrock) => json!({
                "modelId": bedrock.inference_profile_id.as_ref().unwrap_or(&bedrock.model_id),
                "guardrailId": bedrock.guardrail.as_ref().map(|guardrail| &guardrail.id),
                "guardrailVersion": bedrock.guardrail.as_ref().map(|guardrail| &guardrail.version),
            }),
            ModelBackend::SageMaker(_) => json!({"endpointName": endpoint_name(platform, &model.name)}),
            ModelBackend::Kubernetes(spec) => json!({
                "url": inference::url(platform, &model.name, spec),
                "model": inference::served_name(spec, &model.name),
            }),
        };
        entry["backend"] = json!(model.backend.name());
        entry["region"] = json!(platform.region);
        entry["roles"] = roles(platform, &model.name);
        let entry = without_nulls(entry);
        (format!("{}.json", model.name), format!("{entry:#}\n"))
    });
    let data: BTreeMap<String, String> = entries.collect();
    let (namespace, name) = (platform.namespace.clone(), format!("{}-endpoints", platform.name));
    (!data.is_empty()).then(|| Desired::made(ConfigMap { namespace, name, data }.into()))
}

/// The roles of the consumers that may call a model, by their names.
fn roles(platform: &Platform, model: &str) -> Value {
    let may_call = |name: &str| {
        let consumer = platform.access.iter().find(|consumer| consumer.name == name);
        consumer.is_some_and(|consumer| consumer.models.iter().any(|it| it == model))
    };
    let grants = platform.grants.iter().filter(|grant| grant.purpose == Purpose::Consumer && may_call(&grant.name));
    grants.map(|grant| (grant.name.clone(), json!(grant.arn))).collect::<serde_json::Map<_, _>>().into()
}

fn without_nulls(mut entry: Value) -> Value {
    if let Some(fields) = entry.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    entry
}

fn body(resource: &Resource) -> Option<Value> {
    let Resource::ConfigMap(ConfigMap { data, .. }) = resource else { return None };
    Some(json!({"data": data}))
}

fn read(name: &str, managed: &ManagedFields) -> Option<Resource> {
    let (namespace, name) = name.split_once('/')?;
    let data = managed.object.get("data").and_then(Value::as_object).into_iter().flatten();
    let data = data.filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_string())));
    Some(ConfigMap { namespace: namespace.into(), name: name.into(), data: data.collect() }.into())
}

//! The common form of this feature's kinds: an object with labels and a spec, compared field by field.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::comparison::aligned;
use crate::document::Document;
use crate::kind::{
    Audited, Backend, BeforeDeletion, Busy, ClusterApi, Creation, DELETION_POLICY, Identity, Info, Listed, MakesRole,
    ManagedFields, OwnedBy, Part, Reads, Reliance,
};
use crate::resource::{Key, Removal, Resource};
use crate::tags;

/// An object in the cluster of which the platform declares labels and spec.
///
/// A spec has no null in it, and no empty object where the API server fills in defaults (`strategy: {}`).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Its namespace, which is the platform's.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels, [`tags::PLATFORM_LABEL`] among them.
    pub labels: BTreeMap<String, String>,
    /// Its spec, as the API server takes it.
    pub spec: Document,
    /// Resources that must be ready before it is made. Of an object that was observed: those that its spec names.
    #[serde(skip)]
    pub needs: Vec<Key>,
    /// Of an object that was observed: see [`ManagedFields::whole`].
    #[serde(skip)]
    pub(super) whole: BTreeSet<String>,
}

impl Manifest {
    /// An object of a platform, by its name in the platform's namespace.
    #[must_use]
    pub fn new(namespace: &str, platform: &str, name: &str, spec: Value) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
            labels: [(tags::PLATFORM_LABEL.to_string(), tags::platform_label(platform))].into(),
            spec: Document::new(&without_nulls(spec)),
            needs: Vec::new(),
            whole: BTreeSet::new(),
        }
    }

    /// The same with further labels.
    #[must_use]
    pub fn labelled<K: Into<String>, V: Into<String>>(mut self, labels: impl IntoIterator<Item = (K, V)>) -> Self {
        self.labels.extend(labels.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// The same that needs further resources.
    #[must_use]
    pub fn needing(mut self, needs: impl IntoIterator<Item = Key>) -> Self {
        self.needs.extend(needs);
        self
    }

    /// The name among resources of its kind.
    #[must_use]
    pub fn key_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// The observed and the desired fields, in the form in which they are compared.
    pub(super) fn compared(&self, desired: &Self) -> (Value, Value) {
        let fields = |manifest: &Self| json!({"labels": manifest.labels, "spec": manifest.spec});
        let (observed, desired) = (fields(self), fields(desired));
        (aligned(&observed, &desired, &self.whole), desired)
    }
}

/// A kind that is a manifest and nothing else that is compared.
pub(super) trait Declared: Listed + Into<Resource> {
    /// The manifest.
    fn manifest(&self) -> &Manifest;

    /// The resource, as far as a manifest shows it.
    fn of_manifest(manifest: Manifest) -> Self;
}

/// The object to apply.
pub(super) fn body<T: Declared>(resource: &Resource) -> Option<Value> {
    let manifest = T::of(resource)?.manifest();
    Some(json!({"metadata": {"labels": manifest.labels}, "spec": manifest.spec}))
}

/// The resource, from the fields that the operator manages.
pub(super) fn read<T: Declared>(name: &str, managed: &ManagedFields) -> Option<Resource> {
    let (namespace, name) = name.split_once('/')?;
    let object = &managed.object;
    let labels = object.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
    let manifest = Manifest {
        namespace: namespace.into(),
        name: name.into(),
        labels: labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_string()))).collect(),
        spec: Document::new(object.get("spec").unwrap_or(&json!({}))),
        needs: Vec::new(),
        whole: managed.whole.clone(),
    };
    Some(T::of_manifest(manifest).into())
}

/// The description that the kinds share.
pub(super) const INFO: Info = Info {
    name: "",
    noun: "",
    part: Part::Models,
    backend: Backend::Cluster(ClusterApi::PLAIN),
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

/// The fields without those that are null, which would mean that the field is to be taken away.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(fields.map(|(name, value)| (name, without_nulls(value))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

/// Defines a kind that is a manifest and nothing else.
macro_rules! manifest_kind {
    ($(#[$doc:meta])* $kind:ident, $info:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        #[serde(transparent)]
        pub struct $kind(pub $crate::features::inference::manifest::Manifest);

        impl $crate::kind::Managed for $kind {
            const INFO: $crate::kind::Info = $info;
            type Write = $crate::kind::Nothing;
            type Facts = $crate::kind::Nothing;

            fn name(&self) -> String {
                self.0.key_name()
            }

            fn needs(&self) -> Vec<$crate::resource::Key> {
                self.0.needs.clone()
            }

            fn compared(&self, desired: &Self) -> (serde_json::Value, serde_json::Value) {
                self.0.compared(&desired.0)
            }
        }

        impl $crate::features::inference::manifest::Declared for $kind {
            fn manifest(&self) -> &$crate::features::inference::manifest::Manifest {
                &self.0
            }

            fn of_manifest(manifest: $crate::features::inference::manifest::Manifest) -> Self {
                Self(manifest)
            }
        }
    };
}
pub(super) use manifest_kind;

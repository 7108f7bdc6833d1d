//! The finalizer that keeps an object until nothing of it is left. Every patch is for the one object that was read:
//! another one of the same name, made since, is not touched.

use kube::api::{Api, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};

use crate::api::{AIPlatform, FINALIZER};

/// True when the finalizer is on the object.
pub(super) fn is_on(object: &AIPlatform) -> bool {
    object.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

/// Puts the finalizer on the object, which is returned as it is then.
pub(super) async fn put_on(api: &Api<AIPlatform>, object: &AIPlatform) -> Result<AIPlatform, kube::Error> {
    let finalizers = &object.meta().finalizers;
    // A test against null holds where there is no such field.
    let mut patch = vec![json!({"op": "test", "path": "/metadata/finalizers", "value": finalizers})];
    patch.push(match finalizers {
        Some(_) => json!({"op": "add", "path": "/metadata/finalizers/-", "value": FINALIZER}),
        None => json!({"op": "add", "path": "/metadata/finalizers", "value": [FINALIZER]}),
    });
    send(api, object, patch).await
}

/// Takes the finalizer off the object, which may be gone then.
pub(super) async fn take_off(api: &Api<AIPlatform>, object: &AIPlatform) -> Result<(), kube::Error> {
    let Some(index) = object.finalizers().iter().position(|finalizer| finalizer == FINALIZER) else { return Ok(()) };
    let path = format!("/metadata/finalizers/{index}");
    let operations =
        vec![json!({"op": "test", "path": path, "value": FINALIZER}), json!({"op": "remove", "path": path})];
    match send(api, object, operations).await {
        // What brought us here came late: the object is gone already.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other.map(|_| ()),
    }
}

async fn send(api: &Api<AIPlatform>, object: &AIPlatform, patch: Vec<Value>) -> Result<AIPlatform, kube::Error> {
    let mut operations = vec![json!({"op": "test", "path": "/metadata/uid", "value": object.uid()})];
    operations.extend(patch);
    let patch = serde_json::from_value(Value::Array(operations)).map_err(kube::Error::SerdeError)?;
    api.patch(&object.name_any(), &PatchParams::default(), &Patch::<()>::Json(patch)).await
}

//! An object that an older or newer definition let in: its status says so, and the others go on.

use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::error_boundary::InvalidObject;
use tracing::error;

use super::reconcile_object;
use super::reconcile_result::ReconcileResult;
use super::{Attempt, Context, Error, FIELD_MANAGER, ObjectKey};
use crate::api::AIPlatform;
use crate::metrics::Platform;
use crate::status::undecodable::{REASON, undecodable};

/// Writes into the status that the object cannot be decoded. What the status knows of AWS stays in it.
pub(super) async fn report<P>(invalid: &InvalidObject, context: &Context<P>) -> Result<ReconcileResult, Error> {
    let meta = &invalid.metadata;
    let ObjectKey { namespace, name } = ObjectKey::of(meta);
    let resource = kube::api::ApiResource::erase::<AIPlatform>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), &namespace, &resource);
    let Some(found) = api.get_opt(&name).await.map_err(Attempt::ReadObject.failed())? else {
        return Ok(ReconcileResult::done());
    };
    // The watch reports another object of this name, and what the user has changed since.
    if found.metadata.uid != meta.uid || found.metadata.generation != meta.generation {
        return Ok(ReconcileResult::done());
    }
    let previous = found.data.get("status");
    let is_deleting = found.metadata.deletion_timestamp.is_some();
    let status = undecodable(previous, meta.generation, is_deleting, &invalid.error, reconcile_object::now());
    if previous == Some(&status) {
        return Ok(ReconcileResult::done());
    }
    error!(reason = REASON, "the object does not fit this version of aiplatform: {}", invalid.error);
    context.metrics.failed(REASON);
    context.metrics.platform(&namespace, &name, Platform::not_ready(REASON));
    let patch = serde_json::json!({
        "apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name, "uid": meta.uid},
        "status": status,
    });
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    api.patch_status(&name, &parameters, &Patch::Apply(patch)).await.map_err(Attempt::WriteStatus.failed())?;
    Ok(ReconcileResult::done())
}

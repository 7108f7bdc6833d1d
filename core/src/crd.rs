//! The custom resource definition, as YAML, and how the one in a cluster differs from it.

pub mod difference;

use kube::CustomResourceExt;

use crate::api::AIPlatform;

/// The definition could not be written as YAML.
#[derive(Debug, thiserror::Error)]
#[error("the custom resource definition cannot be written as YAML: {0}")]
pub struct Error(String);

/// The definition that `aiplatform crd` prints and `crds/aiplatform.yaml` holds.
///
/// # Errors
/// When it cannot be written as YAML.
pub fn yaml() -> Result<String, Error> {
    serde_saphyr::to_string(&AIPlatform::crd()).map_err(|error| Error(error.to_string()))
}

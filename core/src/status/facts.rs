//! The status of models and consumers, as far as it follows from the spec alone.

use super::models;
use crate::api::status::{AccessStatus, ModelStatus};
use crate::desire::inference;
use crate::desire::sagemaker::endpoint_name;
use crate::grants::{Grant, Purpose, Subject, policy_sha256};
use crate::platform::{Backend, Platform};
use crate::resource::service_account::ROLE_ANNOTATION;

/// Models and consumers, as the status lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Models, in the order of the spec.
    pub models: Vec<ModelStatus>,
    /// Consumers, in the order of the spec.
    pub access: Vec<AccessStatus>,
}

/// The facts of a platform.
#[must_use]
pub fn facts(platform: &Platform) -> Facts {
    let models = platform.models.iter().map(|model| match &model.backend {
        Backend::Bedrock(bedrock) => {
            let endpoint = bedrock.inference_profile_id.as_ref().unwrap_or(&bedrock.model_id).clone();
            ModelStatus {
                outcome: Some(models::UNKNOWN.into()),
                message: Some(models::NOT_LOOKED_AT.into()),
                ..status_of(&model.name, model.backend.name(), endpoint)
            }
        }
        Backend::SageMaker(_) => status_of(&model.name, model.backend.name(), endpoint_name(platform, &model.name)),
        Backend::Kubernetes(spec) => {
            status_of(&model.name, model.backend.name(), inference::url(platform, &model.name, spec))
        }
    });
    let consumers = platform.grants.iter().filter(|grant| grant.purpose == Purpose::Consumer);
    Facts { models: models.collect(), access: consumers.map(|grant| consumer(platform, grant)).collect() }
}

fn status_of(name: &str, backend: &str, endpoint: String) -> ModelStatus {
    ModelStatus {
        name: name.into(),
        backend: backend.into(),
        ready: false,
        endpoint: Some(endpoint),
        revision: None,
        attempted_revision: None,
        instances: None,
        outcome: None,
        message: None,
    }
}

fn consumer(platform: &Platform, grant: &Grant) -> AccessStatus {
    let account = match &grant.subject {
        Subject::Irsa(account) | Subject::PodIdentity(account, _) => Some(account),
        Subject::Principals(_) | Subject::SageMaker(_) => None,
    };
    let elsewhere = account.is_some_and(|account| account.namespace != platform.namespace);
    let by_annotation = matches!(grant.subject, Subject::Irsa(_));
    AccessStatus {
        name: grant.name.clone(),
        role_arn: grant.arn.clone(),
        // Before the first observation, nothing is known to be granted.
        policy_sha256: policy_sha256(std::iter::empty()),
        service_account: account.map(ToString::to_string),
        annotation: (elsewhere && by_annotation).then(|| format!("{ROLE_ANNOTATION}={}", grant.arn)),
    }
}

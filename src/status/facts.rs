//! What the status says of models and consumers: it follows from the spec alone.

use crate::api::status::{AccessStatus, ModelStatus};
use crate::grants::{Grant, Subject, grants};
use crate::platform::Platform;
use crate::resource::service_account::ROLE_ANNOTATION;

/// Models and consumers, as the status lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Models, in the order of the spec.
    pub models: Vec<ModelStatus>,
    /// Consumers, in the order of the spec.
    pub access: Vec<AccessStatus>,
}

impl Facts {
    /// Models that are ready, of all; nothing where there are none.
    #[must_use]
    pub fn models_ready(&self) -> Option<String> {
        let ready = self.models.iter().filter(|model| model.ready).count();
        (!self.models.is_empty()).then(|| format!("{ready}/{}", self.models.len()))
    }
}

/// The facts of a platform.
#[must_use]
pub fn facts(platform: &Platform) -> Facts {
    let models = platform.models.iter().filter_map(|model| {
        let bedrock = model.bedrock.as_ref()?;
        let endpoint = bedrock.inference_profile_id.as_ref().unwrap_or(&bedrock.model_id).clone();
        Some(ModelStatus { name: model.name.clone(), backend: "Bedrock".into(), ready: true, endpoint: Some(endpoint) })
    });
    let access = grants(platform).unwrap_or_default();
    Facts { models: models.collect(), access: access.iter().map(|grant| consumer(platform, grant)).collect() }
}

fn consumer(platform: &Platform, grant: &Grant) -> AccessStatus {
    let account = match &grant.subject {
        Subject::Irsa(account) | Subject::PodIdentity(account, _) => Some(account),
        Subject::Principals(_) => None,
    };
    let elsewhere = account.is_some_and(|account| account.namespace != platform.namespace);
    let by_annotation = matches!(grant.subject, Subject::Irsa(_));
    AccessStatus {
        name: grant.name.clone(),
        role_arn: grant.arn.clone(),
        policy_sha256: grant.policy_sha256(),
        service_account: account.map(ToString::to_string),
        annotation: (elsewhere && by_annotation).then(|| format!("{ROLE_ANNOTATION}={}", grant.arn)),
    }
}

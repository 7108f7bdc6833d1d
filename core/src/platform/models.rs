//! Validation of `spec.models`.

use std::collections::BTreeMap;

use super::{NOT_A_LABEL, Problem, bedrock, is_label, sagemaker};
use crate::api::AIPlatformSpec;
use crate::api::models::Bedrock;
use crate::api::sagemaker::SageMaker;

/// A model of a platform.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Its name in the spec.
    pub name: String,
    /// The backend that serves it.
    pub backend: Backend,
}

/// The services that answer calls of models, as the names of their VPC endpoints end.
pub const RUNTIMES: [&str; 2] = ["bedrock-runtime", "sagemaker.runtime"];

/// The backend that serves a model.
#[derive(Clone, Debug, PartialEq)]
pub enum Backend {
    /// Amazon Bedrock, where nothing has to be made.
    Bedrock(Bedrock),
    /// An endpoint of Amazon SageMaker.
    SageMaker(Box<SageMaker>),
}

impl Backend {
    /// The backend as it stands in the status.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Bedrock(_) => "Bedrock",
            Self::SageMaker(_) => "SageMaker",
        }
    }

    /// The service that answers calls, one of [`RUNTIMES`].
    #[must_use]
    pub const fn runtime(&self) -> &'static str {
        match self {
            Self::Bedrock(_) => RUNTIMES[0],
            Self::SageMaker(_) => RUNTIMES[1],
        }
    }
}

impl Model {
    /// The specification of a model on Bedrock.
    #[must_use]
    pub fn bedrock(&self) -> Option<&Bedrock> {
        match &self.backend {
            Backend::Bedrock(bedrock) => Some(bedrock),
            Backend::SageMaker(_) => None,
        }
    }

    /// The specification of a model on SageMaker.
    #[must_use]
    pub fn sagemaker(&self) -> Option<&SageMaker> {
        match &self.backend {
            Backend::SageMaker(sagemaker) => Some(sagemaker),
            Backend::Bedrock(_) => None,
        }
    }
}

pub(super) fn validate(spec: &AIPlatformSpec, problems: &mut Vec<Problem>) -> Vec<Model> {
    let mut models = Vec::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, model) in spec.models.iter().enumerate() {
        let path = format!("spec.models[{index}]");
        if let Some(first) = seen.insert(&model.name, index) {
            let message = format!("{:?} is the name of spec.models[{first}] too: names are unique", model.name);
            problems.push(Problem::new(format!("{path}.name"), message));
        }
        if !is_label(&model.name) {
            problems.push(Problem::new(format!("{path}.name"), format!("{:?} {NOT_A_LABEL}", model.name)));
        }
        match (&model.bedrock, &model.sagemaker) {
            (Some(bedrock), None) => {
                bedrock::validate(spec, bedrock, &format!("{path}.bedrock"), problems);
                models.push(Model { name: model.name.clone(), backend: Backend::Bedrock(bedrock.clone()) });
            }
            (None, Some(sagemaker)) => {
                sagemaker::validate(spec, sagemaker, &format!("{path}.sagemaker"), problems);
                let backend = Backend::SageMaker(Box::new(sagemaker.clone()));
                models.push(Model { name: model.name.clone(), backend });
            }
            (Some(_), Some(_)) => problems.push(Problem::new(
                path,
                "has two backends: a model is served by bedrock or by sagemaker; make two models of it",
            )),
            (None, None) => {
                problems.push(Problem::new(path, "has no backend: a model is served by bedrock or by sagemaker"));
            }
        }
    }
    models
}

//! Validation of `spec.models`.

use std::collections::BTreeMap;

use super::{NOT_A_LABEL, Problem, bedrock, is_label, kubernetes, sagemaker};
use crate::api::kubernetes::Kubernetes;
use crate::api::models::Bedrock;
use crate::api::sagemaker::SageMaker;
use crate::api::{self, AIPlatformSpec};

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
    /// Pods in the cluster.
    Kubernetes(Box<Kubernetes>),
}

impl Backend {
    /// The backend as it stands in the status.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Bedrock(_) => "Bedrock",
            Self::SageMaker(_) => "SageMaker",
            Self::Kubernetes(_) => "Kubernetes",
        }
    }

    /// The service of AWS that answers calls, one of [`RUNTIMES`]; none where pods in the cluster do.
    #[must_use]
    pub const fn runtime(&self) -> Option<&'static str> {
        match self {
            Self::Bedrock(_) => Some(RUNTIMES[0]),
            Self::SageMaker(_) => Some(RUNTIMES[1]),
            Self::Kubernetes(_) => None,
        }
    }
}

impl Model {
    /// The specification of a model on Bedrock.
    #[must_use]
    pub fn bedrock(&self) -> Option<&Bedrock> {
        match &self.backend {
            Backend::Bedrock(bedrock) => Some(bedrock),
            Backend::SageMaker(_) | Backend::Kubernetes(_) => None,
        }
    }

    /// The specification of a model on SageMaker.
    #[must_use]
    pub fn sagemaker(&self) -> Option<&SageMaker> {
        match &self.backend {
            Backend::SageMaker(sagemaker) => Some(sagemaker),
            Backend::Bedrock(_) | Backend::Kubernetes(_) => None,
        }
    }

    /// The specification of a model in the cluster.
    #[must_use]
    pub fn kubernetes(&self) -> Option<&Kubernetes> {
        match &self.backend {
            Backend::Kubernetes(kubernetes) => Some(kubernetes),
            Backend::Bedrock(_) | Backend::SageMaker(_) => None,
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
        models.extend(backend(spec, model, &path, problems).map(|backend| Model { name: model.name.clone(), backend }));
    }
    models
}

/// The one backend that a model names.
fn backend(spec: &AIPlatformSpec, model: &api::Model, path: &str, problems: &mut Vec<Problem>) -> Option<Backend> {
    match (&model.bedrock, &model.sagemaker, &model.kubernetes) {
        (Some(bedrock), None, None) => {
            bedrock::validate(spec, bedrock, &format!("{path}.bedrock"), problems);
            Some(Backend::Bedrock(bedrock.clone()))
        }
        (None, Some(sagemaker), None) => {
            sagemaker::validate(spec, sagemaker, &format!("{path}.sagemaker"), problems);
            Some(Backend::SageMaker(Box::new(sagemaker.clone())))
        }
        (None, None, Some(kubernetes)) => {
            kubernetes::validate(spec, kubernetes, &format!("{path}.kubernetes"), problems);
            Some(Backend::Kubernetes(Box::new(kubernetes.clone())))
        }
        (None, None, None) => {
            let message = "has no backend: a model is served by bedrock, sagemaker or kubernetes";
            problems.push(Problem::new(path, message));
            None
        }
        _ => {
            let message = "has several backends: a model is served by one of bedrock, sagemaker and kubernetes; make a \
                           model of each";
            problems.push(Problem::new(path, message));
            None
        }
    }
}

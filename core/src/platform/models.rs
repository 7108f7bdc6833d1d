//! Validation of `spec.models`.

use std::collections::BTreeMap;

use super::{NOT_A_LABEL, Problem, bedrock, is_label, sagemaker};
use crate::api::AIPlatformSpec;
use crate::api::models::Model;

pub(super) fn validate(spec: &AIPlatformSpec, problems: &mut Vec<Problem>) -> Vec<Model> {
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
            (Some(bedrock), None) => bedrock::validate(spec, bedrock, &format!("{path}.bedrock"), problems),
            (None, Some(sagemaker)) => sagemaker::validate(spec, sagemaker, &format!("{path}.sagemaker"), problems),
            (Some(_), Some(_)) => problems.push(Problem::new(
                path,
                "has two backends: a model is served by bedrock or by sagemaker; make two models of it",
            )),
            (None, None) => {
                problems.push(Problem::new(path, "has no backend: a model is served by bedrock or by sagemaker"));
            }
        }
    }
    spec.models.clone()
}

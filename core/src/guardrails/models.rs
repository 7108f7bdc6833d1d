//! Guardrails for models: images, artifacts, instance types, how many of them, and roles.

use super::{Rule, any, refusal};
use crate::api::sagemaker::SageMaker;
use crate::platform::Model;
use crate::platform::Problem;

pub(super) fn refused(rule: &Rule, models: &[Model], advice: &str) -> Vec<Problem> {
    let served = models.iter().enumerate().filter_map(|(index, model)| Some((index, model.sagemaker()?)));
    served
        .flat_map(|(index, model)| refused_model(rule, model, &format!("spec.models[{index}].sagemaker"), advice))
        .collect()
}

fn refused_model(rule: &Rule, model: &SageMaker, path: &str, advice: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(images) = rule.images.as_ref().filter(|images| !any(images, &model.image)) {
        problems.push(refusal(format!("{path}.image"), &model.image, images, advice));
    }
    let uri = model.model_data.as_ref().and_then(|data| data.uri.as_ref());
    if let Some(uri) = uri.filter(|uri| !any(&rule.model_data_uris, uri)) {
        let advice =
            format!("keep the artifact in a bucket of spec.storage.buckets and name bucket and key, or {advice}");
        problems.push(refusal(format!("{path}.modelData.uri"), uri, &rule.model_data_uris, &advice));
    }
    if let Some(role) = model.execution_role_arn.as_ref().filter(|role| !any(&rule.execution_roles, role)) {
        problems.push(refusal(format!("{path}.executionRoleArn"), role, &rule.execution_roles, advice));
    }
    if let (Some(instance), Some(types)) = (&model.instance, &rule.instance_types)
        && !any(types, &instance.kind)
    {
        problems.push(refusal(format!("{path}.instance.type"), &instance.kind, types, advice));
    }
    let key = model.logs.as_ref().and_then(|logs| logs.kms_key_arn.as_ref());
    if let (Some(key), Some(keys)) = (key, &rule.kms_keys)
        && !any(keys, key)
    {
        problems.push(refusal(format!("{path}.logs.kmsKeyArn"), key, keys, advice));
    }
    if let Some(most) = rule.max_instances {
        let too_many = counts(model).into_iter().filter(|(_, count)| *count > most);
        problems.extend(too_many.map(|(field, count)| {
            let message = format!("{count} is more than a model may have here (at most {most}): {advice}");
            Problem::new(format!("{path}.{field}"), message)
        }));
    }
    problems
}

/// Every number of instances that a model asks for, with its field. Provisioned concurrency is not instances.
fn counts(model: &SageMaker) -> Vec<(String, i32)> {
    let Some(instance) = &model.instance else { return Vec::new() };
    let mut counts = vec![("instance.count".into(), instance.count)];
    let Some(autoscaling) = &model.autoscaling else { return counts };
    counts.push(("autoscaling.maxInstances".into(), autoscaling.max_instances));
    for (index, schedule) in autoscaling.schedules.iter().enumerate() {
        let bounds = [("minInstances", schedule.min_instances), ("maxInstances", schedule.max_instances)];
        let given = bounds.into_iter().filter_map(|(field, count)| Some((field, count?)));
        counts.extend(given.map(|(field, count)| (format!("autoscaling.schedules[{index}].{field}"), count)));
    }
    counts
}

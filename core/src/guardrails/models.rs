//! Guardrails for models: images, artifacts, instance types, how many instances or pods, and roles.

use super::{Rule, any, refusal};
use crate::api::kubernetes::Kubernetes;
use crate::api::sagemaker::SageMaker;
use crate::desire::inference;
use crate::platform::{Backend, Model, Problem};

pub(super) fn refused(rule: &Rule, models: &[Model], advice: &str) -> Vec<Problem> {
    let refused = models.iter().enumerate().flat_map(|(index, model)| match &model.backend {
        Backend::Bedrock(_) => Vec::new(),
        Backend::SageMaker(spec) => refused_model(rule, spec, &format!("spec.models[{index}].sagemaker"), advice),
        Backend::Kubernetes(spec) => refused_pods(rule, spec, &format!("spec.models[{index}].kubernetes"), advice),
    });
    refused.collect()
}

/// The images that pods run are those that the spec names or that stand for what it leaves out.
fn refused_pods(rule: &Rule, model: &Kubernetes, path: &str, advice: &str) -> Vec<Problem> {
    let source = model.source.as_ref().and_then(|source| source.s3.as_ref());
    let engine = Some((format!("{path}.image"), inference::image(model)));
    let copying = source.map(|source| (format!("{path}.source.s3.image"), inference::copying_image(source)));
    let images = rule.images.iter().flat_map(|images| {
        let used = [engine.clone(), copying.clone()].into_iter().flatten();
        let bad = used.filter(|(_, image)| !any(images, image));
        bad.map(|(path, image)| refusal(path, &image, images, advice))
    });
    let mut problems: Vec<Problem> = images.collect();
    let uri = source.and_then(|source| source.uri.as_ref());
    if let Some(uri) = uri.filter(|uri| !any(&rule.model_data_uris, uri)) {
        let advice =
            format!("keep the weights in a bucket of spec.storage.buckets and name bucket and prefix, or {advice}");
        problems.push(refusal(format!("{path}.source.s3.uri"), uri, &rule.model_data_uris, &advice));
    }
    if let Some(most) = rule.max_instances {
        let counts = [
            ("replicas", model.replicas),
            ("autoscaling.maxReplicas", model.autoscaling.as_ref().map(|scaling| scaling.max_replicas)),
            // As many pods again may come up in a rollout, as instances of SageMaker do, and no more.
            ("rollout.maxSurge", model.rollout.as_ref().map(|rollout| rollout.max_surge)),
        ];
        let too_many = counts.into_iter().filter_map(|(field, count)| Some((field, count.filter(|it| *it > most)?)));
        problems.extend(too_many.map(|(field, count)| {
            let message = format!("{count} is more than a model may have here (at most {most}): {advice}");
            Problem::new(format!("{path}.{field}"), message)
        }));
    }
    problems
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

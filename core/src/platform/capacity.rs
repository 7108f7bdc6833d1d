//! Validation of what a model on SageMaker runs on: instances, or none.

use super::{Problem, validate_range};
use crate::api::sagemaker::{Instance, SageMaker, Serverless, Strategy};

const MEMORY_STEP: i32 = 1024;

pub(super) fn validate(model: &SageMaker, path: &str, problems: &mut Vec<Problem>) {
    if model.instance.is_some() == model.serverless.is_some() {
        problems.push(Problem::new(path, "takes exactly one of instance and serverless"));
    }
    if let Some(instance) = &model.instance {
        validate_instance(instance, &format!("{path}.instance"), problems);
    }
    if let Some(serverless) = &model.serverless {
        validate_serverless(serverless, &format!("{path}.serverless"), problems);
        refuse_beside_serverless(model, path, problems);
    }
}

fn validate_instance(instance: &Instance, path: &str, problems: &mut Vec<Problem>) {
    let part = |text: &str| {
        (1..=20).contains(&text.len())
            && text.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-')
    };
    let parts: Vec<&str> = instance.kind.split('.').collect();
    if !matches!(parts.as_slice(), ["ml", family, size] if part(family) && part(size)) {
        let message = format!("{:?} is not an instance type of SageMaker, such as ml.g5.xlarge", instance.kind);
        problems.push(Problem::new(format!("{path}.type"), message));
    }
    validate_range(Some(instance.count), 1..=1000, format!("{path}.count"), problems);
    validate_range(instance.volume_size_gib, 1..=512, format!("{path}.volumeSizeGiB"), problems);
    for (field, seconds) in [
        ("startupTimeoutSeconds", instance.startup_timeout_seconds),
        ("modelDownloadTimeoutSeconds", instance.model_download_timeout_seconds),
    ] {
        validate_range(seconds, 60..=3600, format!("{path}.{field}"), problems);
    }
}

fn validate_serverless(serverless: &Serverless, path: &str, problems: &mut Vec<Problem>) {
    let Serverless { memory_mib, max_concurrency, provisioned_concurrency } = serverless;
    if !(MEMORY_STEP..=6 * MEMORY_STEP).contains(memory_mib) || memory_mib % MEMORY_STEP != 0 {
        let message = format!("{memory_mib} is not one of 1024, 2048, 3072, 4096, 5120 and 6144");
        problems.push(Problem::new(format!("{path}.memoryMiB"), message));
    }
    validate_range(Some(*max_concurrency), 1..=200, format!("{path}.maxConcurrency"), problems);
    let path = format!("{path}.provisionedConcurrency");
    match provisioned_concurrency {
        Some(provisioned) if (1..=200).contains(provisioned) && provisioned > max_concurrency => {
            problems
                .push(Problem::new(path, format!("{provisioned} is greater than maxConcurrency {max_concurrency}")));
        }
        provisioned => validate_range(*provisioned, 1..=200, path, problems),
    }
}

/// Source: "Feature exclusions", Serverless Inference, Amazon SageMaker developer guide.
fn refuse_beside_serverless(model: &SageMaker, path: &str, problems: &mut Vec<Problem>) {
    let rolling = model.rollout.as_ref().is_some_and(|rollout| rollout.strategy == Strategy::Rolling);
    for (field, there, what) in [
        ("async", model.asynchronous.is_some(), "asynchronous requests"),
        ("dataCapture", model.data_capture.is_some(), "data capture"),
        ("networkIsolation", model.network_isolation, "network isolation"),
        ("rollout.strategy", rolling, "instances that a Rolling rollout could replace in batches"),
    ] {
        if there {
            let message =
                format!("does not go with serverless: its endpoints have no {what}; leave it out, or set instance");
            problems.push(Problem::new(format!("{path}.{field}"), message));
        }
    }
}

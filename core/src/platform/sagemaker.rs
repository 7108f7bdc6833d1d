//! Validation of `spec.models[].sagemaker`.
//!
//! Limits are those of `CreateModel` and `CreateEndpointConfig`, Amazon SageMaker API reference.

use super::access::checked;
use super::storage::undeclared;
use super::{Problem, artifact, autoscaling, capacity, is_account, kms_key, rollout, validate_range};
use crate::api::AIPlatformSpec;
use crate::api::sagemaker::{Destination, Logs, SageMaker};
use crate::arn;
use crate::features::sagemaker::log_group::RETENTION_DAYS;

pub(super) fn validate(spec: &AIPlatformSpec, model: &SageMaker, path: &str, problems: &mut Vec<Problem>) {
    validate_image(spec, &model.image, &format!("{path}.image"), problems);
    if let Some(data) = &model.model_data {
        let compressed_only = model.serverless.is_some();
        artifact::validate(spec, data, compressed_only, &format!("{path}.modelData"), problems);
    }
    validate_environment(model, &format!("{path}.environment"), problems);
    if let Some(role) = &model.execution_role_arn {
        validate_role(spec, role, &format!("{path}.executionRoleArn"), problems);
    }
    capacity::validate(model, path, problems);
    if let Some(asynchronous) = &model.asynchronous {
        let path = format!("{path}.async");
        validate_destination(spec, &asynchronous.output, &format!("{path}.output"), problems);
        let field = "maxConcurrentInvocationsPerInstance";
        let most_at_once = asynchronous.max_concurrent_invocations_per_instance;
        validate_range(most_at_once, 1..=1000, format!("{path}.{field}"), problems);
    }
    if let Some(capture) = &model.data_capture {
        let path = format!("{path}.dataCapture");
        validate_destination(spec, &capture.destination, &format!("{path}.destination"), problems);
        validate_range(Some(capture.sampling_percent), 1..=100, format!("{path}.samplingPercent"), problems);
    }
    if let Some(autoscaling) = &model.autoscaling {
        autoscaling::validate(model, autoscaling, &format!("{path}.autoscaling"), problems);
    }
    if let Some(logs) = &model.logs {
        validate_logs(spec, logs, &format!("{path}.logs"), problems);
    }
    if let Some(rollout) = &model.rollout {
        rollout::validate(rollout, &format!("{path}.rollout"), problems);
    }
    validate_range(Some(model.keep_revisions), 0..=10, format!("{path}.keepRevisions"), problems);
}

/// `PutRetentionPolicy` and `AssociateKmsKey`, CloudWatch Logs API reference.
fn validate_logs(spec: &AIPlatformSpec, logs: &Logs, path: &str, problems: &mut Vec<Problem>) {
    if !RETENTION_DAYS.contains(&logs.retention_days) {
        let days = RETENTION_DAYS.map(|days| days.to_string()).join(", ");
        let message =
            format!("{} is no number of days that CloudWatch Logs knows: take one of {days}", logs.retention_days);
        problems.push(Problem::new(format!("{path}.retentionDays"), message));
    }
    let Some(key) = &logs.kms_key_arn else { return };
    let expected =
        format!("arn:{}:kms:{}:{}:key/1234abcd-...", arn::partition(&spec.region), spec.region, spec.account_id);
    let is_key = kms_key(key).is_some_and(|(partition, region, key)| {
        partition == arn::partition(&spec.region)
            && region == spec.region
            && key.strip_prefix("key/").is_some_and(|id| !id.is_empty() && !id.contains(['*', '?', '$', '/']))
    });
    if !is_key {
        let message = format!(
            "{key:?} is not the ARN of a KMS key in the platform's region, which CloudWatch Logs demands: name the key itself, \
             such as {expected}"
        );
        problems.push(Problem::new(format!("{path}.kmsKeyArn"), message));
    }
}

/// SageMaker's answer to an image elsewhere: "Cross region ECR image pulls are not allowed."
fn validate_image(spec: &AIPlatformSpec, image: &str, path: &str, problems: &mut Vec<Problem>) {
    const LIMIT: usize = 255;
    let suffix = match arn::partition(&spec.region) {
        "aws-cn" => "amazonaws.com.cn",
        "aws-eusc" => "amazonaws.eu",
        _ => "amazonaws.com",
    };
    let expected = format!("ACCOUNT.dkr.ecr.{}.{suffix}/REPOSITORY:TAG", spec.region);
    let message = match registry(image) {
        None => format!("{image:?} is not an image in Amazon ECR, such as {expected}"),
        Some(_) if image.len() > LIMIT => {
            format!("{image:?} has {} characters: SageMaker allows {LIMIT}", image.len())
        }
        Some((region, _)) if region != spec.region => format!(
            "{image:?} is in {region}, and SageMaker takes images of its own region alone, {}: push it to {expected}",
            spec.region
        ),
        Some((_, found)) if found != suffix => {
            format!("{image:?} is not of {}, where registries end in {suffix}: write {expected}", spec.region)
        }
        Some(_) => return,
    };
    problems.push(Problem::new(path, message));
}

/// True for an image in Amazon ECR, of whatever account and region.
pub(super) fn is_in_ecr(image: &str) -> bool {
    registry(image).is_some()
}

/// The region and the domain of an image's registry; `None` where the schema's pattern does not match.
fn registry(image: &str) -> Option<(&str, &str)> {
    let (host, repository) = image.split_once('/')?;
    let (account, host) = host.split_once(".dkr.ecr")?;
    let (region, suffix) = host.strip_prefix("-fips").unwrap_or(host).strip_prefix('.')?.split_once('.')?;
    let word = |text: &str, others: &str| {
        text.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || others.contains(it))
    };
    let (name, tag) = match repository.find([':', '@']) {
        Some(at) => (&repository[..at], Some(&repository[at + 1..])),
        None => (repository, None),
    };
    let named = name.split(['/', '.', '_', '-']).all(|part| !part.is_empty());
    let tagged = tag
        .is_none_or(|tag| !tag.is_empty() && tag.chars().all(|it| it.is_ascii_alphanumeric() || "_.:-".contains(it)));
    let good = is_account(account)
        && !region.is_empty()
        && word(region, "-")
        && ["amazonaws.com", "amazonaws.com.cn", "amazonaws.eu"].contains(&suffix)
        && named
        && word(name, "._/-")
        && tagged;
    good.then_some((region, suffix))
}

/// Values stay out of the messages: they may be secret.
fn validate_environment(model: &SageMaker, path: &str, problems: &mut Vec<Problem>) {
    const ENTRIES: usize = 100;
    const LENGTH: usize = 1024;
    const TOGETHER: usize = 32 * 1024;
    let environment = &model.environment;
    if environment.len() > ENTRIES {
        let message = format!("{} variables are too many: SageMaker allows {ENTRIES}", environment.len());
        problems.push(Problem::new(path, message));
    }
    let together: usize = environment.iter().map(|(key, value)| key.len() + value.len()).sum();
    if together > TOGETHER {
        let message = format!(
            "is {together} bytes long: SageMaker allows {TOGETHER} for all names and values together; put large settings \
             into the artifact"
        );
        problems.push(Problem::new(path, message));
    }
    for (key, value) in environment {
        let path = format!("{path}[{key:?}]");
        let starts = key.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        if !starts || !key.chars().all(|it| it.is_ascii_alphanumeric() || it == '_') {
            let message = "is not the name of a variable: ASCII letters, digits and underscores, no digit first";
            problems.push(Problem::new(&path, message));
        }
        for (what, length) in [("name", key.len()), ("value", value.len())] {
            if length > LENGTH {
                let message = format!("its {what} is {length} bytes long: SageMaker allows {LENGTH}");
                problems.push(Problem::new(&path, message));
            }
        }
    }
}

fn validate_role(spec: &AIPlatformSpec, role: &str, path: &str, problems: &mut Vec<Problem>) {
    const LIMIT: usize = 512;
    let Some(parts) = checked(spec, role, "iam", path, problems) else { return };
    let name = parts.resource.strip_prefix("role/").filter(|name| {
        !name.is_empty() && name.chars().all(|it| it.is_ascii_alphanumeric() || "_+=,.@/-".contains(it))
    });
    let message = if name.is_none() || !parts.region.is_empty() || !is_account(parts.account) {
        let partition = arn::partition(&spec.region);
        format!("{role:?} is not a role, such as arn:{partition}:iam::{}:role/NAME", spec.account_id)
    } else if role.len() > LIMIT {
        format!("{role:?} has {} characters: at most {LIMIT} are allowed", role.len())
    } else if parts.account != spec.account_id {
        format!(
            "{role:?} is a role of account {}, and SageMaker takes roles of its own account alone, spec.accountId {:?}",
            parts.account, spec.account_id
        )
    } else {
        return;
    };
    problems.push(Problem::new(path, message));
}

/// A prefix stands in policies, so nothing in it may mean more there than itself.
fn validate_destination(spec: &AIPlatformSpec, destination: &Destination, path: &str, problems: &mut Vec<Problem>) {
    const LIMIT: usize = 400;
    let Destination { bucket, prefix } = destination;
    problems.extend(undeclared(spec, bucket).map(|message| Problem::new(format!("{path}.bucket"), message)));
    let why = if prefix.len() > LIMIT {
        format!("has {} bytes: at most {LIMIT} are allowed", prefix.len())
    } else if !prefix.ends_with('/') {
        "does not end in /: it is what the keys of the objects begin with, such as answers/".into()
    } else if let Some(why) = artifact::bad_key(prefix) {
        why.into()
    } else {
        return;
    };
    problems.push(Problem::new(format!("{path}.prefix"), format!("{prefix:?} {why}")));
}

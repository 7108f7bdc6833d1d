//! Validation of `spec.models[].sagemaker.autoscaling`.

use std::collections::BTreeMap;

use super::schedule::{validate_expression, validate_timezone};
use super::{NOT_A_LABEL, Problem, is_label, validate_range};
use crate::api::autoscaling::{Autoscaling, Invocations, Schedule, Target};
use crate::api::sagemaker::SageMaker;

/// The most instances, and the most provisioned concurrency, that a field can ask for.
const MOST: i32 = 1000;

/// Schedules of one model.
const SCHEDULES: usize = 16;

pub(super) fn validate(model: &SageMaker, autoscaling: &Autoscaling, path: &str, problems: &mut Vec<Problem>) {
    validate_fleet(model, path, problems);
    let bounds = (Some(autoscaling.min_instances), Some(autoscaling.max_instances));
    validate_bounds(model, bounds, path, problems);
    validate_target(model, &autoscaling.target, &format!("{path}.target"), problems);
    for (field, seconds) in [
        ("scaleInCooldownSeconds", autoscaling.scale_in_cooldown_seconds),
        ("scaleOutCooldownSeconds", autoscaling.scale_out_cooldown_seconds),
    ] {
        validate_range(seconds, 0..=3600, format!("{path}.{field}"), problems);
    }
    validate_schedules(model, &autoscaling.schedules, &format!("{path}.schedules"), problems);
}

/// True when what serves the model can be scaled at all.
fn validate_fleet(model: &SageMaker, path: &str, problems: &mut Vec<Problem>) {
    if let Some(instance) = model.instance.as_ref().filter(|instance| is_burstable(&instance.kind)) {
        let message = format!(
            "is not possible with {}: Application Auto Scaling scales no burstable instances; take another \
             instance.type, or leave autoscaling out",
            instance.kind
        );
        problems.push(Problem::new(path, message));
    }
    if model.serverless.as_ref().is_some_and(|serverless| serverless.provisioned_concurrency.is_none()) {
        let message = "needs serverless.provisionedConcurrency, which is what a serverless endpoint scales: set it, or leave \
                       autoscaling out";
        problems.push(Problem::new(path, message));
    }
}

/// Types such as `ml.t2.medium`, and not such as `ml.trn1.2xlarge`.
fn is_burstable(kind: &str) -> bool {
    kind.strip_prefix("ml.t").is_some_and(|rest| rest.starts_with(|it: char| it.is_ascii_digit()))
}

fn validate_bounds(
    model: &SageMaker,
    (least, most): (Option<i32>, Option<i32>),
    path: &str,
    problems: &mut Vec<Problem>,
) {
    let before = problems.len();
    if least == Some(0) {
        let message = "0 is not possible yet: to scale to zero takes a step policy and an alarm that wake the endpoint, which \
                       aiplatform does not make; take 1 or more";
        problems.push(Problem::new(format!("{path}.minInstances"), message));
    } else {
        validate_range(least, 1..=MOST, format!("{path}.minInstances"), problems);
    }
    validate_range(most, 1..=MOST, format!("{path}.maxInstances"), problems);
    if let (Some(least), Some(most)) = (least, most)
        && problems.len() == before
        && least > most
    {
        let message = format!("{least} is greater than maxInstances {most}");
        problems.push(Problem::new(format!("{path}.minInstances"), message));
    }
    let Some(serverless) = &model.serverless else { return };
    // The minimum of a pair is reported once, by the maximum.
    let (field, bound) = if most.is_some() { ("maxInstances", most) } else { ("minInstances", least) };
    if let Some(bound) = bound.filter(|bound| *bound > serverless.max_concurrency && problems.len() == before) {
        let message = format!(
            "{bound} is greater than serverless.maxConcurrency {}, which provisioned concurrency cannot exceed",
            serverless.max_concurrency
        );
        problems.push(Problem::new(format!("{path}.{field}"), message));
    }
}

fn validate_target(model: &SageMaker, target: &Target, path: &str, problems: &mut Vec<Problem>) {
    let Target { invocations_per_instance, concurrent_requests_per_model, provisioned_concurrency_utilization } =
        target;
    let given = [
        invocations_per_instance.is_some(),
        concurrent_requests_per_model.is_some(),
        provisioned_concurrency_utilization.is_some(),
    ];
    if given.into_iter().filter(|given| *given).count() != 1 {
        let message = "takes exactly one of invocationsPerInstance, concurrentRequestsPerModel and \
                       provisionedConcurrencyUtilization";
        problems.push(Problem::new(path, message));
    } else if model.serverless.is_some() != model.instance.is_some() {
        match (model.serverless.is_some(), provisioned_concurrency_utilization.is_some()) {
            (true, false) => problems.push(Problem::new(
                path,
                "has to be provisionedConcurrencyUtilization: a serverless endpoint has no instances to count",
            )),
            (false, true) => problems.push(Problem::new(
                format!("{path}.provisionedConcurrencyUtilization"),
                "is the target of serverless endpoints alone: take invocationsPerInstance or concurrentRequestsPerModel",
            )),
            _ => {}
        }
    }
    if let Some(invocations) = invocations_per_instance {
        validate_invocations(invocations, &format!("{path}.invocationsPerInstance"), problems);
    }
    let requests = concurrent_requests_per_model.as_ref().map(|it| it.value);
    validate_range(requests, 0.01..=1e9, format!("{path}.concurrentRequestsPerModel.value"), problems);
    let share = provisioned_concurrency_utilization.as_ref().map(|it| it.value);
    validate_range(share, 0.01..=1.0, format!("{path}.provisionedConcurrencyUtilization.value"), problems);
}

fn validate_invocations(invocations: &Invocations, path: &str, problems: &mut Vec<Problem>) {
    if invocations.value.is_some() == invocations.load_test.is_some() {
        problems.push(Problem::new(path, "takes exactly one of value and loadTest"));
    }
    validate_range(invocations.value, 0.01..=1e9, format!("{path}.value"), problems);
    if let Some(test) = &invocations.load_test {
        let path = format!("{path}.loadTest");
        validate_range(
            Some(test.max_requests_per_second),
            0.01..=1e6,
            format!("{path}.maxRequestsPerSecond"),
            problems,
        );
        validate_range(Some(test.safety_factor), 0.01..=1.0, format!("{path}.safetyFactor"), problems);
    }
}

fn validate_schedules(model: &SageMaker, schedules: &[Schedule], path: &str, problems: &mut Vec<Problem>) {
    if schedules.len() > SCHEDULES {
        let message = format!("{} schedules are too many: a model has at most {SCHEDULES}", schedules.len());
        problems.push(Problem::new(path, message));
    }
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, schedule) in schedules.iter().enumerate() {
        let within = format!("{path}[{index}]");
        let name = &schedule.name;
        if let Some(first) = seen.insert(name, index) {
            let message = format!("{name:?} is the name of schedules[{first}] too: names are unique in a model");
            problems.push(Problem::new(format!("{within}.name"), message));
        }
        if !is_label(name) {
            problems.push(Problem::new(format!("{within}.name"), format!("{name:?} {NOT_A_LABEL}")));
        }
        validate_expression(&schedule.schedule, &format!("{within}.schedule"), problems);
        if let Some(timezone) = &schedule.timezone {
            validate_timezone(timezone, &format!("{within}.timezone"), problems);
        }
        let bounds = (schedule.min_instances, schedule.max_instances);
        if bounds == (None, None) {
            problems.push(Problem::new(within, "changes nothing: set minInstances, maxInstances or both"));
        } else {
            validate_bounds(model, bounds, &within, problems);
        }
    }
}

"""Which scaling policies fit SageMaker's resources."""

from typing import Any

from simulator.applicationautoscaling.service import invalid
from simulator.call import Call
from simulator.scalable_targets import CONCURRENCY, COPIES, INSTANCES

TRACKING = "TargetTrackingScaling"
STEPS = "StepScaling"
CONFIGURATIONS = {
    TRACKING: "TargetTrackingScalingPolicyConfiguration",
    STEPS: "StepScalingPolicyConfiguration",
}
METRICS = {
    INSTANCES: {
        "SageMakerVariantInvocationsPerInstance",
        "SageMakerVariantConcurrentRequestsPerModelHighResolution",
    },
    CONCURRENCY: {"SageMakerVariantProvisionedConcurrencyUtilization"},
    COPIES: {
        "SageMakerInferenceComponentInvocationsPerCopy",
        "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution",
    },
}
COOLDOWNS = ("ScaleOutCooldown", "ScaleInCooldown")


def check_policy(call: Call, kind: str, *, is_new: bool) -> None:
    """Refuse a policy that its target cannot have."""
    given = call.parameters
    if kind not in CONFIGURATIONS:
        raise invalid(f"Policy type {kind} is not supported for service namespace sagemaker.")
    for other, member in CONFIGURATIONS.items():
        if other != kind and member in given:
            raise invalid(f"{member} cannot be specified for policy type {kind}.")
    configuration = given.get(CONFIGURATIONS[kind])
    if configuration is None:
        if is_new:
            raise invalid(f"{CONFIGURATIONS[kind]} must be specified for policy type {kind}.")
        return
    if kind == TRACKING:
        _check_tracking(configuration, given["ScalableDimension"])
    else:
        _check_steps(configuration)


def _check_tracking(configuration: dict[str, Any], dimension: str) -> None:
    predefined = configuration.get("PredefinedMetricSpecification")
    customized = configuration.get("CustomizedMetricSpecification")
    if bool(predefined) == bool(customized):
        raise invalid(
            "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must "
            "be specified."
        )
    if configuration["TargetValue"] <= 0:
        raise invalid("TargetValue must be greater than 0.")
    for name in COOLDOWNS:
        if configuration.get(name, 0) < 0:
            raise invalid(f"{name} cannot be less than 0.")
    if predefined:
        _check_predefined(predefined, dimension)
    elif customized and "Metrics" not in customized:
        for name in ("MetricName", "Namespace", "Statistic"):
            if name not in customized:
                raise invalid(f"{name} must be specified for a customized metric.")


def _check_predefined(metric: dict[str, Any], dimension: str) -> None:
    kind = metric["PredefinedMetricType"]
    if kind not in METRICS[dimension]:
        raise invalid(f"Metric type {kind} is not supported for scalable dimension {dimension}.")
    if "ResourceLabel" in metric:
        raise invalid(f"ResourceLabel cannot be specified for metric type {kind}.")


def _check_steps(configuration: dict[str, Any]) -> None:
    if "AdjustmentType" not in configuration:
        raise invalid("AdjustmentType must be specified for policy type StepScaling.")
    steps = configuration.get("StepAdjustments")
    if not steps:
        raise invalid("StepAdjustments must be specified for policy type StepScaling.")
    for step in steps:
        lower = step.get("MetricIntervalLowerBound")
        upper = step.get("MetricIntervalUpperBound")
        if lower is None and upper is None and len(steps) > 1:
            raise invalid("A step without bounds must be the only one.")
        if lower is not None and upper is not None and lower >= upper:
            raise invalid("The lower bound of a step must be less than its upper bound.")

"""Scaling policies."""

from typing import Any

import pytest
from conftest import ACCOUNT, REGION
from failures import refused
from serving import TARGET, Serving, serverless

CONFIGURATION = {
    "TargetValue": 600.0,
    "PredefinedMetricSpecification": {
        "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
    },
    "ScaleOutCooldown": 60,
    "ScaleInCooldown": 300,
}
POLICY = {
    "PolicyType": "TargetTrackingScaling",
    "TargetTrackingScalingPolicyConfiguration": CONFIGURATION,
}
ABOUT = (
    "service namespace: sagemaker, resource ID: endpoint/e/variant/v, "
    "scalable dimension: sagemaker:variant:DesiredInstanceCount"
)
REFUSED = (400, "ValidationException")
ALARM = "TargetTracking-endpoint/e/variant/v-"


@pytest.fixture
def scaled(serving: Serving) -> Serving:
    """A registered endpoint."""
    serving.serve()
    serving.register()
    return serving


def put(serving: Serving, name: str = "p", **changes: Any) -> dict[str, Any]:
    configuration = {**CONFIGURATION, **changes}
    configuration = {key: value for key, value in configuration.items() if value is not None}
    given = {**POLICY, "TargetTrackingScalingPolicyConfiguration": configuration}
    return serving.scaling.put_scaling_policy(**TARGET, PolicyName=name, **given)


def described(serving: Serving, **given: Any) -> list[dict[str, Any]]:
    told = serving.scaling.describe_scaling_policies(ServiceNamespace="sagemaker", **given)
    return told["ScalingPolicies"]


def test_a_policy_is_told_as_it_was_made(scaled: Serving) -> None:
    made = put(scaled)
    [told] = described(scaled)
    del told["CreationTime"]
    prefix = f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:scalingPolicy:"
    suffix = ":resource/sagemaker/endpoint/e/variant/v:policyName/p"
    assert made["PolicyARN"].startswith(prefix)
    assert made["PolicyARN"].endswith(suffix)
    high, low = made["Alarms"]
    assert high["AlarmName"].startswith(f"{ALARM}AlarmHigh-")
    assert low["AlarmName"].startswith(f"{ALARM}AlarmLow-")
    arn = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{high['AlarmName']}"
    assert high["AlarmARN"] == arn
    assert told == {
        **TARGET,
        "PolicyARN": made["PolicyARN"],
        "PolicyName": "p",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {**CONFIGURATION, "DisableScaleIn": False},
        "Alarms": made["Alarms"],
    }


def test_updates_keep_what_a_policy_is(scaled: Serving) -> None:
    made = put(scaled)
    again = put(scaled, TargetValue=700.0)
    assert (again["PolicyARN"], again["Alarms"]) == (made["PolicyARN"], made["Alarms"])
    configuration = described(scaled)[0]["TargetTrackingScalingPolicyConfiguration"]
    assert configuration["TargetValue"] == 700.0
    only_out = put(scaled, DisableScaleIn=True)
    assert only_out["Alarms"] == made["Alarms"][:1]
    assert len(described(scaled)) == 1


def test_without_a_target(serving: Serving) -> None:
    serving.serve()
    message = f"No scalable target registered for {ABOUT}"
    assert refused(put, serving=serving) == (400, "ObjectNotFoundException", message)
    message = f"No scaling policy found for {ABOUT}, policy name: p"
    answer = refused(serving.scaling.delete_scaling_policy, **TARGET, PolicyName="p")
    assert answer == (400, "ObjectNotFoundException", message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"TargetValue": 0}, "TargetValue must be greater than 0"),
        ({"TargetValue": None}, "Value null at"),
        ({"ScaleInCooldown": -1}, "ScaleInCooldown cannot be less than 0"),
        ({"PredefinedMetricSpecification": None}, "Exactly one of"),
        (
            {"PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantLuck"}},
            "enum value set",
        ),
        (
            {
                "PredefinedMetricSpecification": {
                    "PredefinedMetricType": "SageMakerVariantProvisionedConcurrencyUtilization"
                }
            },
            "is not supported for scalable dimension",
        ),
        (
            {
                "PredefinedMetricSpecification": {
                    "PredefinedMetricType": "ECSServiceAverageCPUUtilization"
                }
            },
            "is not supported for scalable dimension",
        ),
        (
            {
                "PredefinedMetricSpecification": {
                    **CONFIGURATION["PredefinedMetricSpecification"],
                    "ResourceLabel": "x",
                }
            },
            "ResourceLabel cannot be specified",
        ),
        (
            {
                "PredefinedMetricSpecification": None,
                "CustomizedMetricSpecification": {"MetricName": "m", "Namespace": "n"},
            },
            "Statistic must be specified",
        ),
    ],
)
def test_bad_policies(scaled: Serving, changes: dict[str, Any], message: str) -> None:
    status, code, got = refused(put, serving=scaled, **changes)
    assert (status, code) == REFUSED
    assert message in got
    assert described(scaled) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"PolicyType": "PredictiveScaling"}, "is not supported for service namespace"),
        ({"PolicyType": "TargetTrackingScaling"}, "must be specified for policy type"),
        ({**POLICY, "PolicyType": "StepScaling"}, "cannot be specified for policy type"),
        ({"PolicyType": "StepScaling", "StepScalingPolicyConfiguration": {}}, "AdjustmentType"),
    ],
)
def test_types(scaled: Serving, given: dict[str, Any], message: str) -> None:
    answer = refused(scaled.scaling.put_scaling_policy, **TARGET, PolicyName="p", **given)
    assert answer[:2] == REFUSED
    assert message in answer[2]


def test_steps_and_custom_metrics(scaled: Serving) -> None:
    steps = {
        "AdjustmentType": "ChangeInCapacity",
        "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
        "Cooldown": 300,
    }
    made = scaled.scaling.put_scaling_policy(
        **TARGET, PolicyName="s", PolicyType="StepScaling", StepScalingPolicyConfiguration=steps
    )
    assert made["Alarms"] == []
    custom = {
        "MetricName": "ApproximateBacklogSizePerInstance",
        "Namespace": "AWS/SageMaker",
        "Dimensions": [{"Name": "EndpointName", "Value": "e"}],
        "Statistic": "Average",
    }
    put(scaled, PredefinedMetricSpecification=None, CustomizedMetricSpecification=custom)
    told = {each["PolicyName"]: each for each in described(scaled)}
    assert told["s"]["StepScalingPolicyConfiguration"] == steps
    configuration = told["p"]["TargetTrackingScalingPolicyConfiguration"]
    assert configuration["CustomizedMetricSpecification"] == custom
    answer = refused(scaled.scaling.put_scaling_policy, **TARGET, PolicyName="s", **POLICY)
    assert "type of policy s cannot be changed" in answer[2]


def test_provisioned_concurrency(serving: Serving) -> None:
    serving.serve(serverless(ProvisionedConcurrency=1))
    target = {**TARGET, "ScalableDimension": "sagemaker:variant:DesiredProvisionedConcurrency"}
    serving.register(**target)
    kind = "SageMakerVariantProvisionedConcurrencyUtilization"
    configuration = {
        "TargetValue": 0.7,
        "PredefinedMetricSpecification": {"PredefinedMetricType": kind},
    }
    serving.scaling.put_scaling_policy(
        **target,
        PolicyName="p",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=configuration,
    )
    assert len(described(serving)) == 1


def test_pages_filters_and_deletion(scaled: Serving) -> None:
    for name in "abc":
        put(scaled, name)
    assert [each["PolicyName"] for each in described(scaled, PolicyNames=["b", "z"])] == ["b"]
    assert described(scaled, ResourceId="endpoint/x/variant/v") == []
    pages = scaled.scaling.get_paginator("describe_scaling_policies").paginate(
        ServiceNamespace="sagemaker", PaginationConfig={"PageSize": 2}
    )
    assert [len(page["ScalingPolicies"]) for page in pages] == [2, 1]
    scaled.scaling.delete_scaling_policy(**TARGET, PolicyName="b")
    assert [each["PolicyName"] for each in described(scaled)] == ["a", "c"]
    scaled.scaling.deregister_scalable_target(**TARGET)
    assert described(scaled) == []
    scaled.register()
    assert described(scaled) == []

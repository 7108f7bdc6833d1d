"""Which permissions SageMaker's and Application Auto Scaling's operations need, and on what."""

from typing import Any

import pytest
from conftest import ACCOUNT, REGION
from failures import refused
from serving import IMAGE, PREFIX, ROLE, TARGET, Serving, variant
from test_autoscaling_policies import POLICY

TAGS = [{"Key": "a", "Value": "b"}]
CONTAINER = {"Image": IMAGE}
MODEL = {"ModelName": "n", "ExecutionRoleArn": ROLE, "PrimaryContainer": CONTAINER}
CONFIG = {"EndpointConfigName": "n", "ProductionVariants": [variant()]}
ENDPOINT = {"EndpointName": "n", "EndpointConfigName": "c"}
CAPACITY = {"DesiredWeightsAndCapacities": [{"VariantName": "v", "DesiredInstanceCount": 1}]}
ALARMS = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:TargetTracking-endpoint/e/variant/v-"
ROLE_OF_SERVICE = (
    f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)
TARGETS = f"arn:aws:application-autoscaling:{REGION}:{ACCOUNT}:scalable-target/"


@pytest.fixture
def served(serving: Serving) -> Serving:
    """An endpoint `e`, and a configuration `d` for it."""
    serving.serve()
    serving.config("d")
    return serving


PERMISSIONS = [
    ("sagemaker:CreateModel", f"{PREFIX}model/n", "create_model", MODEL),
    ("iam:PassRole", ROLE, "create_model", MODEL),
    ("sagemaker:AddTags", f"{PREFIX}model/n", "create_model", {**MODEL, "Tags": TAGS}),
    ("sagemaker:DescribeModel", f"{PREFIX}model/m", "describe_model", {"ModelName": "m"}),
    ("sagemaker:DeleteModel", f"{PREFIX}model/m", "delete_model", {"ModelName": "m"}),
    ("sagemaker:ListModels", "*", "list_models", {}),
    (
        "sagemaker:CreateEndpointConfig",
        f"{PREFIX}endpoint-config/n",
        "create_endpoint_config",
        CONFIG,
    ),
    ("iam:PassRole", ROLE, "create_endpoint_config", {**CONFIG, "ExecutionRoleArn": ROLE}),
    (
        "sagemaker:AddTags",
        f"{PREFIX}endpoint-config/n",
        "create_endpoint_config",
        {**CONFIG, "Tags": TAGS},
    ),
    (
        "sagemaker:DescribeEndpointConfig",
        f"{PREFIX}endpoint-config/c",
        "describe_endpoint_config",
        {"EndpointConfigName": "c"},
    ),
    ("sagemaker:CreateEndpoint", f"{PREFIX}endpoint/n", "create_endpoint", ENDPOINT),
    ("sagemaker:CreateEndpoint", f"{PREFIX}endpoint-config/c", "create_endpoint", ENDPOINT),
    ("sagemaker:AddTags", f"{PREFIX}endpoint/n", "create_endpoint", {**ENDPOINT, "Tags": TAGS}),
    (
        "sagemaker:UpdateEndpoint",
        f"{PREFIX}endpoint/e",
        "update_endpoint",
        {"EndpointName": "e", "EndpointConfigName": "d"},
    ),
    (
        "sagemaker:UpdateEndpoint",
        f"{PREFIX}endpoint-config/d",
        "update_endpoint",
        {"EndpointName": "e", "EndpointConfigName": "d"},
    ),
    (
        "sagemaker:UpdateEndpointWeightsAndCapacities",
        f"{PREFIX}endpoint/e",
        "update_endpoint_weights_and_capacities",
        {"EndpointName": "e", **CAPACITY},
    ),
    (
        "sagemaker:DescribeEndpoint",
        f"{PREFIX}endpoint/e",
        "describe_endpoint",
        {"EndpointName": "e"},
    ),
    ("sagemaker:DeleteEndpoint", f"{PREFIX}endpoint/e", "delete_endpoint", {"EndpointName": "e"}),
    (
        "sagemaker:ListTags",
        f"{PREFIX}endpoint/e",
        "list_tags",
        {"ResourceArn": f"{PREFIX}endpoint/e"},
    ),
]


@pytest.mark.parametrize(("action", "resource", "operation", "given"), PERMISSIONS)
def test_sagemaker(served: Serving, action: str, resource: str, operation: str, given: Any) -> None:
    call = getattr(served.sagemaker, operation)
    served.simulator.post("deny", action=action, resource=resource)
    status, code, message = refused(call, **given)
    assert (status, code) == (400, "AccessDeniedException")
    assert f'is not authorized to perform: {action} on resource: "{resource}"' in message
    served.simulator.control("DELETE", "deny", {"action": action})
    served.simulator.post("deny", action=action, resource=f"{resource}-other")
    call(**given)


def test_deleting_a_scaled_endpoint(served: Serving) -> None:
    served.register()
    served.simulator.post("deny", action="application-autoscaling:DeregisterScalableTarget")
    answer = refused(served.sagemaker.delete_endpoint, EndpointName="e")
    assert answer[:2] == (400, "AccessDeniedException")
    assert "application-autoscaling:DeregisterScalableTarget" in answer[2]
    assert served.described()["EndpointStatus"] == "InService"
    served.simulator.post(
        "deny", action="application-autoscaling:DeregisterScalableTarget", remove=True
    )
    served.sagemaker.delete_endpoint(EndpointName="e")
    assert (
        served.scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
        == []
    )


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("application-autoscaling:RegisterScalableTarget", f"{TARGETS}*"),
        ("application-autoscaling:TagResource", f"{TARGETS}*"),
        ("sagemaker:DescribeEndpoint", f"{PREFIX}endpoint/e"),
        ("sagemaker:DescribeEndpointConfig", f"{PREFIX}endpoint-config/c"),
        ("sagemaker:UpdateEndpointWeightsAndCapacities", f"{PREFIX}endpoint/e"),
        ("iam:CreateServiceLinkedRole", ROLE_OF_SERVICE),
    ],
)
def test_registering(served: Serving, action: str, resource: str) -> None:
    served.simulator.post("deny", action=action, resource=resource)
    answer = refused(served.register, Tags={"a": "b"})
    assert answer[:2] == (400, "AccessDeniedException")
    assert f"perform: {action} on resource" in answer[2]


def test_the_role_of_the_service_is_made_once(served: Serving) -> None:
    served.register()
    served.simulator.post("deny", action="iam:CreateServiceLinkedRole")
    served.register(MaxCapacity=5)


def test_policies_and_actions(served: Serving) -> None:
    arn = served.register()["ScalableTargetARN"]
    put = {**TARGET, "PolicyName": "p", **POLICY}
    named = {**TARGET, "PolicyName": "p"}
    cases = [
        (served.scaling.put_scaling_policy, put, "cloudwatch:PutMetricAlarm", f"{ALARMS}*"),
        (served.scaling.put_scaling_policy, put, "application-autoscaling:PutScalingPolicy", arn),
        (served.scaling.delete_scaling_policy, named, "cloudwatch:DeleteAlarms", f"{ALARMS}*"),
        (
            served.scaling.deregister_scalable_target,
            TARGET,
            "application-autoscaling:DeregisterScalableTarget",
            arn,
        ),
    ]
    for call, given, action, resource in cases:
        served.simulator.post("deny", action=action, resource=resource)
        assert refused(call, **given)[:2] == (400, "AccessDeniedException"), action
        served.simulator.control("DELETE", "deny", {"action": action})
        if call == served.scaling.put_scaling_policy:
            call(**given)

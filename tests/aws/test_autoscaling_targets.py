"""Scalable targets, and what they mean for endpoints."""

import json
import re
from typing import Any

import pytest
from conftest import ACCOUNT, REGION, Simulator
from failures import refused
from serving import FOREVER, PREFIX, TARGET, Serving, serverless, variant
from test_autoscaling_policies import ABOUT, POLICY

REFUSED = (400, "ValidationException")
CONCURRENCY = "sagemaker:variant:DesiredProvisionedConcurrency"
COPIES = "sagemaker:inference-component:DesiredCopyCount"
UNSUPPORTED = "Unsupported service namespace, resource type or scalable dimension"


@pytest.fixture
def served(serving: Serving) -> Serving:
    """An endpoint whose variant `v` has two instances."""
    serving.serve()
    return serving


def described(serving: Serving, **given: Any) -> list[dict[str, Any]]:
    told = serving.scaling.describe_scalable_targets(ServiceNamespace="sagemaker", **given)
    return told["ScalableTargets"]


def counts(serving: Serving) -> tuple[int, int]:
    [told] = serving.described()["ProductionVariants"]
    return told["CurrentInstanceCount"], told["DesiredInstanceCount"]


def test_a_target_is_told_as_it_was_made(served: Serving) -> None:
    switch = {"DynamicScalingInSuspended": True}
    arn = served.register(SuspendedState=switch, Tags={"a": "b"})["ScalableTargetARN"]
    prefix = f"arn:aws:application-autoscaling:{REGION}:{ACCOUNT}:scalable-target/"
    assert re.fullmatch(re.escape(prefix) + "[a-z0-9-]+", arn)
    [told] = described(served)
    del told["CreationTime"]
    role = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
    path = "aws-service-role/sagemaker.application-autoscaling.amazonaws.com"
    assert told == {
        **TARGET,
        "MinCapacity": 1,
        "MaxCapacity": 4,
        "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/{path}/{role}",
        "SuspendedState": {
            "DynamicScalingInSuspended": True,
            "DynamicScalingOutSuspended": False,
            "ScheduledScalingSuspended": False,
        },
        "ScalableTargetARN": arn,
    }
    assert served.iam.get_role(RoleName=role)["Role"]["Arn"] == told["RoleARN"]
    assert served.scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"a": "b"}


def test_registering_again_changes_what_is_given(served: Serving) -> None:
    arn = served.register(SuspendedState={"ScheduledScalingSuspended": True})["ScalableTargetARN"]
    again = served.scaling.register_scalable_target(**TARGET, MaxCapacity=9)
    assert again["ScalableTargetARN"] == arn
    [told] = described(served)
    assert (told["MinCapacity"], told["MaxCapacity"]) == (1, 9)
    assert told["SuspendedState"]["ScheduledScalingSuspended"] is True
    answer = refused(served.scaling.register_scalable_target, **TARGET, MinCapacity=10)
    assert answer == (*REFUSED, "Maximum capacity cannot be less than minimum capacity.")
    assert described(served) == [told]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"ResourceId": "endpoint/x/variant/v"},
            f'Could not find endpoint "{PREFIX}endpoint/x".',
        ),
        ({"ResourceId": "endpoint/E/variant/v"}, "Could not find endpoint"),
        ({"ResourceId": "endpoint/e/variant/x"}, 'Could not find variant "x" of endpoint'),
        ({"ResourceId": "endpoint/e"}, UNSUPPORTED),
        ({"ScalableDimension": COPIES}, UNSUPPORTED),
        ({"ScalableDimension": "ecs:service:DesiredCount"}, UNSUPPORTED),
        ({"ScalableDimension": "sagemaker:variant:Count"}, "enum value set"),
        ({"ScalableDimension": CONCURRENCY}, "cannot be scaled in dimension"),
        (
            {"ScalableDimension": COPIES, "ResourceId": "inference-component/i"},
            "Could not find inference component",
        ),
        ({"MinCapacity": 5}, "Maximum capacity cannot be less than minimum capacity."),
        ({"MinCapacity": -1}, "cannot be less than 0"),
        ({"MinCapacity": None}, "MinCapacity and MaxCapacity must be specified"),
        ({"MaxCapacity": None}, "MinCapacity and MaxCapacity must be specified"),
        ({"Tags": {"aws:a": "b"}}, "reserved"),
    ],
)
def test_bad_parameters(served: Serving, changes: dict[str, Any], message: str) -> None:
    given = {**TARGET, "MinCapacity": 1, "MaxCapacity": 4, **changes}
    given = {key: value for key, value in given.items() if value is not None}
    status, code, got = refused(served.scaling.register_scalable_target, **given)
    assert (status, code) == REFUSED
    assert message in got
    assert described(served) == []


def test_burstable_instances(serving: Serving) -> None:
    serving.serve(variant(InstanceType="ml.t2.medium"))
    message = (
        "You cannot register a variant with ml.t2.medium instance type as a scalable target. This "
        "is because the burstable performance of these instances can lead to unpredictable "
        "behavior with Auto Scaling."
    )
    assert refused(serving.register) == (*REFUSED, message)


@pytest.mark.parametrize(("least", "most", "expected"), [(3, 9, 3), (1, 1, 1), (1, 4, 2)])
def test_capacity_is_pulled_into_bounds(
    served: Serving, least: int, most: int, expected: int
) -> None:
    served.take(scale=FOREVER)
    served.register(MinCapacity=least, MaxCapacity=most)
    assert counts(served) == (2, expected)
    assert served.described()["EndpointStatus"] == ("InService" if expected == 2 else "Updating")
    served.take(scale=0)
    assert counts(served) == (expected, expected)


def test_capacity_is_pulled_when_the_endpoint_is_there(serving: Serving) -> None:
    serving.take(create=FOREVER)
    serving.serve()
    serving.register(MinCapacity=3)
    assert serving.described()["EndpointStatus"] == "Creating"
    serving.take(create=0)
    assert counts(serving) == (3, 3)


def test_provisioned_concurrency(serving: Serving) -> None:
    serving.serve(serverless(ProvisionedConcurrency=1))
    assert "cannot be scaled" in refused(serving.register)[2]
    serving.register(ScalableDimension=CONCURRENCY, MinCapacity=2)
    [told] = serving.described()["ProductionVariants"]
    assert told["CurrentServerlessConfig"]["ProvisionedConcurrency"] == 2


def test_serverless_without_provisioned_concurrency(serving: Serving) -> None:
    serving.serve(serverless())
    answer = refused(serving.register, ScalableDimension=CONCURRENCY)
    assert "has no provisioned concurrency" in answer[2]


def test_filters_and_pages(serving: Serving) -> None:
    names = [f"v{n}" for n in range(5)]
    serving.serve(*(variant(name) for name in names))
    ids = [f"endpoint/e/variant/{name}" for name in names]
    for each in ids:
        serving.register(ResourceId=each)
    assert [each["ResourceId"] for each in described(serving)] == ids
    wanted = [ids[3], "endpoint/x/variant/y", ids[1]]
    told = described(serving, ResourceIds=wanted, ScalableDimension=TARGET["ScalableDimension"])
    assert [each["ResourceId"] for each in told] == [ids[1], ids[3]]
    pages = serving.scaling.get_paginator("describe_scalable_targets").paginate(
        ServiceNamespace="sagemaker", PaginationConfig={"PageSize": 2}
    )
    assert [len(page["ScalableTargets"]) for page in pages] == [2, 2, 1]
    describe = serving.scaling.describe_scalable_targets
    for given, code in (
        ({"ResourceIds": ids * 11}, "ValidationException"),
        ({"MaxResults": 51}, "ValidationException"),
        ({"MaxResults": 0}, "ValidationException"),
        ({"ScalableDimension": TARGET["ScalableDimension"]}, "ValidationException"),
        ({"NextToken": "x"}, "InvalidNextTokenException"),
    ):
        answer = refused(describe, ServiceNamespace="sagemaker", **given)
        assert answer[:2] == (400, code), given


def test_deregistering(served: Serving) -> None:
    served.register()
    served.scaling.put_scaling_policy(**TARGET, PolicyName="p", **POLICY)
    served.scaling.deregister_scalable_target(**TARGET)
    assert described(served) == []
    message = f"No scalable target found for {ABOUT}"
    answer = refused(served.scaling.deregister_scalable_target, **TARGET)
    assert answer == (400, "ObjectNotFoundException", message)


def test_deleting_the_endpoint_deregisters(served: Serving) -> None:
    served.take(delete=FOREVER)
    served.register()
    served.sagemaker.delete_endpoint(EndpointName="e")
    assert described(served) == []
    assert "its status is Deleting" in refused(served.register)[2]


@pytest.mark.parametrize(
    "changed",
    [
        variant(InstanceType="ml.m5.xlarge"),
        variant("w"),
        serverless(),
    ],
)
def test_scaled_variants_cannot_be_taken_away(served: Serving, changed: dict[str, Any]) -> None:
    served.register()
    served.config("d", changed)
    message = (
        'The variant(s) "[v]" must be deregistered as scalable target(s) with AWS Auto Scaling '
        "before they can be removed or have their instance type updated."
    )
    assert refused(served.update) == (*REFUSED, message)
    served.scaling.deregister_scalable_target(**TARGET)
    served.update()
    assert served.described()["EndpointConfigName"] == "d"


def test_the_model_of_a_scaled_variant_may_change(served: Serving) -> None:
    served.register()
    served.model("n")
    served.config("d", variant(ModelName="n"), variant("w"))
    served.simulator.post("scale", endpoint="e", variant="v", count=4)
    served.update(RetainAllVariantProperties=True)
    told = {each["VariantName"]: each for each in served.described()["ProductionVariants"]}
    assert (told["v"]["CurrentInstanceCount"], told["w"]["CurrentInstanceCount"]) == (4, 2)


def test_tags(served: Serving) -> None:
    arn = {"ResourceARN": served.register()["ScalableTargetARN"]}
    served.scaling.tag_resource(**arn, Tags={"a": "1", "b": "2"})
    served.scaling.untag_resource(**arn, TagKeys=["a", "none"])
    assert served.scaling.list_tags_for_resource(**arn)["Tags"] == {"b": "2"}
    more = {f"k{n}": "v" for n in range(50)}
    answer = refused(served.scaling.tag_resource, **arn, Tags=more)
    assert answer[:2] == (400, "TooManyTagsException")
    gone = {"ResourceARN": arn["ResourceARN"] + "0"}
    answer = refused(served.scaling.list_tags_for_resource, **gone)
    assert answer[:2] == (400, "ResourceNotFoundException")


def test_regions_are_apart(served: Serving) -> None:
    served.register()
    there = served.simulator.client("application-autoscaling", "us-east-1")
    told = there.describe_scalable_targets(ServiceNamespace="sagemaker")
    assert told["ScalableTargets"] == []


def test_other_services_are_left_to_moto(simulator: Simulator) -> None:
    client = simulator.client("application-autoscaling")
    assert client.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []


def test_the_wire(simulator: Simulator, served: Serving) -> None:
    served.register()
    status, headers, answer = simulator.raw(
        "POST",
        "/",
        service="application-autoscaling",
        body=b'{"ServiceNamespace": "sagemaker"}',
        headers={
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": "AnyScaleFrontendService.DescribeScalableTargets",
        },
    )
    assert (status, headers["content-type"]) == (200, "application/x-amz-json-1.1")
    assert b"null" not in answer
    [told] = json.loads(answer)["ScalableTargets"]
    assert isinstance(told["CreationTime"], (int, float))

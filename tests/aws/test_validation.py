"""Parameters against botocore's models, for services whose parts ask for it."""

from typing import Any

import pytest
from moto.core.utils import get_service_model
from simulator.validation import problems

FAILED = "failed to satisfy constraint: Member must"
NAME = "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"


def found(service: str, operation: str, parameters: dict[str, Any]) -> list[str]:
    shape = get_service_model(service).operation_model(operation).input_shape
    return [str(problem) for problem in problems(shape, parameters)]


def variant(**changes: Any) -> dict[str, Any]:
    given = {"VariantName": "all", "ModelName": "m", "InstanceType": "ml.g5.xlarge", **changes}
    return {"EndpointConfigName": "c", "ProductionVariants": [given]}


def test_good_parameters() -> None:
    assert found("sagemaker", "CreateEndpointConfig", variant(InitialInstanceCount=1)) == []
    assert found("iam", "GetRole", {"RoleName": "a+b=c"}) == []


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        (
            {"EndpointConfigName": "c"},
            f"Value null at 'productionVariants' {FAILED} not be null",
        ),
        (
            {**variant(), "EndpointConfigName": "c_"},
            f"Value 'c_' at 'endpointConfigName' {FAILED} satisfy regular expression pattern: "
            f"{NAME}",
        ),
        (
            variant(InitialInstanceCount=0),
            f"Value '0' at 'productionVariants.1.member.initialInstanceCount' {FAILED} have value "
            "greater than or equal to 1",
        ),
        (
            variant(VolumeSizeInGB=513),
            f"Value '513' at 'productionVariants.1.member.volumeSizeInGB' {FAILED} have value "
            "less than or equal to 512",
        ),
        (
            variant(RoutingConfig={"RoutingStrategy": "BEST"}),
            f"Value 'BEST' at 'productionVariants.1.member.routingConfig.routingStrategy' {FAILED}"
            " satisfy enum value set: ",
        ),
    ],
)
def test_bad_parameters(parameters: dict[str, Any], problem: str) -> None:
    answer = found("sagemaker", "CreateEndpointConfig", parameters)
    assert len(answer) == 1
    assert answer[0].startswith(problem)


@pytest.mark.parametrize(
    ("key", "is_valid"),
    [
        ("team", True),
        ("aip/team:1 @x+y=z", True),
        ("équipe 漢字", True),
        ("a*b", False),
        ("", False),
    ],
)
def test_characters_by_unicode_category(key: str, is_valid: bool) -> None:
    tags = [{"Key": key, "Value": "v"}]
    given = {"RoleName": "r", "AssumeRolePolicyDocument": "{}", "Tags": tags}
    assert (found("iam", "CreateRole", given) == []) == is_valid


def test_every_problem_is_told() -> None:
    given = {"RoleName": "a b", "AssumeRolePolicyDocument": "{}", "Path": "no-slash"}
    assert len(found("iam", "CreateRole", given)) == 2

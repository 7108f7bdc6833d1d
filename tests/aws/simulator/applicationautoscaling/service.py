"""The Application Auto Scaling part: what its modules register with, and what they share.

Only SageMaker's resources are handled here; those of other services are moto's.
"""

from typing import Any

from simulator.call import Call
from simulator.errors import AwsError
from simulator.scalable_targets import Key, ScalableTarget, find_target, forget_targets
from simulator.service import Service

service = Service("application-autoscaling", validation_code="ValidationException")
service.on_reset(forget_targets)

NAMESPACE = "sagemaker"


def is_ours(call: Call) -> bool:
    """Whether a call is about SageMaker."""
    return call.parameters.get("ServiceNamespace") == NAMESPACE


def key_of(call: Call) -> Key:
    """The account, region, resource and dimension that a call is about."""
    given = call.parameters
    return (call.account, call.region, given["ResourceId"], given["ScalableDimension"])


def registered_target(call: Call) -> ScalableTarget:
    """The target that a call wants to add something to."""
    target = find_target(key_of(call))
    if target is None:
        raise object_not_found(f"No scalable target registered for {described(call)}")
    return target


def described(call: Call) -> str:
    """What a call is about, as messages say it."""
    given = call.parameters
    return (
        f"service namespace: {given['ServiceNamespace']}, resource ID: {given['ResourceId']}, "
        f"scalable dimension: {given['ScalableDimension']}"
    )


def part_of_arn(call: Call, kind: str, number: str, name: str) -> str:
    """The ARN of a policy or a scheduled action."""
    given = call.parameters
    return (
        f"arn:{call.partition}:autoscaling:{call.region}:{call.account}:{kind}:{number}:"
        f"resource/{given['ServiceNamespace']}/{given['ResourceId']}:{kind_name(kind)}/{name}"
    )


def kind_name(kind: str) -> str:
    """What an ARN says before the name of a policy or a scheduled action."""
    return "policyName" if kind == "scalingPolicy" else f"{kind}Name"


def invalid(message: str) -> AwsError:
    """The answer to what Application Auto Scaling does not take."""
    return AwsError("ValidationException", message)


def object_not_found(message: str) -> AwsError:
    """The answer to what is not there."""
    return AwsError("ObjectNotFoundException", message)


def check_capacities(least: Any, most: Any) -> None:
    """Refuse capacities that contradict each other or cannot be; None is no bound."""
    if least is not None and least < 0:
        raise invalid("Minimum capacity cannot be less than 0.")
    if most is not None and most < 0:
        raise invalid("Maximum capacity cannot be less than 0.")
    if least is not None and most is not None and most < least:
        raise invalid("Maximum capacity cannot be less than minimum capacity.")

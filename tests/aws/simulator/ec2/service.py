"""The EC2 part: what its modules register with, and what they share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from simulator.backend import serialize
from simulator.call import Call
from simulator.errors import AwsError
from simulator.service import Service
from simulator.wire import Response

# moto's EC2 takes a second to import: it comes with the first call that needs it.
if TYPE_CHECKING:
    from moto.ec2.models import EC2Backend

service = Service("ec2")


@dataclass(frozen=True)
class Kind:
    """A kind of resource: how its ids begin, how ARNs and errors call it."""

    prefix: str
    arn_name: str
    not_found: str
    malformed: str
    # Of the sentence about an id that nothing has.
    noun: str


VPC = Kind("vpc", "vpc", "InvalidVpcID.NotFound", "InvalidVpcID.Malformed", "vpc ID")
SUBNET = Kind(
    "subnet", "subnet", "InvalidSubnetID.NotFound", "InvalidSubnetID.Malformed", "subnet ID"
)
ROUTE_TABLE = Kind(
    "rtb",
    "route-table",
    "InvalidRouteTableID.NotFound",
    "InvalidRouteTableId.Malformed",
    "routeTable ID",
)
GROUP = Kind(
    "sg", "security-group", "InvalidGroup.NotFound", "InvalidGroupId.Malformed", "security group"
)
RULE = Kind(
    "sgr",
    "security-group-rule",
    "InvalidSecurityGroupRuleId.NotFound",
    "InvalidSecurityGroupRuleId.Malformed",
    "security group rule ID",
)
ENDPOINT = Kind(
    "vpce",
    "vpc-endpoint",
    "InvalidVpcEndpointId.NotFound",
    "InvalidVpcEndpointId.Malformed",
    "Vpc Endpoint Id",
)
INTERFACE = Kind(
    "eni",
    "network-interface",
    "InvalidNetworkInterfaceID.NotFound",
    "InvalidNetworkInterfaceId.Malformed",
    "networkInterface ID",
)
KINDS = {kind.prefix: kind for kind in (VPC, SUBNET, ROUTE_TABLE, GROUP, RULE, ENDPOINT, INTERFACE)}
ID = re.compile(r"([a-z]+)-[0-9a-z]+")
# How to find what has an id, by kind: each kind's module adds its own.
LOOKUPS: dict[Kind, Callable[[Call, str], Any]] = {}


def backend_in(account: str, region: str) -> EC2Backend:
    """What moto holds for an account in a region."""
    return _backends()[account][region]


@cache
def _backends() -> Any:
    """All that moto holds. Its resources find their tags by their id, and not among all tags."""
    from moto.ec2.models import ec2_backends
    from moto.ec2.models.core import TaggedEC2Resource

    TaggedEC2Resource.get_tags = _get_tags
    return ec2_backends


def _get_tags(resource: Any) -> list[dict[str, str]]:
    from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix

    tags = resource.ec2_backend.tags.get(resource.id, {}) if resource.id else {}
    kind = EC2_PREFIX_TO_RESOURCE.get(get_prefix(resource.id), "") if tags else ""
    common = {"resource_id": resource.id, "resource_type": kind}
    return [{**common, "key": key, "value": value} for key, value in tags.items()]


def backend_of(call: Call) -> EC2Backend:
    """What moto holds for the caller's account in the call's region."""
    return backend_in(call.account, call.region)


def answer(call: Call, output: dict[str, Any]) -> Response:
    """An operation's output, in which members may be moto's own objects."""
    from moto.core.serialize import XFormedAttributePicker
    from moto.ec2.responses._base_response import EC2BaseResponse

    transformers = EC2BaseResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER
    return serialize(call, output, XFormedAttributePicker(response_transformers=transformers))


def arn_of(call: Call, kind: Kind, number: str) -> str:
    """The ARN of something of the caller's."""
    return f"arn:{call.partition}:ec2:{call.region}:{call.account}:{kind.arn_name}/{number}"


def check_ids(kind: Kind, ids: Iterable[str]) -> None:
    """Refuse what cannot be an id of this kind: what else is wrong with one is not found."""
    for number in ids:
        if not number.startswith(f"{kind.prefix}-"):
            message = f'Invalid id: "{number}" (expecting "{kind.prefix}-...")'
            raise AwsError(kind.malformed, message)


def find(call: Call, kind: Kind, number: str) -> Any:
    """What the caller has of this kind and id, or the error that says that there is none."""
    check_ids(kind, [number])
    found = LOOKUPS[kind](call, number)
    if found is None:
        raise not_found(kind, number)
    return found


def not_found(kind: Kind, number: str) -> AwsError:
    """The answer to an id that nothing has."""
    return AwsError(kind.not_found, f"The {kind.noun} '{number}' does not exist")


def invalid_parameter(message: str) -> AwsError:
    """The answer to a parameter that cannot be used like this."""
    return AwsError("InvalidParameter", message)


def invalid_value(message: str) -> AwsError:
    """The answer to a value that EC2 does not take."""
    return AwsError("InvalidParameterValue", message)


def invalid_combination(message: str) -> AwsError:
    """The answer to parameters that do not go together."""
    return AwsError("InvalidParameterCombination", message)


def missing_parameter(name: str) -> AwsError:
    """The answer to a call without something that it needs."""
    return AwsError("MissingParameter", f"The request must contain the parameter {name}")


def has_dependencies(what: str) -> AwsError:
    """The answer to deleting what something else stands in."""
    return AwsError("DependencyViolation", f"The {what} has dependencies and cannot be deleted.")


def tags_of(backend: EC2Backend, number: str) -> dict[str, str]:
    """The tags of whatever has this id."""
    return backend.tags.get(number, {})


def forget_tags(backend: EC2Backend, number: str) -> None:
    """Drop the tags of what is gone."""
    backend.tags.pop(number, None)

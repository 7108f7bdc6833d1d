"""The IAM part: what its modules register with, and what they share."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from moto.utilities.utils import PARTITION_NAMES

from simulator.call import Call
from simulator.errors import AwsError
from simulator.service import Service

# moto's IAM takes long to import: it comes with the first call that needs it.
if TYPE_CHECKING:
    from moto.iam.models import IAMBackend, ManagedPolicy, Role

service = Service("iam", validation_code="ValidationError")

SERVICE_ROLE_PATH = "/aws-service-role/"
ROLE_ARN = re.compile(r"arn:(?P<partition>[\w-]+):iam::(?P<account>\d{12}):role/(?P<path>.+)")
# The account, so to speak, of the policies that AWS manages.
AWS = "aws"
PAGE = 100
Item = TypeVar("Item")


def backend_in(account: str, partition: str) -> IAMBackend:
    """What moto holds for an account."""
    from moto.iam.models import iam_backends

    return iam_backends[account][partition]


def backend_of(call: Call) -> IAMBackend:
    """What moto holds for the caller's account."""
    return backend_in(call.account, call.partition)


def role_of(call: Call) -> Role:
    """The role that a call names, or NoSuchEntity."""
    name = call.parameters["RoleName"]
    for role in backend_of(call).roles.values():
        if role.name == name:
            return role
    raise no_such_entity(f"The role with name {name} cannot be found.")


def modifiable_role_of(call: Call) -> Role:
    """The role that a call is about to change, unless only AWS may."""
    role = role_of(call)
    if is_service_linked(role):
        raise AwsError(
            "UnmodifiableEntity",
            f"Cannot perform the operation on the protected role '{role.name}' - this role is "
            "only modifiable by AWS",
        )
    return role


def is_service_linked(role: Role) -> bool:
    """Whether a role belongs to a service."""
    return role.path.startswith(SERVICE_ROLE_PATH)


def find_role(arn: str) -> Role | None:
    """The role of exactly this ARN, in whatever account."""
    match = ROLE_ARN.fullmatch(arn)
    if match is None or match["partition"] not in PARTITION_NAMES:
        return None
    roles = backend_in(match["account"], match["partition"]).roles.values()
    return next((role for role in roles if role.arn == arn), None)


def policy_of(call: Call) -> ManagedPolicy:
    """The managed policy that a call names, or NoSuchEntity."""
    arn = call.parameters["PolicyArn"]
    check_arn(arn)
    policy = find_policy(call, arn)
    if policy is None:
        raise no_such_entity(f"Policy {arn} was not found.")
    return policy


def find_policy(call: Call, arn: str) -> ManagedPolicy | None:
    """A managed policy that the caller's account can use, AWS's own among them."""
    backend = backend_of(call)
    if arn not in backend.managed_policies and f":iam::{AWS}:policy/" in arn:
        _add_policies_of_aws(backend)
    return backend.managed_policies.get(arn)


def _add_policies_of_aws(backend: IAMBackend) -> None:
    # A thousand documents: read only once somebody names one of them.
    from moto.iam.aws_managed_policies import aws_managed_policies_data
    from moto.iam.models import AWSManagedPolicy

    for name, data in json.loads(aws_managed_policies_data).items():
        policy = AWSManagedPolicy.from_data(name, backend.account_id, backend.region_name, data)
        backend.managed_policies.setdefault(policy.arn, policy)


def check_arn(arn: str) -> None:
    """Refuse what is no ARN of IAM's."""
    if not re.fullmatch(r"arn:[\w-]+:iam::(\d{12}|aws):[\w+=,.@/-]+", arn):
        raise AwsError("InvalidInput", f"ARN {arn} is not valid.")


def no_such_entity(message: str) -> AwsError:
    """The answer to a name that nothing has."""
    return AwsError("NoSuchEntity", message, 404)


def already_exists(message: str) -> AwsError:
    """The answer to a name that is taken."""
    return AwsError("EntityAlreadyExists", message, 409)


def limit_exceeded(message: str) -> AwsError:
    """The answer to what would be too much."""
    return AwsError("LimitExceeded", message, 409)


def delete_conflict(message: str) -> AwsError:
    """The answer to deleting what is still in use."""
    return AwsError("DeleteConflict", message, 409)


def page(
    call: Call, member: str, items: Iterable[Item], name_of: Callable[[Item], str]
) -> tuple[list[Item], dict[str, Any]]:
    """One page of items in the order of their names, and the rest of the answer.

    The marker is the last name told, so that what comes and goes between two pages does no harm.
    """
    marker = call.parameters.get("Marker")
    ordered = sorted(items, key=name_of)
    left = [item for item in ordered if marker is None or name_of(item) > _name_in(marker)]
    told = left[: call.parameters.get("MaxItems", PAGE)]
    more: dict[str, Any] = {member: told, "IsTruncated": len(told) < len(left)}
    if more["IsTruncated"]:
        more["Marker"] = _marker(name_of(told[-1]))
    return told, more


def _marker(name: str) -> str:
    return b64encode(name.encode()).decode()


def _name_in(marker: str) -> str:
    try:
        return b64decode(marker, validate=True).decode()
    except ValueError:
        raise AwsError("ValidationError", "Invalid Marker.") from None

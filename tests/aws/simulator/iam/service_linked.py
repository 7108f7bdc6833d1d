"""Service-linked roles, which one makes and AWS names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.call import Call
from simulator.errors import AwsError
from simulator.iam.service import SERVICE_ROLE_PATH, backend_of, service
from simulator.wire import Response

if TYPE_CHECKING:
    from moto.iam.models import Role

# Where moto makes up another name.
NAMES = {
    "sagemaker.application-autoscaling.amazonaws.com": (
        "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
    ),
}


@service.before("CreateServiceLinkedRole")
def create_service_linked_role(call: Call) -> None:
    """Refuse a second role for one service."""
    role = find_service_linked_role(call, call.parameters["AWSServiceName"])
    if role is not None and not call.parameters.get("CustomSuffix"):
        raise AwsError(
            "InvalidInput",
            f"Service role name {role.name} has been taken in this account, please try a "
            "different suffix.",
        )


@service.after("CreateServiceLinkedRole")
def name_role(call: Call, response: Response) -> Response:
    """Give the role the name that AWS gives it."""
    service_name = call.parameters["AWSServiceName"]
    for role in backend_of(call).roles.values():
        if role._linked_service == service_name and service_name in NAMES:
            made_up, role.name = role.name, NAMES[service_name]
            response.body = response.body.replace(made_up.encode(), role.name.encode())
    return response


def find_service_linked_role(call: Call, service_name: str) -> Role | None:
    """The role of a service in the caller's account."""
    roles = backend_of(call).roles.values()
    return next((role for role in roles if role._linked_service == service_name), None)


def service_linked_role_arn(call: Call, service_name: str) -> str:
    """The ARN that the role of a service has, whether it exists or not."""
    path = f"{SERVICE_ROLE_PATH}{service_name}/"
    return f"arn:{call.partition}:iam::{call.account}:role{path}{NAMES[service_name]}"


def ensure_service_linked_role(call: Call, service_name: str) -> Role:
    """The role of a service, made if it does not exist: services make their own when needed."""
    role = find_service_linked_role(call, service_name)
    if role is None:
        role = backend_of(call).create_service_linked_role(service_name, "", "")
        role.name = NAMES[service_name]
    return role

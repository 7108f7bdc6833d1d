"""Permissions boundaries of roles."""

from typing import Any

from simulator.call import Call
from simulator.iam.service import (
    check_arn,
    find_policy,
    modifiable_role_of,
    no_such_entity,
    service,
)


def check_boundary(call: Call, arn: str) -> None:
    """Refuse a boundary that is no managed policy of the caller's account or of AWS."""
    check_arn(arn)
    if find_policy(call, arn) is None:
        raise no_such_entity(f"Scope ARN: {arn} does not exist or is not attachable.")


@service.before("PutRolePermissionsBoundary")
def put_role_permissions_boundary(call: Call) -> dict[str, Any]:
    """Set or replace a boundary."""
    role = modifiable_role_of(call)
    check_boundary(call, call.parameters["PermissionsBoundary"])
    role.permissions_boundary_arn = call.parameters["PermissionsBoundary"]
    return {}


@service.before("DeleteRolePermissionsBoundary")
def delete_role_permissions_boundary(call: Call) -> dict[str, Any]:
    """Take a boundary away."""
    role = modifiable_role_of(call)
    if role.permissions_boundary_arn is None:
        raise no_such_entity(f"Role {role.name} does not have a permission boundary attached.")
    role.permissions_boundary_arn = None
    return {}

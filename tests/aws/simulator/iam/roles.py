"""Roles: made, read, changed and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.call import Call
from simulator.errors import AwsError
from simulator.iam.boundaries import check_boundary
from simulator.iam.documents import encoded
from simulator.iam.service import (
    already_exists,
    backend_of,
    delete_conflict,
    modifiable_role_of,
    page,
    role_of,
    service,
)
from simulator.iam.tags import check_tags
from simulator.iam.trust import (
    check_trust_policy,
    forget_trust_policy,
    keep_trust_policy,
    trust_policy,
)
from simulator.iam.visibility import note_creation, note_deletion

if TYPE_CHECKING:
    from moto.iam.models import Role

DEFAULT_SESSION_SECONDS = 3600
RESERVED_PATH = "/aws-"


@service.before("CreateRole")
def create_role(call: Call) -> dict[str, Any]:
    """Make a role; reads see it at once, other services and policies only later."""
    given = call.parameters
    name = given["RoleName"]
    check_path(given.get("Path", "/"))
    check_tags(given.get("Tags", []))
    check_trust_policy(call, given["AssumeRolePolicyDocument"])
    if "PermissionsBoundary" in given:
        check_boundary(call, given["PermissionsBoundary"])
    backend = backend_of(call)
    if any(role.name.lower() == name.lower() for role in backend.roles.values()):
        raise already_exists(f"Role with name {name} already exists.")
    role = backend.create_role(
        role_name=name,
        assume_role_policy_document=given["AssumeRolePolicyDocument"],
        path=given.get("Path", "/"),
        permissions_boundary=given.get("PermissionsBoundary"),
        description=given.get("Description", ""),
        tags=given.get("Tags", []),
        max_session_duration=given.get("MaxSessionDuration", DEFAULT_SESSION_SECONDS),
    )
    keep_trust_policy(call, role, given["AssumeRolePolicyDocument"])
    note_creation(role)
    answer = _listed(role)
    del answer["MaxSessionDuration"]
    return {"Role": answer | _tags(role) | _boundary(role)}


def check_path(path: str) -> None:
    """Refuse paths that IAM keeps for services, or that it could not tell from names."""
    if path.startswith(RESERVED_PATH):
        raise AwsError("InvalidInput", f"The path {path} is reserved for AWS.")
    if "//" in path:
        raise AwsError(
            "ValidationError",
            "The specified value for path is invalid. It must begin and end with / and contain "
            "only alphanumeric characters and/or / characters.",
        )


@service.before("GetRole")
def get_role(call: Call) -> dict[str, Any]:
    """All there is to know of a role."""
    return {"Role": described(role_of(call))}


@service.before("ListRoles")
def list_roles(call: Call) -> dict[str, Any]:
    """Roles without their tags, boundaries and last use, which only GetRole tells."""
    prefix = call.parameters.get("PathPrefix", "/")
    roles = [role for role in backend_of(call).roles.values() if role.path.startswith(prefix)]
    told, answer = page(call, "Roles", roles, lambda role: role.name)
    return answer | {"Roles": [_listed(role) for role in told]}


def _listed(role: Role) -> dict[str, Any]:
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": role.create_date.replace(microsecond=0),
        "AssumeRolePolicyDocument": encoded(trust_policy(role)),
        "MaxSessionDuration": int(role.max_session_duration or DEFAULT_SESSION_SECONDS),
        **({"Description": role.description} if role.description else {}),
    }


def described(role: Role) -> dict[str, Any]:
    """All that GetRole tells of a role."""
    used: dict[str, Any] = {}
    if role.last_used:
        used = {"LastUsedDate": role.last_used, "Region": role.last_used_region or "us-east-1"}
    return _listed(role) | _tags(role) | _boundary(role) | {"RoleLastUsed": used}


def _tags(role: Role) -> dict[str, Any]:
    return {"Tags": role.tags} if role.tags else {}


def _boundary(role: Role) -> dict[str, Any]:
    boundary = role.permissions_boundary
    return {"PermissionsBoundary": boundary} if boundary else {}


@service.before("UpdateAssumeRolePolicy")
def update_assume_role_policy(call: Call) -> dict[str, Any]:
    """Replace a trust policy."""
    role = modifiable_role_of(call)
    check_trust_policy(call, call.parameters["PolicyDocument"])
    keep_trust_policy(call, role, call.parameters["PolicyDocument"])
    return {}


@service.before("UpdateRole")
def update_role(call: Call) -> dict[str, Any]:
    """Change what is given, and leave the rest as it is."""
    role = modifiable_role_of(call)
    if "Description" in call.parameters:
        role.description = call.parameters["Description"]
    if "MaxSessionDuration" in call.parameters:
        role.max_session_duration = call.parameters["MaxSessionDuration"]
    return {}


@service.before("UpdateRoleDescription")
def update_role_description(call: Call) -> dict[str, Any]:
    """Change a description."""
    role = modifiable_role_of(call)
    role.description = call.parameters["Description"]
    return {"Role": _listed(role)}


@service.before("DeleteRole")
def delete_role(call: Call) -> dict[str, Any]:
    """Delete a role that holds nothing any more."""
    role = modifiable_role_of(call)
    if role.instance_profile_list:
        raise delete_conflict(
            "Cannot delete entity, must remove roles from instance profile first."
        )
    if role.managed_policies:
        raise delete_conflict("Cannot delete entity, must detach all policies first.")
    if role.policies:
        raise delete_conflict("Cannot delete entity, must delete policies first.")
    del backend_of(call).roles[role.id]
    forget_trust_policy(role)
    note_deletion(role)
    return {}

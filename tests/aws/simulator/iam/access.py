"""The permissions that IAM's operations need, and those that other services' calls need of it."""

from simulator.call import Call
from simulator.conditions import resource_tags
from simulator.iam.service import backend_of, service
from simulator.service import Conditions, Requirement

# Parameters that name what a call is about, with what its ARN calls it.
KINDS = {"UserName": "user", "GroupName": "group", "InstanceProfileName": "instance-profile"}
LISTS = {"ListRoles": "role", "ListUsers": "user", "ListGroups": "group"}
ARN_PARAMETERS = (
    "PolicySourceArn",
    "PolicyArn",
    "OpenIDConnectProviderArn",
    "SAMLProviderArn",
)
# What needs another permission if it comes with tags.
TAGGING = {
    "CreateRole": "TagRole",
    "CreatePolicy": "TagPolicy",
    "CreateUser": "TagUser",
    "CreateInstanceProfile": "TagInstanceProfile",
}


@service.requires
def requirements(call: Call) -> list[Requirement]:
    """The actions that a call needs, and the ARN they are needed on."""
    resource = _resource(call)
    needed = [(f"iam:{call.operation}", resource)]
    tagging = TAGGING.get(call.operation or "")
    if tagging and call.parameters.get("Tags"):
        needed.append((f"iam:{tagging}", resource))
    return needed


# Calls of which the boundary counts that they name; else it is the one that the role has.
BINDING = ("CreateRole", "PutRolePermissionsBoundary")


@service.tells
def conditions(call: Call, action: str, resource: str) -> Conditions:
    """The tags and the permissions boundary of a role."""
    roles = backend_of(call).roles.values()
    role = next((role for role in roles if role.arn == resource), None)
    known = resource_tags(role.tags) if role else {}
    if action.removeprefix("iam:") in BINDING:
        boundary = call.parameters.get("PermissionsBoundary")
    else:
        boundary = role.permissions_boundary_arn if role else None
    return known | ({"iam:PermissionsBoundary": boundary} if boundary else {})


def pass_role(arn: str) -> Requirement:
    """What a call needs that hands a role to a service."""
    return ("iam:PassRole", arn)


def _resource(call: Call) -> str:
    given = call.parameters
    prefix = f"arn:{call.partition}:iam::{call.account}:"
    # A role's policy is attached to the role, and it is the role that counts.
    if name := given.get("RoleName"):
        return f"{prefix}role{_role_path(call, name)}{name}"
    for parameter in ARN_PARAMETERS:
        if parameter in given:
            return given[parameter]
    if name := given.get("PolicyName"):
        return f"{prefix}policy{given.get('Path', '/')}{name}"
    for parameter, kind in KINDS.items():
        if name := given.get(parameter):
            return f"{prefix}{kind}{given.get('Path', '/')}{name}"
    if call.operation in LISTS:
        return f"{prefix}{LISTS[call.operation]}{given.get('PathPrefix', '/')}"
    return "*"


def _role_path(call: Call, name: str) -> str:
    if call.operation == "CreateRole":
        return call.parameters.get("Path", "/")
    roles = backend_of(call).roles.values()
    return next((role.path for role in roles if role.name == name), "/")

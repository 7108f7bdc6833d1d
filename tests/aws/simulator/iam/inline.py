"""Inline policies of roles."""

from typing import Any

from simulator.call import Call
from simulator.iam.documents import encoded, size
from simulator.iam.identity import check_identity_policy
from simulator.iam.service import (
    limit_exceeded,
    modifiable_role_of,
    no_such_entity,
    page,
    role_of,
    service,
)

LARGEST_SUM = 10240


@service.before("PutRolePolicy")
def put_role_policy(call: Call) -> dict[str, Any]:
    """Add a policy or replace the one of its name, if all of them together are not too large."""
    role = modifiable_role_of(call)
    name, document = call.parameters["PolicyName"], call.parameters["PolicyDocument"]
    check_identity_policy(document)
    kept = {**role.policies, name: document}
    if sum(map(size, kept.values())) > LARGEST_SUM:
        raise limit_exceeded(
            f"Maximum policy size of {LARGEST_SUM} bytes exceeded for role {role.name}"
        )
    role.policies[name] = document
    return {}


@service.before("GetRolePolicy")
def get_role_policy(call: Call) -> dict[str, Any]:
    """A document as it was put, encoded."""
    role, name = role_of(call), call.parameters["PolicyName"]
    if name not in role.policies:
        raise _no_such_policy(name)
    return {
        "RoleName": role.name,
        "PolicyName": name,
        "PolicyDocument": encoded(role.policies[name]),
    }


@service.before("ListRolePolicies")
def list_role_policies(call: Call) -> dict[str, Any]:
    """The names, by page."""
    return page(call, "PolicyNames", role_of(call).policies, str)[1]


@service.before("DeleteRolePolicy")
def delete_role_policy(call: Call) -> dict[str, Any]:
    """Delete a policy."""
    role, name = modifiable_role_of(call), call.parameters["PolicyName"]
    if name not in role.policies:
        raise _no_such_policy(name)
    del role.policies[name]
    return {}


def _no_such_policy(name: str) -> Exception:
    return no_such_entity(f"The role policy with name {name} cannot be found.")

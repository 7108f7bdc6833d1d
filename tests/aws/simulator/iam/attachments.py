"""Managed policies attached to roles."""

from typing import Any

from simulator.call import Call
from simulator.iam.service import (
    check_arn,
    find_policy,
    limit_exceeded,
    modifiable_role_of,
    no_such_entity,
    page,
    role_of,
    service,
)

MOST_POLICIES = 10


@service.before("AttachRolePolicy")
def attach_role_policy(call: Call) -> dict[str, Any]:
    """Attach a policy; it may be attached already."""
    role, arn = modifiable_role_of(call), call.parameters["PolicyArn"]
    check_arn(arn)
    policy = find_policy(call, arn)
    if policy is None:
        raise no_such_entity(f"Policy {arn} does not exist or is not attachable.")
    if arn in role.managed_policies:
        return {}
    if len(role.managed_policies) >= MOST_POLICIES:
        raise limit_exceeded(f"Cannot exceed quota for PoliciesPerRole: {MOST_POLICIES}")
    policy.attach_to(role)
    return {}


@service.before("DetachRolePolicy")
def detach_role_policy(call: Call) -> dict[str, Any]:
    """Detach a policy."""
    role, arn = modifiable_role_of(call), call.parameters["PolicyArn"]
    check_arn(arn)
    if arn not in role.managed_policies:
        raise no_such_entity(f"Policy {arn} was not found.")
    role.managed_policies[arn].detach_from(role)
    return {}


@service.before("ListAttachedRolePolicies")
def list_attached_role_policies(call: Call) -> dict[str, Any]:
    """The policies, by page."""
    prefix = call.parameters.get("PathPrefix", "/")
    held = role_of(call).managed_policies.values()
    policies = [policy for policy in held if policy.path.startswith(prefix)]
    told, answer = page(call, "AttachedPolicies", policies, lambda policy: policy.name)
    return answer | {
        "AttachedPolicies": [
            {"PolicyName": policy.name, "PolicyArn": policy.arn} for policy in told
        ]
    }

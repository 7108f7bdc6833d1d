"""GetAccountAuthorizationDetails: roles with their policies, tags and boundary, in one list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.call import Call
from simulator.errors import AwsError
from simulator.iam.documents import encoded
from simulator.iam.roles import described
from simulator.iam.service import backend_of, page, service

if TYPE_CHECKING:
    from moto.iam.models import Role

ROLE = "Role"
OTHERS = ("UserDetailList", "GroupDetailList", "Policies")
LEFT_OUT = ("MaxSessionDuration", "Description")


@service.before("GetAccountAuthorizationDetails")
def get_account_authorization_details(call: Call) -> dict[str, Any]:
    """A page of roles, the only entities that are known here in full."""
    if call.parameters.get("Filter") != [ROLE]:
        raise AwsError("ValidationError", f"The simulator lists nothing but Filter=['{ROLE}'].")
    roles = backend_of(call).roles.values()
    told, answer = page(call, "RoleDetailList", roles, lambda role: role.name)
    others: dict[str, Any] = {name: [] for name in OTHERS}
    return answer | others | {"RoleDetailList": [_detail(role) for role in told]}


def _detail(role: Role) -> dict[str, Any]:
    known = {name: value for name, value in described(role).items() if name not in LEFT_OUT}
    return known | {
        "InstanceProfileList": [],
        "RolePolicyList": [
            {"PolicyName": name, "PolicyDocument": encoded(document)}
            for name, document in sorted(role.policies.items())
        ],
        "AttachedManagedPolicies": [
            {"PolicyName": policy.name, "PolicyArn": policy.arn}
            for policy in sorted(role.managed_policies.values(), key=lambda policy: policy.name)
        ],
    }

"""Which permissions IAM's operations need, and on what."""

from typing import Any

import pytest
from conftest import ACCOUNT, Simulator
from failures import refused
from policies import allowing, trusting

PREFIX = f"arn:aws:iam::{ACCOUNT}:"
ROLE = f"{PREFIX}role/aiplatform/r"
POLICY = f"{PREFIX}policy/aiplatform/m"
TAGS = [{"Key": "a", "Value": "b"}]
NEW = {"RoleName": "n", "Path": "/aiplatform/", "AssumeRolePolicyDocument": trusting()}
OF_ROLE = {"RoleName": "r"}


@pytest.fixture
def iam(simulator: Simulator) -> Any:
    """A client, a role and a policy."""
    client = simulator.client("iam", "us-east-1")
    client.create_role(**{**NEW, "RoleName": "r"})
    client.create_policy(PolicyName="m", Path="/aiplatform/", PolicyDocument=allowing())
    return client


PERMISSIONS = [
    ("iam:CreateRole", f"{PREFIX}role/aiplatform/n", "create_role", NEW),
    ("iam:TagRole", f"{PREFIX}role/aiplatform/n", "create_role", {**NEW, "Tags": TAGS}),
    (
        "iam:CreateRole",
        f"{PREFIX}role/aiplatform/n",
        "create_role",
        {**NEW, "PermissionsBoundary": POLICY},
    ),
    ("iam:GetRole", ROLE, "get_role", OF_ROLE),
    ("iam:UpdateRole", ROLE, "update_role", {**OF_ROLE, "Description": "d"}),
    ("iam:DeleteRole", ROLE, "delete_role", OF_ROLE),
    ("iam:TagRole", ROLE, "tag_role", {**OF_ROLE, "Tags": TAGS}),
    ("iam:ListRoleTags", ROLE, "list_role_tags", OF_ROLE),
    ("iam:AttachRolePolicy", ROLE, "attach_role_policy", {**OF_ROLE, "PolicyArn": POLICY}),
    (
        "iam:PutRolePolicy",
        ROLE,
        "put_role_policy",
        {**OF_ROLE, "PolicyName": "p", "PolicyDocument": allowing()},
    ),
    (
        "iam:UpdateAssumeRolePolicy",
        ROLE,
        "update_assume_role_policy",
        {**OF_ROLE, "PolicyDocument": trusting()},
    ),
    (
        "iam:PutRolePermissionsBoundary",
        ROLE,
        "put_role_permissions_boundary",
        {**OF_ROLE, "PermissionsBoundary": POLICY},
    ),
    ("iam:GetRole", f"{PREFIX}role/none", "get_role", {"RoleName": "none"}),
    ("iam:ListRoles", f"{PREFIX}role/aiplatform/", "list_roles", {"PathPrefix": "/aiplatform/"}),
    ("iam:GetPolicy", POLICY, "get_policy", {"PolicyArn": POLICY}),
    (
        "iam:TagPolicy",
        f"{PREFIX}policy/x/n",
        "create_policy",
        {"PolicyName": "n", "Path": "/x/", "PolicyDocument": allowing(), "Tags": TAGS},
    ),
]


@pytest.mark.parametrize(("action", "resource", "operation", "given"), PERMISSIONS)
def test_denied(
    simulator: Simulator, iam: Any, action: str, resource: str, operation: str, given: Any
) -> None:
    simulator.post("deny", action=action, resource=f"{resource}?")
    simulator.post("deny", action=action.replace(":", ":X"), resource=resource)
    simulator.post("deny", action=action, resource=resource)
    status, code, message = refused(getattr(iam, operation), **given)
    assert (status, code) == (403, "AccessDenied")
    assert f"is not authorized to perform: {action} on resource" in message
    assert resource in message


@pytest.mark.parametrize(("action", "resource", "operation", "given"), PERMISSIONS)
def test_not_denied_elsewhere(
    simulator: Simulator, iam: Any, action: str, resource: str, operation: str, given: Any
) -> None:
    simulator.post("deny", action=action, resource=f"{resource}-other")
    simulator.post(
        "deny", action=action, resource=resource.replace("/aiplatform/", "/other/") + "x"
    )
    if given.get("RoleName") == "none":
        assert refused(getattr(iam, operation), **given)[1] == "NoSuchEntity"
    else:
        getattr(iam, operation)(**given)


def test_tags_on_creation_are_all_that_needs_tagging(simulator: Simulator, iam: Any) -> None:
    simulator.post("deny", action="iam:TagRole")
    assert refused(iam.create_role, **NEW, Tags=TAGS)[0] == 403
    iam.create_role(**NEW)

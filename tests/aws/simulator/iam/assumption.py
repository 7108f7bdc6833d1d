"""Whether somebody can assume a role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.call import Call
from simulator.iam.service import find_role
from simulator.iam.trust import federated_principals, trusts
from simulator.iam.visibility import is_visible

if TYPE_CHECKING:
    from moto.iam.models import Role


def role_for_service(arn: str, service_principal: str) -> Role | None:
    """The role of this ARN, if a service knows of it by now and its trust policy lets it in."""
    return _assumable(arn, "sts:AssumeRole", "Service", {service_principal})


def role_for_caller(arn: str, call: Call) -> Role | None:
    """The role of this ARN, if the caller may assume it."""
    if not arn.startswith(f"arn:{call.partition}:"):
        return None
    names = {
        call.account,
        call.principal,
        f"arn:{call.partition}:iam::{call.account}:root",
        *_role_behind(call),
    }
    return _assumable(arn, "sts:AssumeRole", "AWS", names)


def _role_behind(call: Call) -> set[str]:
    """The ARN of the role whose session the caller has."""
    from moto.sts.models import sts_backends

    assert call.credential is not None
    backend = sts_backends[call.account][call.partition]
    session = backend.get_assumed_role_from_access_key(call.credential.access_key)
    return {session.role_arn} if session else set()


def role_for_web_identity(arn: str) -> Role | None:
    """The role of this ARN, if it trusts an identity provider; which one does not matter."""
    role = find_role(arn)
    providers = federated_principals(role) if role else set()
    return _assumable(arn, "sts:AssumeRoleWithWebIdentity", "Federated", providers)


def _assumable(arn: str, action: str, kind: str, names: set[str]) -> Role | None:
    role = find_role(arn)
    if role is None or not is_visible(role) or not trusts(role, action, kind, names):
        return None
    return role

"""Trust policies: their grammar, and whom they let in."""

from __future__ import annotations

import fnmatch
import json
from functools import cache
from typing import TYPE_CHECKING, Any

from moto.core.utils import get_service_model

from simulator.call import Call
from simulator.iam.documents import (
    DOCUMENT_FIELDS,
    STATEMENT_FIELDS,
    VERSIONS,
    as_list,
    check_condition,
    check_sids,
    malformed,
    parse,
    size,
    strings,
)
from simulator.iam.principals import (
    check_principals,
    ids_of_principals,
    with_ids_of_the_deleted,
)
from simulator.iam.service import limit_exceeded, service

if TYPE_CHECKING:
    from moto.iam.models import Role

LARGEST = 2048
SYNTAX = "Invalid policy syntax."
# Actions that no operation of the SDK stands for.
SESSION_ACTIONS = {"sts:SetContext", "sts:SetSourceIdentity", "sts:TagSession"}

# By role id: which id each principal of its trust policy had when the policy was put.
_principals: dict[str, dict[str, str]] = {}


@service.on_reset
def forget_principals() -> None:
    """Drop what is known of principals."""
    _principals.clear()


def check_trust_policy(call: Call, document: str) -> None:
    """Raise unless IAM takes this document as a trust policy."""
    content = parse(document, "This policy contains invalid Json")
    if size(document) > LARGEST:
        raise limit_exceeded(f"Cannot exceed quota for ACLSizePerRole: {LARGEST}")
    _check_fields(content, DOCUMENT_FIELDS)
    if content.get("Version", VERSIONS[-1]) not in VERSIONS:
        raise malformed("The policy must contain a valid version string")
    if "Statement" not in content:
        raise malformed("Missing required field Statement")
    statements = as_list(content["Statement"])
    if not statements:
        raise malformed("Could not parse the policy: Statement is empty!")
    for statement in statements:
        _check_statement(call, statement)
    check_sids(statements, "Duplicate statement ids are not allowed in a policy")


def _check_statement(call: Call, statement: Any) -> None:
    if not isinstance(statement, dict):
        raise malformed(SYNTAX)
    _check_fields(statement, STATEMENT_FIELDS)
    if "Effect" not in statement:
        raise malformed("Missing required field Effect")
    if statement["Effect"] not in ("Allow", "Deny"):
        raise malformed(f"Invalid effect: {statement['Effect']}")
    for name in ("Resource", "NotResource"):
        if name in statement:
            raise malformed(f"Has prohibited field {name}")
    if "Action" not in statement and "NotAction" not in statement:
        raise malformed("Missing required field Action")
    if "Principal" not in statement and "NotPrincipal" not in statement:
        raise malformed("Missing required field Principal")
    for name in ("Action", "Principal"):
        if name in statement and f"Not{name}" in statement:
            raise malformed(SYNTAX)
    if "NotPrincipal" in statement and statement["Effect"] == "Allow":
        raise malformed("Allow with NotPrincipal is not allowed.")
    actions = strings(statement.get("Action", statement.get("NotAction")))
    if actions is None:
        raise malformed(SYNTAX)
    for action in actions:
        _check_action(action)
    check_principals(call, statement.get("Principal", statement.get("NotPrincipal")))
    if "Condition" in statement:
        check_condition(statement["Condition"], SYNTAX)


def _check_fields(content: dict[str, Any], known: set[str]) -> None:
    for name in content:
        if name not in known:
            raise malformed(f"Unknown field {name}")


def _check_action(action: str) -> None:
    known = (fnmatch.fnmatchcase(name.lower(), action.lower()) for name in actions_of_sts())
    if not action.lower().startswith("sts:") or not any(known):
        raise malformed("AssumeRole policy may only specify STS AssumeRole actions.")


@cache
def actions_of_sts() -> frozenset[str]:
    """Every action that a trust policy can name."""
    operations = get_service_model("sts").operation_names
    return frozenset({f"sts:{name}" for name in operations} | SESSION_ACTIONS)


def keep_trust_policy(call: Call, role: Role, document: str) -> None:
    """Make this the trust policy of a role."""
    role.assume_role_policy_document = document
    _principals[role.id] = ids_of_principals(call, json.loads(document))


def forget_trust_policy(role: Role) -> None:
    """Drop what is known of a role that is gone."""
    _principals.pop(role.id, None)


def trust_policy(role: Role) -> str:
    """A role's trust policy; principals deleted since it was put show as their ids."""
    return with_ids_of_the_deleted(role.assume_role_policy_document, _principals.get(role.id, {}))


def trusts(role: Role, action: str, kind: str, names: set[str]) -> bool:
    """Whether a trust policy lets a principal of one of these names do this.

    Conditions narrow nothing here: a role is trusted if it would be under some circumstances.
    """
    allowed = False
    for statement in as_list(json.loads(trust_policy(role))["Statement"]):
        if not _covers(statement, action) or not _names(statement, kind, names):
            continue
        if statement["Effect"] == "Deny" and "Condition" not in statement:
            return False
        allowed = allowed or statement["Effect"] == "Allow"
    return allowed


def _covers(statement: dict[str, Any], action: str) -> bool:
    globs = as_list(statement.get("Action", statement.get("NotAction")))
    named = any(fnmatch.fnmatchcase(action.lower(), glob.lower()) for glob in globs)
    return named == ("Action" in statement)


def _names(statement: dict[str, Any], kind: str, names: set[str]) -> bool:
    principal = statement.get("Principal", statement.get("NotPrincipal"))
    given = {"AWS": principal} if principal == "*" else principal
    values = as_list(given.get(kind, []))
    named = any(value == "*" or value in names for value in values)
    return named == ("Principal" in statement)


def federated_principals(role: Role) -> set[str]:
    """The identity providers that a trust policy names."""
    found: set[str] = set()
    for statement in as_list(json.loads(role.assume_role_policy_document)["Statement"]):
        principal = statement.get("Principal")
        if isinstance(principal, dict):
            found.update(as_list(principal.get("Federated", [])))
    return found

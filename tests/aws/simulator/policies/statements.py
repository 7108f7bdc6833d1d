"""Statements: which of them apply to a request, and what they decide."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from simulator.policies.conditions import hold
from simulator.policies.patterns import UnknownVariableError, filled, matches
from simulator.policies.requests import Principal, Request


class Effect(enum.Enum):
    """What a policy decides of a request; nothing is a decision, too."""

    ALLOW = "allow"
    DENY = "deny"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Verdict:
    """A decision, and the statement that it follows from: its id, or its number."""

    effect: Effect
    statement: str | None = None


NOTHING = Verdict(Effect.NOTHING)
PrincipalTest = Callable[[dict[str, Any], Principal], bool]


def judge(
    document: dict[str, Any], request: Request, principal_test: PrincipalTest | None = None
) -> Verdict:
    """What one policy decides: any denial, or else any permission, or else nothing.

    With a `principal_test`, statements name their principals; identity policies do not.
    """
    allowed = NOTHING
    for number, statement in enumerate(as_list(document.get("Statement", [])), 1):
        if principal_test is not None and not principal_test(statement, request.principal):
            continue
        if not _applies(statement, request, document.get("Version")):
            continue
        name = statement.get("Sid") or f"statement {number}"
        if statement["Effect"] == "Deny":
            return Verdict(Effect.DENY, name)
        if allowed is NOTHING:
            allowed = Verdict(Effect.ALLOW, name)
    return allowed


def _applies(statement: dict[str, Any], request: Request, version: str | None) -> bool:
    return (
        _covers_action(statement, request.action)
        and _covers_resource(statement, request, version)
        and hold(statement.get("Condition", {}), request.context, version)
    )


def _covers_action(statement: dict[str, Any], action: str) -> bool:
    patterns = as_list(statement.get("Action", statement.get("NotAction", [])))
    named = any(matches(pattern, action, ignore_case=True) for pattern in patterns)
    return named == ("Action" in statement)


def _covers_resource(statement: dict[str, Any], request: Request, version: str | None) -> bool:
    patterns = as_list(statement.get("Resource", statement.get("NotResource", [])))
    if "NotResource" not in statement:
        # A trust policy names no resources.
        return not patterns or any(_matches(each, request, version) for each in patterns)
    # What is excepted is unknown while a variable has no value.
    return all(_matches(each, request, version) is False for each in patterns)


def _matches(pattern: str, request: Request, version: str | None) -> bool | None:
    """Whether a pattern covers the resource; None if a variable of it has no value."""
    try:
        return matches(filled(pattern, request.context, version), request.resource)
    except UnknownVariableError:
        return None


def names_principal(statement: dict[str, Any], principal: Principal) -> bool:
    """Whether a statement of a resource's or an endpoint's policy is about a principal."""
    if "NotPrincipal" in statement:
        return not _is_excepted(statement["NotPrincipal"], principal)
    named = _principals(statement.get("Principal"))
    return any(_is(principal, kind, value) for kind, value in named)


def names_anybody(statement: dict[str, Any], principal: Principal) -> bool:
    """The same for gateway endpoints, which know only everybody, and the root of an account."""
    if "NotPrincipal" in statement:
        return names_principal(statement, principal)
    return any(
        value == "*" or (principal.is_root and _is(principal, kind, value))
        for kind, value in _principals(statement.get("Principal"))
    )


def names_account_only(statement: dict[str, Any], principal: Principal) -> bool:
    """Whether a statement is about a principal, but for no more than its whole account.

    It then hands the decision to the account's identity policies instead of making one.
    """
    if "Principal" not in statement or not names_principal(statement, principal):
        return False
    values = {value for _, value in _principals(statement["Principal"])}
    return principal.is_root or not values & {"*", principal.name, principal.session}


def names_role_only(statement: dict[str, Any], principal: Principal) -> bool:
    """Whether a statement is about a principal as its role, and not as a session or anybody."""
    if "Principal" not in statement or principal.session is None:
        return False
    values = {value for _, value in _principals(statement["Principal"])}
    return not values & {"*", principal.session}


def _is_excepted(given: Any, principal: Principal) -> bool:
    """Whether all that a principal is (its account, itself, its session) is in NotPrincipal."""
    values = {value for _, value in _principals(given)}
    if "*" in values:
        return True
    if principal.is_service:
        return principal.name in values
    own = {principal.name, principal.session} - {None}
    return bool(values & set(_account_of(principal))) and own <= values


def _principals(given: Any) -> Iterator[tuple[str, str]]:
    if given == "*":
        yield "AWS", "*"
        return
    for kind, values in given.items() if isinstance(given, dict) else ():
        for value in as_list(values):
            yield kind, value


def _is(principal: Principal, kind: str, value: str) -> bool:
    if kind == "Service":
        return principal.is_service and value == principal.name
    if kind != "AWS":
        return False
    if value == "*":
        return True
    if principal.is_service:
        return False
    return value in (principal.name, principal.session, *_account_of(principal))


def _account_of(principal: Principal) -> tuple[str, str]:
    """How policies name a principal's whole account."""
    return (str(principal.account), f"{principal.name.rpartition(':')[0]}:root")


def as_list(value: Any) -> list[Any]:
    """What policies write as one thing or as a list of them."""
    return value if isinstance(value, list) else [value]

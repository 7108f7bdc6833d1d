"""Decisions: what all policies together say of a request.

The rules are those of "Policy evaluation logic" in the documentation of IAM: a denial anywhere
decides; a boundary and an endpoint's policy only ever limit; within an account an identity policy
or a resource's policy is enough, between accounts it takes both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from simulator.policies.requests import Request
from simulator.policies.statements import (
    NOTHING,
    Effect,
    PrincipalTest,
    Verdict,
    as_list,
    judge,
    names_account_only,
    names_principal,
    names_role_only,
)

Document = dict[str, Any]


@dataclass(frozen=True)
class EndpointPolicy:
    """The policy of the endpoint that a request goes through."""

    document: Document
    # How its statements name principals.
    principal_test: PrincipalTest = names_principal


@dataclass(frozen=True)
class Policies:
    """The policies that apply to a request; None is a kind of policy that does not apply.

    Identity policies and the boundary go by name, which is told with the decision.
    """

    identity: Mapping[str, Document] = field(default_factory=dict)
    boundary: Document | None = None
    resource: Document | None = None
    endpoint: EndpointPolicy | None = None


@dataclass(frozen=True)
class Decision:
    """Whether a request is allowed, and which policy decided."""

    is_allowed: bool
    # A denial that a policy states, as opposed to a permission that none gives.
    is_explicit: bool
    reason: str


def decide(request: Request, policies: Policies) -> Decision:
    """Whether a request is allowed."""
    identity = _identity(request, policies.identity)
    boundary = judge(policies.boundary, request) if policies.boundary is not None else None
    resource = _resource(request, policies.resource)
    endpoint = _endpoint(request, policies.endpoint)
    verdicts = {
        "the identity policy": identity,
        "the permissions boundary": boundary,
        "the resource's policy": resource,
        "the endpoint's policy": endpoint,
    }
    for name, verdict in verdicts.items():
        if verdict is not None and verdict.effect is Effect.DENY:
            return Decision(False, True, f"{name} denies it: {verdict.statement}")
    if endpoint is not None and endpoint.effect is not Effect.ALLOW:
        return Decision(False, False, "no statement of the endpoint's policy allows it")
    return _permitted(request, policies, identity, boundary, resource)


def _permitted(
    request: Request,
    policies: Policies,
    identity: Verdict,
    boundary: Verdict | None,
    resource: Verdict,
) -> Decision:
    """Whether what is denied nowhere is allowed, too."""
    by_resource = resource.effect is Effect.ALLOW
    if request.principal.is_service:
        return _allowed_if(by_resource, f"the resource's policy: {resource.statement}")
    within = boundary is None or boundary.effect is Effect.ALLOW
    by_identity = identity.effect is Effect.ALLOW or request.principal.is_root
    if request.principal.account != request.owner:
        if not by_resource:
            return _allowed_if(False, "the resource's policy, which is of another account")
        if by_identity and not within:
            return _allowed_if(False, "the permissions boundary")
        return _allowed_if(by_identity, f"the identity policy: {identity.statement}")
    # A boundary limits what a role is given, not what a session, a user or everybody is given.
    is_free = within or _names_caller(request, policies.resource)
    if by_resource and is_free and not _hands_on(request, policies.resource):
        return _allowed_if(True, f"the resource's policy: {resource.statement}")
    if by_identity and not within:
        return _allowed_if(False, "the permissions boundary")
    return _allowed_if(by_identity, f"the identity policy: {identity.statement}")


def _allowed_if(is_allowed: bool, what: str) -> Decision:
    if is_allowed:
        name, _, statement = what.partition(": ")
        return Decision(True, False, f"{name} allows it: {statement}")
    return Decision(False, False, f"no statement of {what.partition(': ')[0]} allows it")


def _identity(request: Request, documents: Mapping[str, Document]) -> Verdict:
    allowed = NOTHING
    for name, document in documents.items():
        verdict = judge(document, request)
        told = Verdict(verdict.effect, f"{name}, {verdict.statement}")
        if verdict.effect is Effect.DENY:
            return told
        if verdict.effect is Effect.ALLOW and allowed is NOTHING:
            allowed = told
    return allowed


def _resource(request: Request, document: Document | None) -> Verdict:
    return judge(document, request, names_principal) if document is not None else NOTHING


def _endpoint(request: Request, policy: EndpointPolicy | None) -> Verdict | None:
    return judge(policy.document, request, policy.principal_test) if policy is not None else None


def _hands_on(request: Request, document: Document | None) -> bool:
    """Whether every permission in a resource's policy only names the caller's account."""
    return _without(request, document, names_account_only).effect is not Effect.ALLOW


def _names_caller(request: Request, document: Document | None) -> bool:
    """Whether a permission in a resource's policy is the session's, or the user's, own."""
    return _without(request, document, names_role_only).effect is Effect.ALLOW


def _without(request: Request, document: Document | None, unwanted: PrincipalTest) -> Verdict:
    if document is None:
        return NOTHING
    statements: Iterable[Any] = as_list(document["Statement"])
    kept = [each for each in statements if not unwanted(each, request.principal)]
    return _resource(request, {**document, "Statement": kept})

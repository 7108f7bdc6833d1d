"""Principals of trust policies: whether they exist."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from simulator import catalogue
from simulator.call import Call
from simulator.iam.documents import as_list, malformed, strings
from simulator.iam.service import backend_in, find_role
from simulator.iam.visibility import is_visible

KINDS = {"AWS", "Service", "Federated", "CanonicalUser"}
ACCOUNT = re.compile(r"\d{12}")
IDENTITY = re.compile(r"arn:(?P<partition>[\w-]+):(?:iam|sts)::(?P<account>\d{12}):(?P<what>.+)")
PROVIDER = re.compile(r"arn:[\w-]+:iam::\d{12}:(oidc|saml)-provider/.+|[a-z0-9.-]+\.[a-z]{2,}")
UNIQUE_ID = re.compile(r"A(ROA|IDA)[A-Z0-9]{12,}")
SERVICE = re.compile(r"([a-z0-9-]+(?:\.[a-z0-9-]+)*)\.amazonaws\.com(\.cn)?")
# Services that sign nothing under the name that they assume roles by.
OTHER_SERVICES = {
    *("ecs-tasks", "edgelambda", "eks-fargate-pods", "eks-nodegroup", "cloudwatch-crossaccount"),
    *("opensearchservice", "spotfleet", "transitgateway", "vmie", "vpc-flow-logs", "delivery"),
    *("replicator", "trustedadvisor", "chatbot", "support", "billing"),
}


def check_principals(call: Call, principal: Any) -> None:
    """Refuse principals that cannot be or, in the caller's own account, are not."""
    if principal == "*":
        return
    if not isinstance(principal, dict):
        raise malformed(f'Invalid principal in policy: "STAR":"{principal}"')
    if not principal:
        raise malformed("Missing required field Principal cannot be empty!")
    for kind, value in principal.items():
        if kind not in KINDS:
            raise malformed(f"Unknown field {kind}")
        values = strings(value)
        if values is None:
            raise malformed(f'Invalid principal in policy: "{kind.upper()}":"{value}"')
        for each in values:
            if not _can_be(call, kind, each):
                raise malformed(f'Invalid principal in policy: "{kind.upper()}":"{each}"')


def _can_be(call: Call, kind: str, value: str) -> bool:
    if kind == "AWS":
        return principal_exists(call, value)
    if kind == "Service":
        return _is_service(value)
    if kind == "Federated":
        return PROVIDER.fullmatch(value) is not None
    return bool(value)


def _is_service(value: str) -> bool:
    match = SERVICE.fullmatch(value)
    if match is None:
        return False
    labels = match[1].split(".")
    # Some services are named per region, and some have parts of their own name in front.
    if len(labels) > 1 and labels[-1] in catalogue.regions():
        labels.pop()
    return labels[-1] in _service_names() or labels[-1] in OTHER_SERVICES


@cache
def _service_names() -> frozenset[str]:
    heads = catalogue.services()
    return frozenset({head.name for head in heads} | {head.signing_name for head in heads})


def principal_exists(call: Call, value: str) -> bool:
    """Whether a policy can name this AWS principal; those of other accounts are not looked up."""
    if value == "*" or ACCOUNT.fullmatch(value):
        return True
    if UNIQUE_ID.fullmatch(value):
        return _has_id(call, value)
    match = IDENTITY.fullmatch(value)
    if match is None or match["partition"] != call.partition or "*" in value:
        return False
    if match["account"] != call.account or value == call.principal:
        return True
    return _in_account(call, value, match["what"])


def _has_id(call: Call, value: str) -> bool:
    backend = backend_in(call.account, call.partition)
    held = {*backend.roles, *(user.id for user in backend.users.values())}
    return value in held


def _in_account(call: Call, arn: str, what: str) -> bool:
    kind, _, path = what.partition("/")
    if what == "root" or arn == f"arn:{call.partition}:iam::{call.account}:user/operator":
        return True
    backend = backend_in(call.account, call.partition)
    if kind == "role":
        role = find_role(arn)
        return role is not None and is_visible(role)
    if kind == "user":
        return any(user.arn == arn for user in backend.users.values())
    if kind == "assumed-role":
        return any(role.name == path.split("/")[0] for role in backend.roles.values())
    return kind == "federated-user"


def ids_of_principals(call: Call, document: dict[str, Any]) -> dict[str, str]:
    """The ids of the roles and users of the caller's account that a document names."""
    found = {}
    for statement in as_list(document["Statement"]):
        principal = statement.get("Principal", statement.get("NotPrincipal"))
        for arn in as_list(principal.get("AWS", [])) if isinstance(principal, dict) else []:
            number = _id_of(arn)
            if number is not None:
                found[arn] = number
    return found


def with_ids_of_the_deleted(document: str, ids: dict[str, str]) -> str:
    """A document in which principals deleted since it was put show as their ids."""
    for arn, number in ids.items():
        if not is_alive(arn, number):
            document = document.replace(json.dumps(arn), json.dumps(number))
    return document


def is_alive(arn: str, number: str) -> bool:
    """Whether what has this ARN is still what had it when its id was noted."""
    return _id_of(arn) == number


def _id_of(arn: str) -> str | None:
    match = IDENTITY.fullmatch(arn)
    if match is None:
        return None
    backend = backend_in(match["account"], match["partition"])
    held = [*backend.roles.values(), *backend.users.values()]
    return next((each.id for each in held if each.arn == arn), None)

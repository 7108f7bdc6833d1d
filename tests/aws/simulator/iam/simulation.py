"""SimulatePrincipalPolicy: what the policies of a role or a user say of calls that nobody makes.

One result for each action, the most restrictive of all its resources, with the results of single
resources under it, as the API reference of IAM describes it. moto has no such operation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from simulator.call import Call
from simulator.errors import AwsError
from simulator.iam.held_policies import EVERYTHING, boundary_of, documents_of
from simulator.iam.service import backend_of, no_such_entity, service
from simulator.policies.decision import Decision, Document, Policies, decide
from simulator.policies.patterns import VARIABLE
from simulator.policies.requests import Principal, Request
from simulator.policies.statements import as_list

if TYPE_CHECKING:
    from moto.iam.models import Role, User

PAGE = 100
ENTITY = re.compile(r"arn:[\w-]+:iam::(?P<account>\d{12}):(?P<kind>role|user|group)/(?P<path>.+)")
ARN = re.compile(r"arn:[^:]+:[^:]+:[^:]*:[^:]*:.+", re.DOTALL)
ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9]+")
# The most restrictive comes first.
ORDER = ("explicitDeny", "implicitDeny", "allowed")


@service.before("SimulatePrincipalPolicy")
def simulate(call: Call) -> dict[str, Any]:
    """The decision about each action, on each resource."""
    given = call.parameters
    arn = given["PolicySourceArn"]
    documents, boundary = _policies(call, arn)
    _check(given)
    context = {
        entry["ContextKeyName"].lower(): [str(value) for value in entry["ContextKeyValues"]]
        for entry in given.get("ContextEntries", [])
    }
    resources = given.get("ResourceArns") or ["*"]
    results = [
        _result(action, resources, documents, boundary, context, Principal(arn, call.account))
        for action in given["ActionNames"]
    ]
    return _page(given, results)


def _policies(call: Call, arn: str) -> tuple[dict[str, Document], Document | None]:
    match = ENTITY.fullmatch(arn)
    if match is None:
        message = f"Invalid Entity Arn: {arn} does not clearly define entity type and name."
        raise AwsError("InvalidInput", message)
    if match["account"] != call.account:
        raise AwsError(
            "AccessDenied",
            f"User: {call.principal} is not authorized to perform: iam:SimulatePrincipalPolicy "
            f"on resource: {arn}",
            403,
        )
    if match["kind"] == "user" and match["path"] == "operator":
        return {"everything, as the operator's user has": EVERYTHING}, None
    held = _holders(call, match["kind"])
    holder = next((each for each in held if each.arn == arn), None)
    if holder is None:
        name = match["path"].rpartition("/")[2]
        raise no_such_entity(f"The {match['kind']} with name {name} cannot be found.")
    return documents_of(holder), boundary_of(holder) if match["kind"] == "role" else None


def _holders(call: Call, kind: str) -> list[Role | User]:
    backend = backend_of(call)
    held = {"role": backend.roles, "user": backend.users}.get(kind)
    if held is None:
        raise NotImplementedError("the simulation of a group")
    return list(held.values())


def _check(given: dict[str, Any]) -> None:
    wrong = [name for name in given["ActionNames"] if not ACTION.fullmatch(name)]
    if wrong:
        raise AwsError("InvalidInput", f"Invalid Action Name: {', '.join(wrong)}")
    resources = given.get("ResourceArns") or ["*"]
    wrong = [arn for arn in resources if arn != "*" and not ARN.fullmatch(arn)]
    if wrong:
        message = f"ResourceNames are not in a valid ARN format: {', '.join(wrong)}."
        raise AwsError("InvalidInput", message)
    for unknown in ("PolicyInputList", "ResourcePolicy", "PermissionsBoundaryPolicyInputList"):
        if given.get(unknown):
            raise NotImplementedError(f"SimulatePrincipalPolicy with {unknown}")


def _result(
    action: str,
    resources: list[str],
    documents: dict[str, Document],
    boundary: Document | None,
    context: dict[str, list[str]],
    principal: Principal,
) -> dict[str, Any]:
    policies = Policies(identity=documents, boundary=boundary)
    missing = sorted(set(_missing(action, documents, context)))
    each = []
    for resource in resources:
        request = Request(principal, action, resource, principal.account, context)
        decision = decide(request, policies)
        told: dict[str, Any] = {
            "EvalResourceName": resource,
            "EvalResourceDecision": _word(decision),
            "MatchedStatements": _matched(decision),
            "MissingContextValues": missing,
        }
        if boundary is not None:
            within = decide(request, Policies(identity={"boundary": boundary})).is_allowed
            told["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": within}
        each.append(told)
    worst = min(each, key=lambda told: ORDER.index(told["EvalResourceDecision"]))
    result = {
        "EvalActionName": action,
        # A template of the ARN at AWS; nobody should read it.
        "EvalResourceName": "*",
        "EvalDecision": worst["EvalResourceDecision"],
        "MatchedStatements": worst["MatchedStatements"],
        "MissingContextValues": missing if resources == ["*"] else [],
    }
    if boundary is not None:
        name = "PermissionsBoundaryDecisionDetail"
        result[name] = worst[name]
    if resources != ["*"]:
        result["ResourceSpecificResults"] = each
    return result


def _word(decision: Decision) -> str:
    if decision.is_allowed:
        return "allowed"
    return "explicitDeny" if decision.is_explicit else "implicitDeny"


def _matched(decision: Decision) -> list[dict[str, Any]]:
    if not decision.is_allowed and not decision.is_explicit:
        return []
    _, _, statement = decision.reason.partition(": ")
    policy = statement.rpartition(", ")[0]
    return [{"SourcePolicyId": policy.rpartition("/")[2], "SourcePolicyType": "IAM Policy"}]


def _missing(
    action: str, documents: dict[str, Document], context: dict[str, list[str]]
) -> Iterator[str]:
    """Keys that the statements about an action ask for, and that nobody gave."""
    for document in documents.values():
        for statement in as_list(document.get("Statement", [])):
            patterns = as_list(statement.get("Action", []))
            if not any(_names(pattern, action) for pattern in patterns):
                continue
            keys = [key for each in statement.get("Condition", {}).values() for key in each]
            variables = [match[1] for match in VARIABLE.finditer(json.dumps(statement))]
            yield from (key for key in keys + variables if key.lower() not in context)


def _names(pattern: str, action: str) -> bool:
    body = ".*".join(re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(body, action, re.IGNORECASE) is not None


def _page(given: dict[str, Any], results: list[dict[str, Any]]) -> dict[str, Any]:
    marker = given.get("Marker", "0")
    if not marker.isdigit():
        raise AwsError("InvalidInput", "Invalid Marker.")
    start = int(marker)
    told = results[start : start + given.get("MaxItems", PAGE)]
    end = start + len(told)
    more = {"EvaluationResults": told, "IsTruncated": end < len(results)}
    return more | ({"Marker": str(end)} if end < len(results) else {})

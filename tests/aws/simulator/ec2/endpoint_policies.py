"""Policies of endpoints: their size and their grammar."""

import json
from typing import Any

from simulator.ec2.endpoint_services import EndpointService
from simulator.ec2.service import invalid_parameter
from simulator.errors import AwsError
from simulator.iam.documents import (
    CONDITION,
    DOCUMENT_FIELDS,
    KNOWN_OPERATORS,
    STATEMENT_FIELDS,
    VERSIONS,
    as_list,
    strings,
)

# White space counts.
LARGEST = 20480
FULL_ACCESS = json.dumps(
    {"Statement": [{"Action": "*", "Effect": "Allow", "Principal": "*", "Resource": "*"}]}
)
PRINCIPALS = {"AWS", "Service", "Federated", "CanonicalUser"}


def checked_policy(offered: EndpointService, document: str | None) -> str | None:
    """The policy of an endpoint: the one given, or full access, or none where there are none."""
    if document is None:
        return FULL_ACCESS if offered.has_policy else None
    if not offered.has_policy:
        message = f"The service {offered.name} does not support endpoint policies."
        raise invalid_parameter(message)
    if len(document) > LARGEST:
        raise _invalid(f"The policy document exceeds the maximum length of {LARGEST} characters.")
    try:
        content = json.loads(document)
    except ValueError:
        raise _invalid(
            "The specified policy document is not a valid JSON policy document."
        ) from None
    _check_document(content)
    return document


def _check_document(content: Any) -> None:
    if not isinstance(content, dict):
        raise _invalid("The specified policy document is not a valid JSON policy document.")
    _check_fields(content, DOCUMENT_FIELDS)
    if content.get("Version", VERSIONS[-1]) not in VERSIONS:
        raise _invalid("The policy must contain a valid version string.")
    statements = as_list(content.get("Statement", []))
    if not statements:
        raise _invalid("Missing required field Statement.")
    for statement in statements:
        _check_statement(statement)
    names = [statement["Sid"] for statement in statements if statement.get("Sid")]
    if len(set(names)) < len(names):
        raise _invalid("Statement ids must be unique.")


def _check_statement(statement: Any) -> None:
    if not isinstance(statement, dict):
        raise _invalid("Invalid policy syntax.")
    _check_fields(statement, STATEMENT_FIELDS)
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise _invalid("Effect must be Allow or Deny.")
    for name in ("Principal", "Action", "Resource"):
        given = [key for key in (name, f"Not{name}") if key in statement]
        if len(given) != 1:
            raise _invalid(f"Exactly one of {name} and Not{name} is required.")
        if name != "Principal" and strings(statement[given[0]]) is None:
            raise _invalid(f"{given[0]} must be a string or a list of strings.")
    _check_principal(statement.get("Principal", statement.get("NotPrincipal")))
    for action in strings(statement.get("Action", statement.get("NotAction"))) or []:
        if action != "*" and ":" not in action:
            raise _invalid(f"Invalid action: {action}")
    for resource in strings(statement.get("Resource", statement.get("NotResource"))) or []:
        if resource != "*" and not resource.startswith("arn:"):
            raise _invalid(f"Invalid resource: {resource}")
    _check_condition(statement.get("Condition", {}))


def _check_fields(content: dict[str, Any], known: set[str]) -> None:
    for name in content:
        if name not in known:
            raise _invalid(f"Unknown field {name}.")


def _check_principal(principal: Any) -> None:
    if principal == "*":
        return
    if not isinstance(principal, dict) or not principal or principal.keys() - PRINCIPALS:
        raise _invalid("Invalid principal in policy.")
    if any(strings(value) is None for value in principal.values()):
        raise _invalid("Invalid principal in policy.")


def _check_condition(condition: Any) -> None:
    if not isinstance(condition, dict):
        raise _invalid("Invalid policy syntax.")
    for operator, keys in condition.items():
        match = CONDITION.fullmatch(operator)
        if match is None or match[1].lower() not in KNOWN_OPERATORS:
            raise _invalid(f"Invalid condition type: {operator}")
        if not isinstance(keys, dict) or not all(":" in key for key in keys):
            raise _invalid("Invalid condition key.")


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidPolicyDocument", message)

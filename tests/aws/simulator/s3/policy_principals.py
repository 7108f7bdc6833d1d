"""Principals of bucket policies: whether they exist, and whether they are everyone."""

from typing import Any

from simulator.call import Call
from simulator.errors import AwsError
from simulator.iam import principal_exists

KINDS = {"AWS", "Service", "Federated", "CanonicalUser"}
# Keys that narrow a statement to somebody, if their value is fixed.
NARROWING = {
    *("aws:sourceip", "aws:sourcearn", "aws:sourcevpc", "aws:sourcevpce", "aws:sourceaccount"),
    *("aws:sourceowner", "aws:principalorgid", "aws:principalorgpaths", "aws:principalarn"),
    *("aws:principalaccount", "aws:userid", "aws:sourceorgid", "s3:dataaccesspointarn"),
    *("s3:dataaccesspointaccount", "s3:x-amz-server-side-encryption-aws-kms-key-id"),
}


def check_principals(call: Call, statement: dict[str, Any]) -> None:
    """Refuse principals that cannot be or, in the caller's own account, are not."""
    principal = statement.get("Principal", statement.get("NotPrincipal"))
    if principal == "*":
        return
    if not isinstance(principal, dict) or not principal or principal.keys() - KINDS:
        raise _invalid()
    for kind, values in principal.items():
        for value in values if isinstance(values, list) else [values]:
            if not isinstance(value, str) or (kind == "AWS" and not principal_exists(call, value)):
                raise _invalid()


def is_public(statement: dict[str, Any]) -> bool:
    """Whether a statement lets everyone in, as Block Public Access counts it."""
    if statement.get("Effect") != "Allow":
        return False
    if not _names_everyone(statement):
        return False
    return not any(
        _narrows(operator, key, values)
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )


def _names_everyone(statement: dict[str, Any]) -> bool:
    if "NotPrincipal" in statement:
        return True
    principal = statement["Principal"]
    named = principal.get("AWS", []) if isinstance(principal, dict) else principal
    return "*" in (named if isinstance(named, list) else [named])


def _narrows(operator: str, key: str, values: Any) -> bool:
    if key.lower() not in NARROWING or "Not" in operator or operator.endswith("IfExists"):
        return False
    values = values if isinstance(values, list) else [values]
    if key.lower() == "aws:sourceip":
        return all(not str(value).endswith("/0") for value in values)
    return all("*" not in str(value) and "?" not in str(value) for value in values)


def _invalid() -> AwsError:
    return AwsError("MalformedPolicy", "Invalid principal in policy", 400)

"""Policy documents: what all of them have in common."""

import json
import re
from typing import Any
from urllib.parse import quote

from simulator.errors import AwsError

VERSIONS = ("2012-10-17", "2008-10-17")
DOCUMENT_FIELDS = {"Version", "Id", "Statement"}
STATEMENT_FIELDS = {
    *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource"),
    *("NotResource", "Condition"),
}
SID = re.compile(r"[0-9A-Za-z]*")
OPERATORS = {
    *("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
    *("StringLike", "StringNotLike", "NumericEquals", "NumericNotEquals", "NumericLessThan"),
    *("NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals", "DateEquals"),
    *("DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan"),
    *("DateGreaterThanEquals", "Bool", "BinaryEquals", "IpAddress", "NotIpAddress", "ArnEquals"),
    *("ArnLike", "ArnNotEquals", "ArnNotLike", "Null"),
}
CONDITION = re.compile(r"(?:ForAnyValue:|ForAllValues:)?(\w+?)(IfExists)?", re.IGNORECASE)
KNOWN_OPERATORS = {operator.lower() for operator in OPERATORS}
ACTION = re.compile(r"[a-zA-Z0-9-]+:[a-zA-Z0-9*?]+")
NO_VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
SPACE = re.compile(r'("(?:\\.|[^"\\])*")|\s+')


def size(document: str) -> int:
    """How much of a quota a document takes: white space between its parts does not count."""
    return len(SPACE.sub(r"\1", document))


def encoded(document: str) -> str:
    """A document as IAM answers it: percent-encoded (RFC 3986)."""
    return quote(document, safe="")


def as_list(value: Any) -> list[Any]:
    """What policies write as one thing or as a list of them."""
    return value if isinstance(value, list) else [value]


def strings(value: Any) -> list[str] | None:
    """A string or a list of at least one, as a list; None if it is anything else."""
    values = as_list(value)
    return values if values and all(isinstance(each, str) for each in values) else None


def malformed(message: str) -> AwsError:
    """The answer to a document that breaks the grammar."""
    return AwsError("MalformedPolicyDocument", message)


def parse(document: str, otherwise: str) -> dict[str, Any]:
    """The JSON object in a document, or the error that is worded `otherwise`."""
    try:
        content = json.loads(document, object_pairs_hook=_unique)
    except ValueError:
        raise malformed(otherwise) from None
    if not isinstance(content, dict):
        raise malformed(otherwise)
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a name twice in one object")
    return content


def check_sids(statements: list[dict[str, Any]], repeated: str) -> None:
    """Refuse statement ids that are not words, or that come twice."""
    names = [statement["Sid"] for statement in statements if "Sid" in statement]
    for name in names:
        if not isinstance(name, str) or not SID.fullmatch(name):
            raise malformed(
                "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the "
                "regular expression [0-9A-Za-z]*"
            )
    given = [name for name in names if name]
    if len(set(given)) < len(given):
        raise malformed(repeated)


def check_condition(condition: Any, otherwise: str) -> None:
    """Refuse operators that IAM does not know, keys of no service, and values of other types."""
    if not isinstance(condition, dict):
        raise malformed(otherwise)
    for operator, keys in condition.items():
        match = CONDITION.fullmatch(operator)
        if match is None or match[1].lower() not in KNOWN_OPERATORS:
            raise malformed(f"Invalid Condition type : {operator}")
        if match[1].lower() == "null" and match[2]:
            raise malformed(f"Invalid Condition type : {operator}")
        if not isinstance(keys, dict):
            raise malformed(otherwise)
        for key, values in keys.items():
            if ":" not in key:
                raise malformed(NO_VENDOR)
            if not all(isinstance(value, (str, bool, int, float)) for value in as_list(values)):
                raise malformed(otherwise)

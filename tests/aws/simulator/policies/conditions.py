"""Conditions of statements: every operator, on keys with one value, several, or none."""

import base64
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from simulator.policies.patterns import (
    Context,
    UnknownVariableError,
    arn_matches,
    filled,
    matches,
    plain,
)

OPERATOR = re.compile(r"(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?", re.IGNORECASE)
ALL, ANY = "forallvalues", "foranyvalue"
Test = Callable[[str, str], bool]


class InvalidConditionError(ValueError):
    """An operator or a value that no policy may have."""


def hold(conditions: Mapping[str, Any], context: Context, version: str | None = None) -> bool:
    """Whether all conditions of a statement hold; keys of the context are in lower case."""
    return all(
        _holds(operator, key, _as_texts(values), context, version)
        for operator, keys in conditions.items()
        for key, values in keys.items()
    )


def _holds(
    operator: str, key: str, wanted: list[str], context: Context, version: str | None
) -> bool:
    match = OPERATOR.fullmatch(operator)
    if match is None:
        raise InvalidConditionError(operator)
    quantifier, name, if_exists = (match[1] or "").lower(), match[2].lower(), match[3]
    given = context.get(key.lower())
    if name == "null":
        return (given is None) == (wanted[0].lower() == "true")
    test, is_negated = _test(name)
    if given is None:
        if if_exists or quantifier == ALL:
            return True
        return is_negated and quantifier != ANY
    texts = [text for each in wanted if (text := _filled(each, context, version)) is not None]
    if is_negated and len(texts) < len(wanted):
        # What must not be is unknown while a variable has no value.
        return False

    def passes(value: str) -> bool:
        # A negated operator wants none of its values, any other one of them.
        return any(test(text, value) for text in texts) != is_negated

    if quantifier == ALL:
        return all(map(passes, given))
    if quantifier == ANY or not is_negated:
        return any(map(passes, given))
    return all(map(passes, given))


def _filled(text: str, context: Context, version: str | None) -> str | None:
    """A value of a condition; None if it holds a variable that has no value."""
    try:
        return filled(text, context, version)
    except UnknownVariableError:
        return None


def _test(name: str) -> tuple[Test, bool]:
    """An operator's test, and whether it is a test that must fail."""
    if name in NEGATED:
        return TESTS[NEGATED[name]], True
    if name not in TESTS:
        raise InvalidConditionError(name)
    return TESTS[name], False


def _as_texts(values: Any) -> list[str]:
    listed = values if isinstance(values, list) else [values]
    return [str(each).lower() if isinstance(each, bool) else str(each) for each in listed]


def _number(text: str) -> float:
    return float(plain(text))


def _moment(text: str) -> float:
    text = plain(text)
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text)
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _comparing(read: Callable[[str], float], compare: Callable[[float, float], bool]) -> Test:
    """A test of what can be ordered; a value that cannot be read passes no test."""

    def test(wanted: str, given: str) -> bool:
        try:
            return compare(read(given), read(wanted))
        except ValueError:
            return False

    return test


def _in_network(wanted: str, given: str) -> bool:
    try:
        network = ipaddress.ip_network(plain(wanted), strict=False)
        return ipaddress.ip_address(given) in network
    except ValueError:
        return False


def _same_bytes(wanted: str, given: str) -> bool:
    try:
        return base64.b64decode(plain(wanted)) == base64.b64decode(given)
    except ValueError:
        return False


ORDERS: Sequence[tuple[str, Callable[[float, float], bool]]] = (
    ("equals", lambda given, wanted: given == wanted),
    ("lessthan", lambda given, wanted: given < wanted),
    ("lessthanequals", lambda given, wanted: given <= wanted),
    ("greaterthan", lambda given, wanted: given > wanted),
    ("greaterthanequals", lambda given, wanted: given >= wanted),
)
TESTS: dict[str, Test] = {
    "stringequals": lambda wanted, given: plain(wanted) == given,
    "stringequalsignorecase": lambda wanted, given: plain(wanted).lower() == given.lower(),
    "stringlike": matches,
    "bool": lambda wanted, given: plain(wanted).lower() == given.lower(),
    "binaryequals": _same_bytes,
    "ipaddress": _in_network,
    # Both of them: IAM takes wildcards in either.
    "arnequals": arn_matches,
    "arnlike": arn_matches,
    **{f"numeric{name}": _comparing(_number, compare) for name, compare in ORDERS},
    **{f"date{name}": _comparing(_moment, compare) for name, compare in ORDERS},
}
NEGATED = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "numericnotequals": "numericequals",
    "datenotequals": "dateequals",
    "notipaddress": "ipaddress",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
}

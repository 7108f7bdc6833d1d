"""Patterns in policies: wildcards, policy variables, and ARNs."""

import re
from collections.abc import Mapping, Sequence
from functools import cache

Context = Mapping[str, Sequence[str]]

VARIABLE = re.compile(r"\$\{\s*([^}',]+?)\s*(?:,\s*'([^']*)'\s*)?\}")
# Variables that stand for a character that would be a wildcard, or begin a variable.
LITERALS = {"*": "*", "?": "?", "$": "$"}
# Characters of no policy, in the place of literal ones until wildcards have been dealt with.
MARKS = {"*": "\ue000", "?": "\ue001", "$": "\ue002"}
ARN_PARTS = 6


class UnknownVariableError(Exception):
    """A variable without a value: what holds it matches nothing."""


def filled(text: str, context: Context, version: str | None) -> str:
    """A text of a policy with its variables filled in; only the later version has variables."""
    if version != "2012-10-17":
        return text

    def value(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        if name in LITERALS:
            return MARKS[name]
        values = context.get(name.lower(), ())
        if len(values) == 1:
            # What a variable holds is never a wildcard.
            return "".join(MARKS.get(character, character) for character in values[0])
        if default is not None:
            return "".join(MARKS.get(character, character) for character in default)
        raise UnknownVariableError(name)

    return VARIABLE.sub(value, text)


def plain(text: str) -> str:
    """A filled text as it is compared where there are no wildcards."""
    for character, mark in MARKS.items():
        text = text.replace(mark, character)
    return text


@cache
def glob(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """A filled text as a pattern: `*` is any text, `?` is any character."""
    wild = {"*": ".*", "?": "."}
    body = "".join(wild.get(each) or re.escape(plain(each)) for each in pattern)
    return re.compile(body, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def matches(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    """Whether a filled pattern covers all of a text."""
    return glob(pattern, ignore_case=ignore_case).fullmatch(text) is not None


def arn_matches(pattern: str, arn: str) -> bool:
    """Whether a filled pattern covers an ARN, part by part: no wildcard reaches past a colon."""
    wanted, given = pattern.split(":", ARN_PARTS - 1), arn.split(":", ARN_PARTS - 1)
    if len(wanted) < ARN_PARTS or len(given) < ARN_PARTS:
        return False
    return all(matches(each, part) for each, part in zip(wanted, given, strict=True))

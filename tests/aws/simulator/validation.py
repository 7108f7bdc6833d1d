"""Parameters checked against botocore's service models, in AWS's wording.

botocore itself checks only types, required members and lower bounds before it sends; a service
also checks patterns, enums and upper bounds, and says which constraint failed.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from simulator.call import Call
from simulator.errors import AwsError

MISSING = "Member must not be null"
# Only between brackets, where the models have it.
CATEGORY = re.compile(r"\\p\{([A-Z][a-z]?)\}")
# No plane after this one holds letters, and to look at all of them takes four times as long.
LAST_LETTER = 0x3FFFF


@dataclass(frozen=True)
class Problem:
    """A constraint that a value breaks, and where the value stands."""

    path: str
    value: Any
    constraint: str
    bound: float | None = None

    def __str__(self) -> str:
        """The sentence that most services say."""
        value = "Value null" if self.value is None else f"Value '{self.value}'"
        return f"{value} at '{self.path}' failed to satisfy constraint: {self.constraint}"


def check_parameters(call: Call, code: str) -> None:
    """Raise the service's validation error unless the model admits the parameters."""
    found = list(problems_of(call))
    if found:
        noun = "error" if len(found) == 1 else "errors"
        sentences = "; ".join(map(str, found))
        raise AwsError(code, f"{len(found)} validation {noun} detected: {sentences}")


def problems_of(call: Call) -> Iterator[Problem]:
    """Each constraint of the model that a call's parameters break."""
    shape = call.model.input_shape if call.model else None
    if shape is not None:
        yield from problems(shape, call.parameters)


def problems(shape: Any, value: Any, path: str = "") -> Iterator[Problem]:
    """Each constraint of a shape that a value breaks."""
    kind = shape.type_name
    if kind == "structure":
        yield from _structure(shape, value, path)
    elif kind == "list":
        yield from _bounds(shape, value, len(value), path, "length")
        for number, member in enumerate(value, 1):
            yield from problems(shape.member, member, f"{path}.{number}.member")
    elif kind == "map":
        yield from _bounds(shape, value, len(value), path, "length")
        for key, member in value.items():
            yield from problems(shape.key, key, path)
            yield from problems(shape.value, member, f"{path}.{key}.member")
    elif kind == "string":
        yield from _string(shape, value, path)
    elif kind in ("integer", "long", "float", "double"):
        yield from _bounds(shape, value, value, path, "value")


def _structure(shape: Any, value: Any, path: str) -> Iterator[Problem]:
    if not isinstance(value, dict):
        return
    for name in shape.required_members:
        if value.get(name) is None:
            yield Problem(_join(path, name), None, MISSING)
    for name, member in value.items():
        if member is not None and name in shape.members:
            yield from problems(shape.members[name], member, _join(path, name))


def _join(path: str, name: str) -> str:
    # The services name members as their own models do, with a small first letter.
    small = name[0].lower() + name[1:]
    return f"{path}.{small}" if path else small


def _string(shape: Any, value: Any, path: str) -> Iterator[Problem]:
    if not isinstance(value, str):
        return
    yield from _bounds(shape, value, len(value), path, "length")
    enum = shape.metadata.get("enum")
    if enum and value not in enum:
        yield Problem(path, value, f"Member must satisfy enum value set: [{', '.join(enum)}]")
    pattern = shape.metadata.get("pattern")
    compiled = _compiled(pattern) if pattern else None
    if compiled and not compiled.fullmatch(value):
        constraint = f"Member must satisfy regular expression pattern: {pattern}"
        yield Problem(path, value, constraint)


def _bounds(shape: Any, value: Any, size: float, path: str, what: str) -> Iterator[Problem]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        constraint = f"Member must have {what} greater than or equal to {least}"
        yield Problem(path, value, constraint, least)
    if most is not None and size > most:
        constraint = f"Member must have {what} less than or equal to {most}"
        yield Problem(path, value, constraint, most)


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        # \w and its like are ASCII in AWS's language.
        return re.compile(CATEGORY.sub(_characters, pattern), re.ASCII)
    except re.error:
        return None


def _characters(match: re.Match[str]) -> str:
    return _ranges().get(match[1], match[0])


@cache
def _ranges() -> dict[str, str]:
    """The characters of each Unicode category, as they stand between brackets.

    Java's classes (`\\p{L}`), which tags are checked by, have no counterpart in this language's
    library.
    """
    found: dict[str, list[list[int]]] = {}
    for code in range(LAST_LETTER + 1):
        category = unicodedata.category(chr(code))
        for name in (category, category[0]):
            ranges = found.setdefault(name, [])
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return {
        name: "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in ranges)
        for name, ranges in found.items()
    }

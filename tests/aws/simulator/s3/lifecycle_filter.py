"""Filters of lifecycle rules: their form, their limits, and how S3 names them in messages."""

from dataclasses import dataclass, field
from xml.etree import ElementTree

from simulator.s3.service import invalid_request, malformed_xml

LARGEST_SIZE = 1_099_511_627_776_000
LONGEST_KEY = 128
LONGEST_VALUE = 256


@dataclass
class Scope:
    """What a rule applies to."""

    prefix: str | None = None
    tags: list[tuple[str, str]] = field(default_factory=list)
    greater: int | None = None
    less: int | None = None

    def __str__(self) -> str:
        """The scope as S3's messages have it: `(prefix=logs/ and objectsizelessthan=10)`."""
        parts = [] if self.prefix is None else [f"prefix={self.prefix}"]
        parts += [f"tag={{key={key}, value={value}}}" for key, value in self.tags]
        if self.greater is not None:
            parts.append(f"objectsizegreaterthan={self.greater}")
        if self.less is not None:
            parts.append(f"objectsizelessthan={self.less}")
        return f"({' and '.join(parts)})"


def parse_filter(element: ElementTree.Element) -> Scope:
    """The scope that a `Filter` element describes, or S3's error."""
    scope, conjunction, predicates = _predicates(element)
    if conjunction is not None:
        if predicates:
            raise malformed_xml()
        scope, inner, predicates = _predicates(conjunction)
        if inner is not None or predicates < 2:
            raise malformed_xml()
    elif predicates > 1:
        raise malformed_xml()
    _check_sizes(scope)
    _check_tags(scope.tags)
    return scope


def _predicates(
    element: ElementTree.Element,
) -> tuple[Scope, ElementTree.Element | None, int]:
    scope, conjunction, count = Scope(), None, 0
    for part in element:
        name, value = part.tag.rpartition("}")[2], (part.text or "").strip()
        if name == "And":
            conjunction = part
            continue
        if name == "Prefix":
            scope.prefix = value
        elif name == "Tag":
            scope.tags.append(_tag(part))
        elif name == "ObjectSizeGreaterThan":
            scope.greater = _size(value)
        elif name == "ObjectSizeLessThan":
            scope.less = _size(value)
        else:
            # An element of a later time: taken, and not understood.
            continue
        count += 1
    return scope, conjunction, count


def _tag(element: ElementTree.Element) -> tuple[str, str]:
    parts = {part.tag.rpartition("}")[2]: part.text or "" for part in element}
    if parts.keys() != {"Key", "Value"}:
        raise malformed_xml()
    return parts["Key"], parts["Value"]


def _size(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise malformed_xml() from None


def _check_sizes(scope: Scope) -> None:
    if scope.greater is not None and not 0 <= scope.greater <= LARGEST_SIZE:
        raise invalid_request(f"'ObjectSizeGreaterThan' should be between 0 and {LARGEST_SIZE}.")
    if scope.less is not None and not 1 <= scope.less <= LARGEST_SIZE:
        raise invalid_request(f"'ObjectSizeLessThan' should be between 1 and {LARGEST_SIZE}.")
    if None not in (scope.greater, scope.less) and scope.greater >= scope.less:
        raise invalid_request(
            "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'."
        )


def _check_tags(tags: list[tuple[str, str]]) -> None:
    keys = [key for key, _ in tags]
    if len(set(keys)) < len(keys):
        raise invalid_request("Duplicate Tag Keys are not allowed.")
    for key, value in tags:
        if not 1 <= len(key) <= LONGEST_KEY:
            message = f"A Tag's Key must be a length between 1 and {LONGEST_KEY}."
            raise invalid_request(message)
        if len(value) > LONGEST_VALUE:
            message = f"A Tag's Value must be a length between 0 and {LONGEST_VALUE}."
            raise invalid_request(message)

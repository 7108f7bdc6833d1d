"""Describe operations: ids, filters and pages, which all kinds have in common."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from simulator.call import Call
from simulator.ec2.service import (
    Kind,
    backend_of,
    check_ids,
    invalid_combination,
    invalid_value,
    not_found,
    tags_of,
)
from simulator.errors import AwsError

MOST_FILTER_VALUES = 200
Getter = Callable[[Any], Any]


@dataclass(frozen=True)
class Listing:
    """A Describe operation: what it describes, and by which filters it is narrowed."""

    # A filter's name, and what an item has to show it: a value, several, or None.
    filters: Mapping[str, Getter]
    kind: Kind | None = None
    # The parameter that names ids.
    ids: str = ""
    # The largest page; a larger one is cut down to it unless the model already refused it.
    most: int = 1000
    # Whether ids and a page's size exclude each other.
    pages_exclude_ids: bool = False
    tags: Callable[[Call, Any], dict[str, str]] = lambda call, item: tags_of(
        backend_of(call), item.id
    )


def page_of(
    call: Call, listing: Listing, items: Iterable[Any]
) -> tuple[list[Any], dict[str, str | None]]:
    """One page of the items that a call asks for, and the rest of the answer."""
    given = call.parameters
    filters = given.get("Filters") or []
    named = _named(call, listing, items)
    if named and sum(len(each.get("Values", [])) for each in filters) > MOST_FILTER_VALUES:
        raise AwsError(
            "FilterLimitExceeded",
            "The maximum number of filter values specified on a single call is "
            f"{MOST_FILTER_VALUES}",
        )
    wanted = [item for item in named if _passes(call, listing, filters, item)]
    size = given.get("MaxResults")
    if size is not None and listing.pages_exclude_ids and given.get(listing.ids):
        small = listing.ids[0].lower() + listing.ids[1:]
        raise invalid_combination(
            f"The parameter {small} cannot be used with the parameter maxResults"
        )
    if size is not None and size < 1:
        raise invalid_value(f"Value ( {size} ) for parameter maxResults is invalid.")
    start = _start(wanted, given.get("NextToken"))
    end = start + min(size or len(wanted), listing.most)
    token = None
    if end < len(wanted):
        token = urlsafe_b64encode(wanted[end].id.encode()).decode()
    return wanted[start:end], {"NextToken": token}


def _named(call: Call, listing: Listing, items: Iterable[Any]) -> list[Any]:
    ids = call.parameters.get(listing.ids) or []
    by_id = {item.id: item for item in items}
    if listing.kind is not None:
        check_ids(listing.kind, ids)
        for number in ids:
            if number not in by_id:
                raise not_found(listing.kind, number)
    return [by_id[number] for number in dict.fromkeys(ids)] if ids else list(by_id.values())


def _passes(call: Call, listing: Listing, filters: list[dict[str, Any]], item: Any) -> bool:
    return all(
        _matches(each.get("Values", []), _shown(call, listing, item, each.get("Name")))
        for each in filters
    )


def _shown(call: Call, listing: Listing, item: Any, name: str | None) -> list[str]:
    """What an item has to show a filter of this name."""
    if name is not None and name.startswith("tag:"):
        tags = listing.tags(call, item)
        return [tags[key]] if (key := name.removeprefix("tag:")) in tags else []
    if name == "tag-key":
        return list(listing.tags(call, item))
    if name not in listing.filters:
        raise invalid_value(f"The filter '{'null' if name is None else name}' is invalid")
    shown = listing.filters[name](item)
    values = shown if isinstance(shown, (list, tuple, set)) else [shown]
    return [_text(value) for value in values if value is not None]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _matches(patterns: list[str], values: list[str]) -> bool:
    return any(_glob(pattern).fullmatch(value) for pattern in patterns for value in values)


@cache
def _glob(pattern: str) -> re.Pattern[str]:
    """A filter's value: `*` and `?` are wildcards unless a backslash stands before them."""
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    wild = {"*": ".*", "?": "."}
    return re.compile(
        "".join(wild.get(part) or re.escape(part.removeprefix("\\") or part) for part in parts),
        re.DOTALL,
    )


def _start(items: list[Any], token: str | None) -> int:
    if not token:
        return 0
    try:
        number = urlsafe_b64decode(token).decode()
        return [item.id for item in items].index(number)
    except ValueError:
        raise AwsError("InvalidNextToken", f"The token '{token}' is invalid") from None

"""Lists: which entries, in which order, which page of them."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from simulator.call import Call
from simulator.sagemaker.resources import Resource
from simulator.sagemaker.service import invalid

PAGE = 10
SORT_KEYS: dict[str, Callable[[Any], Any]] = {
    "Name": lambda each: each.name,
    "CreationTime": lambda each: each.created,
    "Status": lambda each: each.status,
}
TIMES = {"CreationTime": "created", "LastModifiedTime": "modified"}


def list_page(
    call: Call,
    resources: list[Resource],
    member: str,
    summary: Callable[[Any], dict[str, Any]],
) -> dict[str, Any]:
    """One page, the newest first unless asked otherwise."""
    given = call.parameters
    key = SORT_KEYS[given.get("SortBy", "CreationTime")]
    wanted = [each for each in resources if _is_wanted(given, each)]
    # The ARN decides between equals, or pages would overlap.
    wanted.sort(
        key=lambda each: (key(each), each.arn),
        reverse=given.get("SortOrder", "Descending") == "Descending",
    )
    start = _start(wanted, given.get("NextToken"))
    end = start + given.get("MaxResults", PAGE)
    answer: dict[str, Any] = {member: [summary(each) for each in wanted[start:end]]}
    if end < len(wanted):
        answer["NextToken"] = urlsafe_b64encode(wanted[end].arn.encode()).decode()
    return answer


def _is_wanted(given: dict[str, Any], resource: Any) -> bool:
    if given.get("NameContains", "").lower() not in resource.name.lower():
        return False
    if given.get("StatusEquals") and resource.status != given["StatusEquals"]:
        return False
    for name, attribute in TIMES.items():
        after, before = given.get(f"{name}After"), given.get(f"{name}Before")
        if after and getattr(resource, attribute) <= _aware(after):
            return False
        if before and getattr(resource, attribute) >= _aware(before):
            return False
    return True


def _aware(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def _start(resources: list[Resource], token: str | None) -> int:
    if token is None:
        return 0
    try:
        arn = urlsafe_b64decode(token).decode()
        return [resource.arn for resource in resources].index(arn)
    except ValueError:
        raise invalid(f"Invalid pagination token: {token}") from None

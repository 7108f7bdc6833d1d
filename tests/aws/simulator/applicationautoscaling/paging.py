"""Pages of what is described."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from simulator.applicationautoscaling.service import invalid
from simulator.call import Call
from simulator.errors import AwsError
from simulator.scalable_targets import ScalableTarget, targets_in

MOST = 50


def selected_targets(call: Call) -> list[ScalableTarget]:
    """The caller's targets, those of a resource and a dimension if they are given."""
    given = call.parameters
    resource, dimension = given.get("ResourceId"), given.get("ScalableDimension")
    if dimension and not (resource or given.get("ResourceIds")):
        raise invalid("If you specify a scalable dimension, you must also specify a resource ID.")
    return [
        target
        for target in targets_in(call.account, call.region)
        if resource in (None, target.resource) and dimension in (None, target.dimension)
    ]


def page(call: Call, member: str, entries: list[dict[str, Any]], key: str) -> dict[str, Any]:
    """One page of entries; `key` names what tells them apart."""
    size = call.parameters.get("MaxResults", MOST)
    if not 1 <= size <= MOST:
        raise invalid(f"MaxResults must be between 1 and {MOST}.")
    start = _start([entry[key] for entry in entries], call.parameters.get("NextToken"))
    end = start + size
    answer: dict[str, Any] = {member: entries[start:end]}
    if end < len(entries):
        answer["NextToken"] = urlsafe_b64encode(entries[end][key].encode()).decode()
    return answer


def _start(keys: list[str], token: str | None) -> int:
    if token is None:
        return 0
    try:
        return keys.index(urlsafe_b64decode(token).decode())
    except ValueError:
        raise AwsError("InvalidNextTokenException", f"Invalid next token: {token}") from None

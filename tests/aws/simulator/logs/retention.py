"""Retention: for how many days a log group keeps its events."""

from typing import Any

from simulator.call import Call
from simulator.logs.service import begin_change, group_of, invalid_parameter, place_of, service

# From the documentation of PutRetentionPolicy; the service model has it only as prose.
DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192),
    *(2557, 2922, 3288, 3653),
)


@service.before("PutRetentionPolicy")
def put_retention_policy(call: Call) -> dict[str, Any]:
    """Keep events for one of the periods that there are."""
    name, days = call.parameters["logGroupName"], call.parameters["retentionInDays"]
    if days not in DAYS:
        known = ", ".join(map(str, DAYS))
        raise invalid_parameter(
            f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy "
            f"constraint: Member must satisfy enum value set: [{known}]"
        )
    _set(call, name, days)
    return {}


@service.before("DeleteRetentionPolicy")
def delete_retention_policy(call: Call) -> dict[str, Any]:
    """Keep events for ever; it does not matter whether they were kept for ever before."""
    _set(call, call.parameters["logGroupName"], None)
    return {}


def _set(call: Call, name: str, days: int | None) -> None:
    group = group_of(call, name)
    begin_change(place_of(call, name))
    group.retention_in_days = days

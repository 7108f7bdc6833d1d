"""Scheduled actions; they are kept, and never happen."""

import uuid
from datetime import UTC, datetime
from typing import Any

from simulator.applicationautoscaling.paging import page, selected_targets
from simulator.applicationautoscaling.schedules import check_schedule, check_timezone
from simulator.applicationautoscaling.service import (
    NAMESPACE,
    check_capacities,
    described,
    invalid,
    is_ours,
    key_of,
    object_not_found,
    part_of_arn,
    registered_target,
    service,
)
from simulator.call import Call
from simulator.scalable_targets import ScalableTarget, find_target

KEPT = ("Schedule", "Timezone", "ScalableTargetAction")
# An update that leaves these out takes them away.
DROPPED = ("StartTime", "EndTime")


@service.before("PutScheduledAction")
def put(call: Call) -> dict[str, Any] | None:
    """Make an action, or change one that is there."""
    if not is_ours(call):
        return None
    target, given = registered_target(call), call.parameters
    name = given["ScheduledActionName"]
    held = target.actions.get(name)
    changed = {key: held[key] for key in KEPT if held and key in held}
    changed |= {key: given[key] for key in (*KEPT, *DROPPED) if given.get(key) is not None}
    _check(changed)
    if held is None:
        held = _new_action(call, target, name)
    target.actions[name] = {
        **{key: value for key, value in held.items() if key not in (*KEPT, *DROPPED)},
        **changed,
    }
    return {}


def _check(action: dict[str, Any]) -> None:
    for name in ("Schedule", "ScalableTargetAction"):
        if name not in action:
            raise invalid(f"{name} must be specified for a new scheduled action.")
    check_schedule(action["Schedule"])
    if "Timezone" in action:
        check_timezone(action["Timezone"])
    least = action["ScalableTargetAction"].get("MinCapacity")
    most = action["ScalableTargetAction"].get("MaxCapacity")
    if least is None and most is None:
        raise invalid("MinCapacity or MaxCapacity must be specified for a scheduled action.")
    check_capacities(least, most)
    start, end = action.get("StartTime"), action.get("EndTime")
    if start and end and end <= start:
        raise invalid("EndTime must be later than StartTime.")


def _new_action(call: Call, target: ScalableTarget, name: str) -> dict[str, Any]:
    return {
        "ScheduledActionName": name,
        "ScheduledActionARN": part_of_arn(call, "scheduledAction", str(uuid.uuid4()), name),
        "ServiceNamespace": NAMESPACE,
        "ResourceId": target.resource,
        "ScalableDimension": target.dimension,
        "CreationTime": datetime.now(UTC),
    }


@service.before("DescribeScheduledActions")
def describe(call: Call) -> dict[str, Any] | None:
    """A page of scheduled actions."""
    if not is_ours(call):
        return None
    names = call.parameters.get("ScheduledActionNames")
    entries = [
        action
        for target in selected_targets(call)
        for action in target.actions.values()
        if not names or action["ScheduledActionName"] in names
    ]
    return page(call, "ScheduledActions", entries, "ScheduledActionARN")


@service.before("DeleteScheduledAction")
def delete(call: Call) -> dict[str, Any] | None:
    """Delete an action."""
    if not is_ours(call):
        return None
    name = call.parameters["ScheduledActionName"]
    target = find_target(key_of(call))
    if target is None or target.actions.pop(name, None) is None:
        raise object_not_found(
            f"No scheduled action found for {described(call)}, scheduled action name: {name}"
        )
    return {}

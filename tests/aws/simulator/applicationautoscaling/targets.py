"""Scalable targets."""

import secrets
from typing import Any

from simulator.applicationautoscaling.paging import page, selected_targets
from simulator.applicationautoscaling.resources import check_resource, pull_into_bounds
from simulator.applicationautoscaling.service import (
    NAMESPACE,
    check_capacities,
    described,
    invalid,
    is_ours,
    key_of,
    object_not_found,
    service,
)
from simulator.applicationautoscaling.tagging import check_tags
from simulator.call import Call
from simulator.iam.service_linked import ensure_service_linked_role
from simulator.scalable_targets import ScalableTarget, add_target, find_target, remove_target

PRINCIPAL = "sagemaker.application-autoscaling.amazonaws.com"
SWITCHES = (
    *("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"),
)


@service.before("RegisterScalableTarget")
def register(call: Call) -> dict[str, Any] | None:
    """Make a target, or change what is given of one that is there."""
    if not is_ours(call):
        return None
    given = call.parameters
    check_resource(call)
    target = find_target(key_of(call))
    least = given.get("MinCapacity", target.least if target else None)
    most = given.get("MaxCapacity", target.most if target else None)
    if least is None or most is None:
        raise invalid("MinCapacity and MaxCapacity must be specified for a new scalable target.")
    check_capacities(least, most)
    if target is None:
        target = _new_target(call)
        add_target(target)
    elif given.get("Tags"):
        raise invalid("Tags can only be specified when a scalable target is created.")
    target.least, target.most = least, most
    target.suspended |= given.get("SuspendedState") or {}
    pull_into_bounds(call, target)
    return {"ScalableTargetARN": target.arn}


def _new_target(call: Call) -> ScalableTarget:
    tags = dict(call.parameters.get("Tags") or {})
    check_tags(tags)
    prefix = f"arn:{call.partition}:application-autoscaling:{call.region}:{call.account}"
    return ScalableTarget(
        key=key_of(call),
        arn=f"{prefix}:scalable-target/{secrets.token_hex(18)}",
        least=0,
        most=0,
        role_arn=ensure_service_linked_role(call, PRINCIPAL).arn,
        suspended=dict.fromkeys(SWITCHES, False),
        tags=tags,
    )


@service.before("DescribeScalableTargets")
def describe(call: Call) -> dict[str, Any] | None:
    """A page of targets; ids that nothing is registered for are passed over."""
    if not is_ours(call):
        return None
    wanted = call.parameters.get("ResourceIds")
    entries = [
        _description(target)
        for target in selected_targets(call)
        if not wanted or target.resource in wanted
    ]
    return page(call, "ScalableTargets", entries, "ScalableTargetARN")


def _description(target: ScalableTarget) -> dict[str, Any]:
    return {
        "ServiceNamespace": NAMESPACE,
        "ResourceId": target.resource,
        "ScalableDimension": target.dimension,
        "MinCapacity": target.least,
        "MaxCapacity": target.most,
        "RoleARN": target.role_arn,
        "CreationTime": target.created,
        "SuspendedState": target.suspended,
        "ScalableTargetARN": target.arn,
    }


@service.before("DeregisterScalableTarget")
def deregister(call: Call) -> dict[str, Any] | None:
    """Forget a target, its policies and its scheduled actions."""
    if not is_ours(call):
        return None
    target = find_target(key_of(call))
    if target is None:
        raise object_not_found(f"No scalable target found for {described(call)}")
    remove_target(target)
    return {}

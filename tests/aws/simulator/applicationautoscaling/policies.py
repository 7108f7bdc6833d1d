"""Scaling policies, and the names of the alarms that go with them."""

import copy
import uuid
from datetime import UTC, datetime
from typing import Any

from simulator.applicationautoscaling.paging import page, selected_targets
from simulator.applicationautoscaling.policy_rules import CONFIGURATIONS, TRACKING, check_policy
from simulator.applicationautoscaling.service import (
    NAMESPACE,
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

DEFAULT_TYPE = "StepScaling"


@service.before("PutScalingPolicy")
def put(call: Call) -> dict[str, Any] | None:
    """Make a policy, or change what is given of one that is there."""
    if not is_ours(call):
        return None
    target, given = registered_target(call), call.parameters
    name = given["PolicyName"]
    held = target.policies.get(name)
    kind = given.get("PolicyType", held["PolicyType"] if held else DEFAULT_TYPE)
    if held and kind != held["PolicyType"]:
        raise invalid(f"The type of policy {name} cannot be changed.")
    check_policy(call, kind, is_new=held is None)
    if held is None:
        arn = part_of_arn(call, "scalingPolicy", str(uuid.uuid4()), name)
        held = _new_policy(target, name, kind, arn)
        target.policies[name] = held
    member = CONFIGURATIONS[kind]
    if member in given:
        held[member] = copy.deepcopy(given[member])
        if kind == TRACKING:
            held[member].setdefault("DisableScaleIn", False)
            held["Alarms"] = _alarms(call, target, held)
    return {"PolicyARN": held["PolicyARN"], "Alarms": held["Alarms"]}


def _new_policy(target: ScalableTarget, name: str, kind: str, arn: str) -> dict[str, Any]:
    return {
        "PolicyARN": arn,
        "PolicyName": name,
        "ServiceNamespace": NAMESPACE,
        "ResourceId": target.resource,
        "ScalableDimension": target.dimension,
        "PolicyType": kind,
        "Alarms": [],
        "CreationTime": datetime.now(UTC),
    }


def _alarms(call: Call, target: ScalableTarget, policy: dict[str, Any]) -> list[dict[str, str]]:
    """The alarms that the policy needs: those it has already stay as they are."""
    wanted = ["AlarmHigh"]
    if not policy[CONFIGURATIONS[TRACKING]]["DisableScaleIn"]:
        wanted.append("AlarmLow")
    held = {alarm["AlarmName"].split("-")[-6]: alarm for alarm in policy["Alarms"]}
    return [held.get(kind) or _new_alarm(call, target, kind) for kind in wanted]


def _new_alarm(call: Call, target: ScalableTarget, kind: str) -> dict[str, str]:
    name = f"TargetTracking-{target.resource}-{kind}-{uuid.uuid4()}"
    prefix = f"arn:{call.partition}:cloudwatch:{call.region}:{call.account}"
    return {"AlarmName": name, "AlarmARN": f"{prefix}:alarm:{name}"}


@service.before("DescribeScalingPolicies")
def describe(call: Call) -> dict[str, Any] | None:
    """A page of policies."""
    if not is_ours(call):
        return None
    names = call.parameters.get("PolicyNames")
    entries = [
        policy
        for target in selected_targets(call)
        for policy in target.policies.values()
        if not names or policy["PolicyName"] in names
    ]
    return page(call, "ScalingPolicies", entries, "PolicyARN")


@service.before("DeleteScalingPolicy")
def delete(call: Call) -> dict[str, Any] | None:
    """Delete a policy and its alarms."""
    if not is_ours(call):
        return None
    name = call.parameters["PolicyName"]
    target = find_target(key_of(call))
    if target is None or target.policies.pop(name, None) is None:
        raise object_not_found(
            f"No scaling policy found for {described(call)}, policy name: {name}"
        )
    return {}

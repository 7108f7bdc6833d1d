"""What IAM knows of a call beside the action and the resource: its condition keys."""

from typing import Any

from simulator.call import Call
from simulator.service import Conditions, Requirement, Service


def conditions(call: Call, needed: Requirement, parts: dict[str, Service]) -> Conditions:
    """The condition keys of a call when it asks for an action on a resource."""
    action, resource = needed
    known = requested_tags(call)
    _, _, service, *_ = [*resource.split(":"), "", "", ""]
    part = parts.get(service)
    if part and part.conditions:
        known |= part.conditions(call, action, resource)
    return known


def requested_tags(call: Call) -> Conditions:
    """The tags that a call sets."""
    configuration = call.parameters.get("CreateBucketConfiguration") or {}
    specified = [
        tag
        for each in call.parameters.get("TagSpecifications") or []
        for tag in each.get("Tags") or []
    ]
    given = (
        call.parameters.get("Tags")
        or call.parameters.get("tags")
        or configuration.get("Tags")
        or specified
    )
    return {f"aws:RequestTag/{key}": value for key, value in pairs(given)}


def resource_tags(tags: Any) -> Conditions:
    """The tags that a resource has."""
    return {f"aws:ResourceTag/{key}": value for key, value in pairs(tags)}


def pairs(tags: Any) -> list[tuple[str, str]]:
    """Tags as AWS's services spell them: a map, or a list of keys and values.

    Keys alone, of tags to take off, are none.
    """
    if isinstance(tags, dict):
        return list(tags.items())
    return [(tag["Key"], tag["Value"]) for tag in tags if isinstance(tag, dict) and "Value" in tag]

"""Tags, which every kind carries in the same way."""

from typing import Any

from simulator.call import Call
from simulator.sagemaker.resources import Resource, look_up
from simulator.sagemaker.service import (
    CONFIG,
    ENDPOINT,
    MODEL,
    arn_prefix,
    invalid,
    not_found,
    service,
)

MOST_TAGS = 50
KINDS = (MODEL, CONFIG, ENDPOINT)


def tags_of(call: Call) -> dict[str, str]:
    """The tags that come with a creation."""
    return _merged({}, call.parameters.get("Tags") or [])


def _merged(held: dict[str, str], given: list[dict[str, str]]) -> dict[str, str]:
    keys = [tag["Key"] for tag in given]
    if len(set(keys)) < len(keys):
        raise invalid("Duplicate tag keys are not allowed.")
    for key in keys:
        if key.lower().startswith("aws:"):
            raise invalid("Tag keys that begin with aws: are reserved.")
    tags = {**held, **{tag["Key"]: tag["Value"] for tag in given}}
    if len(tags) > MOST_TAGS:
        raise invalid(f"The number of tags exceeds {MOST_TAGS}.")
    return tags


@service.before("AddTags")
def add_tags(call: Call) -> dict[str, Any] | None:
    """Add tags or change their values."""
    resource = _tagged(call)
    if resource is None:
        return None
    resource.tags = _merged(resource.tags, call.parameters["Tags"])
    return {"Tags": _listed(resource)}


@service.before("ListTags")
def list_tags(call: Call) -> dict[str, Any] | None:
    """The tags: all of them, since no page can be smaller than what a resource may have."""
    resource = _tagged(call)
    return None if resource is None else {"Tags": _listed(resource)}


@service.before("DeleteTags")
def delete_tags(call: Call) -> dict[str, Any] | None:
    """Take tags away; it does not matter whether they were there."""
    resource = _tagged(call)
    if resource is None:
        return None
    for key in call.parameters["TagKeys"]:
        resource.tags.pop(key, None)
    return {}


def _tagged(call: Call) -> Resource | None:
    """The resource that a call names by its ARN; None if its kind is moto's."""
    arn = call.parameters["ResourceArn"]
    if arn.split(":", 5)[5].split("/")[0] not in KINDS:
        return None
    resource = look_up(arn)
    if resource is None or not arn.startswith(arn_prefix(call)):
        raise not_found(arn)
    return resource


def _listed(resource: Resource) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in resource.tags.items()]

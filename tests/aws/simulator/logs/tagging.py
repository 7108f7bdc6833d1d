"""Tags of log groups; those of destinations are moto's."""

from typing import Any

from simulator.call import Call
from simulator.errors import AwsError
from simulator.logs.service import (
    arn_of,
    group_of,
    invalid_parameter,
    not_found,
    place_of,
    record_of,
    service,
)

MOST_TAGS = 50


def check_tags(tags: dict[str, str]) -> None:
    """Refuse tags whose keys are AWS's own."""
    for key in tags:
        if key.lower().startswith("aws:"):
            raise invalid_parameter(
                f"Tag key {key} is not valid: aws: prefixed tag key names are not allowed."
            )


@service.before("TagResource")
def tag_resource(call: Call) -> dict[str, Any] | None:
    """Add tags to what an ARN names, or change their values."""
    name = _name(call)
    return None if name is None else _tag(call, name, call.parameters["tags"])


@service.before("TagLogGroup")
def tag_log_group(call: Call) -> dict[str, Any]:
    """Add tags to a group, or change their values."""
    return _tag(call, call.parameters["logGroupName"], call.parameters["tags"])


@service.before("UntagResource")
def untag_resource(call: Call) -> dict[str, Any] | None:
    """Remove tags from what an ARN names; it does not matter whether they were there."""
    name = _name(call)
    return None if name is None else _untag(call, name, call.parameters["tagKeys"])


@service.before("UntagLogGroup")
def untag_log_group(call: Call) -> dict[str, Any]:
    """Remove tags from a group; it does not matter whether they were there."""
    return _untag(call, call.parameters["logGroupName"], call.parameters["tags"])


@service.before("ListTagsForResource")
def list_tags_for_resource(call: Call) -> dict[str, Any] | None:
    """The tags of what an ARN names."""
    name = _name(call)
    return None if name is None else {"tags": _tags(call, name)}


@service.before("ListTagsLogGroup")
def list_tags_log_group(call: Call) -> dict[str, Any]:
    """The tags of a group."""
    return {"tags": _tags(call, call.parameters["logGroupName"])}


def _name(call: Call) -> str | None:
    """The group that a call names by its ARN; None if it names a destination."""
    arn = call.parameters["resourceArn"]
    if ":destination:" in arn:
        return None
    prefix = arn_of(call, "")
    if not arn.startswith(prefix):
        raise not_found()
    return arn.removeprefix(prefix)


def _tags(call: Call, name: str) -> dict[str, str]:
    group_of(call, name)
    return record_of(place_of(call, name)).tags


def _tag(call: Call, name: str, given: dict[str, str]) -> dict[str, Any]:
    check_tags(given)
    tags = _tags(call, name)
    if len({**tags, **given}) > MOST_TAGS:
        raise AwsError(
            "TooManyTagsException",
            f"A resource can have no more than {MOST_TAGS} tags.",
            resourceName=arn_of(call, name),
        )
    tags.update(given)
    return {}


def _untag(call: Call, name: str, keys: list[str]) -> dict[str, Any]:
    tags = _tags(call, name)
    for key in keys:
        tags.pop(key, None)
    return {}

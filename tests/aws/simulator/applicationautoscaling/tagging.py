"""Tags of scalable targets."""

from typing import Any

from simulator.applicationautoscaling.service import invalid, service
from simulator.call import Call
from simulator.errors import AwsError
from simulator.scalable_targets import ScalableTarget, targets_in

MOST_TAGS = 50


def check_tags(tags: dict[str, str]) -> None:
    """Refuse what cannot be all tags of a target."""
    if len(tags) > MOST_TAGS:
        raise AwsError("TooManyTagsException", f"The number of tags exceeds {MOST_TAGS}.")
    for key in tags:
        if key.lower().startswith("aws:"):
            raise invalid("Tag keys that begin with aws: are reserved.")


@service.before("TagResource")
def tag_resource(call: Call) -> dict[str, Any]:
    """Add tags or change their values."""
    target = _target(call)
    tags = {**target.tags, **call.parameters["Tags"]}
    check_tags(tags)
    target.tags = tags
    return {}


@service.before("UntagResource")
def untag_resource(call: Call) -> dict[str, Any]:
    """Take tags away; it does not matter whether they were there."""
    target = _target(call)
    for key in call.parameters["TagKeys"]:
        target.tags.pop(key, None)
    return {}


@service.before("ListTagsForResource")
def list_tags(call: Call) -> dict[str, Any]:
    """The tags."""
    return {"Tags": _target(call).tags}


def _target(call: Call) -> ScalableTarget:
    arn = call.parameters["ResourceARN"]
    for target in targets_in(call.account, call.region):
        if target.arn == arn:
            return target
    raise AwsError("ResourceNotFoundException", f"The resource doesn't exist: {arn}")

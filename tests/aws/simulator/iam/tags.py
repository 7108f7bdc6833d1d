"""Tags of roles and policies: AWS's limits. Keys differ in more than case."""

from typing import Any

from simulator.call import Call
from simulator.errors import AwsError
from simulator.iam.service import limit_exceeded, modifiable_role_of, page, role_of, service

MOST_TAGS = 50


def check_tags(tags: list[dict[str, str]]) -> None:
    """Raise unless AWS would take these tags in one call."""
    for tag in tags:
        _check_prefix(tag["Key"])
    if len({tag["Key"].lower() for tag in tags}) < len(tags):
        raise AwsError(
            "InvalidInput",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        )


def _check_prefix(key: str) -> None:
    if key.lower().startswith("aws:"):
        raise AwsError("InvalidInput", f"Tag key {key} begins with aws:, which is reserved.")


@service.before("TagRole")
def tag_role(call: Call) -> dict[str, Any]:
    """Add tags; one whose key differs only in case takes the other's place."""
    role, tags = modifiable_role_of(call), call.parameters["Tags"]
    check_tags(tags)
    replaced = {tag["Key"].lower() for tag in tags}
    kept = [tag for tag in role.tags if tag["Key"].lower() not in replaced] + tags
    if len(kept) > MOST_TAGS:
        raise limit_exceeded(f"Cannot exceed quota for TagsPerRole: {MOST_TAGS}")
    role.tags = kept
    return {}


@service.before("UntagRole")
def untag_role(call: Call) -> dict[str, Any]:
    """Take tags away; it does not matter whether they were there."""
    role, keys = modifiable_role_of(call), call.parameters["TagKeys"]
    for key in keys:
        _check_prefix(key)
    dropped = {key.lower() for key in keys}
    role.tags = [tag for tag in role.tags if tag["Key"].lower() not in dropped]
    return {}


@service.before("ListRoleTags")
def list_role_tags(call: Call) -> dict[str, Any]:
    """The tags, by page."""
    return page(call, "Tags", role_of(call).tags, lambda tag: tag["Key"])[1]

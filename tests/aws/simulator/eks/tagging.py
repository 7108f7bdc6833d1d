"""Tags of associations; those of the rest are moto's."""

from typing import Any

from simulator.call import Call
from simulator.eks.associations import Association, find_association
from simulator.eks.service import service
from simulator.eks.tags import check_tags
from simulator.errors import AwsError

MARK = ":podidentityassociation/"


@service.before("TagResource")
def tag_resource(call: Call) -> dict[str, Any] | None:
    """Add tags or change their values."""
    association = _association(call)
    if association is None:
        return None
    tags = {**association.tags, **call.parameters["tags"]}
    check_tags(tags, "BadRequestException")
    association.tags = tags
    return {}


@service.before("UntagResource")
def untag_resource(call: Call) -> dict[str, Any] | None:
    """Take tags away; it does not matter whether they were there."""
    association = _association(call)
    if association is None:
        return None
    for key in call.parameters["tagKeys"]:
        association.tags.pop(key, None)
    return {}


@service.before("ListTagsForResource")
def list_tags_for_resource(call: Call) -> dict[str, Any] | None:
    """The tags."""
    association = _association(call)
    return None if association is None else {"tags": association.tags}


def _association(call: Call) -> Association | None:
    arn = call.parameters["resourceArn"]
    if MARK not in arn:
        return None
    association = find_association(arn)
    if association is None or association.place[:2] != (call.account, call.region):
        raise AwsError("NotFoundException", f"The specified resource was not found: {arn}", 404)
    return association

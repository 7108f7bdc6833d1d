"""Tags: given when something is made, or afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.call import Call
from simulator.ec2.listing import Listing, page_of
from simulator.ec2.service import KINDS, Kind, backend_of, find, invalid_value, service, tags_of
from simulator.errors import AwsError

MOST_TAGS = 50
LONGEST_KEY = 128
LONGEST_VALUE = 256


def tags_in_creation(call: Call, kind: Kind) -> dict[str, str]:
    """The tags that a call gives to what it makes, checked."""
    tags: dict[str, str] = {}
    for specification in call.parameters.get("TagSpecifications") or []:
        named = specification.get("ResourceType")
        if named != kind.arn_name:
            raise invalid_value(
                f"'{named}' is not a valid taggable resource type for this operation."
            )
        for key, value in _pairs(specification.get("Tags") or []):
            if key in tags:
                raise invalid_value(f"Duplicate tag key '{key}' specified.")
            tags[key] = value
    check_tags(tags)
    return tags


def check_tags(tags: dict[str, str]) -> None:
    """Refuse tags that EC2 would not take as all tags of a resource."""
    for key, value in tags.items():
        if key.lower().startswith("aws:"):
            raise invalid_value("Tag keys starting with 'aws:' are reserved for internal use")
        if not 0 < len(key) <= LONGEST_KEY:
            raise invalid_value(f"Tag key length must be between 1 and {LONGEST_KEY} characters.")
        if len(value) > LONGEST_VALUE:
            message = f"Tag value exceeds the maximum length of {LONGEST_VALUE} characters"
            raise invalid_value(message)
    if len(tags) > MOST_TAGS:
        message = "The maximum number of Tags for a resource has been reached."
        raise AwsError("TagLimitExceeded", message)


def _pairs(tags: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(tag.get("Key") or "", tag.get("Value") or "") for tag in tags]


@service.before("CreateTags")
def create_tags(call: Call) -> dict[str, Any]:
    """Add tags to resources, or change their values: to all of them or to none."""
    backend = backend_of(call)
    given = dict(_pairs(call.parameters["Tags"]))
    resources = call.parameters["Resources"]
    _check_resources(call, resources)
    for number in resources:
        check_tags({**tags_of(backend, number), **given})
    for number in resources:
        backend.tags[number].update(given)
    return {}


@service.before("DeleteTags")
def delete_tags(call: Call) -> dict[str, Any]:
    """Remove tags: those with a value only while they have it, without any named all of them."""
    backend = backend_of(call)
    _check_resources(call, call.parameters["Resources"])
    for number in call.parameters["Resources"]:
        held = backend.tags[number]
        if "Tags" not in call.parameters:
            held.clear()
        for tag in call.parameters.get("Tags") or []:
            if "Value" not in tag or held.get(tag["Key"]) == tag["Value"]:
                held.pop(tag["Key"], None)
    return {}


@dataclass(frozen=True)
class Tag:
    """A tag as DescribeTags tells it."""

    number: str
    resource_type: str
    key: str
    value: str

    @property
    def id(self) -> str:
        """What tells it from other tags."""
        return f"{self.number} {self.key}"

    def description(self) -> dict[str, str]:
        """All there is to know."""
        return {
            "ResourceId": self.number,
            "ResourceType": self.resource_type,
            "Key": self.key,
            "Value": self.value,
        }


TAGS = Listing(
    {
        "key": lambda tag: tag.key,
        "value": lambda tag: tag.value,
        "resource-id": lambda tag: tag.number,
        "resource-type": lambda tag: tag.resource_type,
    },
    tags=lambda _, tag: {tag.key: tag.value},
)


@service.before("DescribeTags")
def describe_tags(call: Call) -> dict[str, Any]:
    """The tags of all resources, by page."""
    page, more = page_of(call, TAGS, _tags(call))
    return {"Tags": [tag.description() for tag in page], **more}


def _tags(call: Call) -> list[Tag]:
    return [
        Tag(number, _type_of(number), key, value)
        for number, tags in backend_of(call).tags.items()
        for key, value in tags.items()
    ]


def _type_of(number: str) -> str:
    from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE

    prefix = number.rpartition("-")[0]
    return KINDS[prefix].arn_name if prefix in KINDS else EC2_PREFIX_TO_RESOURCE.get(prefix, "")


def _check_resources(call: Call, ids: list[str]) -> None:
    """Refuse ids that nothing has; those of kinds that are left to moto are not looked up."""
    for number in ids:
        kind = KINDS.get(number.partition("-")[0])
        if kind is not None:
            find(call, kind, number)

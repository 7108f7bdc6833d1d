"""Bucket tags: AWS's limits, kept also when they come with CreateBucket."""

import re

from moto.s3.models import s3_backends

from simulator.call import Call
from simulator.errors import AwsError
from simulator.s3.service import find_bucket, malformed_xml, service
from simulator.wire import Response

MOST_TAGS = 50
LONGEST_KEY = 128
LONGEST_VALUE = 256
CHARACTERS = re.compile(r"[\w\s+\-=.:/@]*")


@service.before("PutBucketTagging")
def put_bucket_tagging(call: Call) -> Response:
    """Replace all tags."""
    tagging = call.parameters.get("Tagging")
    if not isinstance(tagging, dict) or "TagSet" not in tagging:
        raise malformed_xml()
    check_tags(tagging["TagSet"])
    store_tags(call.parameters["Bucket"], tagging["TagSet"])
    return Response(204)


def check_tags(tags: list[dict[str, str]]) -> None:
    """Raise unless AWS would take these tags for a bucket."""
    if len(tags) > MOST_TAGS:
        raise AwsError("BadRequest", "Bucket tag count cannot be greater than 50", 400)
    seen = set()
    for tag in tags:
        if "Key" not in tag or "Value" not in tag:
            raise malformed_xml()
        key, value = tag["Key"], tag["Value"]
        if not 1 <= len(key) <= LONGEST_KEY or not CHARACTERS.fullmatch(key):
            message = "The TagKey you have provided is invalid"
            raise AwsError("InvalidTag", message, 400, TagKey=key)
        if len(value) > LONGEST_VALUE or not CHARACTERS.fullmatch(value):
            message = "The TagValue you have provided is invalid"
            raise AwsError("InvalidTag", message, 400, TagKey=key, TagValue=value)
        if key.lower().startswith("aws:"):
            message = "System tags cannot be added/updated by requester"
            raise AwsError("InvalidTag", message, 400)
        if key in seen:
            message = "Cannot provide multiple Tags with the same key"
            raise AwsError("InvalidTag", message, 400, TagKey=key)
        seen.add(key)


def store_tags(name: str, tags: list[dict[str, str]]) -> None:
    """Make these the tags of a bucket, where moto's other services see them too."""
    bucket = find_bucket(name)
    assert bucket is not None
    backend = s3_backends[bucket.account_id][bucket.partition]
    backend.put_bucket_tagging(name, {tag["Key"]: tag["Value"] for tag in tags})

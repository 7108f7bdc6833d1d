"""The S3 part: what its modules register with, and what they share."""

from dataclasses import dataclass, field
from typing import Any

from moto.s3.models import FakeBucket, s3_backends

from simulator.call import Call
from simulator.errors import AwsError
from simulator.service import Service

service = Service("s3")
service.itemised.add("DeleteObjects")

DEFAULT_ENCRYPTION = {
    "Rules": [
        {
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
            "BucketKeyEnabled": False,
        }
    ]
}
DEFAULT_MINIMUM_SIZE = "all_storage_classes_128K"


@dataclass
class Configuration:
    """What is kept of a bucket here, because moto would change or lose it."""

    encryption: dict[str, Any] = field(default_factory=lambda: DEFAULT_ENCRYPTION)
    lifecycle: bytes | None = None
    lifecycle_minimum_size: str = DEFAULT_MINIMUM_SIZE
    policy: str | None = None
    # Which id each principal of the policy had when it was put.
    principals: dict[str, str] = field(default_factory=dict)


_configurations: dict[str, Configuration] = {}


def configuration_of(name: str) -> Configuration:
    """The configuration of a bucket."""
    return _configurations.setdefault(name, Configuration())


def forget_configuration(name: str) -> None:
    """Drop the configuration of a bucket that is gone."""
    _configurations.pop(name, None)


@service.on_reset
def forget_everything() -> None:
    """Drop all configurations."""
    _configurations.clear()


def find_bucket(name: str) -> FakeBucket | None:
    """A bucket of any account: names are global within a partition."""
    partition, account = s3_backends.bucket_accounts.get(name, (None, None))
    if partition is None:
        return None
    return s3_backends[account][partition].buckets.get(name)


def bucket_of(call: Call) -> FakeBucket:
    """The bucket that a call names, or NoSuchBucket."""
    name = call.parameters["Bucket"]
    bucket = find_bucket(name)
    if bucket is None:
        message = "The specified bucket does not exist"
        raise AwsError("NoSuchBucket", message, 404, BucketName=name)
    return bucket


def malformed_xml() -> AwsError:
    """The answer to a body that breaks S3's schema."""
    return AwsError(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )


def invalid_argument(message: str, name: str = "", value: str = "") -> AwsError:
    """The answer to a value that S3 does not take."""
    fields = {"ArgumentName": name, "ArgumentValue": value} if name else {}
    return AwsError("InvalidArgument", message, 400, **fields)


def invalid_request(message: str) -> AwsError:
    """The answer to a combination that S3 does not take."""
    return AwsError("InvalidRequest", message, 400)

"""Buckets: their names, where they are made, what a new one has, and their end."""

import ipaddress
import re
from typing import Any

from moto.s3.models import FakeBucket, PublicAccessBlock, s3_backends

from simulator import catalogue
from simulator.backend import call_moto
from simulator.call import DEFAULT_REGION, Call
from simulator.errors import AwsError
from simulator.s3.service import (
    bucket_of,
    find_bucket,
    forget_configuration,
    invalid_argument,
    service,
)
from simulator.s3.tagging import check_tags, store_tags
from simulator.wire import Response

NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
OWNERSHIPS = ("BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced")
# What LocationConstraint may still say for the first European region.
OLD_EUROPE = {"EU": "eu-west-1"}


@service.before("CreateBucket")
def create_bucket(call: Call) -> Response | dict[str, Any]:
    """Check name, place, tags and ownership; then give the bucket what every new one has."""
    name = call.parameters["Bucket"]
    if not is_valid_name(name):
        raise AwsError(
            "InvalidBucketName", "The specified bucket is not valid.", 400, BucketName=name
        )
    configuration = call.parameters.get("CreateBucketConfiguration") or {}
    _check_location(call.region, configuration.get("LocationConstraint"))
    tags = configuration.get("Tags") or []
    check_tags(tags)
    ownership = call.parameters.get("ObjectOwnership")
    if ownership is not None and ownership not in OWNERSHIPS:
        message = f"Invalid x-amz-object-ownership header: {ownership}"
        raise invalid_argument(message, "x-amz-object-ownership", ownership)
    if existing := find_bucket(name):
        return _create_again(call, existing)
    if call.parameters.get("ACL", "private") != "private" and (
        ownership in (None, "BucketOwnerEnforced")
    ):
        raise AwsError(
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
            400,
        )
    response = call_moto(call)
    if response.status == 200:
        furnish(bucket_of(call), ownership)
        store_tags(name, tags)
    return response


def is_valid_name(name: str) -> bool:
    """Whether AWS admits the name for a general purpose bucket."""
    if not NAME.fullmatch(name) or ".." in name:
        return False
    if name.startswith(RESERVED_PREFIXES) or name.endswith(RESERVED_SUFFIXES):
        return False
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return True
    return False


def furnish(bucket: FakeBucket, ownership: str | None = None) -> None:
    """Give a new bucket what AWS gives it; moto gives it nothing."""
    bucket.public_access_block = PublicAccessBlock(True, True, True, True)
    bucket.ownership_rule = ownership or "BucketOwnerEnforced"
    encrypt_by_default(bucket)


def encrypt_by_default(bucket: FakeBucket) -> None:
    """Make new objects encrypted as they are when nobody asks for more."""
    bucket.encryption = {"Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}}


def _check_location(region: str, constraint: str | None) -> None:
    if region == DEFAULT_REGION:
        if constraint is None:
            return
        if constraint == DEFAULT_REGION or not _is_region(constraint):
            raise _invalid_constraint(constraint)
        raise _illegal_constraint(constraint)
    if constraint is None:
        raise _illegal_constraint("unspecified")
    if not _is_region(constraint):
        raise _invalid_constraint(constraint)
    if OLD_EUROPE.get(constraint, constraint) != region:
        raise _illegal_constraint(constraint)


def _is_region(constraint: str) -> bool:
    return constraint in OLD_EUROPE or constraint in catalogue.regions()


def _invalid_constraint(constraint: str) -> AwsError:
    return AwsError(
        "InvalidLocationConstraint",
        "The specified location-constraint is not valid",
        400,
        LocationConstraint=constraint,
    )


def _illegal_constraint(constraint: str) -> AwsError:
    return AwsError(
        "IllegalLocationConstraintException",
        f"The {constraint} location constraint is incompatible for the region specific endpoint "
        "this request was sent to.",
        400,
    )


def _create_again(call: Call, bucket: FakeBucket) -> dict[str, Any]:
    name = bucket.name
    if bucket.account_id != call.account:
        raise AwsError(
            "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all "
            "users of the system. Please select a different name and try again.",
            409,
            BucketName=name,
        )
    if bucket.region_name == call.region == DEFAULT_REGION:
        # Only the oldest region takes this for success; tags in the call change nothing.
        return {"Location": f"/{name}"}
    raise AwsError(
        "BucketAlreadyOwnedByYou",
        "Your previous request to create the named bucket succeeded and you already own it.",
        409,
        BucketName=name,
    )


@service.before("DeleteBucket")
def delete_bucket(call: Call) -> None:
    """Refuse while anything is left, unfinished uploads included."""
    bucket = bucket_of(call)
    if bucket.keys or bucket.multiparts:
        raise AwsError(
            "BucketNotEmpty",
            "The bucket you tried to delete is not empty"
            + (". You must delete all versions in the bucket." if bucket.versioning_status else ""),
            409,
            BucketName=bucket.name,
        )


@service.after("DeleteBucket")
def forget_bucket(call: Call, _: Response) -> None:
    """Drop what was kept here, and the tags, which moto leaves behind."""
    name = call.parameters["Bucket"]
    forget_configuration(name)
    s3_backends[call.account][call.partition].tagger.delete_all_tags_for_resource(
        f"arn:{call.partition}:s3:::{name}"
    )


@service.control("s3/foreign-bucket")
def plant_foreign_bucket(body: dict[str, Any]) -> None:
    """Put a bucket into another account."""
    region = body.get("region", DEFAULT_REGION)
    backend = s3_backends[body["account"]][catalogue.partition_of(region)]
    if find_bucket(body["name"]):
        raise ValueError(f"{body['name']} exists")
    furnish(backend.create_bucket(body["name"], region))

"""Who may reach a bucket, and from where: owner, region, and the permissions a call needs."""

from typing import Any

from simulator.call import DEFAULT_REGION, Call
from simulator.errors import AwsError
from simulator.s3.actions import ACTIONS, VERSIONED_ACTIONS
from simulator.s3.service import bucket_of, find_bucket, service
from simulator.service import Conditions, Requirement

# These name no bucket, or one that need not exist yet.
WITHOUT_BUCKET = frozenset({"CreateBucket", "ListBuckets", "ListDirectoryBuckets"})


@service.requires
def requirements(call: Call) -> list[Requirement]:
    """The actions that a call needs, and the ARN they are needed on."""
    operation = call.operation or ""
    names = ACTIONS.get(operation, [operation])
    if operation in VERSIONED_ACTIONS and call.parameters.get("VersionId"):
        names = [VERSIONED_ACTIONS[operation]]
    if operation == "DeleteObjects":
        return _delete_requirements(call)
    needed = [(f"s3:{name}", _arn(call, call.parameters.get("Key"))) for name in names]
    if operation == "CreateBucket":
        configuration = call.parameters.get("CreateBucketConfiguration") or {}
        if configuration.get("Tags"):
            needed.append(("s3:TagResource", _arn(call)))
        if call.parameters.get("ObjectOwnership"):
            needed.append(("s3:PutBucketOwnershipControls", _arn(call)))
    return needed


@service.tells
def conditions(call: Call, _action: str, resource: str) -> Conditions:
    """Whose a bucket is: one that is about to be made is the caller's."""
    bucket = find_bucket(resource.split(":")[5].split("/")[0])
    return {"aws:ResourceAccount": bucket.account_id if bucket else call.account}


def _delete_requirements(call: Call) -> list[Requirement]:
    objects = (call.parameters.get("Delete") or {}).get("Objects") or []
    return [requirement_of_deletion(call, entry) for entry in objects]


def requirement_of_deletion(call: Call, entry: dict[str, Any]) -> Requirement:
    """The action that the deletion of one object or version needs, and the ARN."""
    action = "s3:DeleteObjectVersion" if entry.get("VersionId") else "s3:DeleteObject"
    return (action, _arn(call, entry.get("Key")))


def _arn(call: Call, key: str | None = None) -> str:
    bucket = call.parameters.get("Bucket")
    if bucket is None:
        return f"arn:{call.partition}:s3:::*"
    return f"arn:{call.partition}:s3:::{bucket}" + (f"/{key}" if key else "")


@service.before("*")
def check_access(call: Call) -> None:
    """Refuse calls on buckets that are elsewhere or someone else's."""
    if call.operation in WITHOUT_BUCKET or "Bucket" not in call.parameters:
        return
    bucket = bucket_of(call)
    if bucket.account_id != call.account:
        raise AwsError("AccessDenied", "Access Denied", 403)
    _check_owner(bucket.account_id, call.parameters.get("ExpectedBucketOwner"))
    _check_region(call, bucket.name, bucket.region_name)
    if source := call.parameters.get("CopySource"):
        copied = find_bucket(source.lstrip("/").split("/")[0])
        if copied is not None:
            expected = call.parameters.get("ExpectedSourceBucketOwner")
            _check_owner(copied.account_id, expected)


def _check_owner(account: str, expected: str | None) -> None:
    if expected is None:
        return
    if len(expected) != 12 or not expected.isdigit():
        raise AwsError(
            "InvalidBucketOwnerAWSAccountID",
            "The value of the expected bucket owner parameter must be an AWS Account ID... "
            f"[{expected}]",
            400,
        )
    if expected != account:
        raise AwsError("AccessDenied", "Access Denied", 403)


def _check_region(call: Call, name: str, region: str) -> None:
    if call.region == region:
        return
    # The one thing that the original region may always ask: where a bucket is.
    if call.operation == "GetBucketLocation" and call.region == DEFAULT_REGION:
        return
    raise AwsError(
        "PermanentRedirect",
        "The bucket you are attempting to access must be addressed using the specified "
        "endpoint. Please send all future requests to this endpoint.",
        301,
        headers={"x-amz-bucket-region": region},
        Endpoint=f"{name}.s3.{region}.amazonaws.com",
        Bucket=name,
    )

"""Versioning, encryption, ownership and the public access block of a bucket."""

from typing import Any

from moto.s3.models import OWNER, FakeBucket

from simulator.call import Call
from simulator.errors import AwsError
from simulator.s3.buckets import OWNERSHIPS, encrypt_by_default
from simulator.s3.service import (
    DEFAULT_ENCRYPTION,
    bucket_of,
    configuration_of,
    invalid_argument,
    malformed_xml,
    service,
)

ALGORITHMS = ("AES256", "aws:kms", "aws:kms:dsse")
PUBLIC_ACCESS_SETTINGS = (
    "BlockPublicAcls",
    "IgnorePublicAcls",
    "BlockPublicPolicy",
    "RestrictPublicBuckets",
)


@service.before("PutBucketVersioning")
def put_bucket_versioning(call: Call) -> None:
    """Admit only the two states there are; a bucket never goes back to unversioned."""
    versioning = call.parameters.get("VersioningConfiguration") or {}
    status = versioning.get("Status")
    if status is None:
        message = "The Versioning element must be specified"
        raise AwsError("IllegalVersioningConfigurationException", message, 400)
    if status not in ("Enabled", "Suspended"):
        raise malformed_xml()
    if status == "Suspended" and bucket_of(call).object_lock_enabled:
        raise AwsError(
            "InvalidBucketState",
            "An Object Lock configuration is present on this bucket, so the versioning state "
            "cannot be changed.",
            409,
        )


@service.before("PutBucketEncryption")
def put_bucket_encryption(call: Call) -> None:
    """Check the rule, and keep it as it was given; moto gets it too, for new objects."""
    given = call.parameters.get("ServerSideEncryptionConfiguration") or {}
    rules = given.get("Rules") or []
    if len(rules) != 1:
        raise malformed_xml()
    default = rules[0].get("ApplyServerSideEncryptionByDefault")
    if default is None:
        raise malformed_xml()
    algorithm = default.get("SSEAlgorithm")
    if algorithm not in ALGORITHMS:
        raise malformed_xml()
    if algorithm == "AES256" and "KMSMasterKeyID" in default:
        raise invalid_argument(
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or "
            "aws:kms:dsse",
            "ApplyServerSideEncryptionByDefault",
        )
    rule = {"BucketKeyEnabled": False, **rules[0]}
    configuration_of(call.parameters["Bucket"]).encryption = {"Rules": [rule]}


@service.before("GetBucketEncryption")
def get_bucket_encryption(call: Call) -> dict[str, Any]:
    """What was put, or the default."""
    configuration = configuration_of(call.parameters["Bucket"])
    return {"ServerSideEncryptionConfiguration": configuration.encryption}


@service.before("DeleteBucketEncryption")
def delete_bucket_encryption(call: Call) -> dict[str, Any]:
    """Back to the default: no bucket is without encryption."""
    configuration_of(call.parameters["Bucket"]).encryption = DEFAULT_ENCRYPTION
    encrypt_by_default(bucket_of(call))
    return {}


@service.before("PutBucketOwnershipControls")
def put_bucket_ownership_controls(call: Call) -> None:
    """Admit one rule with a value that exists."""
    rules = (call.parameters.get("OwnershipControls") or {}).get("Rules") or []
    if len(rules) != 1 or rules[0].get("ObjectOwnership") not in OWNERSHIPS:
        raise malformed_xml()
    if rules[0]["ObjectOwnership"] == "BucketOwnerEnforced" and _grants_to_others(bucket_of(call)):
        raise AwsError(
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
            400,
        )


def _grants_to_others(bucket: FakeBucket) -> bool:
    """Whether the access control list lets in anybody but the owner."""
    grantees = (grantee for grant in bucket.acl.grants for grantee in grant.grantees)
    return any(grantee.id != OWNER for grantee in grantees)


@service.before("PutBucketAcl")
def put_bucket_acl(call: Call) -> None:
    """A bucket whose owner owns everything in it has no access control lists."""
    if bucket_of(call).ownership_rule == "BucketOwnerEnforced":
        message = "The bucket does not allow ACLs"
        raise AwsError("AccessControlListNotSupported", message, 400)


@service.before("PutPublicAccessBlock")
def put_public_access_block(call: Call) -> None:
    """Settings that are left out become false, as moto has it; at least one must be there."""
    given = call.parameters.get("PublicAccessBlockConfiguration") or {}
    if not any(name in given for name in PUBLIC_ACCESS_SETTINGS):
        raise malformed_xml()

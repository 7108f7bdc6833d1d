"""Tags, versioning, encryption, ownership, public access and policies of buckets."""

import json
from typing import Any

import pytest
from conftest import ACCOUNT, Simulator
from failures import refused

KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BUCKET_ARN = "arn:aws:s3:::a-bucket"


def tagging(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in pairs]}


def test_tags_are_replaced_as_a_whole(s3: Any, bucket: str) -> None:
    s3.put_bucket_tagging(Bucket=bucket, Tagging=tagging(("a", "1"), ("b", "2")))
    s3.put_bucket_tagging(Bucket=bucket, Tagging=tagging(("c", "3")))
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tagging(("c", "3"))["TagSet"]
    s3.delete_bucket_tagging(Bucket=bucket)
    assert refused(s3.get_bucket_tagging, Bucket=bucket)[:2] == (404, "NoSuchTagSet")
    fifty = tagging(*((f"k{n:02}", "v") for n in range(50)))
    s3.put_bucket_tagging(Bucket=bucket, Tagging=fifty)
    assert len(s3.get_bucket_tagging(Bucket=bucket)["TagSet"]) == 50


@pytest.mark.parametrize(
    ("pairs", "code", "message"),
    [
        (
            [(f"k{n}", "v") for n in range(51)],
            "BadRequest",
            "Bucket tag count cannot be greater than 50",
        ),
        ([("a", "1"), ("a", "2")], "InvalidTag", "Cannot provide multiple Tags with the same key"),
        ([("aws:a", "1")], "InvalidTag", "System tags cannot be added/updated by requester"),
        ([("k" * 129, "1")], "InvalidTag", "The TagKey you have provided is invalid"),
        ([("a?", "1")], "InvalidTag", "The TagKey you have provided is invalid"),
        ([("a", "v" * 257)], "InvalidTag", "The TagValue you have provided is invalid"),
    ],
)
def test_bad_tags(s3: Any, bucket: str, pairs: Any, code: str, message: str) -> None:
    answer = refused(s3.put_bucket_tagging, Bucket=bucket, Tagging=tagging(*pairs))
    assert answer == (400, code, message)


def test_versioning(s3: Any, bucket: str) -> None:
    for status in ("Enabled", "Suspended"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == status
    put = s3.put_bucket_versioning
    answer = refused(put, Bucket=bucket, VersioningConfiguration={"Status": "Off"})
    assert answer[:2] == (400, "MalformedXML")
    answer = refused(put, Bucket=bucket, VersioningConfiguration={})
    assert answer[:2] == (400, "IllegalVersioningConfigurationException")


def encryption(algorithm: str, **more: Any) -> dict[str, Any]:
    default = {"SSEAlgorithm": algorithm, **{k: v for k, v in more.items() if k[0] == "K"}}
    rest = {k: v for k, v in more.items() if k[0] != "K"}
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": default, **rest}]}


@pytest.mark.parametrize(
    "given",
    [
        encryption("AES256", BucketKeyEnabled=False),
        encryption("aws:kms", BucketKeyEnabled=True),
        encryption("aws:kms", KMSMasterKeyID=KEY, BucketKeyEnabled=True),
        encryption("aws:kms:dsse", KMSMasterKeyID=KEY, BucketKeyEnabled=False),
    ],
)
def test_encryption(s3: Any, bucket: str, given: Any) -> None:
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=given)
    got = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    assert got == given
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    algorithm = given["Rules"][0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]
    assert s3.head_object(Bucket=bucket, Key="k")["ServerSideEncryption"] == algorithm
    s3.delete_bucket_encryption(Bucket=bucket)
    got = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    assert got == encryption("AES256", BucketKeyEnabled=False)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (encryption("AES256", KMSMasterKeyID=KEY), "InvalidArgument"),
        (encryption("rot13"), "MalformedXML"),
        ({"Rules": []}, "MalformedXML"),
        ({"Rules": encryption("AES256")["Rules"] * 2}, "MalformedXML"),
        ({"Rules": [{"BucketKeyEnabled": True}]}, "MalformedXML"),
    ],
)
def test_bad_encryption(s3: Any, bucket: str, given: Any, code: str) -> None:
    put = s3.put_bucket_encryption
    answer = refused(put, Bucket=bucket, ServerSideEncryptionConfiguration=given)
    assert answer[:2] == (400, code)


def test_ownership(s3: Any, bucket: str) -> None:
    for name in ("BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced"):
        controls = {"Rules": [{"ObjectOwnership": name}]}
        s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=controls)
        got = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]
        assert got == controls
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    answer = refused(s3.get_bucket_ownership_controls, Bucket=bucket)
    assert answer[:2] == (404, "OwnershipControlsNotFoundError")
    put = s3.put_bucket_ownership_controls
    bad = {"Rules": [{"ObjectOwnership": "Mine"}]}
    assert refused(put, Bucket=bucket, OwnershipControls=bad)[:2] == (400, "MalformedXML")


def test_public_access_block(s3: Any, bucket: str) -> None:
    block = {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": False,
        "BlockPublicPolicy": False,
        "RestrictPublicBuckets": True,
    }
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    got = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert got == block
    s3.delete_public_access_block(Bucket=bucket)
    answer = refused(s3.get_public_access_block, Bucket=bucket)
    assert answer[:2] == (404, "NoSuchPublicAccessBlockConfiguration")


def policy(**changes: Any) -> str:
    statement = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [BUCKET_ARN, f"{BUCKET_ARN}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    statement = {k: v for k, v in {**statement, **changes}.items() if v is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_policy_is_kept_and_not_enforced(s3: Any, bucket: str) -> None:
    document = policy()
    s3.put_bucket_policy(Bucket=bucket, Policy=document)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == document
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    status = s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]
    assert status == {"IsPublic": False}
    s3.delete_bucket_policy(Bucket=bucket)
    s3.delete_bucket_policy(Bucket=bucket)
    assert refused(s3.get_bucket_policy, Bucket=bucket)[:2] == (404, "NoSuchBucketPolicy")


BAD_POLICIES = {
    "no json": ("nonsense", "Policies must be valid JSON and the first byte must be '{'"),
    "half json": ('{"Version":', "This policy contains invalid Json"),
    "version": (
        json.dumps({"Version": "2020-01-01", "Statement": []}),
        "The policy must contain a valid version string",
    ),
    "no statement": ('{"Version":"2012-10-17"}', "Missing required field Statement"),
    "empty": (
        '{"Version":"2012-10-17","Statement":[]}',
        "Could not parse the policy: Statement is empty!",
    ),
    "no effect": (policy(Effect=None), "Missing required field Effect"),
    "no principal": (policy(Principal=None), "Missing required field Principal"),
    "no action": (policy(Action=None), "Missing required field Action"),
    "no resource": (policy(Resource=None), "Missing required field Resource"),
    "effect": (policy(Effect="Maybe"), "Invalid effect: Maybe"),
    "unknown field": (policy(Foo="bar"), "Unknown field Foo"),
    "other bucket": (policy(Resource="arn:aws:s3:::other/*"), "Policy has invalid resource"),
    "prefix of the name": (policy(Resource=f"{BUCKET_ARN}x"), "Policy has invalid resource"),
    "other service": (policy(Action="ec2:*"), "Policy has invalid action"),
    "unknown action": (policy(Action="s3:PutBucketLifecycle"), "Policy has invalid action"),
    "object action on bucket": (
        policy(Action="s3:GetObject", Resource=BUCKET_ARN),
        "Action does not apply to any resource(s) in statement",
    ),
    "bucket action on objects": (
        policy(Action="s3:ListBucket", Resource=f"{BUCKET_ARN}/*"),
        "Action does not apply to any resource(s) in statement",
    ),
    "missing role": (
        policy(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/none"}),
        "Invalid principal in policy",
    ),
    "too large": (
        policy(Resource=[f"{BUCKET_ARN}/{n:0>1000}" for n in range(21)]),
        "Normalized policy document exceeds the maximum allowed size of 20480 bytes.",
    ),
}


@pytest.mark.parametrize("case", BAD_POLICIES)
def test_bad_policy(s3: Any, bucket: str, case: str) -> None:
    document, message = BAD_POLICIES[case]
    answer = refused(s3.put_bucket_policy, Bucket=bucket, Policy=document)
    assert answer == (400, "MalformedPolicy", message)


def test_policy_with_principals_that_exist(simulator: Simulator, s3: Any, bucket: str) -> None:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ec2.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    iam = simulator.client("iam", "us-east-1")
    role = iam.create_role(
        RoleName="reader", Path="/aiplatform/", AssumeRolePolicyDocument=json.dumps(trust)
    )["Role"]["Arn"]
    for principal in (
        {"AWS": role},
        {"AWS": [f"arn:aws:iam::{ACCOUNT}:root", "999999999999"]},
        {"Service": "logging.s3.amazonaws.com"},
        {"AWS": f"arn:aws:iam::{ACCOUNT}:user/operator"},
    ):
        document = policy(Effect="Allow", Principal=principal, Condition=None)
        s3.put_bucket_policy(Bucket=bucket, Policy=document)


def test_public_policies(s3: Any, bucket: str) -> None:
    public = policy(Effect="Allow", Condition=None, Action="s3:GetObject")
    answer = refused(s3.put_bucket_policy, Bucket=bucket, Policy=public)
    assert answer == (
        403,
        "AccessDenied",
        f"User: arn:aws:iam::{ACCOUNT}:user/operator is not authorized to perform: "
        f's3:PutBucketPolicy on resource: "{BUCKET_ARN}" because public policies are prevented by '
        "the BlockPublicPolicy setting in S3 Block Public Access.",
    )
    narrowed = {"StringEquals": {"aws:SourceVpce": "vpce-1"}}
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(Effect="Allow", Condition=narrowed))
    widened = {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}
    document = policy(Effect="Allow", Condition=widened)
    assert refused(s3.put_bucket_policy, Bucket=bucket, Policy=document)[0] == 403
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=public)
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"] == {"IsPublic": True}


TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ec2.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


def test_a_deleted_principal_shows_as_its_id_and_cannot_be_written_back(
    simulator: Simulator, s3: Any, bucket: str
) -> None:
    iam = simulator.client("iam", "us-east-1")
    role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=TRUST)["Role"]
    document = policy(Effect="Allow", Principal={"AWS": role["Arn"]}, Condition=None)
    s3.put_bucket_policy(Bucket=bucket, Policy=document)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == document, "as it was put"
    iam.delete_role(RoleName="reader")
    shown = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    assert json.loads(shown)["Statement"][0]["Principal"] == {"AWS": role["RoleId"]}
    answer = refused(s3.put_bucket_policy, Bucket=bucket, Policy=shown)
    assert answer == (400, "MalformedPolicy", "Invalid principal in policy")
    iam.create_role(RoleName="reader", AssumeRolePolicyDocument=TRUST)
    shown = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    assert json.loads(shown)["Statement"][0]["Principal"] == {"AWS": role["RoleId"]}, (
        "one made anew is another"
    )


def test_grants_stand_in_the_way_of_the_owner_owning_everything(s3: Any) -> None:
    configuration = {"LocationConstraint": "eu-west-1"}
    s3.create_bucket(
        Bucket="logged", CreateBucketConfiguration=configuration, ObjectOwnership="ObjectWriter"
    )
    delivery = "uri=http://acs.amazonaws.com/groups/s3/LogDelivery"
    s3.put_bucket_acl(Bucket="logged", GrantWrite=delivery, GrantReadACP=delivery)
    enforced = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    put = s3.put_bucket_ownership_controls
    answer = refused(put, Bucket="logged", OwnershipControls=enforced)
    assert answer == (
        400,
        "InvalidBucketAclWithObjectOwnership",
        "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
    )
    preferred = {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
    put(Bucket="logged", OwnershipControls=preferred)
    s3.put_bucket_acl(Bucket="logged", ACL="private")
    put(Bucket="logged", OwnershipControls=enforced)


def test_versioning_stays_on_under_object_lock(s3: Any) -> None:
    configuration = {"LocationConstraint": "eu-west-1"}
    s3.create_bucket(
        Bucket="locked", CreateBucketConfiguration=configuration, ObjectLockEnabledForBucket=True
    )
    suspended = {"Status": "Suspended"}
    put = s3.put_bucket_versioning
    assert refused(put, Bucket="locked", VersioningConfiguration=suspended) == (
        409,
        "InvalidBucketState",
        "An Object Lock configuration is present on this bucket, so the versioning state cannot "
        "be changed.",
    )
    put(Bucket="locked", VersioningConfiguration={"Status": "Enabled"})

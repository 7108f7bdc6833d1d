"""Buckets: names, regions, owners, what a new one has, and their end."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Simulator
from failures import refused

HERE = {"LocationConstraint": REGION}
DENIED = (403, "AccessDenied", "Access Denied")


@pytest.mark.parametrize(
    "name",
    ["Upper", "a" * 64, "under_score", "-a-b", "a-b-", "a..b", "10.0.0.1", "xn--abc", "a-s3alias"],
)
def test_bad_names(simulator: Simulator, name: str) -> None:
    status, _, body = simulator.raw("PUT", f"/{name}", region="us-east-1")
    assert status == 400
    assert b"<Code>InvalidBucketName</Code>" in body


@pytest.mark.parametrize("name", ["abc", "a" * 63, "a.b-c.d0"])
def test_good_names(s3: Any, name: str) -> None:
    s3.create_bucket(Bucket=name, CreateBucketConfiguration=HERE)
    assert [each["Name"] for each in s3.list_buckets()["Buckets"]] == [name]


def test_location_constraints(simulator: Simulator) -> None:
    home, away = simulator.client("s3", "us-east-1"), simulator.client("s3")
    incompatible = (
        "The {} location constraint is incompatible for the region specific endpoint this request "
        "was sent to."
    )
    illegal = "IllegalLocationConstraintException"
    invalid = (400, "InvalidLocationConstraint", "The specified location-constraint is not valid")
    east, west = {"LocationConstraint": "us-east-1"}, {"LocationConstraint": "us-west-2"}
    assert refused(home.create_bucket, Bucket="abc", CreateBucketConfiguration=east) == invalid
    answer = refused(home.create_bucket, Bucket="abc", CreateBucketConfiguration=west)
    assert answer == (400, illegal, incompatible.format("us-west-2"))
    nowhere = {"LocationConstraint": "nowhere"}
    assert refused(away.create_bucket, Bucket="abc", CreateBucketConfiguration=nowhere) == invalid
    answer = refused(away.create_bucket, Bucket="abc")
    assert answer == (400, illegal, incompatible.format("unspecified"))
    answer = refused(away.create_bucket, Bucket="abc", CreateBucketConfiguration=west)
    assert answer == (400, illegal, incompatible.format("us-west-2"))
    home.create_bucket(Bucket="at-home")
    away.create_bucket(Bucket="away", CreateBucketConfiguration=HERE)
    assert home.get_bucket_location(Bucket="at-home")["LocationConstraint"] is None
    assert away.get_bucket_location(Bucket="away")["LocationConstraint"] == REGION
    assert home.get_bucket_location(Bucket="away")["LocationConstraint"] == REGION


def test_creating_again(simulator: Simulator, s3: Any, bucket: str) -> None:
    answer = refused(s3.create_bucket, Bucket=bucket, CreateBucketConfiguration=HERE)
    assert answer == (
        409,
        "BucketAlreadyOwnedByYou",
        "Your previous request to create the named bucket succeeded and you already own it.",
    )
    home = simulator.client("s3", "us-east-1")
    home.create_bucket(Bucket="at-home")
    home.put_bucket_versioning(Bucket="at-home", VersioningConfiguration={"Status": "Enabled"})
    home.create_bucket(Bucket="at-home")
    assert home.get_bucket_versioning(Bucket="at-home")["Status"] == "Enabled"


def test_creating_again_in_the_oldest_region_succeeds_and_changes_no_tag(
    simulator: Simulator,
) -> None:
    home = simulator.client("s3", "us-east-1")
    for owner in ["first", "second"]:
        tags = [{"Key": "owner", "Value": owner}]
        home.create_bucket(Bucket="at-home", CreateBucketConfiguration={"Tags": tags})
        assert home.get_bucket_tagging(Bucket="at-home")["TagSet"] == [
            {"Key": "owner", "Value": "first"}
        ]


def test_foreign_bucket(simulator: Simulator, s3: Any) -> None:
    simulator.post("s3/foreign-bucket", name="theirs", account="999999999999", region=REGION)
    answer = refused(s3.create_bucket, Bucket="theirs", CreateBucketConfiguration=HERE)
    assert answer[:2] == (409, "BucketAlreadyExists")
    assert refused(s3.head_bucket, Bucket="theirs")[:2] == (403, "403")
    assert refused(s3.get_bucket_tagging, Bucket="theirs") == DENIED
    assert refused(s3.put_object, Bucket="theirs", Key="k", Body=b"") == DENIED
    assert refused(s3.delete_bucket, Bucket="theirs") == DENIED
    assert s3.list_buckets()["Buckets"] == []


def test_expected_owner(s3: Any, bucket: str) -> None:
    s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=ACCOUNT)
    s3.get_bucket_versioning(Bucket=bucket, ExpectedBucketOwner=ACCOUNT)
    other = {"Bucket": bucket, "ExpectedBucketOwner": "999999999999"}
    assert refused(s3.head_bucket, **other)[:2] == (403, "403")
    assert refused(s3.get_bucket_versioning, **other) == DENIED
    assert refused(s3.list_objects_v2, **other) == DENIED
    assert refused(s3.put_object, Key="k", Body=b"", **other) == DENIED
    assert refused(s3.delete_bucket, **other) == DENIED
    answer = refused(s3.head_bucket, Bucket="missing", ExpectedBucketOwner="999999999999")
    assert answer[:2] == (404, "404")


def test_other_region(simulator: Simulator, bucket: str) -> None:
    for method, target in [("GET", f"/{bucket}?versioning"), ("PUT", f"/{bucket}/key")]:
        status, headers, body = simulator.raw(method, target, region="us-west-2")
        assert status == 301
        assert headers["x-amz-bucket-region"] == REGION
        assert b"<Code>PermanentRedirect</Code>" in body
    status, headers, body = simulator.raw("HEAD", f"/{bucket}", region="us-west-2")
    assert (status, headers["x-amz-bucket-region"], body) == (301, REGION, b"")
    status, headers, _ = simulator.raw("HEAD", f"/{bucket}")
    assert (status, headers["x-amz-bucket-region"]) == (200, REGION)


def test_a_new_bucket_has_what_aws_gives_it(s3: Any, bucket: str) -> None:
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    assert len(block) == 4
    ownership = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]
    assert ownership == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    default = {"SSEAlgorithm": "AES256"}
    assert encryption["Rules"] == [
        {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": False}
    ]
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    assert refused(s3.get_bucket_policy, Bucket=bucket)[:2] == (404, "NoSuchBucketPolicy")
    assert refused(s3.get_bucket_tagging, Bucket=bucket)[:2] == (404, "NoSuchTagSet")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.head_object(Bucket=bucket, Key="k")["ServerSideEncryption"] == "AES256"


@pytest.mark.parametrize("region", ["us-east-1", REGION])
def test_tags_and_ownership_come_with_the_bucket(simulator: Simulator, region: str) -> None:
    client = simulator.client("s3", region)
    tags = [{"Key": "aiplatform.dev/owner", "Value": "c/ns/name"}, {"Key": "b", "Value": ""}]
    place = {} if region == "us-east-1" else HERE
    client.create_bucket(
        Bucket="tagged",
        CreateBucketConfiguration={**place, "Tags": tags},
        ObjectOwnership="ObjectWriter",
    )
    assert client.get_bucket_tagging(Bucket="tagged")["TagSet"] == tags
    rules = client.get_bucket_ownership_controls(Bucket="tagged")["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "ObjectWriter"}]


def test_bad_tags_make_no_bucket(s3: Any) -> None:
    tags = [{"Key": "aws:x", "Value": "v"}]
    configuration = {**HERE, "Tags": tags}
    answer = refused(s3.create_bucket, Bucket="abc", CreateBucketConfiguration=configuration)
    assert answer[:2] == (400, "InvalidTag")
    assert refused(s3.head_bucket, Bucket="abc")[0] == 404


def test_acls_need_another_ownership(s3: Any, bucket: str) -> None:
    answer = refused(
        s3.create_bucket, Bucket="abc", ACL="public-read", CreateBucketConfiguration=HERE
    )
    assert answer[:2] == (400, "InvalidBucketAclWithObjectOwnership")
    answer = refused(s3.put_bucket_acl, Bucket=bucket, ACL="public-read")
    assert answer == (400, "AccessControlListNotSupported", "The bucket does not allow ACLs")


def test_deleting(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert refused(s3.delete_bucket, Bucket=bucket)[:2] == (409, "BucketNotEmpty")
    s3.delete_object(Bucket=bucket, Key="k")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    assert refused(s3.delete_bucket, Bucket=bucket)[:2] == (409, "BucketNotEmpty")
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=upload)
    s3.delete_bucket(Bucket=bucket)
    gone = (404, "NoSuchBucket", "The specified bucket does not exist")
    assert refused(s3.delete_bucket, Bucket=bucket) == gone
    assert refused(s3.get_bucket_lifecycle_configuration, Bucket=bucket) == gone
    assert refused(s3.get_bucket_policy, Bucket=bucket) == gone
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"") == gone
    assert refused(s3.head_bucket, Bucket=bucket)[:2] == (404, "404")


def test_versions_and_markers_keep_a_bucket(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"")["VersionId"]
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    code = "BucketNotEmpty"
    assert refused(s3.delete_bucket, Bucket=bucket)[:2] == (409, code)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=version)
    assert refused(s3.delete_bucket, Bucket=bucket)[:2] == (409, code)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)
    s3.delete_bucket(Bucket=bucket)


def test_nothing_is_inherited_by_a_bucket_of_the_same_name(s3: Any, bucket: str) -> None:
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    rules = [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=HERE)
    with pytest.raises(ClientError, match="NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket=bucket)
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket=bucket)


def test_the_list_holds_the_accounts_own_buckets(
    simulator: Simulator, s3: Any, bucket: str
) -> None:
    simulator.post("s3/foreign-bucket", name="a-bucket-of-others", account="999999999999")
    s3.create_bucket(Bucket="another", CreateBucketConfiguration=HERE)
    names = [each["Name"] for each in s3.list_buckets(Prefix=bucket)["Buckets"]]
    assert names == [bucket]
    simulator.post("deny", action="s3:ListAllMyBuckets")
    assert refused(s3.list_buckets)[:2] == (403, "AccessDenied")

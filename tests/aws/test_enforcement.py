"""`enforce`: calls of a role are held against its policies."""

from typing import Any

import pytest
from conftest import ACCOUNT, REGION, Simulator
from failures import refused
from policies import document, trusting

ROLE = f"arn:aws:iam::{ACCOUNT}:role/aip/r"
TAGS = [{"Key": "owner", "Value": "us"}]
HERE = {"LocationConstraint": REGION}
OWN = {"StringEquals": {"aws:RequestTag/owner": "us"}}


@pytest.fixture
def iam(simulator: Simulator) -> Any:
    """A client of somebody without a role, and a role without policies; enforced."""
    client = simulator.client("iam", "us-east-1")
    client.create_role(RoleName="r", Path="/aip/", AssumeRolePolicyDocument=trusting())
    simulator.post("enforce", on=True)
    return client


def as_role(simulator: Simulator, service: str) -> Any:
    sts = simulator.client("sts")
    given = sts.assume_role(RoleArn=ROLE, RoleSessionName="session")["Credentials"]
    return simulator.client(
        service,
        access_key=given["AccessKeyId"],
        secret_key=given["SecretAccessKey"],
        token=given["SessionToken"],
    )


def allow(iam: Any, *statements: dict[str, Any]) -> None:
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=document(*statements))


def test_what_no_policy_allows_is_denied(simulator: Simulator, iam: Any) -> None:
    s3 = as_role(simulator, "s3")
    create = {"Bucket": "a-bucket", "CreateBucketConfiguration": HERE}
    status, code, message = refused(s3.create_bucket, **create)
    assert (status, code) == (403, "AccessDenied")
    what = 'perform: s3:CreateBucket on resource: "arn:aws:s3:::a-bucket"'
    assert f"assumed-role/r/session is not authorized to {what}" in message
    allow(iam, {"Effect": "Allow", "Action": "s3:CreateBucket", "Resource": "arn:aws:s3:::a-*"})
    s3.create_bucket(**create)
    assert refused(s3.get_bucket_tagging, Bucket="a-bucket")[1] == "AccessDenied"
    assert as_role(simulator, "sts").get_caller_identity()["Account"] == ACCOUNT


def test_whoever_has_no_role_is_let_through(simulator: Simulator, iam: Any) -> None:
    simulator.client("s3").create_bucket(Bucket="a-bucket", CreateBucketConfiguration=HERE)
    simulator.post("enforce", on=False)
    assert as_role(simulator, "s3").list_buckets()["Buckets"]


def test_conditions_on_tags_hold(simulator: Simulator, iam: Any) -> None:
    make = {"Effect": "Allow", "Action": ["iam:CreateRole", "iam:TagRole"], "Resource": "*"}
    allow(iam, {**make, "Condition": OWN})
    own = as_role(simulator, "iam")
    new = {"RoleName": "n", "AssumeRolePolicyDocument": trusting()}
    assert refused(own.create_role, **new)[1] == "AccessDenied"
    others = [{"Key": "owner", "Value": "them"}]
    assert refused(own.create_role, **new, Tags=others)[1] == "AccessDenied"
    own.create_role(**new, Tags=TAGS)


def test_a_boundary_bounds(simulator: Simulator, iam: Any) -> None:
    allow(iam, {"Effect": "Allow", "Action": "*", "Resource": "*"})
    read = {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
    made = iam.create_policy(PolicyName="b", PolicyDocument=document(read))
    arn = made["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="r", PermissionsBoundary=arn)
    assert as_role(simulator, "s3").list_buckets()["Buckets"] == []
    assert refused(as_role(simulator, "ec2").describe_vpcs)[1] == "UnauthorizedOperation"


def test_a_reset_ends_it(simulator: Simulator, iam: Any) -> None:
    simulator.post("reset")
    iam.create_role(RoleName="r", Path="/aip/", AssumeRolePolicyDocument=trusting())
    assert as_role(simulator, "s3").list_buckets()["Buckets"] == []

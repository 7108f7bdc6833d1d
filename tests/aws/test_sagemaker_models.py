"""Models: what they need, what is told of them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from conftest import ACCOUNT, REGION
from failures import refused
from policies import trusting
from serving import DATA, IMAGE, PREFIX, ROLE, TRUST, Serving

VPC = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1", "subnet-2"]}
CONTAINER = {"Image": IMAGE, "ModelDataUrl": DATA}
REFUSED = (400, "ValidationException")
INVALID_ROLE = (
    'The execution role ARN "{role}" is invalid. Please ensure that the role exists and that its '
    'trust relationship policy allows the action "sts:AssumeRole" for the service principal '
    '"sagemaker.amazonaws.com".'
)
NO_DATA = (
    f'Could not access model data at {{uri}}. Please ensure that the role "{ROLE}" exists and that '
    'its trust relationship policy allows the action "sts:AssumeRole" for the service principal '
    '"sagemaker.amazonaws.com". Also ensure that the role has "s3:GetObject" permissions and that '
    f"the object is located in {REGION}. If your Model uses multiple models or uncompressed "
    'models, please ensure that the role has "s3:ListBucket" permission.'
)


def test_a_model_is_told_as_it_was_made(serving: Serving) -> None:
    made = serving.model(
        "M-1",
        PrimaryContainer={**CONTAINER, "Environment": {"LOG_LEVEL": "info"}},
        VpcConfig=VPC,
        EnableNetworkIsolation=True,
        Tags=[{"Key": "a", "Value": "b"}],
    )
    assert made["ModelArn"] == f"{PREFIX}model/m-1"
    told = serving.sagemaker.describe_model(ModelName="M-1")
    assert abs((datetime.now(UTC) - told["CreationTime"]).total_seconds()) < 60
    source = {"S3Uri": DATA, "S3DataType": "S3Object", "CompressionType": "Gzip"}
    expected = {
        "ModelName": "M-1",
        "ModelArn": f"{PREFIX}model/m-1",
        "ExecutionRoleArn": ROLE,
        "VpcConfig": VPC,
        "EnableNetworkIsolation": True,
        "PrimaryContainer": {
            **CONTAINER,
            "Mode": "SingleModel",
            "Environment": {"LOG_LEVEL": "info"},
            "ModelDataSource": {"S3DataSource": source},
        },
    }
    del told["CreationTime"], told["ResponseMetadata"]
    assert told == expected


def test_defaults(serving: Serving) -> None:
    serving.model(PrimaryContainer={"Image": IMAGE})
    told = serving.sagemaker.describe_model(ModelName="m")
    assert told["EnableNetworkIsolation"] is False
    assert "VpcConfig" not in told
    container = {"Image": IMAGE, "Mode": "SingleModel", "Environment": {}}
    assert told["PrimaryContainer"] == container


def test_names_are_taken_whatever_their_case(serving: Serving) -> None:
    serving.model("rank")
    message = f'Cannot create already existing model "{PREFIX}model/rank".'
    assert refused(serving.model, name="rank") == (*REFUSED, message)
    assert refused(serving.model, name="RANK") == (*REFUSED, message)
    serving.sagemaker.delete_model(ModelName="rank")
    serving.model("rank")


def test_what_does_not_exist(serving: Serving) -> None:
    serving.model("rank")
    for name in ("none", "RANK"):
        message = f'Could not find model "{PREFIX}model/{name.lower()}".'
        for operation in (serving.sagemaker.describe_model, serving.sagemaker.delete_model):
            assert refused(operation, ModelName=name) == (*REFUSED, message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ModelName": "a_b"}, "Member must satisfy regular expression pattern"),
        ({"ModelName": "-a"}, "Member must satisfy regular expression pattern"),
        ({"ModelName": "a" * 64}, "Member must have length less than or equal to 63"),
        ({"ModelName": None}, "Value null at 'modelName'"),
        ({"ExecutionRoleArn": None}, "ExecutionRoleArn must be specified"),
        ({"ExecutionRoleArn": "execution-role-of-mine"}, "regular expression pattern"),
        ({"PrimaryContainer": None}, "Exactly one of PrimaryContainer and Containers"),
        ({"Containers": [CONTAINER]}, "Exactly one of PrimaryContainer and Containers"),
        ({"PrimaryContainer": {"ModelDataUrl": DATA}}, "must have an Image"),
        ({"PrimaryContainer": {**CONTAINER, "Mode": "Both"}}, "enum value set"),
        ({"PrimaryContainer": {**CONTAINER, "Image": "a b"}}, "regular expression pattern"),
        ({"PrimaryContainer": {**CONTAINER, "Environment": {"1A": "b"}}}, "regular expression"),
        (
            {"PrimaryContainer": {**CONTAINER, "Environment": {f"A{n}": "" for n in range(101)}}},
            "Member must have length less than or equal to 100",
        ),
        (
            {
                "PrimaryContainer": {
                    **CONTAINER,
                    "Environment": {f"A{n}": "b" * 1024 for n in range(32)},
                }
            },
            "larger than 32768 bytes",
        ),
        (
            {
                "PrimaryContainer": {
                    **CONTAINER,
                    "ModelDataSource": {
                        "S3DataSource": {
                            "S3Uri": DATA,
                            "S3DataType": "S3Object",
                            "CompressionType": "Gzip",
                        }
                    },
                }
            },
            "cannot be specified together",
        ),
        ({"VpcConfig": {**VPC, "Subnets": []}}, "length greater than or equal to 1"),
        (
            {"VpcConfig": {**VPC, "SecurityGroupIds": ["sg-1"] * 6}},
            "length less than or equal to 5",
        ),
        ({"Tags": [{"Key": "aws:a", "Value": "b"}]}, "reserved"),
        ({"Tags": [{"Key": "a", "Value": "b"}] * 2}, "Duplicate tag keys"),
    ],
)
def test_bad_parameters(serving: Serving, changes: dict[str, Any], message: str) -> None:
    status, code, got = refused(serving.model, **{"name": "m", **changes})
    assert (status, code) == REFUSED
    assert message in got
    assert serving.sagemaker.list_models()["Models"] == []


def test_roles(serving: Serving) -> None:
    none = f"arn:aws:iam::{ACCOUNT}:role/none"
    message = INVALID_ROLE.format(role=none)
    assert refused(serving.model, ExecutionRoleArn=none) == (*REFUSED, message)
    serving.iam.create_role(RoleName="none", AssumeRolePolicyDocument=trusting())
    assert refused(serving.model, ExecutionRoleArn=none) == (*REFUSED, message)
    serving.iam.update_assume_role_policy(RoleName="none", PolicyDocument=TRUST)
    serving.model(ExecutionRoleArn=none)
    elsewhere = "arn:aws:iam::999999999999:role/r"
    answer = refused(serving.model, name="n", ExecutionRoleArn=elsewhere)
    assert answer == (400, "AccessDeniedException", "Cross-account pass role is not allowed.")


def test_roles_that_are_too_new(serving: Serving) -> None:
    serving.simulator.post("timings", **{"iam.role.visible": 3_600_000})
    role = f"arn:aws:iam::{ACCOUNT}:role/new"
    serving.iam.create_role(RoleName="new", AssumeRolePolicyDocument=TRUST)
    message = (
        f"Could not assume role {role}. Please ensure that the role exists and allows principal "
        "'sagemaker.amazonaws.com' to assume the role."
    )
    assert refused(serving.model, ExecutionRoleArn=role) == (*REFUSED, message)
    serving.simulator.post("timings", **{"iam.role.visible": 0})
    serving.model(ExecutionRoleArn=role)


def uncompressed(uri: str) -> dict[str, Any]:
    source = {"S3Uri": uri, "S3DataType": "S3Prefix", "CompressionType": "None"}
    return {"Image": IMAGE, "ModelDataSource": {"S3DataSource": source}}


@pytest.mark.parametrize(
    ("container", "uri"),
    [
        ({"Image": IMAGE, "ModelDataUrl": "s3://artifacts/none"}, "s3://artifacts/none"),
        ({"Image": IMAGE, "ModelDataUrl": "s3://artifacts/rank/"}, "s3://artifacts/rank/"),
        ({"Image": IMAGE, "ModelDataUrl": "s3://none/a"}, "s3://none/a"),
        (uncompressed("s3://artifacts/ran_/"), "s3://artifacts/ran_/"),
        (uncompressed("s3://artifacts/gone/"), "s3://artifacts/gone/"),
    ],
)
def test_data_that_is_not_there(serving: Serving, container: dict[str, Any], uri: str) -> None:
    bucket = {"Bucket": "artifacts"}
    serving.s3.put_bucket_versioning(**bucket, VersioningConfiguration={"Status": "Enabled"})
    serving.s3.put_object(**bucket, Key="gone/a", Body=b"")
    serving.s3.delete_object(**bucket, Key="gone/a")
    answer = refused(serving.model, PrimaryContainer=container)
    assert answer == (*REFUSED, NO_DATA.format(uri=uri))


def test_data_below_a_prefix(serving: Serving) -> None:
    container = uncompressed("s3://artifacts/rank/")
    serving.model(PrimaryContainer=container)
    told = serving.sagemaker.describe_model(ModelName="m")["PrimaryContainer"]
    assert container.items() <= told.items()


def test_data_of_another_region(serving: Serving) -> None:
    there = serving.simulator.client("sagemaker", "eu-central-1")
    given = {"ModelName": "m", "ExecutionRoleArn": ROLE, "PrimaryContainer": CONTAINER}
    assert "is located in eu-central-1" in refused(there.create_model, **given)[2]


def test_lists(serving: Serving) -> None:
    names = [f"rank-{n:02}" for n in range(12)] + ["other"]
    for name in names:
        serving.model(name)
    first = serving.sagemaker.list_models()
    assert len(first["Models"]) == 10
    assert first["Models"][0]["ModelName"] == "other"
    rest = serving.sagemaker.list_models(NextToken=first["NextToken"])
    assert len(rest["Models"]) == 3
    assert "NextToken" not in rest
    by_name = {"SortBy": "Name", "SortOrder": "Ascending", "MaxResults": 5}
    pages = serving.sagemaker.get_paginator("list_models").paginate(NameContains="rank", **by_name)
    assert [each["ModelName"] for page in pages for each in page["Models"]] == names[:-1]
    created = first["Models"][0]["CreationTime"]
    after = serving.sagemaker.list_models(CreationTimeAfter=created)
    assert len(after["Models"]) <= 1
    answer = refused(serving.sagemaker.list_models, NextToken="x")
    assert answer[:2] == REFUSED


def test_tags(serving: Serving) -> None:
    serving.model(Tags=[{"Key": "a", "Value": "1"}])
    arn = {"ResourceArn": f"{PREFIX}model/m"}
    serving.sagemaker.add_tags(**arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}])
    expected = [{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}]
    assert serving.sagemaker.list_tags(**arn)["Tags"] == expected
    serving.sagemaker.delete_tags(**arn, TagKeys=["a", "none"])
    assert serving.sagemaker.list_tags(**arn)["Tags"] == [{"Key": "b", "Value": ""}]
    more = [{"Key": f"k{n}", "Value": "v"} for n in range(50)]
    assert refused(serving.sagemaker.add_tags, **arn, Tags=more)[:2] == REFUSED
    for kind, noun in (("model", "model"), ("endpoint", "endpoint")):
        gone = f"{PREFIX}{kind}/none"
        answer = refused(serving.sagemaker.list_tags, ResourceArn=gone)
        assert answer == (*REFUSED, f'Could not find {noun} "{gone}".')

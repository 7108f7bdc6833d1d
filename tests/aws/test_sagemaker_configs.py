"""Endpoint configurations."""

from typing import Any

import pytest
from failures import refused
from serving import PREFIX, ROLE, Serving, serverless, variant

REFUSED = (400, "ValidationException")
ARN = f"{PREFIX}endpoint-config/c"
CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 20,
    "DestinationS3Uri": "s3://artifacts/capture/",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
}
ASYNC = {
    "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 4},
    "OutputConfig": {"S3OutputPath": "s3://artifacts/async/"},
}
COMPONENTS = variant("v", ModelName=None, InstanceType="ml.g5.xlarge")
VPC = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}


@pytest.fixture(autouse=True)
def model(serving: Serving) -> None:
    serving.model()


def described(serving: Serving) -> dict[str, Any]:
    return serving.sagemaker.describe_endpoint_config(EndpointConfigName="c")


def test_a_configuration_is_told_as_it_was_made(serving: Serving) -> None:
    full = variant(
        "v",
        InstanceType="ml.m5.xlarge",
        VolumeSizeInGB=64,
        ModelDataDownloadTimeoutInSeconds=900,
        ContainerStartupHealthCheckTimeoutInSeconds=900,
        RoutingConfig={"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"},
        InitialVariantWeight=0.5,
    )
    more = {
        "DataCaptureConfig": CAPTURE,
        "AsyncInferenceConfig": ASYNC,
        "KmsKeyId": "alias/key",
        "ExecutionRoleArn": ROLE,
        "VpcConfig": VPC,
        "EnableNetworkIsolation": True,
        "MetricsConfig": {"EnableEnhancedMetrics": True},
    }
    assert serving.config("c", full, **more)["EndpointConfigArn"] == ARN
    told = described(serving)
    assert told["ProductionVariants"] == [full]
    assert {name: told[name] for name in more} == more
    assert told["EndpointConfigArn"] == ARN


def test_defaults_and_shadows(serving: Serving) -> None:
    serving.config("c", variant(), ShadowProductionVariants=[variant("s")])
    told = described(serving)
    assert told["ProductionVariants"] == [variant(InitialVariantWeight=1.0)]
    assert told["ShadowProductionVariants"] == [variant("s", InitialVariantWeight=1.0)]
    assert told["EnableNetworkIsolation"] is False


def test_serverless_and_components(serving: Serving) -> None:
    serving.config("s", serverless(ProvisionedConcurrency=2))
    managed = {"Status": "ENABLED", "MinInstanceCount": 0, "MaxInstanceCount": 2}
    given = {**COMPONENTS, "ManagedInstanceScaling": managed}
    serving.config("c", given, ExecutionRoleArn=ROLE)
    assert described(serving)["ProductionVariants"] == [given]


@pytest.mark.parametrize(
    ("variants", "more", "message"),
    [
        ([variant(ModelName="n")], {}, f'Could not find model "{PREFIX}model/n".'),
        ([variant(), variant()], {}, "used more than once"),
        ([variant(InstanceType=None)], {}, "InstanceType and InitialInstanceCount must be"),
        ([variant(InitialInstanceCount=None)], {}, "InstanceType and InitialInstanceCount must"),
        ([variant(InitialInstanceCount=0)], {}, "value greater than or equal to 1"),
        ([variant(InstanceType="ml.m5.tiny")], {}, "enum value set"),
        ([variant(InitialVariantWeight=-1)], {}, "value greater than or equal to 0"),
        ([variant(VolumeSizeInGB=513)], {}, "value less than or equal to 512"),
        (
            [variant(InstanceType="ml.g5.xlarge", VolumeSizeInGB=64)],
            {},
            "VolumeSize parameter is not allowed for the selected Instance type ml.g5.xlarge",
        ),
        (
            [variant(InstanceType="ml.trn2.48xlarge", VolumeSizeInGB=64)],
            {},
            "VolumeSize parameter is not allowed for the selected Instance type ml.trn2.48xlarge",
        ),
        ([variant(ModelDataDownloadTimeoutInSeconds=59)], {}, "greater than or equal to 60"),
        ([variant("v_1")], {}, "regular expression pattern"),
        ([variant(ManagedInstanceScaling={"Status": "ENABLED"})], {}, "only supported for infer"),
        ([COMPONENTS], {}, "ExecutionRoleArn must be specified"),
        ([variant(), variant("w")], {"ShadowProductionVariants": [variant("s")]}, "exactly one"),
        ([serverless(MemorySizeInMB=1536)], {}, "MemorySizeInMB must be one of"),
        ([serverless(MemorySizeInMB=7168)], {}, "value less than or equal to 6144"),
        ([serverless(MaxConcurrency=201)], {}, "value less than or equal to 200"),
        ([serverless(ProvisionedConcurrency=11)], {}, "not be greater than MaxConcurrency"),
        ([{**variant(), **serverless()}], {}, "InstanceType cannot be specified"),
        ([serverless()], {"AsyncInferenceConfig": ASYNC}, "AsyncInferenceConfig is not supported"),
        ([serverless()], {"DataCaptureConfig": CAPTURE}, "DataCaptureConfig is not supported"),
        ([serverless(), serverless("w")], {}, "only one production variant"),
        ([variant()], {"DataCaptureConfig": {**CAPTURE, "InitialSamplingPercentage": 101}}, "100"),
        ([variant()], {"ExecutionRoleArn": "r" * 20}, "regular expression pattern"),
    ],
)
def test_bad_parameters(
    serving: Serving, variants: list[dict[str, Any]], more: dict[str, Any], message: str
) -> None:
    given = {"EndpointConfigName": "c", "ProductionVariants": variants, **more}
    status, code, got = refused(serving.sagemaker.create_endpoint_config, **given)
    assert (status, code) == REFUSED
    assert message in got


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"VpcConfig": VPC}, "VpcConfig is not supported for serverless"),
        ({"EnableNetworkIsolation": True}, "Network isolation is not supported"),
    ],
)
def test_models_that_cannot_be_serverless(
    serving: Serving, changes: dict[str, Any], message: str
) -> None:
    serving.model("n", **changes)
    given = serverless(variant_changes={"ModelName": "n"})
    create = serving.sagemaker.create_endpoint_config
    answer = refused(create, EndpointConfigName="c", ProductionVariants=[given])
    assert message in answer[2]


def test_names(serving: Serving) -> None:
    serving.config()
    message = f'Cannot create already existing endpoint configuration "{ARN}".'
    for name in ("c", "C"):
        assert refused(serving.config, name=name) == (*REFUSED, message)
    serving.sagemaker.delete_endpoint_config(EndpointConfigName="c")
    message = f'Could not find endpoint configuration "{ARN}".'
    for operation in (
        serving.sagemaker.describe_endpoint_config,
        serving.sagemaker.delete_endpoint_config,
    ):
        assert refused(operation, EndpointConfigName="c") == (*REFUSED, message)


def test_lists_and_tags(serving: Serving) -> None:
    serving.config("c", Tags=[{"Key": "a", "Value": "b"}])
    serving.config("d")
    told = serving.sagemaker.list_endpoint_configs(SortBy="Name", SortOrder="Ascending")
    assert [each["EndpointConfigName"] for each in told["EndpointConfigs"]] == ["c", "d"]
    assert told["EndpointConfigs"][0]["EndpointConfigArn"] == ARN
    assert serving.sagemaker.list_tags(ResourceArn=ARN)["Tags"] == [{"Key": "a", "Value": "b"}]

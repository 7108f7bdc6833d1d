"""EC2: which services can be connected to, under which names, in which zones."""

from typing import Any

import pytest
from conftest import REGION, Simulator
from failures import refused
from networking import NAMES, Network

BEDROCK = [
    *("bedrock", "bedrock-runtime", "bedrock-agent", "bedrock-agent-runtime", "bedrock-mantle")
]
SAGEMAKER = [
    *("sagemaker.api", "sagemaker.runtime", "sagemaker.metrics", "sagemaker.featurestore-runtime")
]
OTHERS = [
    *("s3", "dynamodb", "sts", "logs", "monitoring", "ecr.api", "ecr.dkr", "kms", "kms-fips"),
    *("secretsmanager", "execute-api", "apigateway"),
]
FIPS = ["bedrock-fips", "bedrock-runtime-fips"]
REGIONS_WITH_FIPS = [
    *("us-east-1", "us-east-2", "us-west-2", "ca-central-1", "us-gov-east-1", "us-gov-west-1")
]


def services(simulator: Simulator, region: str = REGION, **parameters: Any) -> list[dict[str, Any]]:
    client = simulator.client("ec2", region)
    return client.describe_vpc_endpoint_services(**parameters)["ServiceDetails"]


def names(simulator: Simulator, region: str = REGION) -> set[str]:
    return {service["ServiceName"] for service in services(simulator, region)}


def test_what_a_region_has(simulator: Simulator) -> None:
    held = names(simulator)
    assert {f"{NAMES}{name}" for name in (*BEDROCK, *SAGEMAKER, *OTHERS)} <= held
    assert not {f"{NAMES}{name}" for name in FIPS} & held
    told = services(simulator, ServiceNames=[f"{NAMES}sagemaker.runtime"])
    assert len(told) == 1
    assert told[0] | {"ServiceId": ""} == {
        "ServiceName": f"{NAMES}sagemaker.runtime",
        "ServiceId": "",
        "ServiceType": [{"ServiceType": "Interface"}],
        "ServiceRegion": REGION,
        "AvailabilityZones": [f"{REGION}{zone}" for zone in "abc"],
        "Owner": "amazon",
        "BaseEndpointDnsNames": [f"runtime.sagemaker.{REGION}.vpce.amazonaws.com"],
        "PrivateDnsName": f"runtime.sagemaker.{REGION}.amazonaws.com",
        "PrivateDnsNames": [{"PrivateDnsName": f"runtime.sagemaker.{REGION}.amazonaws.com"}],
        "PrivateDnsNameVerificationState": "verified",
        "VpcEndpointPolicySupported": True,
        "AcceptanceRequired": False,
        "ManagesVpcEndpoints": False,
        "SupportedIpAddressTypes": ["ipv4"],
        "Tags": [],
    }


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("sagemaker.api", f"api.sagemaker.{REGION}.amazonaws.com"),
        ("bedrock-runtime", f"bedrock-runtime.{REGION}.amazonaws.com"),
        ("bedrock-mantle", f"bedrock-mantle.{REGION}.api.aws"),
        ("ecr.api", f"api.ecr.{REGION}.amazonaws.com"),
        ("ecr.dkr", f"*.dkr.ecr.{REGION}.amazonaws.com"),
        ("execute-api", f"*.execute-api.{REGION}.amazonaws.com"),
    ],
)
def test_private_names(simulator: Simulator, name: str, host: str) -> None:
    (told,) = services(simulator, ServiceNames=[f"{NAMES}{name}"])
    assert told["PrivateDnsName"] == host


@pytest.mark.parametrize("name", ["s3", "dynamodb"])
def test_some_have_gateways_too(simulator: Simulator, name: str) -> None:
    told = services(simulator, ServiceNames=[f"{NAMES}{name}"])
    types = [service["ServiceType"][0]["ServiceType"] for service in told]
    assert types == ["Gateway", "Interface"]
    assert "PrivateDnsName" not in told[0]
    assert ("PrivateDnsName" in told[1]) == (name == "s3")
    assert told[0]["ServiceId"] != told[1]["ServiceId"]


@pytest.mark.parametrize("region", REGIONS_WITH_FIPS)
def test_regions_with_fips(simulator: Simulator, region: str) -> None:
    held = names(simulator, region)
    assert {f"com.amazonaws.{region}.{name}" for name in FIPS} <= held


def test_no_policies_on_the_fips_runtime_of_sagemaker(simulator: Simulator) -> None:
    name = "com.amazonaws.us-east-1.sagemaker.runtime-fips"
    (told,) = services(simulator, "us-east-1", ServiceNames=[name])
    assert told["VpcEndpointPolicySupported"] is False


def test_china_has_names_of_its_own_and_no_bedrock(simulator: Simulator) -> None:
    held = names(simulator, "cn-north-1")
    assert not [name for name in held if "bedrock" in name]
    assert {
        "cn.com.amazonaws.cn-north-1.sagemaker.runtime",
        "cn.com.amazonaws.cn-north-1.ecr.api",
        "cn.com.amazonaws.cn-north-1.sts",
        "com.amazonaws.cn-north-1.logs",
        "com.amazonaws.cn-north-1.kms",
    } <= held
    told = services(simulator, "cn-north-1")
    types = {
        service["ServiceName"]: service["ServiceType"][0]["ServiceType"]
        for service in told
        if service["ServiceName"].endswith(".s3")
    }
    assert types == {
        "com.amazonaws.cn-north-1.s3": "Gateway",
        "cn.com.amazonaws.cn-north-1.s3": "Interface",
    }
    runtime = [each for each in told if each["ServiceName"].endswith("sagemaker.runtime")]
    assert runtime[0]["PrivateDnsName"] == "runtime.sagemaker.cn-north-1.amazonaws.com.cn"


def test_every_partition_has_names_of_its_own(simulator: Simulator) -> None:
    assert "eu.amazonaws.eusc-de-east-1.sts" in names(simulator, "eusc-de-east-1")
    assert "gov.ic.c2s.us-iso-east-1.sts" in names(simulator, "us-iso-east-1")


def test_no_other_region_has_fips(simulator: Simulator) -> None:
    for region in ("eu-west-1", "us-west-1", "ca-west-1", "ap-southeast-2", "cn-north-1"):
        held = names(simulator, region)
        assert not [name for name in held if "bedrock" in name and name.endswith("-fips")]


def test_govcloud_keeps_the_names(simulator: Simulator) -> None:
    (told,) = services(
        simulator, "us-gov-west-1", ServiceNames=["com.amazonaws.us-gov-west-1.bedrock-runtime"]
    )
    assert told["PrivateDnsName"] == "bedrock-runtime.us-gov-west-1.amazonaws.com"


def test_names_that_no_service_has(network: Network) -> None:
    expected = (
        400,
        "InvalidServiceName",
        f"The Vpc Endpoint Service '{NAMES}telepathy' does not exist",
    )
    describe = network.ec2.describe_vpc_endpoint_services
    assert refused(describe, ServiceNames=[f"{NAMES}sts", f"{NAMES}telepathy"]) == expected
    assert refused(network.endpoint, service="telepathy") == expected
    assert refused(network.endpoint, service="com.amazonaws.us-east-1.sts")[1] == (
        "InvalidServiceName"
    )


def test_filters_and_pages(simulator: Simulator) -> None:
    client = simulator.client("ec2")
    gateways = client.describe_vpc_endpoint_services(
        Filters=[{"Name": "service-type", "Values": ["Gateway"]}]
    )
    assert gateways["ServiceNames"] == [f"{NAMES}dynamodb", f"{NAMES}s3"]
    assert gateways["NextToken"] == ""
    wanted = [{"Name": "service-name", "Values": [f"{NAMES}sagemaker.*"]}]
    first = client.describe_vpc_endpoint_services(Filters=wanted, MaxResults=3)
    second = client.describe_vpc_endpoint_services(
        Filters=wanted, MaxResults=3, NextToken=first["NextToken"]
    )
    assert first["ServiceNames"] + second["ServiceNames"] == [
        f"{NAMES}{name}" for name in sorted(SAGEMAKER)
    ]


def test_a_test_can_change_what_a_region_has(network: Network) -> None:
    def change(name: str, **fields: Any) -> str:
        return network.simulator.post("ec2/endpoint-service", region=REGION, name=name, **fields)[
            "name"
        ]

    assert change("bedrock-runtime", remove=True) == f"{NAMES}bedrock-runtime"
    assert refused(network.endpoint, service="bedrock-runtime")[1] == "InvalidServiceName"
    change("sts", zones=[f"{REGION}b"])
    assert services(network.simulator, ServiceNames=[f"{NAMES}sts"])[0]["AvailabilityZones"] == [
        f"{REGION}b"
    ]
    name = change("telepathy", privateDnsNames=["t.example.org"], policySupported=False)
    (told,) = services(network.simulator, ServiceNames=[name])
    assert told["PrivateDnsName"] == "t.example.org"
    network.endpoint("telepathy")
    network.simulator.post("reset")
    assert f"{NAMES}bedrock-runtime" in names(network.simulator)
    assert name not in names(network.simulator)

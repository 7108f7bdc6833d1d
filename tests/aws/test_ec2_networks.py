"""EC2: networks that tests plant, and what is told of them."""

from typing import Any

import pytest
from conftest import ACCOUNT, REGION, Simulator
from failures import refused
from networking import NOWHERE, PREFIX, Network, filters, tags


def test_a_planted_network_is_told_as_it_was_asked_for(simulator: Simulator) -> None:
    where = {"region": REGION, "vpcId": "vpc-0a1b"}
    planted = simulator.post("ec2/vpc", **where, cidrs=["10.0.0.0/20", "10.9.0.0/16"])
    simulator.post("ec2/subnet", **where, subnetId="subnet-a", zone=f"{REGION}a")
    simulator.post("ec2/subnet", **where, subnetId="subnet-b", zone=f"{REGION}b")
    simulator.post("ec2/route-table", **where, routeTableId="rtb-a", subnetIds=["subnet-a"])
    ec2 = simulator.client("ec2")
    (vpc,) = ec2.describe_vpcs(VpcIds=["vpc-0a1b"])["Vpcs"]
    assert (vpc["State"], vpc["CidrBlock"], vpc["IsDefault"]) == ("available", "10.0.0.0/20", False)
    assert vpc["OwnerId"] == ACCOUNT
    blocks = [each["CidrBlock"] for each in vpc["CidrBlockAssociationSet"]]
    assert blocks == ["10.0.0.0/20", "10.9.0.0/16"]
    first, second = ec2.describe_subnets(Filters=filters(vpc_id="vpc-0a1b"))["Subnets"]
    assert (first["SubnetId"], first["AvailabilityZone"]) == ("subnet-a", f"{REGION}a")
    assert second["CidrBlock"] == "10.0.1.0/24"
    assert second["AvailableIpAddressCount"] == 251
    tables = ec2.describe_route_tables(Filters=filters(vpc_id="vpc-0a1b"))["RouteTables"]
    assert {table["RouteTableId"] for table in tables} == {"rtb-a", planted["mainRouteTableId"]}
    (table,) = ec2.describe_route_tables(
        Filters=[{"Name": "association.subnet-id", "Values": ["subnet-a"]}]
    )["RouteTables"]
    assert table["RouteTableId"] == "rtb-a"
    assert {route["DestinationCidrBlock"] for route in table["Routes"]} == set(blocks)
    groups = ec2.describe_security_groups(Filters=filters(vpc_id="vpc-0a1b"))["SecurityGroups"]
    assert [each["GroupId"] for each in groups] == [planted["defaultSecurityGroupId"]]


def test_other_accounts_and_regions_have_their_own(simulator: Simulator, network: Network) -> None:
    elsewhere = simulator.client("ec2", "us-east-1")
    assert refused(elsewhere.describe_vpcs, VpcIds=[network.vpc])[:2] == (
        400,
        "InvalidVpcID.NotFound",
    )
    simulator.post("ec2/vpc", region=REGION, account="210987654321", vpcId="vpc-theirs")
    assert refused(network.ec2.describe_vpcs, VpcIds=["vpc-theirs"])[1] == "InvalidVpcID.NotFound"


def test_networks_made_with_calls_are_as_good(network: Network) -> None:
    ec2 = network.ec2
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.1.0/24", AvailabilityZone=f"{REGION}a")[
        "Subnet"
    ]["SubnetId"]
    made = network.endpoint(VpcId=vpc, SubnetIds=[subnet], PrivateDnsEnabled=False)
    assert made["VpcId"] == vpc


def test_dns_attributes(network: Network) -> None:
    def told(attribute: str) -> Any:
        answer = network.ec2.describe_vpc_attribute(VpcId=network.vpc, Attribute=attribute)
        assert answer["VpcId"] == network.vpc
        return answer[attribute[0].upper() + attribute[1:]]["Value"]

    assert told("enableDnsSupport")
    assert told("enableDnsHostnames")
    network.ec2.modify_vpc_attribute(VpcId=network.vpc, EnableDnsHostnames={"Value": False})
    assert told("enableDnsSupport")
    assert not told("enableDnsHostnames")
    planted = network.simulator.post("ec2/vpc", region=REGION, dnsSupport=False)
    answer = network.ec2.describe_vpc_attribute(
        VpcId=planted["vpcId"], Attribute="enableDnsSupport"
    )
    assert answer["EnableDnsSupport"] == {"Value": False}
    assert refused(
        network.ec2.modify_vpc_attribute,
        VpcId=network.vpc,
        EnableDnsHostnames={"Value": True},
        EnableDnsSupport={"Value": True},
    )[:2] == (400, "InvalidParameterValue")


@pytest.mark.parametrize(
    ("operation", "parameters", "answer"),
    [
        (
            "describe_vpcs",
            {"VpcIds": ["vpc-none"]},
            ("InvalidVpcID.NotFound", "The vpc ID 'vpc-none' does not exist"),
        ),
        (
            "describe_vpcs",
            {"VpcIds": ["none"]},
            ("InvalidVpcID.Malformed", 'Invalid id: "none" (expecting "vpc-...")'),
        ),
        (
            "describe_subnets",
            {"SubnetIds": ["subnet-none"]},
            ("InvalidSubnetID.NotFound", "The subnet ID 'subnet-none' does not exist"),
        ),
        (
            "describe_route_tables",
            {"RouteTableIds": ["rtb-none"]},
            ("InvalidRouteTableID.NotFound", "The routeTable ID 'rtb-none' does not exist"),
        ),
        (
            "describe_network_interfaces",
            {"NetworkInterfaceIds": ["eni-none"]},
            (
                "InvalidNetworkInterfaceID.NotFound",
                "The networkInterface ID 'eni-none' does not exist",
            ),
        ),
        (
            "describe_vpc_attribute",
            {"VpcId": "vpc-none", "Attribute": "enableDnsSupport"},
            ("InvalidVpcID.NotFound", "The vpc ID 'vpc-none' does not exist"),
        ),
        (
            "describe_vpc_attribute",
            {"VpcId": "vpc-none", "Attribute": "dns"},
            ("InvalidParameterValue", "Value (dns) for parameter attribute is invalid."),
        ),
        (
            "describe_vpc_attribute",
            {"VpcId": "vpc-none"},
            ("MissingParameter", "The request must contain the parameter attribute"),
        ),
        (
            "describe_vpcs",
            {"Filters": [{"Name": "colour", "Values": ["blue"]}]},
            ("InvalidParameterValue", "The filter 'colour' is invalid"),
        ),
        (
            "describe_vpcs",
            {"Filters": [{"Name": "vpc-id", "Values": [f"vpc-{n}" for n in range(201)]}]},
            (
                "FilterLimitExceeded",
                "The maximum number of filter values specified on a single call is 200",
            ),
        ),
        (
            "describe_subnets",
            {"MaxResults": 4},
            (
                "InvalidParameterValue",
                "Value ( 4 ) for parameter maxResults is invalid. Expecting a value greater than "
                "or equal to 5.",
            ),
        ),
        (
            "describe_route_tables",
            {"MaxResults": 101},
            (
                "InvalidParameterValue",
                "Value ( 101 ) for parameter maxResults is invalid. Expecting a value less than "
                "or equal to 100.",
            ),
        ),
        (
            "describe_network_interfaces",
            {"NetworkInterfaceIds": [], "MaxResults": 5, "NextToken": "x"},
            ("InvalidNextToken", "The token 'x' is invalid"),
        ),
    ],
)
def test_bad_questions(
    network: Network, operation: str, parameters: dict[str, Any], answer: tuple[str, str]
) -> None:
    assert refused(getattr(network.ec2, operation), **parameters) == (400, *answer)


def test_pages(network: Network) -> None:
    made = [network.subnet("c") for _ in range(11)]
    wanted = filters(vpc_id=network.vpc, availability_zone=f"{REGION}c")
    paginator = network.ec2.get_paginator("describe_subnets")
    pages = [
        [subnet["SubnetId"] for subnet in page["Subnets"]]
        for page in paginator.paginate(Filters=wanted, PaginationConfig={"PageSize": 5})
    ]
    assert [len(page) for page in pages] == [5, 5, 1]
    assert sorted(sum(pages, [])) == sorted(made)


def test_filters(network: Network) -> None:
    network.ec2.create_tags(
        Resources=[network.subnets[0]], Tags=[{"Key": "role", "Value": "private*"}]
    )

    def found(name: str, *values: str) -> list[str]:
        wanted = [
            {"Name": name, "Values": list(values)},
            {"Name": "vpc-id", "Values": [network.vpc]},
        ]
        return [s["SubnetId"] for s in network.ec2.describe_subnets(Filters=wanted)["Subnets"]]

    first, second = network.subnets
    assert found("tag:role", "private*") == [first]
    assert found("tag:role", r"private\*") == [first]
    assert found("tag:role", "priv?te?") == [first]
    assert found("tag:role", "Private*") == []
    assert found("tag-key", "role") == [first]
    assert found("availability-zone", f"{REGION}b", f"{REGION}c") == [second]
    assert found("subnet-id", "subnet-*") == [first, second]
    assert found("default-for-az", "true") == []


def test_what_is_in_use_stays(network: Network) -> None:
    interface = network.simulator.post(
        "ec2/interface", region=REGION, subnetId=network.subnets[0], description="a pod"
    )["interfaceId"]
    assert refused(network.ec2.delete_subnet, SubnetId=network.subnets[0]) == (
        400,
        "DependencyViolation",
        f"The subnet '{network.subnets[0]}' has dependencies and cannot be deleted.",
    )
    (told,) = network.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])[
        "NetworkInterfaces"
    ]
    assert (told["Description"], told["Status"]) == ("a pod", "in-use")
    assert [group["GroupId"] for group in told["Groups"]] == [network.default_group]
    assert refused(network.ec2.delete_network_interface, NetworkInterfaceId=interface) == (
        400,
        "InvalidParameterValue",
        f"Network interface '{interface}' is currently in use.",
    )
    network.simulator.post("ec2/interface", region=REGION, interfaceId=interface, remove=True)
    network.ec2.delete_subnet(SubnetId=network.subnets[0])
    network.ec2.delete_subnet(SubnetId=network.subnets[1])
    group = network.group()
    expected = (
        400,
        "DependencyViolation",
        f"The vpc '{network.vpc}' has dependencies and cannot be deleted.",
    )
    assert refused(network.ec2.delete_vpc, VpcId=network.vpc) == expected
    network.ec2.delete_security_group(GroupId=group)
    gateway = network.gateway()
    assert refused(network.ec2.delete_vpc, VpcId=network.vpc) == expected
    network.delete(gateway)
    network.ec2.delete_vpc(VpcId=network.vpc)


def test_dry_runs_change_nothing(network: Network) -> None:
    expected = (
        412,
        "DryRunOperation",
        "Request would have succeeded, but DryRun flag is set.",
    )
    assert refused(network.endpoint, DryRun=True) == expected
    assert refused(network.group, DryRun=True) == expected
    assert refused(network.ec2.describe_vpcs, DryRun=True) == expected
    assert network.endpoints() == []
    network.group()
    network.simulator.post("deny", action="ec2:CreateVpcEndpoint")
    assert refused(network.endpoint, DryRun=True)[:2] == (403, "UnauthorizedOperation")


def test_tags(network: Network) -> None:
    ec2, resources = network.ec2, [network.vpc, network.subnets[0]]
    ec2.create_tags(Resources=resources, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b"}])
    ec2.create_tags(Resources=resources, Tags=[{"Key": "a", "Value": "2"}])
    (vpc,) = ec2.describe_vpcs(VpcIds=[network.vpc])["Vpcs"]
    assert vpc["Tags"] == [{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}]
    ec2.delete_tags(
        Resources=resources, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b"}, {"Key": "none"}]
    )
    told = ec2.describe_tags(Filters=filters(resource_id=network.vpc))["Tags"]
    assert told == [{"Key": "a", "ResourceId": network.vpc, "ResourceType": "vpc", "Value": "2"}]
    ec2.delete_tags(Resources=[network.vpc])
    assert ec2.describe_tags(Filters=filters(resource_type="vpc"))["Tags"] == []
    by_key = [{"Name": "tag:a", "Values": ["2"]}]
    assert [tag["ResourceId"] for tag in ec2.describe_tags(Filters=by_key)["Tags"]] == [
        network.subnets[0]
    ]


@pytest.mark.parametrize(
    ("pairs", "code", "message"),
    [
        (
            {"aws:a": "b"},
            "InvalidParameterValue",
            "Tag keys starting with 'aws:' are reserved for internal use",
        ),
        ({"k" * 129: "v"}, "InvalidParameterValue", "Tag key length"),
        ({"": "v"}, "InvalidParameterValue", "Tag key length"),
        ({"k": "v" * 257}, "InvalidParameterValue", "Tag value exceeds the maximum length"),
        ({f"k{n}": "v" for n in range(51)}, "TagLimitExceeded", "The maximum number of Tags"),
    ],
)
def test_bad_tags(network: Network, pairs: dict[str, str], code: str, message: str) -> None:
    listed = [{"Key": key, "Value": value} for key, value in pairs.items()]
    for call, given in [
        (network.ec2.create_tags, {"Resources": [network.vpc], "Tags": listed}),
        (network.group, {"TagSpecifications": tags("security-group", **pairs)}),
        (network.endpoint, {"TagSpecifications": tags("vpc-endpoint", **pairs)}),
    ]:
        status, got, text = refused(call, **given)
        assert (status, got) == (400, code)
        assert message in text
    assert network.ec2.describe_tags()["Tags"] == []
    assert network.endpoints() == []


def test_tags_of_what_is_not_there_or_is_something_else(network: Network) -> None:
    some = [{"Key": "a", "Value": "b"}]
    for resource, code in [
        (f"vpc-{NOWHERE}", "InvalidVpcID.NotFound"),
        (f"sg-{NOWHERE}", "InvalidGroup.NotFound"),
        (f"sgr-{NOWHERE}", "InvalidSecurityGroupRuleId.NotFound"),
        (f"vpce-{NOWHERE}", "InvalidVpcEndpointId.NotFound"),
    ]:
        answer = refused(network.ec2.create_tags, Resources=[network.vpc, resource], Tags=some)
        assert answer[:2] == (400, code)
    assert network.ec2.describe_tags()["Tags"] == []
    assert refused(network.group, TagSpecifications=tags("vpc", a="b")) == (
        400,
        "InvalidParameterValue",
        "'vpc' is not a valid taggable resource type for this operation.",
    )
    twice = [{"ResourceType": "security-group", "Tags": [*some, {"Key": "a", "Value": "c"}]}]
    assert refused(network.group, TagSpecifications=twice) == (
        400,
        "InvalidParameterValue",
        "Duplicate tag key 'a' specified.",
    )


def test_the_owner_is_the_account(network: Network) -> None:
    (told,) = network.ec2.describe_subnets(SubnetIds=[network.subnets[0]])["Subnets"]
    assert told["SubnetArn"] == f"{PREFIX}subnet/{network.subnets[0]}"
    assert told["OwnerId"] == ACCOUNT

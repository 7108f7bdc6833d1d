"""EC2: security groups."""

import re
from typing import Any

import pytest
from conftest import ACCOUNT, REGION, Simulator
from failures import refused
from networking import FOREVER, NOWHERE, PREFIX, Network, filters, permission, tags


def described(network: Network, group: str) -> dict[str, Any]:
    return network.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]


def test_a_new_group_lets_everything_out_and_nothing_in(network: Network) -> None:
    made = network.ec2.create_security_group(
        GroupName="g",
        Description="d",
        VpcId=network.vpc,
        TagSpecifications=tags("security-group", a="b"),
    )
    group = made["GroupId"]
    assert re.fullmatch(r"sg-[0-9a-f]{17}", group)
    assert made["SecurityGroupArn"] == f"{PREFIX}security-group/{group}"
    assert made["Tags"] == [{"Key": "a", "Value": "b"}]
    assert described(network, group) == {
        "GroupId": group,
        "GroupName": "g",
        "Description": "d",
        "VpcId": network.vpc,
        "OwnerId": ACCOUNT,
        "SecurityGroupArn": f"{PREFIX}security-group/{group}",
        "Tags": [{"Key": "a", "Value": "b"}],
        "IpPermissions": [],
        "IpPermissionsEgress": [
            {
                "IpProtocol": "-1",
                "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
                "Ipv6Ranges": [],
                "PrefixListIds": [],
                "UserIdGroupPairs": [],
            }
        ],
    }


def test_the_default_group_lets_itself_in(network: Network) -> None:
    told = described(network, network.default_group)
    assert told["GroupName"] == "default"
    (rule,) = told["IpPermissions"]
    assert rule["UserIdGroupPairs"] == [{"GroupId": network.default_group, "UserId": ACCOUNT}]
    assert refused(network.ec2.delete_security_group, GroupId=network.default_group) == (
        400,
        "CannotDelete",
        f'the specified group: "{network.default_group}" name: "default" cannot be deleted by a '
        "user",
    )


def test_names_are_taken_once_in_a_vpc_whatever_their_case(network: Network) -> None:
    network.group("g")
    for name in ("g", "G"):
        assert refused(network.group, name=name) == (
            400,
            "InvalidGroup.Duplicate",
            f"The security group '{name}' already exists for VPC '{network.vpc}'",
        )
    network.group("g", VpcId=network.other_vpc())


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ({"GroupName": "default"}, "InvalidGroup.Reserved", "Cannot use reserved"),
        ({"GroupName": "sg-a"}, "InvalidParameterValue", "may not be in the format sg-*."),
        ({"GroupName": "g" * 256}, "InvalidParameterValue", "parameter GroupName is invalid"),
        ({"GroupName": "gruppe-ä"}, "InvalidParameterValue", "parameter GroupName is invalid"),
        ({"GroupName": ""}, "InvalidParameterValue", "parameter GroupName is invalid"),
        ({"GroupName": None}, "MissingParameter", "groupName"),
        ({"Description": None}, "MissingParameter", "description"),
        ({"Description": ""}, "MissingParameter", "GroupDescription"),
        ({"Description": "d" * 256}, "InvalidParameterValue", "less than 256 characters"),
        ({"Description": "it's"}, "InvalidParameterValue", "a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"),
        (
            {"VpcId": f"vpc-{NOWHERE}"},
            "InvalidVpcID.NotFound",
            f"The vpc ID 'vpc-{NOWHERE}' does not exist",
        ),
    ],
)
def test_bad_groups(network: Network, given: dict[str, Any], code: str, message: str) -> None:
    parameters = {"GroupName": "g", "Description": "d", "VpcId": network.vpc, **given}
    without_none = {key: value for key, value in parameters.items() if value is not None}
    answer = refused(network.ec2.create_security_group, **without_none)
    assert answer[:2] == (400, code)
    assert message in answer[2]


def test_a_group_without_a_vpc_is_in_the_default_one(network: Network) -> None:
    default = network.ec2.describe_vpcs(Filters=filters(is_default="true"))["Vpcs"][0]["VpcId"]
    made = network.ec2.create_security_group(GroupName="g", Description="d")
    assert described(network, made["GroupId"])["VpcId"] == default
    network.ec2.delete_security_group(GroupName="g")
    assert refused(network.ec2.delete_security_group, GroupName="g")[1] == "InvalidGroup.NotFound"


def test_deleting(network: Network) -> None:
    group = network.group(TagSpecifications=tags("security-group", a="b"))
    assert network.ec2.delete_security_group(GroupId=group)["GroupId"] == group
    missing = (400, "InvalidGroup.NotFound", f"The security group '{group}' does not exist")
    assert refused(network.ec2.delete_security_group, GroupId=group) == missing
    assert refused(network.ec2.describe_security_groups, GroupIds=[group]) == missing
    assert network.ec2.describe_tags()["Tags"] == []
    assert refused(network.ec2.delete_security_group, GroupId="g") == (
        400,
        "InvalidGroupId.Malformed",
        'Invalid id: "g" (expecting "sg-...")',
    )
    network.group()


def in_use(group: str) -> tuple[int, str, str]:
    return (400, "DependencyViolation", f"resource {group} has a dependent object")


def test_a_group_that_another_one_names_stays(network: Network) -> None:
    group, other = network.group("g"), network.group("other")
    pair = permission(IpRanges=None, UserIdGroupPairs=[{"GroupId": group}])
    network.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[pair])
    network.ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[pair])
    assert refused(network.ec2.delete_security_group, GroupId=group) == in_use(group)
    network.ec2.delete_security_group(GroupId=other)
    network.ec2.delete_security_group(GroupId=group)


def test_a_group_on_an_interface_stays(network: Network) -> None:
    group = network.group()
    interface = network.simulator.post(
        "ec2/interface", region=REGION, subnetId=network.subnets[0], groupIds=[group]
    )["interfaceId"]
    assert refused(network.ec2.delete_security_group, GroupId=group) == in_use(group)
    network.simulator.post("ec2/interface", region=REGION, interfaceId=interface, remove=True)
    network.ec2.delete_security_group(GroupId=group)


def test_a_group_on_an_endpoint_stays_until_the_interfaces_are_gone(network: Network) -> None:
    group = network.group()
    network.take(interface_appear=FOREVER, endpoint_delete=FOREVER, interface_release=FOREVER)
    endpoint = network.endpoint(SecurityGroupIds=[group])
    assert endpoint["NetworkInterfaceIds"] == []
    assert refused(network.ec2.delete_security_group, GroupId=group) == in_use(group)
    network.take(interface_appear=0)
    assert len(network.described(endpoint)["NetworkInterfaceIds"]) == 2
    network.delete(endpoint)
    assert refused(network.ec2.delete_security_group, GroupId=group) == in_use(group)
    network.take(endpoint_delete=0)
    assert network.endpoints() == []
    assert refused(network.ec2.delete_security_group, GroupId=group) == in_use(group)
    interfaces = filters(group_id=group)
    told = network.ec2.describe_network_interfaces(Filters=interfaces)["NetworkInterfaces"]
    assert len(told) == 2
    network.take(interface_release=0)
    network.ec2.delete_security_group(GroupId=group)


def test_a_new_group_may_not_be_found_at_once(network: Network) -> None:
    network.take(securityGroup_visible=FOREVER)
    group = network.group()
    missing = (400, "InvalidGroup.NotFound", f"The security group '{group}' does not exist")
    assert refused(network.ec2.describe_security_groups, GroupIds=[group]) == missing
    assert refused(network.endpoint, SecurityGroupIds=[group]) == missing
    assert (
        refused(
            network.ec2.authorize_security_group_ingress,
            GroupId=group,
            IpPermissions=[permission()],
        )
        == missing
    )
    assert refused(network.group)[1] == "InvalidGroup.Duplicate"
    network.take(securityGroup_visible=0)
    assert described(network, group)["GroupId"] == group


def test_filters(network: Network) -> None:
    first = network.group("first", TagSpecifications=tags("security-group", team="a"))
    second = network.group("second", TagSpecifications=tags("security-group", team="b"))
    network.ec2.authorize_security_group_ingress(GroupId=first, IpPermissions=[permission()])
    pair = permission(IpRanges=None, UserIdGroupPairs=[{"GroupId": first}], ToPort=444)
    network.ec2.authorize_security_group_ingress(GroupId=second, IpPermissions=[pair])

    def found(name: str, value: str) -> list[str]:
        wanted = [
            {"Name": name, "Values": [value]},
            {"Name": "vpc-id", "Values": [network.vpc]},
        ]
        told = network.ec2.describe_security_groups(Filters=wanted)["SecurityGroups"]
        return [group["GroupId"] for group in told]

    assert found("tag:team", "a") == [first]
    assert found("tag-key", "team") == [first, second]
    assert found("group-name", "sec*") == [second]
    assert found("group-id", first) == [first]
    assert found("description", "d") == [first, second]
    assert found("owner-id", ACCOUNT) == [network.default_group, first, second]
    assert found("ip-permission.cidr", "10.0.0.0/16") == [first]
    assert found("ip-permission.group-id", first) == [second]
    assert found("ip-permission.to-port", "444") == [second]
    assert found("ip-permission.protocol", "tcp") == [first, second]
    assert found("egress.ip-permission.cidr", "0.0.0.0/0") == [
        network.default_group,
        first,
        second,
    ]
    by_name = network.ec2.describe_security_groups(GroupNames=["first"])["SecurityGroups"]
    assert [group["GroupId"] for group in by_name] == [first]


def test_pages(network: Network) -> None:
    made = [network.group(f"g{n}") for n in range(12)]
    paginator = network.ec2.get_paginator("describe_security_groups")
    pages = list(
        paginator.paginate(
            Filters=[{"Name": "group-name", "Values": ["g*"]}], PaginationConfig={"PageSize": 5}
        )
    )
    assert [len(page["SecurityGroups"]) for page in pages] == [5, 5, 2]
    told = [group["GroupId"] for page in pages for group in page["SecurityGroups"]]
    assert told == made
    answer = refused(network.ec2.describe_security_groups, MaxResults=4)
    assert answer[:2] == (400, "InvalidParameterValue")


def test_quota(simulator: Simulator, network: Network) -> None:
    held = len(network.ec2.describe_security_groups()["SecurityGroups"])
    simulator.post("ec2/quota", name="securityGroupsPerRegion", value=held + 1)
    network.group("one")
    assert refused(network.group, name="two") == (
        400,
        "SecurityGroupLimitExceeded",
        f"The maximum number of security groups for VPC '{network.vpc}' has been reached.",
    )

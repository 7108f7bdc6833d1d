"""EC2: what of a VPC endpoint can be modified, and when."""

import json
from typing import Any

import pytest
from conftest import REGION
from failures import refused
from networking import FOREVER, NOWHERE, Network
from test_ec2_endpoints import CONFLICT, POLICY, large

BUSY = (400, "OperationInProgress", "VpcEndpoint modify operation in progress")


def modify(network: Network, endpoint: dict[str, Any], **changes: Any) -> None:
    answer = network.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint["VpcEndpointId"], **changes)
    assert answer["Return"] is True


def refusal(network: Network, endpoint: dict[str, Any], **changes: Any) -> tuple[int, str, str]:
    call = network.ec2.modify_vpc_endpoint
    return refused(call, VpcEndpointId=endpoint["VpcEndpointId"], **changes)


def test_policies(network: Network) -> None:
    for made in (network.endpoint("bedrock-runtime"), network.gateway()):
        default = network.described(made)["PolicyDocument"]
        modify(network, made, PolicyDocument=json.dumps(POLICY))
        told = network.described(made)
        assert json.loads(told["PolicyDocument"]) == POLICY
        assert told["State"] == "available"
        assert refusal(network, made, PolicyDocument="{")[1] == "InvalidPolicyDocument"
        answer = refusal(network, made, PolicyDocument=large(20_481))
        assert answer[:2] == (400, "InvalidPolicyDocument")
        answer = refusal(network, made, PolicyDocument="{}", ResetPolicy=True)
        assert answer[:2] == (400, "InvalidParameterCombination")
        modify(network, made, ResetPolicy=True)
        assert network.described(made)["PolicyDocument"] == default


def test_groups_follow_to_the_interfaces(network: Network) -> None:
    first, second = network.group("first"), network.group("second")
    made = network.endpoint(SecurityGroupIds=[first])
    modify(network, made, AddSecurityGroupIds=[second], RemoveSecurityGroupIds=[first])
    told = network.described(made)
    assert [group["GroupId"] for group in told["Groups"]] == [second]
    interfaces = network.ec2.describe_network_interfaces(
        NetworkInterfaceIds=told["NetworkInterfaceIds"]
    )["NetworkInterfaces"]
    assert [group["GroupId"] for each in interfaces for group in each["Groups"]] == [second] * 2
    network.ec2.delete_security_group(GroupId=first)


def test_subnets_are_removed_first_and_then_added(network: Network) -> None:
    made = network.endpoint()
    first, second = network.subnets
    other = network.subnet("a")
    answer = refusal(network, made, AddSubnetIds=[other], RemoveSubnetIds=[first])
    assert answer == (
        400,
        "DuplicateSubnetsInSameZone",
        f"Found another VPC endpoint subnet in the availability zone of {other}. VPC endpoint "
        "subnets should be in different availability zones supported by the VPC endpoint service.",
    )
    modify(network, made, RemoveSubnetIds=[first])
    told = network.described(made)
    assert (told["SubnetIds"], len(told["NetworkInterfaceIds"])) == ([second], 1)
    modify(network, made, AddSubnetIds=[other])
    told = network.described(made)
    assert told["SubnetIds"] == [second, other]
    assert len(told["NetworkInterfaceIds"]) == 2
    hosts = [entry["DnsName"] for entry in told["DnsEntries"]]
    assert any(f"-{REGION}a." in host for host in hosts)


def test_interfaces_of_removed_subnets_go_a_while_later(network: Network) -> None:
    network.take(interface_release=FOREVER)
    made = network.endpoint()
    modify(network, made, RemoveSubnetIds=network.subnets[:1])
    assert len(network.described(made)["NetworkInterfaceIds"]) == 1
    assert refused(network.ec2.delete_subnet, SubnetId=network.subnets[0])[1] == (
        "DependencyViolation"
    )
    network.take(interface_release=0)
    network.ec2.delete_subnet(SubnetId=network.subnets[0])


def test_private_dns(network: Network) -> None:
    first = network.endpoint()
    second = network.endpoint(PrivateDnsEnabled=False)
    host = f"sts.{REGION}.amazonaws.com"
    expected = (400, "InvalidParameter", CONFLICT.format(host, network.vpc))
    assert refusal(network, second, PrivateDnsEnabled=True) == expected
    modify(network, first, PrivateDnsEnabled=True)
    modify(network, first, PrivateDnsEnabled=False)
    assert network.described(first)["PrivateDnsEnabled"] is False
    modify(network, second, PrivateDnsEnabled=True)
    told = network.described(second)
    assert told["PrivateDnsEnabled"] is True
    assert told["DnsEntries"][-1]["DnsName"] == host
    assert refusal(network, first, PrivateDnsEnabled=True) == expected
    modify(network, second, PrivateDnsEnabled=False)
    network.ec2.modify_vpc_attribute(VpcId=network.vpc, EnableDnsSupport={"Value": False})
    answer = refusal(network, second, PrivateDnsEnabled=True)
    assert answer[2].startswith("Enabling private DNS requires both enableDnsSupport and")


@pytest.mark.parametrize("what", ["subnets", "dns"])
def test_one_modification_at_a_time(network: Network, what: str) -> None:
    made = network.endpoint()
    changes: dict[str, Any] = {
        "subnets": {"RemoveSubnetIds": network.subnets[:1]},
        "dns": {"PrivateDnsEnabled": False},
    }[what]
    network.take(endpoint_modify=FOREVER)
    modify(network, made, **changes)
    assert network.described(made)["State"] == "pending"
    assert refusal(network, made, PolicyDocument=json.dumps(POLICY)) == BUSY
    network.take(endpoint_modify=0)
    assert network.described(made)["State"] == "available"
    modify(network, made, PolicyDocument=json.dumps(POLICY))


def test_a_modification_that_is_under_way_does_not_keep_an_endpoint(network: Network) -> None:
    made = network.endpoint()
    network.take(endpoint_modify=FOREVER, endpoint_delete=FOREVER)
    modify(network, made, PrivateDnsEnabled=False)
    assert network.delete(made) == []
    assert network.described(made)["State"] == "deleting"
    assert refusal(network, made, PrivateDnsEnabled=True)[:2] == (400, "IncorrectState")
    network.take(endpoint_delete=0)
    assert network.endpoints() == []


def test_private_dns_for_s3_takes_a_gateway(network: Network) -> None:
    made = network.endpoint("s3")
    answer = refusal(network, made, PrivateDnsEnabled=True)
    assert answer[2].startswith("To set PrivateDnsOnlyForInboundResolverEndpoint to true, the VPC")
    network.gateway()
    modify(network, made, PrivateDnsEnabled=True)
    options = network.described(made)["DnsOptions"]
    assert options["PrivateDnsOnlyForInboundResolverEndpoint"] is True
    modify(network, made, DnsOptions={"PrivateDnsOnlyForInboundResolverEndpoint": False})
    options = network.described(made)["DnsOptions"]
    assert options["PrivateDnsOnlyForInboundResolverEndpoint"] is False


@pytest.mark.parametrize("state", ["pending", "deleting", "failed", "rejected"])
def test_states_that_allow_no_modification(network: Network, state: str) -> None:
    network.take(endpoint_create=FOREVER, endpoint_delete=FOREVER)
    made = network.endpoint()
    if state == "deleting":
        network.delete(made)
    elif state != "pending":
        network.simulator.post(
            "ec2/endpoint-state", endpointId=made["VpcEndpointId"], state=state, message="why"
        )
    assert network.described(made)["State"] == state
    status, code, message = refusal(network, made, PolicyDocument=json.dumps(POLICY))
    assert (status, code) == (400, "IncorrectState")
    assert state in message


def test_route_tables(network: Network) -> None:
    made = network.gateway()
    other = network.simulator.post("ec2/route-table", region=REGION, vpcId=network.vpc)[
        "routeTableId"
    ]

    def routes(table: str) -> list[str]:
        told = network.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]
        return [each["GatewayId"] for each in told["Routes"] if "DestinationPrefixListId" in each]

    answer = refusal(network, made, AddRouteTableIds=[network.table])
    assert answer[:2] == (400, "RouteAlreadyExists")
    modify(network, made, AddRouteTableIds=[other], RemoveRouteTableIds=[network.table])
    assert network.described(made)["RouteTableIds"] == [other]
    assert (routes(other), routes(network.table)) == ([made["VpcEndpointId"]], [])
    theirs = network.simulator.post("ec2/route-table", region=REGION, vpcId=network.other_vpc())
    answer = refusal(network, made, AddRouteTableIds=[theirs["routeTableId"]])
    assert answer[:2] == (400, "InvalidParameter")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"AddSubnetIds": [f"subnet-{NOWHERE}"]}, "InvalidSubnetID.NotFound"),
        ({"RemoveSubnetIds": [f"subnet-{NOWHERE}"]}, "InvalidParameter"),
        ({"AddSecurityGroupIds": [f"sg-{NOWHERE}"]}, "InvalidGroup.NotFound"),
        ({"RemoveSecurityGroupIds": [f"sg-{NOWHERE}"]}, "InvalidParameter"),
        ({"AddRouteTableIds": [f"rtb-{NOWHERE}"]}, "InvalidParameter"),
        ({"IpAddressType": "ipv6"}, "InvalidParameter"),
    ],
)
def test_bad_changes_change_nothing(network: Network, changes: dict[str, Any], code: str) -> None:
    made = network.endpoint()
    answer = refusal(network, made, **changes, PolicyDocument=json.dumps(POLICY))
    assert answer[:2] == (400, code)
    assert network.described(made) == made


def test_the_last_group_stays(network: Network) -> None:
    made = network.endpoint()
    answer = refusal(network, made, RemoveSecurityGroupIds=[network.default_group])
    assert answer[:2] == (400, "InvalidParameter")


def test_a_gateway_has_no_subnets_groups_or_names(network: Network) -> None:
    made = network.gateway()
    for changes in (
        {"AddSubnetIds": network.subnets},
        {"AddSecurityGroupIds": [network.default_group]},
        {"PrivateDnsEnabled": True},
    ):
        assert refusal(network, made, **changes)[:2] == (400, "InvalidParameter")


def test_an_endpoint_that_is_not_there(network: Network) -> None:
    for number, code in [(f"vpce-{NOWHERE}", "NotFound"), ("e", "Malformed")]:
        answer = refusal(network, {"VpcEndpointId": number}, ResetPolicy=True)
        assert answer[:2] == (400, f"InvalidVpcEndpointId.{code}")

"""EC2: VPC endpoints, from their creation to when nothing is left of them."""

import json
import re
from typing import Any

import pytest
from conftest import ACCOUNT, REGION, Simulator
from failures import refused
from networking import FOREVER, NAMES, NOWHERE, Network, filters, tags

CONFLICT = (
    "private-dns-enabled cannot be set because there is already a conflicting DNS domain for {} "
    "in the VPC {}"
)
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"],
            "Resource": [f"arn:aws:bedrock:{REGION}::foundation-model/m"],
            "Condition": {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}},
        }
    ],
}


def test_an_interface_endpoint_is_told_as_it_was_made(network: Network) -> None:
    group = network.group()
    network.take(endpoint_create=FOREVER)
    made = network.endpoint(
        "bedrock-runtime",
        SecurityGroupIds=[group],
        PolicyDocument=json.dumps(POLICY),
        PrivateDnsEnabled=True,
        TagSpecifications=tags("vpc-endpoint", a="b"),
        DnsOptions={"DnsRecordIpType": "ipv4"},
        IpAddressType="ipv4",
    )
    number = made["VpcEndpointId"]
    assert re.fullmatch(r"vpce-[0-9a-f]{17}", number)
    expected = {
        "VpcEndpointId": number,
        "VpcEndpointType": "Interface",
        "VpcId": network.vpc,
        "ServiceName": f"{NAMES}bedrock-runtime",
        "ServiceRegion": REGION,
        "State": "pending",
        "RouteTableIds": [],
        "SubnetIds": network.subnets,
        "Groups": [{"GroupId": group, "GroupName": "g"}],
        "IpAddressType": "ipv4",
        "DnsOptions": {
            "DnsRecordIpType": "ipv4",
            "PrivateDnsOnlyForInboundResolverEndpoint": False,
        },
        "PrivateDnsEnabled": True,
        "RequesterManaged": False,
        "OwnerId": ACCOUNT,
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    assert {name: made[name] for name in expected} == expected
    assert json.loads(made["PolicyDocument"]) == POLICY
    assert network.described(made) == made
    network.take(endpoint_create=0)
    assert network.described(made) == made | {"State": "available"}


def test_interfaces_hold_the_groups(network: Network) -> None:
    group = network.group()
    made = network.endpoint(SecurityGroupIds=[group])
    interfaces = network.ec2.describe_network_interfaces(
        NetworkInterfaceIds=made["NetworkInterfaceIds"]
    )["NetworkInterfaces"]
    assert [each["SubnetId"] for each in interfaces] == network.subnets
    for each in interfaces:
        assert [held["GroupId"] for held in each["Groups"]] == [group]
        assert each["InterfaceType"] == "vpc_endpoint"
        assert each["RequesterManaged"] is True
        assert each["Description"] == f"VPC Endpoint Interface {made['VpcEndpointId']}"
        assert each["Status"] == "in-use"
    number = interfaces[0]["NetworkInterfaceId"]
    assert refused(network.ec2.delete_network_interface, NetworkInterfaceId=number)[0] == 400
    assert refused(
        network.ec2.modify_network_interface_attribute,
        NetworkInterfaceId=number,
        Groups=[network.default_group],
    )[:2] == (400, "AuthFailure")


def test_interfaces_may_appear_later(network: Network) -> None:
    network.take(interface_appear=FOREVER)
    made = network.endpoint()
    assert (made["State"], made["NetworkInterfaceIds"]) == ("available", [])
    network.take(interface_appear=0)
    assert len(network.described(made)["NetworkInterfaceIds"]) == 2


def test_without_groups_it_is_the_default_one(network: Network) -> None:
    made = network.endpoint()
    assert [group["GroupId"] for group in made["Groups"]] == [network.default_group]


def test_dns_entries(network: Network) -> None:
    made = network.endpoint(PrivateDnsEnabled=True)
    hosts = [entry["DnsName"] for entry in made["DnsEntries"]]
    head = rf"{made['VpcEndpointId']}-[0-9a-z]{{8}}"
    base = rf"sts\.{REGION}\.vpce\.amazonaws\.com"
    assert re.fullmatch(rf"{head}\.{base}", hosts[0])
    assert re.fullmatch(rf"{head}-{REGION}a\.{base}", hosts[1])
    assert re.fullmatch(rf"{head}-{REGION}b\.{base}", hosts[2])
    assert hosts[3:] == [f"sts.{REGION}.amazonaws.com"]
    assert all(re.fullmatch(r"Z[0-9A-Z]+", entry["HostedZoneId"]) for entry in made["DnsEntries"])
    assert len({entry["HostedZoneId"] for entry in made["DnsEntries"]}) == 2
    without = network.endpoint("logs", PrivateDnsEnabled=False)
    assert len(without["DnsEntries"]) == 3


def test_a_gateway_is_told_as_it_was_made(network: Network) -> None:
    made = network.gateway(TagSpecifications=tags("vpc-endpoint", a="b"))
    expected = {
        "VpcEndpointType": "Gateway",
        "ServiceName": f"{NAMES}s3",
        "State": "available",
        "RouteTableIds": [network.table],
        "SubnetIds": [],
        "Groups": [],
        "NetworkInterfaceIds": [],
        "DnsEntries": [],
        "PrivateDnsEnabled": False,
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    assert {name: made[name] for name in expected} == expected
    assert json.loads(made["PolicyDocument"])["Statement"] == [
        {"Action": "*", "Effect": "Allow", "Principal": "*", "Resource": "*"}
    ]
    (table,) = network.ec2.describe_route_tables(
        Filters=[{"Name": "route.gateway-id", "Values": [made["VpcEndpointId"]]}]
    )["RouteTables"]
    (route,) = [each for each in table["Routes"] if "DestinationPrefixListId" in each]
    assert (route["GatewayId"], route["State"]) == (made["VpcEndpointId"], "active")
    network.delete(made)
    (table,) = network.ec2.describe_route_tables(RouteTableIds=[network.table])["RouteTables"]
    assert not [each for each in table["Routes"] if "DestinationPrefixListId" in each]


def test_gateway_is_the_default_type(network: Network) -> None:
    assert network.gateway()["VpcEndpointType"] == "Gateway"
    assert refused(network.endpoint, VpcEndpointType=None, SubnetIds=None) == (
        400,
        "InvalidParameter",
        "Endpoint type (Gateway) does not match available service types ([Interface]).",
    )


def test_a_second_gateway_on_a_route_table(network: Network) -> None:
    network.gateway()
    status, code, message = refused(network.gateway)
    assert (status, code) == (400, "RouteAlreadyExists")
    assert re.fullmatch(
        rf"route table {network.table} already has a route with destination-prefix-list-id "
        r"pl-[0-9a-f]{17}",
        message,
    )
    network.gateway("dynamodb")
    other = network.simulator.post("ec2/route-table", region=REGION, vpcId=network.vpc)
    network.gateway(RouteTableIds=[other["routeTableId"]])


def test_private_dns_needs_both_attributes_of_the_vpc(network: Network) -> None:
    expected = (
        400,
        "InvalidParameter",
        "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes "
        f"set to true for {network.vpc}",
    )
    for attribute in ("EnableDnsSupport", "EnableDnsHostnames"):
        network.ec2.modify_vpc_attribute(VpcId=network.vpc, **{attribute: {"Value": False}})
        assert refused(network.endpoint, PrivateDnsEnabled=True) == expected
        assert refused(network.endpoint) == expected
        network.ec2.modify_vpc_attribute(VpcId=network.vpc, **{attribute: {"Value": True}})
    network.ec2.modify_vpc_attribute(VpcId=network.vpc, EnableDnsHostnames={"Value": False})
    network.endpoint(PrivateDnsEnabled=False)


def test_one_endpoint_with_private_dns_for_a_service_in_a_vpc(network: Network) -> None:
    network.endpoint()
    host = f"sts.{REGION}.amazonaws.com"
    assert refused(network.endpoint, PrivateDnsEnabled=True) == (
        400,
        "InvalidParameter",
        CONFLICT.format(host, network.vpc),
    )
    network.endpoint(PrivateDnsEnabled=False)
    network.endpoint("logs")
    network.endpoint("ecr.dkr")
    assert refused(network.endpoint, service="ecr.dkr")[2] == CONFLICT.format(
        f"*.dkr.ecr.{REGION}.amazonaws.com", network.vpc
    )
    other = network.other_vpc()
    network.endpoint(VpcId=other, SubnetIds=[])


def test_private_names_are_taken_a_while_after_their_endpoint(network: Network) -> None:
    network.take(endpoint_delete=FOREVER, privateDns_release=FOREVER)
    made = network.endpoint()
    network.delete(made)
    assert network.described(made)["State"] == "deleting"
    expected = CONFLICT.format(f"sts.{REGION}.amazonaws.com", network.vpc)
    assert refused(network.endpoint)[2] == expected
    network.take(endpoint_delete=0)
    assert network.endpoints() == []
    assert refused(network.endpoint)[2] == expected
    network.take(privateDns_release=0)
    network.endpoint()


def test_services_without_private_names(network: Network) -> None:
    assert refused(network.endpoint, service="dynamodb", PrivateDnsEnabled=True) == (
        400,
        "InvalidParameter",
        f"Private DNS can't be enabled because the service {NAMES}dynamodb does not provide a "
        "private DNS name.",
    )
    assert network.endpoint("dynamodb")["PrivateDnsEnabled"] is False


def test_private_dns_for_s3_takes_a_gateway(network: Network) -> None:
    assert network.endpoint("s3")["PrivateDnsEnabled"] is False
    assert refused(network.endpoint, service="s3", PrivateDnsEnabled=True) == (
        400,
        "InvalidParameter",
        f"To set PrivateDnsOnlyForInboundResolverEndpoint to true, the VPC {network.vpc} must have "
        "a Gateway endpoint for the service.",
    )
    network.gateway()
    made = network.endpoint("s3", PrivateDnsEnabled=True)
    assert made["DnsOptions"]["PrivateDnsOnlyForInboundResolverEndpoint"] is True


def test_one_subnet_in_a_zone(network: Network) -> None:
    third = network.subnet("a")
    assert refused(network.endpoint, SubnetIds=[*network.subnets, third]) == (
        400,
        "DuplicateSubnetsInSameZone",
        f"Found another VPC endpoint subnet in the availability zone of {third}. VPC endpoint "
        "subnets should be in different availability zones supported by the VPC endpoint service.",
    )
    assert network.endpoints() == []


def test_zones_that_a_service_is_not_in(network: Network) -> None:
    network.simulator.post(
        "ec2/endpoint-service", region=REGION, name="sts", zones=[f"{REGION}a", f"{REGION}c"]
    )
    assert refused(network.endpoint) == (
        400,
        "InvalidParameter",
        f"The VPC endpoint service {NAMES}sts does not support the availability zone of the "
        f"subnet: {network.subnets[1]}.",
    )
    network.endpoint(SubnetIds=network.subnets[:1])


def test_a_full_subnet(network: Network) -> None:
    small = network.subnet("c", cidr="10.0.200.0/28")
    for _ in range(11):
        network.simulator.post("ec2/interface", region=REGION, subnetId=small)
    assert refused(network.endpoint, SubnetIds=[small])[:2] == (
        400,
        "InsufficientFreeAddressesInSubnet",
    )


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ({"VpcId": f"vpc-{NOWHERE}"}, "InvalidVpcID.NotFound", "does not exist"),
        ({"VpcId": "v"}, "InvalidVpcID.Malformed", 'Invalid id: "v" (expecting "vpc-...")'),
        ({"VpcId": None}, "MissingParameter", "vpcId"),
        ({"ServiceName": None}, "MissingParameter", "serviceName"),
        ({"VpcEndpointType": "Door"}, "InvalidParameterValue", "Value (Door) for parameter"),
        (
            {"SubnetIds": [f"subnet-{NOWHERE}"]},
            "InvalidSubnetID.NotFound",
            f"The subnet ID 'subnet-{NOWHERE}' does not exist",
        ),
        (
            {"SecurityGroupIds": [f"sg-{NOWHERE}"]},
            "InvalidGroup.NotFound",
            f"The security group 'sg-{NOWHERE}' does not exist",
        ),
        ({"RouteTableIds": [f"rtb-{NOWHERE}"]}, "InvalidParameter", "RouteTableIds"),
        ({"IpAddressType": "dualstack"}, "InvalidParameter", "dualstack"),
        (
            {"DnsOptions": {"PrivateDnsOnlyForInboundResolverEndpoint": True}},
            "InvalidParameter",
            "does not support PrivateDnsOnlyForInboundResolverEndpoint",
        ),
        (
            {"TagSpecifications": tags("vpc", a="b")},
            "InvalidParameterValue",
            "'vpc' is not a valid taggable resource type for this operation.",
        ),
    ],
)
def test_bad_interface_endpoints(
    network: Network, given: dict[str, Any], code: str, message: str
) -> None:
    answer = refused(network.endpoint, **given)
    assert answer[:2] == (400, code)
    assert message in answer[2]
    assert network.endpoints() == []


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"RouteTableIds": [f"rtb-{NOWHERE}"]}, "InvalidRouteTableID.NotFound"),
        ({"SubnetIds": [f"subnet-{NOWHERE}"]}, "InvalidParameter"),
        ({"SecurityGroupIds": [f"sg-{NOWHERE}"]}, "InvalidParameter"),
        ({"PrivateDnsEnabled": True}, "InvalidParameter"),
    ],
)
def test_bad_gateways(network: Network, given: dict[str, Any], code: str) -> None:
    assert refused(network.gateway, **given)[:2] == (400, code)
    assert network.endpoints() == []


def test_what_is_in_another_vpc(network: Network) -> None:
    other = network.other_vpc()
    group = network.group("other", VpcId=other)
    assert refused(network.endpoint, SecurityGroupIds=[group]) == (
        400,
        "InvalidGroup.NotFound",
        f"The security group '{group}' does not exist in VPC '{network.vpc}'",
    )
    answer = refused(network.endpoint, VpcId=other)
    assert answer[:2] == (400, "InvalidParameter")
    assert network.subnets[0] in answer[2]
    answer = refused(network.gateway, VpcId=other)
    assert answer[:2] == (400, "InvalidParameter")
    assert network.table in answer[2]


def large(size: int) -> str:
    text = json.dumps(POLICY)
    return text + " " * (size - len(text))


def statement(**changes: Any) -> str:
    fields = {**POLICY["Statement"][0], **changes}
    kept = {name: value for name, value in fields.items() if value is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [kept]})


@pytest.mark.parametrize(
    "document",
    [
        *("{", "[]", '"*"', "{}", '{"Statement": []}'),
        json.dumps({**POLICY, "Version": "2020-01-01"}),
        json.dumps({**POLICY, "Comment": "c"}),
        *(statement(Effect="Perhaps"), statement(Effect=None), statement(Comment="c")),
        *(statement(Principal=None), statement(Principal="me"), statement(Principal={"Me": "*"})),
        *(statement(Action=None), statement(Action=[]), statement(Action="InvokeModel")),
        *(statement(Resource=None), statement(Resource="model")),
        *(statement(Condition={"Equals": {"aws:a": "b"}}), statement(Condition=[])),
        large(20_481),
    ],
)
def test_bad_policies(network: Network, document: str) -> None:
    answer = refused(network.endpoint, PolicyDocument=document)
    assert answer[:2] == (400, "InvalidPolicyDocument")
    assert network.endpoints() == []


def test_policies_count_with_their_white_space(network: Network) -> None:
    network.endpoint("bedrock-runtime", PolicyDocument=large(20_480))


def test_services_without_policies(network: Network) -> None:
    network.simulator.post("ec2/endpoint-service", region=REGION, name="sts", policySupported=False)
    answer = refused(network.endpoint, PolicyDocument=json.dumps(POLICY))
    assert answer[:2] == (400, "InvalidParameter")
    assert "PolicyDocument" not in network.endpoint()
    american = network.simulator.client("ec2", "us-east-1")
    vpc = network.simulator.post("ec2/vpc", region="us-east-1")["vpcId"]
    answer = refused(
        american.create_vpc_endpoint,
        VpcId=vpc,
        VpcEndpointType="Interface",
        ServiceName="com.amazonaws.us-east-1.sagemaker.runtime-fips",
        PolicyDocument=json.dumps(POLICY),
    )
    assert answer[:2] == (400, "InvalidParameter")


def test_a_client_token_makes_one_endpoint(network: Network) -> None:
    given = {"ClientToken": "once", "TagSpecifications": tags("vpc-endpoint", a="b")}
    answer = network.ec2.create_vpc_endpoint(**network.asked(**given))
    assert answer["ClientToken"] == "once"
    made = answer["VpcEndpoint"]
    assert network.endpoint(**given) == made
    assert network.endpoints() == [made["VpcEndpointId"]]
    network.endpoint("logs", ClientToken="twice")


@pytest.mark.parametrize(
    "changes",
    [
        {"PrivateDnsEnabled": False},
        {"ServiceName": f"{NAMES}logs"},
        {"PolicyDocument": json.dumps(POLICY)},
        {"TagSpecifications": tags("vpc-endpoint", a="b")},
        {"SubnetIds": []},
    ],
)
def test_a_client_token_for_other_parameters(network: Network, changes: dict[str, Any]) -> None:
    network.endpoint(ClientToken="once")
    answer = refused(network.endpoint, ClientToken="once", **changes)
    assert answer[:2] == (400, "IdempotentParameterMismatch")
    assert len(network.endpoints()) == 1


def test_a_client_token_answers_for_what_is_on_its_way_out(network: Network) -> None:
    network.take(endpoint_delete=FOREVER, clientToken_remembered=FOREVER)
    made = network.endpoint(ClientToken="once")
    network.delete(made)
    again = network.endpoint(ClientToken="once")
    assert (again["VpcEndpointId"], again["State"]) == (made["VpcEndpointId"], "deleting")
    network.take(endpoint_delete=0)
    again = network.endpoint(ClientToken="once")
    assert (again["VpcEndpointId"], again["State"]) == (made["VpcEndpointId"], "deleted")
    assert network.endpoints() == []
    network.take(clientToken_remembered=0)
    assert network.endpoint(ClientToken="once")["VpcEndpointId"] != made["VpcEndpointId"]


def test_a_lost_answer_makes_no_second_endpoint(network: Network) -> None:
    network.simulator.post(
        "faults",
        service="ec2",
        operation="CreateVpcEndpoint",
        when="after",
        error={"code": "InternalError", "status": 500},
    )
    assert refused(network.endpoint, ClientToken="once")[:2] == (500, "InternalError")
    assert network.endpoints() == [network.endpoint(ClientToken="once")["VpcEndpointId"]]


@pytest.mark.parametrize("state", ["failed", "rejected", "expired"])
def test_creations_that_fail(network: Network, state: str) -> None:
    network.take(endpoint_create=FOREVER)
    network.simulator.post(
        "ec2/next-endpoint", service="sts", state=state, code="Broken", message="it broke"
    )
    other = network.endpoint("logs")
    made = network.endpoint()
    assert made["State"] == "pending"
    network.take(endpoint_create=0)
    told = network.described(made)
    assert told["State"] == state
    assert told["LastError"] == {"Code": "Broken", "Message": "it broke"}
    assert told["FailureReason"] == "it broke"
    assert network.described(other)["State"] == "available"
    network.endpoint()
    network.delete(made)
    assert refused(network.described, endpoint=made)[1] == "InvalidVpcEndpointId.NotFound"


def test_creations_that_fail_several_times(network: Network) -> None:
    network.simulator.post("ec2/next-endpoint", service="sts", state="failed", times=2)
    states = []
    for _ in range(3):
        made = network.endpoint()
        states.append(network.described(made)["State"])
        network.delete(made)
    assert states == ["failed", "failed", "available"]


def test_an_endpoint_can_fail_later_and_recover(network: Network) -> None:
    made = network.endpoint()
    number = made["VpcEndpointId"]
    network.simulator.post("ec2/endpoint-state", endpointId=number, state="partial", message="why")
    told = network.described(made)
    assert (told["State"], told["FailureReason"]) == ("partial", "why")
    assert refused(network.endpoint)[1] == "InvalidParameter"
    network.simulator.post("ec2/endpoint-state", endpointId=number, state="available")
    assert network.described(made) == made


def test_endpoints_that_somebody_must_accept(network: Network) -> None:
    network.simulator.post(
        "ec2/endpoint-service", region=REGION, name="sts", acceptanceRequired=True
    )
    assert refused(network.endpoint, PrivateDnsEnabled=True) == (
        400,
        "InvalidParameter",
        "Private DNS can only be enabled after the endpoint connection is accepted by the owner of "
        f"{NAMES}sts.",
    )
    made = network.endpoint(PrivateDnsEnabled=False)
    assert (made["State"], made["NetworkInterfaceIds"]) == ("pendingAcceptance", [])
    assert network.endpoints(vpc_endpoint_state="pendingAcceptance") == [made["VpcEndpointId"]]
    network.simulator.post(
        "ec2/endpoint-state", endpointId=made["VpcEndpointId"], state="available"
    )
    assert len(network.described(made)["NetworkInterfaceIds"]) == 2
    network.ec2.modify_vpc_endpoint(VpcEndpointId=made["VpcEndpointId"], PrivateDnsEnabled=True)


def test_deletion_takes_a_while_and_then_nothing_is_left(network: Network) -> None:
    network.take(endpoint_delete=FOREVER, endpoint_deleted=FOREVER)
    made = network.endpoint(TagSpecifications=tags("vpc-endpoint", a="b"))
    assert network.delete(made) == []
    assert network.described(made)["State"] == "deleting"
    assert network.delete(made) == []
    network.take(endpoint_delete=0)
    told = network.described(made)
    assert (told["State"], told["NetworkInterfaceIds"]) == ("deleted", [])
    network.take(endpoint_deleted=0)
    assert network.endpoints() == []
    assert network.ec2.describe_tags()["Tags"] == []
    assert network.ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    assert refused(network.described, endpoint=made) == (
        400,
        "InvalidVpcEndpointId.NotFound",
        f"The Vpc Endpoint Id '{made['VpcEndpointId']}' does not exist",
    )


def test_deletions_that_are_not_successful(network: Network) -> None:
    first, second, third = network.endpoint("sts"), network.endpoint("logs"), network.gateway()
    network.simulator.post(
        "ec2/refuse-deletion",
        endpointId=second["VpcEndpointId"],
        code="InvalidParameter",
        message="it is managed by a service",
    )
    missing = {"VpcEndpointId": f"vpce-{NOWHERE}"}
    assert network.delete(first, second, missing, third) == [
        {
            "ResourceId": second["VpcEndpointId"],
            "Error": {"Code": "InvalidParameter", "Message": "it is managed by a service"},
        },
        {
            "ResourceId": missing["VpcEndpointId"],
            "Error": {
                "Code": "InvalidVpcEndpointId.NotFound",
                "Message": f"The Vpc Endpoint Id 'vpce-{NOWHERE}' does not exist",
            },
        },
    ]
    assert network.endpoints() == [second["VpcEndpointId"]]
    answer = refused(network.ec2.delete_vpc_endpoints, VpcEndpointIds=["e"])
    assert answer[:2] == (400, "InvalidVpcEndpointId.Malformed")


def test_a_new_endpoint_may_not_be_found_at_once(network: Network) -> None:
    network.take(endpoint_visible=FOREVER)
    made = network.endpoint(ClientToken="once")
    assert network.endpoints() == []
    assert refused(network.described, endpoint=made)[1] == "InvalidVpcEndpointId.NotFound"
    assert network.endpoint(ClientToken="once")["VpcEndpointId"] == made["VpcEndpointId"]
    network.take(endpoint_visible=0)
    assert network.endpoints() == [made["VpcEndpointId"]]


def test_filters(network: Network) -> None:
    sts = network.endpoint("sts", TagSpecifications=tags("vpc-endpoint", owner="a"))
    logs = network.endpoint("logs", TagSpecifications=tags("vpc-endpoint", owner="b"))
    s3 = network.gateway()
    network.take(endpoint_create=FOREVER)
    kms = network.endpoint("kms")
    first, second, third, fourth = (each["VpcEndpointId"] for each in (sts, logs, s3, kms))
    assert network.endpoints(service_name=f"{NAMES}sts") == [first]
    assert network.endpoints(service_name=f"{NAMES}*s*") == [first, second, third, fourth]
    assert network.endpoints(vpc_endpoint_type="Gateway") == [third]
    assert network.endpoints(vpc_endpoint_state="pending") == [fourth]
    assert network.endpoints(vpc_endpoint_state="Pending") == []
    assert network.endpoints(vpc_endpoint_id=second) == [second]
    assert network.endpoints(vpc_id=network.vpc) == [first, second, third, fourth]
    assert network.endpoints(vpc_id=f"vpc-{NOWHERE}") == []
    assert network.endpoints(**{"tag:owner": "a"}) == [first]
    assert network.endpoints(tag_key="owner") == [first, second]
    assert network.endpoints(service_region=REGION, ip_address_type="ipv4")[:1] == [first]
    assert refused(network.endpoints, colour="blue")[:2] == (400, "InvalidParameterValue")


def test_pages(network: Network) -> None:
    made = [network.endpoint(PrivateDnsEnabled=False)["VpcEndpointId"] for _ in range(7)]
    pages = list(
        network.ec2.get_paginator("describe_vpc_endpoints").paginate(
            PaginationConfig={"PageSize": 3}
        )
    )
    assert [len(page["VpcEndpoints"]) for page in pages] == [3, 3, 1]
    assert [each["VpcEndpointId"] for page in pages for each in page["VpcEndpoints"]] == made
    assert pages[-1]["NextToken"] == ""
    assert len(network.ec2.describe_vpc_endpoints(MaxResults=5000)["VpcEndpoints"]) == 7
    answer = refused(network.ec2.describe_vpc_endpoints, NextToken="nonsense")
    assert answer[:2] == (400, "InvalidNextToken")


def test_quotas(simulator: Simulator, network: Network) -> None:
    for name in ("interfaceEndpointsPerVpc", "gatewayEndpointsPerRegion"):
        simulator.post("ec2/quota", name=name, value=1)
    expected = (
        400,
        "VpcEndpointLimitExceeded",
        "The maximum number of VPC endpoints has been reached.",
    )
    made = network.endpoint()
    network.gateway()
    assert refused(network.endpoint, service="logs") == expected
    assert refused(network.gateway, service="dynamodb") == expected
    network.endpoint("logs", VpcId=network.other_vpc(), SubnetIds=[])
    network.delete(made)
    network.endpoint("logs")
    simulator.post("ec2/quota", name="securityGroupsPerInterface", value=1)
    groups = [network.default_group, network.group()]
    assert refused(network.endpoint, service="kms", SecurityGroupIds=groups)[:2] == (
        400,
        "SecurityGroupsPerInterfaceLimitExceeded",
    )


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("interfaceEndpointsPerVpc", "L-29B6F2EB"),
        ("gatewayEndpointsPerRegion", "L-1B52E74A"),
        ("rulesPerSecurityGroup", "L-0EA8095F"),
    ],
)
def test_service_quotas_tells_what_is_applied(simulator: Simulator, name: str, code: str) -> None:
    quotas = simulator.client("service-quotas")
    before = quotas.get_service_quota(ServiceCode="vpc", QuotaCode=code)["Quota"]
    assert before["Value"] in (20, 50, 60)
    simulator.post("ec2/quota", name=name, value=7)
    after = quotas.get_service_quota(ServiceCode="vpc", QuotaCode=code)["Quota"]
    assert after == before | {"Value": 7}
    assert after["QuotaArn"] == f"arn:aws:servicequotas:{REGION}:{ACCOUNT}:vpc/{code}"
    simulator.post("deny", action="servicequotas:GetServiceQuota", resource=after["QuotaArn"])
    answer = refused(quotas.get_service_quota, ServiceCode="vpc", QuotaCode=code)
    assert answer[:2] == (400, "AccessDeniedException")


def test_a_quota_that_nobody_knows(simulator: Simulator) -> None:
    quotas = simulator.client("service-quotas")
    answer = refused(quotas.get_service_quota, ServiceCode="vpc", QuotaCode="L-00000000")
    assert answer[1] == "NoSuchResourceException"


def test_tags_of_endpoints(network: Network) -> None:
    made = network.endpoint()
    number = made["VpcEndpointId"]
    network.ec2.create_tags(Resources=[number], Tags=[{"Key": "a", "Value": "b"}])
    assert network.described(made)["Tags"] == [{"Key": "a", "Value": "b"}]
    (tag,) = network.ec2.describe_tags(Filters=filters(resource_type="vpc-endpoint"))["Tags"]
    assert tag["ResourceId"] == number
    network.ec2.delete_tags(Resources=[number], Tags=[{"Key": "a"}])
    assert network.described(made)["Tags"] == []


def test_other_accounts_do_not_see_it(simulator: Simulator, network: Network) -> None:
    role = "arn:aws:iam::210987654321:role/r"
    simulator.post("sts/assumable", roleArn=role)
    session = simulator.client("sts").assume_role(RoleArn=role, RoleSessionName="session")[
        "Credentials"
    ]
    made = network.endpoint()
    theirs = simulator.client(
        "ec2",
        access_key=session["AccessKeyId"],
        secret_key=session["SecretAccessKey"],
        token=session["SessionToken"],
    )
    assert theirs.describe_vpc_endpoints()["VpcEndpoints"] == []
    numbers = [made["VpcEndpointId"]]
    assert len(theirs.delete_vpc_endpoints(VpcEndpointIds=numbers)["Unsuccessful"]) == 1
    assert network.described(made)["State"] == "available"

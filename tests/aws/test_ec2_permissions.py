"""Which permissions EC2's operations need, and on what."""

from collections.abc import Callable
from typing import Any

import pytest
from conftest import ACCOUNT
from failures import refused
from networking import PREFIX, Network, permission, tags

Prepared = tuple[Network, dict[str, Any]]


@pytest.fixture
def prepared(network: Network) -> Prepared:
    """A network with a group, an interface endpoint and a gateway; and their ids."""
    group = network.group()
    made = network.endpoint(SecurityGroupIds=[group])
    return network, {
        "group": group,
        "endpoint": made["VpcEndpointId"],
        "gateway": network.gateway("dynamodb")["VpcEndpointId"],
        "vpc": network.vpc,
        "subnet": network.subnets[0],
        "table": network.table,
        "default": network.default_group,
    }


def new_endpoint(network: Network, held: dict[str, Any]) -> dict[str, Any]:
    return network.asked(
        "logs", SecurityGroupIds=[held["group"]], TagSpecifications=tags("vpc-endpoint", a="b")
    )


def new_gateway(network: Network, held: dict[str, Any]) -> dict[str, Any]:
    return network.asked(
        "s3", VpcEndpointType="Gateway", SubnetIds=None, RouteTableIds=[held["table"]]
    )


def new_group(network: Network, _: dict[str, Any]) -> dict[str, Any]:
    given = {"GroupName": "n", "Description": "d", "VpcId": network.vpc}
    return {**given, "TagSpecifications": tags("security-group", a="b")}


def of_group(**more: Any) -> Callable[[Network, dict[str, Any]], dict[str, Any]]:
    return lambda _, held: {"GroupId": held["group"], **more}


def of_endpoint(**names: str) -> Callable[[Network, dict[str, Any]], dict[str, Any]]:
    return lambda _, held: {
        "VpcEndpointId": held["endpoint"],
        **{parameter: [held[name]] for parameter, name in names.items()},
    }


PERMISSIONS = [
    ("ec2:CreateVpcEndpoint", "vpc/{vpc}", "create_vpc_endpoint", new_endpoint),
    ("ec2:CreateVpcEndpoint", "vpc-endpoint/*", "create_vpc_endpoint", new_endpoint),
    ("ec2:CreateVpcEndpoint", "subnet/{subnet}", "create_vpc_endpoint", new_endpoint),
    ("ec2:CreateVpcEndpoint", "security-group/{group}", "create_vpc_endpoint", new_endpoint),
    ("ec2:CreateVpcEndpoint", "route-table/{table}", "create_vpc_endpoint", new_gateway),
    ("ec2:CreateTags", "vpc-endpoint/*", "create_vpc_endpoint", new_endpoint),
    (
        "ec2:ModifyVpcEndpoint",
        "vpc-endpoint/{endpoint}",
        "modify_vpc_endpoint",
        of_endpoint(AddSecurityGroupIds="default"),
    ),
    (
        "ec2:ModifyVpcEndpoint",
        "security-group/{default}",
        "modify_vpc_endpoint",
        of_endpoint(AddSecurityGroupIds="default"),
    ),
    (
        "ec2:ModifyVpcEndpoint",
        "subnet/{subnet}",
        "modify_vpc_endpoint",
        of_endpoint(RemoveSubnetIds="subnet"),
    ),
    (
        "ec2:ModifyVpcEndpoint",
        "route-table/{table}",
        "modify_vpc_endpoint",
        lambda _, held: {
            "VpcEndpointId": held["gateway"],
            "RemoveRouteTableIds": [held["table"]],
        },
    ),
    (
        "ec2:DeleteVpcEndpoints",
        "vpc-endpoint/{gateway}",
        "delete_vpc_endpoints",
        lambda _, held: {"VpcEndpointIds": [held["endpoint"], held["gateway"]]},
    ),
    ("ec2:CreateSecurityGroup", "security-group/*", "create_security_group", new_group),
    ("ec2:CreateSecurityGroup", "vpc/{vpc}", "create_security_group", new_group),
    ("ec2:CreateTags", "security-group/*", "create_security_group", new_group),
    (
        "ec2:AuthorizeSecurityGroupIngress",
        "security-group/{group}",
        "authorize_security_group_ingress",
        of_group(IpPermissions=[permission()]),
    ),
    (
        "ec2:AuthorizeSecurityGroupEgress",
        "security-group/{group}",
        "authorize_security_group_egress",
        of_group(IpPermissions=[permission()]),
    ),
    (
        "ec2:RevokeSecurityGroupEgress",
        "security-group/{group}",
        "revoke_security_group_egress",
        of_group(IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]),
    ),
    (
        "ec2:CreateTags",
        "security-group/{group}",
        "create_tags",
        lambda _, held: {"Resources": [held["group"]], "Tags": [{"Key": "a", "Value": "b"}]},
    ),
    (
        "ec2:DeleteTags",
        "vpc-endpoint/{endpoint}",
        "delete_tags",
        lambda _, held: {"Resources": [held["endpoint"]], "Tags": [{"Key": "a"}]},
    ),
    (
        "ec2:DescribeVpcAttribute",
        "vpc/{vpc}",
        "describe_vpc_attribute",
        lambda _, held: {"VpcId": held["vpc"], "Attribute": "enableDnsSupport"},
    ),
]


@pytest.mark.parametrize(("action", "resource", "operation", "given"), PERMISSIONS)
def test_permissions(
    prepared: Prepared,
    action: str,
    resource: str,
    operation: str,
    given: Callable[[Network, dict[str, Any]], dict[str, Any]],
) -> None:
    network, held = prepared
    arn = f"{PREFIX}{resource.format(**held)}"
    call, parameters = getattr(network.ec2, operation), given(network, held)
    network.simulator.post("deny", action=action, resource=arn.replace("*", "[*]"))
    status, code, message = refused(call, **parameters)
    assert (status, code) == (403, "UnauthorizedOperation")
    assert message.startswith("You are not authorized to perform this operation. User: arn:aws:")
    assert f'is not authorized to perform: {action} on resource: "{arn}"' in message
    network.simulator.control("DELETE", "deny", {"action": action})
    network.simulator.post("deny", action=action, resource=f"{arn.replace('*', '[*]')}-other")
    call(**parameters)


@pytest.mark.parametrize(
    "operation",
    [
        *("describe_vpcs", "describe_subnets", "describe_route_tables", "describe_tags"),
        *("describe_security_groups", "describe_security_group_rules", "describe_vpc_endpoints"),
        *("describe_vpc_endpoint_services", "describe_network_interfaces"),
    ],
)
def test_describing_is_allowed_for_all_or_nothing(network: Network, operation: str) -> None:
    action = "ec2:" + "".join(word.capitalize() for word in operation.split("_"))
    network.simulator.post("deny", action=action, resource=f"{PREFIX}*")
    getattr(network.ec2, operation)()
    network.simulator.post("deny", action=action)
    assert refused(getattr(network.ec2, operation))[:2] == (403, "UnauthorizedOperation")


def test_private_dns_needs_the_zone_to_be_associated(prepared: Prepared) -> None:
    network, held = prepared
    network.simulator.post("deny", action="route53:AssociateVPCWithHostedZone")
    given = network.asked("kms")
    network.ec2.create_vpc_endpoint(**{**given, "PrivateDnsEnabled": False})
    for call, parameters in [
        (network.ec2.create_vpc_endpoint, given),
        (network.ec2.create_vpc_endpoint, {**given, "PrivateDnsEnabled": True}),
        (
            network.ec2.modify_vpc_endpoint,
            {"VpcEndpointId": held["endpoint"], "PrivateDnsEnabled": True},
        ),
    ]:
        status, code, message = refused(call, **parameters)
        assert (status, code) == (403, "UnauthorizedOperation")
        assert "route53:AssociateVPCWithHostedZone" in message
        assert "arn:aws:route53:::hostedzone/Z" in message


def test_the_log_of_calls_tells_the_conditions(prepared: Prepared) -> None:
    network, held = prepared
    network.ec2.create_security_group(**new_group(network, held))
    (call,) = network.simulator.calls("CreateSecurityGroup")[1:]
    asked = {"aws:RequestTag/a": "b"}
    assert call["conditions"] == [
        asked,
        asked,
        {**asked, "ec2:CreateAction": "CreateSecurityGroup"},
    ]
    network.ec2.create_tags(Resources=[held["group"]], Tags=[{"Key": "c", "Value": "d"}])
    (call,) = network.simulator.calls("CreateTags")
    assert call["conditions"] == [{"aws:RequestTag/c": "d"}]
    network.ec2.authorize_security_group_ingress(
        GroupId=held["group"], IpPermissions=[permission()]
    )
    (call,) = network.simulator.calls("AuthorizeSecurityGroupIngress")
    assert call["conditions"] == [{"aws:ResourceTag/c": "d"}]
    network.ec2.delete_tags(Resources=[held["group"]], Tags=[{"Key": "c"}])
    (call,) = network.simulator.calls("DeleteTags")
    assert call["conditions"] == [{"aws:ResourceTag/c": "d"}]


def test_the_log_of_calls_tells_them(network: Network) -> None:
    network.endpoint(SubnetIds=[], PrivateDnsEnabled=False)
    (call,) = network.simulator.calls("CreateVpcEndpoint")
    assert call["permissions"] == [
        ["ec2:CreateVpcEndpoint", f"{PREFIX}vpc/{network.vpc}"],
        ["ec2:CreateVpcEndpoint", f"{PREFIX}vpc-endpoint/*"],
    ]
    assert call["account"] == ACCOUNT

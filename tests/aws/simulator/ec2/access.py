"""The permissions that EC2's operations need."""

from typing import Any

from simulator.call import Call
from simulator.conditions import resource_tags
from simulator.ec2.endpoint import hosted_zone
from simulator.ec2.endpoint_rules import wants_private_dns
from simulator.ec2.endpoint_services import find_service
from simulator.ec2.service import (
    ENDPOINT,
    GROUP,
    INTERFACE,
    KINDS,
    LOOKUPS,
    ROUTE_TABLE,
    RULE,
    SUBNET,
    VPC,
    Kind,
    arn_of,
    backend_of,
    service,
    tags_of,
)
from simulator.ec2.service_names import GATEWAY
from simulator.service import Conditions, Requirement

NEW = "*"
# What private DNS needs beside EC2's own actions (Service Authorization Reference).
ASSOCIATE = "route53:AssociateVPCWithHostedZone"
# The resources that an operation is about: their kind, and the parameter that names them; those
# that it makes have no id yet.
ABOUT: dict[str, list[tuple[Kind, str]]] = {
    "CreateSecurityGroup": [(GROUP, NEW), (VPC, "VpcId")],
    "DeleteSecurityGroup": [(GROUP, "GroupId")],
    "AuthorizeSecurityGroupIngress": [(GROUP, "GroupId")],
    "AuthorizeSecurityGroupEgress": [(GROUP, "GroupId")],
    "RevokeSecurityGroupIngress": [(GROUP, "GroupId")],
    "RevokeSecurityGroupEgress": [(GROUP, "GroupId")],
    "UpdateSecurityGroupRuleDescriptionsIngress": [(GROUP, "GroupId")],
    "UpdateSecurityGroupRuleDescriptionsEgress": [(GROUP, "GroupId")],
    "ModifySecurityGroupRules": [(GROUP, "GroupId")],
    "CreateVpcEndpoint": [
        (VPC, "VpcId"),
        (ENDPOINT, NEW),
        (SUBNET, "SubnetIds"),
        (GROUP, "SecurityGroupIds"),
        (ROUTE_TABLE, "RouteTableIds"),
    ],
    "ModifyVpcEndpoint": [
        (ENDPOINT, "VpcEndpointId"),
        (SUBNET, "AddSubnetIds"),
        (SUBNET, "RemoveSubnetIds"),
        (GROUP, "AddSecurityGroupIds"),
        (GROUP, "RemoveSecurityGroupIds"),
        (ROUTE_TABLE, "AddRouteTableIds"),
        (ROUTE_TABLE, "RemoveRouteTableIds"),
    ],
    "DeleteVpcEndpoints": [(ENDPOINT, "VpcEndpointIds")],
    "DescribeVpcAttribute": [(VPC, "VpcId")],
    "ModifyVpcAttribute": [(VPC, "VpcId")],
    "DeleteVpc": [(VPC, "VpcId")],
    "DeleteSubnet": [(SUBNET, "SubnetId")],
    "DeleteNetworkInterface": [(INTERFACE, "NetworkInterfaceId")],
}


@service.tells
def conditions(call: Call, action: str, resource: str) -> Conditions:
    """The tags of what is there already, and the call in which something new is tagged."""
    known = resource_tags(tags_of(backend_of(call), resource.rpartition("/")[2]))
    if action == "ec2:CreateTags" and call.operation != "CreateTags":
        known["ec2:CreateAction"] = call.operation or ""
    return known


@service.requires
def requirements(call: Call) -> list[Requirement]:
    """The actions that a call needs, and the ARN they are needed on."""
    operation = call.operation or ""
    action = f"ec2:{operation}"
    needed = [(action, arn) for arn in _arns(call)] or [(action, "*")]
    for specification in call.parameters.get("TagSpecifications") or []:
        made = f"{specification.get('ResourceType')}/{NEW}"
        prefix = f"arn:{call.partition}:ec2:{call.region}:{call.account}"
        needed.append(("ec2:CreateTags", f"{prefix}:{made}"))
    return [*needed, *_for_private_dns(call)]


def _arns(call: Call) -> list[str]:
    given, operation = call.parameters, call.operation or ""
    if operation in ("CreateTags", "DeleteTags"):
        return [_arn_by_prefix(call, number) for number in given.get("Resources") or []]
    arns = []
    for kind, name in ABOUT.get(operation, []):
        named = [NEW] if name == NEW else _as_list(given.get(name))
        arns += [arn_of(call, kind, number) for number in named]
    if operation == "ModifySecurityGroupRules":
        updates = given.get("SecurityGroupRules") or []
        arns += [arn_of(call, RULE, str(each.get("SecurityGroupRuleId"))) for each in updates]
    return list(dict.fromkeys(arns))


def _arn_by_prefix(call: Call, number: str) -> str:
    kind = KINDS.get(number.partition("-")[0])
    return "*" if kind is None else arn_of(call, kind, number)


def _as_list(value: Any) -> list[str]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _for_private_dns(call: Call) -> list[Requirement]:
    """To associate the VPC with the zones that answer the private names."""
    vpc_id, offered = "", None
    given = call.parameters
    if call.operation == "CreateVpcEndpoint":
        vpc_id, kind = str(given.get("VpcId")), given.get("VpcEndpointType", GATEWAY)
        offered = find_service(call.region, given.get("ServiceName", ""))
        if offered is None or not wants_private_dns(kind, offered, given):
            return []
    elif call.operation == "ModifyVpcEndpoint" and given.get("PrivateDnsEnabled"):
        endpoint = LOOKUPS[ENDPOINT](call, str(given.get("VpcEndpointId")))
        if endpoint is not None:
            vpc_id, offered = endpoint.vpc_id, endpoint.service
    prefix = f"arn:{call.partition}:route53:::hostedzone"
    names = offered.private_names if offered else ()
    return [(ASSOCIATE, f"{prefix}/{hosted_zone(vpc_id, name)}") for name in names]

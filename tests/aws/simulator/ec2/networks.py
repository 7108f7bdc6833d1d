"""Networks as tests plant them: VPCs, subnets and route tables, which are moto's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.call import Call
from simulator.ec2.listing import Listing, page_of
from simulator.ec2.service import (
    LOOKUPS,
    ROUTE_TABLE,
    SUBNET,
    VPC,
    answer,
    backend_of,
    find,
    has_dependencies,
    invalid_value,
    service,
)
from simulator.wire import Response

if TYPE_CHECKING:
    from moto.ec2.models import EC2Backend
    from moto.ec2.models.subnets import Subnet

DNS_ATTRIBUTES = {
    "enableDnsSupport": "enable_dns_support",
    "enableDnsHostnames": "enable_dns_hostnames",
    "enableNetworkAddressUsageMetrics": "enable_network_address_usage_metrics",
}
VPCS = Listing(
    {
        "vpc-id": lambda vpc: vpc.id,
        "cidr": lambda vpc: vpc.cidr_block,
        "cidr-block-association.cidr-block": lambda vpc: [
            each["cidr_block"] for each in vpc.get_cidr_block_association_set()
        ],
        "cidr-block-association.state": lambda vpc: [
            each["cidr_block_state"]["state"] for each in vpc.get_cidr_block_association_set()
        ],
        "dhcp-options-id": lambda vpc: vpc.dhcp_options_id,
        "is-default": lambda vpc: vpc.is_default,
        "owner-id": lambda vpc: vpc.owner_id,
        "state": lambda vpc: vpc.state,
    },
    VPC,
    "VpcIds",
)
SUBNETS = Listing(
    {
        "subnet-id": lambda subnet: subnet.id,
        "subnet-arn": lambda subnet: subnet.arn,
        "vpc-id": lambda subnet: subnet.vpc_id,
        "availability-zone": lambda subnet: subnet.availability_zone,
        "availabilityZone": lambda subnet: subnet.availability_zone,
        "availability-zone-id": lambda subnet: subnet.availability_zone_id,
        "availabilityZoneId": lambda subnet: subnet.availability_zone_id,
        "available-ip-address-count": lambda subnet: subnet.available_ip_address_count,
        "cidr": lambda subnet: subnet.cidr_block,
        "cidrBlock": lambda subnet: subnet.cidr_block,
        "cidr-block": lambda subnet: subnet.cidr_block,
        "default-for-az": lambda subnet: subnet.default_for_az,
        "defaultForAz": lambda subnet: subnet.default_for_az,
        "map-public-ip-on-launch": lambda subnet: subnet.map_public_ip_on_launch,
        "owner-id": lambda subnet: subnet.owner_id,
        "state": lambda subnet: subnet.state,
    },
    SUBNET,
    "SubnetIds",
)
ROUTE_TABLES = Listing(
    {
        "route-table-id": lambda table: table.id,
        "vpc-id": lambda table: table.vpc_id,
        "owner-id": lambda table: table.owner_id,
        "association.main": lambda table: [each["Main"] for each in table.associations],
        "association.route-table-id": lambda table: table.id if table.associations else None,
        "association.route-table-association-id": lambda table: table.all_associations_ids,
        "association.subnet-id": lambda table: [
            each.get("SubnetId") for each in table.associations
        ],
        "route.destination-cidr-block": lambda table: [
            route.destination_cidr_block for route in table.routes
        ],
        "route.destination-prefix-list-id": lambda table: [
            route.destination_prefix_list_id for route in table.routes
        ],
        "route.gateway-id": lambda table: [route.gateway_id for route in table.routes],
        "route.nat-gateway-id": lambda table: [route.nat_gateway_id for route in table.routes],
        "route.origin": lambda table: [route.origin for route in table.routes],
        "route.state": lambda table: [route.state for route in table.routes],
    },
    ROUTE_TABLE,
    "RouteTableIds",
    most=100,
)


def subnets_in(backend: EC2Backend) -> list[Subnet]:
    """All subnets; moto keeps them by zone."""
    return [subnet for zone in backend.subnets.values() for subnet in zone.values()]


def _find_subnet(call: Call, number: str) -> Subnet | None:
    return next((each for each in subnets_in(backend_of(call)) if each.id == number), None)


LOOKUPS[VPC] = lambda call, number: backend_of(call).vpcs.get(number)
LOOKUPS[SUBNET] = _find_subnet
LOOKUPS[ROUTE_TABLE] = lambda call, number: backend_of(call).route_tables.get(number)


@service.before("DescribeVpcs")
def describe_vpcs(call: Call) -> Response:
    """VPCs, by page."""
    page, more = page_of(call, VPCS, backend_of(call).vpcs.values())
    return answer(call, {"Vpcs": page, **more})


@service.before("DescribeSubnets")
def describe_subnets(call: Call) -> Response:
    """Subnets, by page."""
    page, more = page_of(call, SUBNETS, subnets_in(backend_of(call)))
    return answer(call, {"Subnets": page, **more})


@service.before("DescribeRouteTables")
def describe_route_tables(call: Call) -> Response:
    """Route tables with their routes, by page."""
    page, more = page_of(call, ROUTE_TABLES, backend_of(call).route_tables.values())
    return answer(call, {"RouteTables": page, **more})


@service.before("DescribeVpcAttribute")
def describe_vpc_attribute(call: Call) -> dict[str, Any]:
    """One attribute of a VPC."""
    vpc = find(call, VPC, call.parameters["VpcId"])
    name = call.parameters["Attribute"]
    member = name[0].upper() + name[1:]
    return {"VpcId": vpc.id, member: {"Value": getattr(vpc, DNS_ATTRIBUTES[name])}}


@service.before("ModifyVpcAttribute")
def modify_vpc_attribute(call: Call) -> dict[str, Any]:
    """Set one attribute of a VPC: EC2 takes no more than one in a call."""
    vpc = find(call, VPC, call.parameters["VpcId"])
    given = {
        name: call.parameters[member]
        for name in DNS_ATTRIBUTES
        if (member := name[0].upper() + name[1:]) in call.parameters
    }
    if len(given) != 1:
        raise invalid_value("Exactly one attribute must be specified.")
    for name, value in given.items():
        setattr(vpc, DNS_ATTRIBUTES[name], value["Value"])
    return {}


@service.before("DeleteSubnet")
def keep_used_subnet(call: Call) -> None:
    """Refuse to delete a subnet that a network interface is in; moto does the rest."""
    subnet = find(call, SUBNET, call.parameters["SubnetId"])
    if any(each.subnet.id == subnet.id for each in backend_of(call).enis.values()):
        raise has_dependencies(f"subnet '{subnet.id}'")

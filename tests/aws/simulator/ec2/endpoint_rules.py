"""What endpoints demand of the network that they stand in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from simulator.call import Call
from simulator.ec2.endpoint import EXPIRED, FAILED, REJECTED, endpoints_in, lingering_names
from simulator.ec2.endpoint_services import EndpointService
from simulator.ec2.quotas import quota
from simulator.ec2.service import (
    GROUP,
    ROUTE_TABLE,
    SUBNET,
    VPC,
    backend_of,
    find,
    invalid_parameter,
)
from simulator.ec2.service_names import GATEWAY, INTERFACE
from simulator.errors import AwsError

if TYPE_CHECKING:
    from moto.ec2.models import EC2Backend

IN_ONE_ZONE = (
    "Found another VPC endpoint subnet in the availability zone of {}. VPC endpoint subnets should "
    "be in different availability zones supported by the VPC endpoint service."
)


def check_subnets(
    call: Call, offered: EndpointService, vpc_id: str, held: Iterable[str], added: Iterable[str]
) -> None:
    """Refuse subnets that cannot be added to those that an endpoint is in already."""
    taken = {find(call, SUBNET, number).availability_zone for number in held}
    for number in added:
        subnet = find(call, SUBNET, number)
        if subnet.vpc_id != vpc_id:
            raise invalid_parameter(f"Subnet {number} does not belong to VPC {vpc_id}.")
        if subnet.availability_zone not in offered.zones:
            raise invalid_parameter(
                f"The VPC endpoint service {offered.name} does not support the availability zone "
                f"of the subnet: {number}."
            )
        if subnet.availability_zone in taken:
            raise AwsError("DuplicateSubnetsInSameZone", IN_ONE_ZONE.format(number))
        taken.add(subnet.availability_zone)
        if subnet.available_ip_address_count < 1:
            raise AwsError(
                "InsufficientFreeAddressesInSubnet",
                "The specified subnet does not have enough free addresses to satisfy the request.",
            )


def check_groups(call: Call, vpc_id: str, groups: list[str]) -> None:
    """Refuse groups that are not in the VPC, or too many of them."""
    for number in groups:
        if find(call, GROUP, number).vpc_id != vpc_id:
            message = f"The security group '{number}' does not exist in VPC '{vpc_id}'"
            raise AwsError(GROUP.not_found, message)
    if len(groups) > quota("securityGroupsPerInterface"):
        raise AwsError(
            "SecurityGroupsPerInterfaceLimitExceeded",
            "The maximum number of security groups per interface has been reached.",
        )


def wants_private_dns(kind: str, offered: EndpointService, given: dict[str, Any]) -> bool:
    """Whether an endpoint is to have private DNS: by default, if there is nothing to it."""
    by_default = bool(offered.private_names) and GATEWAY not in offered.types
    return kind == INTERFACE and given.get("PrivateDnsEnabled", by_default)


def check_private_dns(call: Call, offered: EndpointService, vpc_id: str, own: str = "") -> None:
    """Refuse private DNS that the service or the VPC does not allow, or that another one has."""
    if not offered.private_names:
        raise invalid_parameter(
            f"Private DNS can't be enabled because the service {offered.name} does not provide a "
            "private DNS name."
        )
    if offered.needs_acceptance and not own:
        raise invalid_parameter(
            "Private DNS can only be enabled after the endpoint connection is accepted by the "
            f"owner of {offered.name}."
        )
    vpc = find(call, VPC, vpc_id)
    if not (vpc.enable_dns_support and vpc.enable_dns_hostnames):
        raise invalid_parameter(
            "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC "
            f"attributes set to true for {vpc_id}"
        )
    taken = lingering_names(vpc_id)
    for other in endpoints_in((call.account, call.region)):
        is_up = other.status not in (FAILED, REJECTED, EXPIRED)
        if other.vpc_id == vpc_id and other.private_dns and is_up and other.id != own:
            taken.update(other.service.private_names)
    for name in offered.private_names:
        if name in taken:
            raise invalid_parameter(
                "private-dns-enabled cannot be set because there is already a conflicting DNS "
                f"domain for {name} in the VPC {vpc_id}"
            )


def dns_options_of(
    call: Call, offered: EndpointService, vpc_id: str, private_dns: bool
) -> dict[str, Any]:
    """The DNS options of an interface endpoint, with the defaults for what is not given.

    A service that has gateways, too, answers private names only to inbound resolvers unless told
    otherwise, and that takes a gateway in the VPC.
    """
    given = call.parameters.get("DnsOptions") or {}
    name = "PrivateDnsOnlyForInboundResolverEndpoint"
    has_gateways = GATEWAY in offered.types
    only_inbound = given.get(name, has_gateways and private_dns)
    if only_inbound and not has_gateways:
        raise invalid_parameter(f"The service {offered.name} does not support {name}.")
    if only_inbound and private_dns and not _has_gateway(call, offered, vpc_id):
        raise invalid_parameter(
            f"To set {name} to true, the VPC {vpc_id} must have a Gateway endpoint for the service."
        )
    return {
        "DnsRecordIpType": given.get("DnsRecordIpType", "ipv4"),
        "PrivateDnsOnlyForInboundResolverEndpoint": only_inbound,
    }


def _has_gateway(call: Call, offered: EndpointService, vpc_id: str) -> bool:
    return any(
        each.vpc_id == vpc_id and each.kind == GATEWAY and each.service.name == offered.name
        for each in endpoints_in((call.account, call.region))
    )


def check_route_tables(
    call: Call, offered: EndpointService, vpc_id: str, tables: list[str]
) -> None:
    """Refuse route tables of other VPCs, and those that lead to the service already."""
    prefix_list = prefix_list_of(backend_of(call), offered)
    for number in tables:
        table = find(call, ROUTE_TABLE, number)
        if table.vpc_id != vpc_id:
            raise invalid_parameter(f"Route table {number} does not belong to VPC {vpc_id}.")
        if any(route.destination_prefix_list_id == prefix_list.id for route in table.routes):
            raise AwsError(
                "RouteAlreadyExists",
                f"route table {number} already has a route with destination-prefix-list-id "
                f"{prefix_list.id}",
            )


def prefix_list_of(backend: EC2Backend, offered: EndpointService) -> Any:
    """The prefix list of a service that has gateways."""
    for prefix_list in backend.managed_prefix_lists.values():
        if prefix_list.prefix_list_name == offered.name:
            return prefix_list
    raise NotImplementedError(f"the prefix list of {offered.name}")


def check_quota(call: Call, kind: str, vpc_id: str) -> None:
    """Refuse more endpoints than a VPC, or for gateways a region, may have."""
    held = [each for each in endpoints_in((call.account, call.region)) if each.kind == kind]
    if kind == INTERFACE:
        held = [each for each in held if each.vpc_id == vpc_id]
    name = "interfaceEndpointsPerVpc" if kind == INTERFACE else "gatewayEndpointsPerRegion"
    if len(held) >= quota(name):
        message = "The maximum number of VPC endpoints has been reached."
        raise AwsError("VpcEndpointLimitExceeded", message)

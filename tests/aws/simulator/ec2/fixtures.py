"""Networks out of nothing: what a test needs to be there, under ids of its choice."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from simulator import catalogue
from simulator.call import DEFAULT_ACCOUNT
from simulator.ec2.endpoint import settle_all
from simulator.ec2.endpoint_services import zones_of
from simulator.ec2.networks import subnets_in
from simulator.ec2.service import (
    ID,
    INTERFACE,
    ROUTE_TABLE,
    SUBNET,
    VPC,
    Kind,
    backend_in,
    service,
)

if TYPE_CHECKING:
    from moto.ec2.models import EC2Backend

CIDR = "10.0.0.0/16"
PREFIX_LENGTH = 24


@service.control("ec2/vpc")
def plant_vpc(body: dict[str, Any]) -> dict[str, str]:
    """Make a VPC with its main route table and default security group."""
    backend = _backend(body)
    first, *more = body.get("cidrs", [CIDR])
    vpc = backend.create_vpc(first)
    for cidr in more:
        backend.associate_vpc_cidr_block(vpc.id, cidr, False)
    vpc.enable_dns_support = body.get("dnsSupport", True)
    vpc.enable_dns_hostnames = body.get("dnsHostnames", True)
    vpc.add_tags(body.get("tags", {}))
    if number := _wished(body, "vpcId", VPC):
        _rename_vpc(backend, vpc.id, number)
    group = backend.get_default_security_group(vpc.id)
    table = next(each for each in backend.route_tables.values() if each.vpc_id == vpc.id)
    assert group is not None
    return {"vpcId": vpc.id, "mainRouteTableId": table.id, "defaultSecurityGroupId": group.id}


def _rename_vpc(backend: EC2Backend, old: str, new: str) -> None:
    vpc = backend.vpcs.pop(old)
    vpc.id = new
    backend.vpcs[new] = vpc
    backend.tags[new] = backend.tags.pop(old, {})
    backend.groups[new] = backend.groups.pop(old)
    for holders in (backend.groups[new], backend.route_tables, backend.network_acls):
        for each in holders.values():
            if each.vpc_id == old:
                each.vpc_id = new


@service.control("ec2/subnet")
def plant_subnet(body: dict[str, Any]) -> dict[str, str]:
    """Make a subnet in a VPC, in a zone of the region and with a free CIDR block."""
    backend, zone = _backend(body), body["zone"]
    vpc = backend.get_vpc(_known(backend.vpcs, body, "vpcId"))
    if zone not in zones_of(body["region"]):
        raise ValueError(f"zone: one of {', '.join(zones_of(body['region']))}")
    cidr = body.get("cidr") or _free_cidr(backend, vpc)
    subnet = backend.create_subnet(vpc.id, cidr, availability_zone=zone)
    if number := _wished(body, "subnetId", SUBNET):
        for held in backend.subnets.values():
            if subnet.id in held:
                held[number] = held.pop(subnet.id)
        subnet.id = number
    subnet.add_tags(body.get("tags", {}))
    return {"subnetId": subnet.id, "cidr": subnet.cidr_block}


def _free_cidr(backend: EC2Backend, vpc: Any) -> str:
    taken = [each.cidr for each in subnets_in(backend) if each.vpc_id == vpc.id]
    network = ipaddress.ip_network(vpc.cidr_block)
    for candidate in network.subnets(new_prefix=max(PREFIX_LENGTH, network.prefixlen)):
        if not any(candidate.overlaps(each) for each in taken):
            return str(candidate)
    raise ValueError(f"cidr: no /{PREFIX_LENGTH} is left in {vpc.cidr_block}")


@service.control("ec2/route-table")
def plant_route_table(body: dict[str, Any]) -> dict[str, str]:
    """Make a route table in a VPC, and let subnets use it."""
    backend = _backend(body)
    table = backend.create_route_table(_known(backend.vpcs, body, "vpcId"))
    if number := _wished(body, "routeTableId", ROUTE_TABLE):
        backend.route_tables[number] = backend.route_tables.pop(table.id)
        table.id = number
    for subnet_id in body.get("subnetIds", []):
        backend.associate_route_table(table.id, subnet_id=subnet_id)
    return {"routeTableId": table.id}


@service.control("ec2/interface")
def plant_interface(body: dict[str, Any]) -> dict[str, str]:
    """Make a network interface that something uses, or take it away again."""
    settle_all()
    backend = _backend(body)
    if body.get("remove"):
        backend.enis.pop(_known(backend.enis, body, "interfaceId"))
        return {}
    made = backend.create_network_interface(
        body["subnetId"],
        [],
        group_ids=body.get("groupIds"),
        description=body.get("description", ""),
    )
    made.status = "in-use"
    if number := _wished(body, "interfaceId", INTERFACE):
        backend.enis[number] = backend.enis.pop(made.id)
        made.id = number
    return {"interfaceId": made.id}


def _backend(body: dict[str, Any]) -> EC2Backend:
    if body["region"] not in catalogue.regions():
        raise ValueError("region: one that exists")
    return backend_in(body.get("account", DEFAULT_ACCOUNT), body["region"])


def _known(held: dict[str, Any], body: dict[str, Any], name: str) -> str:
    if body[name] not in held:
        raise ValueError(f"{name}: there is no {body[name]}")
    return body[name]


def _wished(body: dict[str, Any], name: str, kind: Kind) -> str | None:
    number = body.get(name)
    match = ID.fullmatch(number) if number else None
    if number and (match is None or match[1] != kind.prefix):
        raise ValueError(f"{name}: {kind.prefix}- and small letters and digits")
    return number

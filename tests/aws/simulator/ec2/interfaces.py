"""Network interfaces: those of endpoints come and go with them, those of tests are planted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from simulator.call import Call
from simulator.ec2.listing import Listing, page_of
from simulator.ec2.service import (
    INTERFACE,
    LOOKUPS,
    answer,
    backend_in,
    backend_of,
    find,
    forget_tags,
    invalid_value,
    service,
)
from simulator.errors import AwsError
from simulator.phases import Delay
from simulator.wire import Response

if TYPE_CHECKING:
    from moto.ec2.models import EC2Backend
    from moto.ec2.models.elastic_network_interfaces import NetworkInterface

RELEASE = "ec2.interface.release"
OF_ENDPOINT = "vpc_endpoint"
INTERFACES = Listing(
    {
        "network-interface-id": lambda each: each.id,
        "subnet-id": lambda each: each.subnet.id,
        "vpc-id": lambda each: each.subnet.vpc_id,
        "availability-zone": lambda each: each.subnet.availability_zone,
        "description": lambda each: each.description,
        "group-id": lambda each: [group.id for group in each.group_set],
        "group-name": lambda each: [group.name for group in each.group_set],
        "interface-type": lambda each: each.interface_type,
        "owner-id": lambda each: each.owner_id,
        "private-ip-address": lambda each: each.private_ip_address,
        "addresses.private-ip-address": lambda each: [
            address["PrivateIpAddress"] for address in each.private_ip_addresses
        ],
        "requester-managed": lambda each: each.requester_managed,
        "requester-id": lambda each: each.requester_id,
        "status": lambda each: each.status,
        "attachment.instance-id": lambda each: each.instance.id if each.instance else None,
    },
    INTERFACE,
    "NetworkInterfaceIds",
    pages_exclude_ids=True,
)

Place = tuple[str, str]

# Interfaces of endpoints that are gone, by place and id, until they go too.
_leaving: dict[tuple[Place, str], Delay] = {}


@service.on_reset
def forget_leaving() -> None:
    """Drop what is on its way out."""
    _leaving.clear()


LOOKUPS[INTERFACE] = lambda call, number: backend_of(call).enis.get(number)


def interfaces_with(backend: EC2Backend, group_id: str) -> list[NetworkInterface]:
    """The interfaces that a security group is on."""
    return [
        each
        for each in backend.enis.values()
        if any(group.id == group_id for group in each.group_set)
    ]


def add_interface(
    place: Place, subnet_id: str, group_ids: Iterable[str], endpoint_id: str
) -> NetworkInterface:
    """Make the interface of an endpoint in a subnet."""
    made = backend_in(*place).create_network_interface(
        subnet_id,
        [],
        group_ids=list(group_ids),
        description=f"VPC Endpoint Interface {endpoint_id}",
    )
    made.requester_managed = True
    made.interface_type = OF_ENDPOINT
    made.status = "in-use"
    return made


def set_groups(place: Place, number: str, group_ids: Iterable[str]) -> None:
    """Put an interface into other security groups."""
    backend = backend_in(*place)
    groups = [backend.get_security_group_from_id(group_id) for group_id in group_ids]
    backend.enis[number]._group_set = [group for group in groups if group is not None]


def release_interface(place: Place, number: str) -> None:
    """Begin to let an interface go: until it is gone, it holds its groups and its subnet."""
    _leaving[place, number] = Delay(RELEASE)


def drop_released() -> None:
    """Drop the interfaces that are gone by now."""
    for (place, number), delay in list(_leaving.items()):
        if delay.is_over:
            del _leaving[place, number]
            backend = backend_in(*place)
            backend.enis.pop(number, None)
            forget_tags(backend, number)


@service.before("DescribeNetworkInterfaces")
def describe_network_interfaces(call: Call) -> Response:
    """Interfaces, by page."""
    page, more = page_of(call, INTERFACES, backend_of(call).enis.values())
    return answer(call, {"NetworkInterfaces": page, **more})


@service.before("DeleteNetworkInterface")
def keep_used_interface(call: Call) -> None:
    """Refuse to delete what an endpoint or an instance uses; moto does the rest."""
    found = find(call, INTERFACE, call.parameters["NetworkInterfaceId"])
    if found.status == "in-use":
        raise invalid_value(f"Network interface '{found.id}' is currently in use.")


@service.before("ModifyNetworkInterfaceAttribute")
def keep_managed_interface(call: Call) -> dict[str, Any] | None:
    """Refuse to change what AWS manages; moto does the rest."""
    if find(call, INTERFACE, call.parameters["NetworkInterfaceId"]).requester_managed:
        message = "You do not have permission to access the specified resource."
        raise AwsError("AuthFailure", message)
    return None

"""Rules as calls write them, checked and put into EC2's own form."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator.call import Call
from simulator.ec2.rules import ALL, IPV4, IPV6, PEER, PREFIX_LIST, WITH_PORTS, Traffic
from simulator.ec2.service import (
    GROUP,
    backend_of,
    check_ids,
    find,
    invalid_combination,
    invalid_value,
    missing_parameter,
)
from simulator.errors import AwsError

if TYPE_CHECKING:
    from moto.ec2.models.security_groups import SecurityGroup

NUMBERS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6"}
NAMES = {"tcp", "udp", "icmp", "icmpv6", ALL}
MOST_PORTS = 65535
DESCRIPTION = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}")
TARGETS = ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs")


@dataclass(frozen=True)
class Request:
    """One rule that a call names."""

    traffic: Traffic
    description: str | None = None
    peer_account: str | None = None


def requested(call: Call, group: SecurityGroup) -> list[Request]:
    """The rules that a call names, each of them once."""
    given = call.parameters
    old_form = _old_form(given)
    if old_form and given.get("IpPermissions"):
        raise invalid_combination("The parameter ipPermissions cannot be used with others.")
    permissions = given.get("IpPermissions") or ([old_form] if old_form else [])
    if not permissions:
        raise missing_parameter("ipPermissions")
    requests = [each for item in permissions for each in _of_permission(call, group, item)]
    if len({each.traffic for each in requests}) < len(requests):
        raise invalid_value("The same permission must not appear multiple times")
    return requests


def _old_form(given: dict[str, Any]) -> dict[str, Any] | None:
    """The one rule that parameters outside of IpPermissions describe."""
    names = ("IpProtocol", "FromPort", "ToPort")
    if not any(name in given for name in (*names, "CidrIp", "SourceSecurityGroupName")):
        return None
    permission = {name: given[name] for name in names if name in given}
    if "CidrIp" in given:
        permission["IpRanges"] = [{"CidrIp": given["CidrIp"]}]
    if "SourceSecurityGroupName" in given:
        permission["UserIdGroupPairs"] = [{"GroupName": given["SourceSecurityGroupName"]}]
    return permission


def _of_permission(
    call: Call, group: SecurityGroup, permission: dict[str, Any]
) -> Iterator[Request]:
    if not any(permission.get(name) for name in TARGETS):
        raise missing_parameter("ipRanges, ipv6Ranges, prefixListIds or groups")
    protocol, first, last = _protocol_and_ports(permission)
    for kind, target, described, account in _targets(call, group, permission):
        description = described.get("Description")
        if description is not None and not DESCRIPTION.fullmatch(description):
            raise invalid_value(
                "Invalid rule description. Valid descriptions are strings less than 256 "
                "characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"
            )
        yield Request(Traffic(protocol, first, last, kind, target), description, account)


def _protocol_and_ports(permission: dict[str, Any]) -> tuple[str, int | None, int | None]:
    protocol = normal_protocol(permission.get("IpProtocol"))
    return protocol, *checked_ports(protocol, permission.get("FromPort"), permission.get("ToPort"))


def normal_protocol(given: str | None) -> str:
    """A protocol by its name, where it has one; others by their number."""
    if given is None:
        raise missing_parameter("ipProtocol")
    protocol = NUMBERS.get(given.lower(), given.lower())
    if protocol in NAMES or (protocol.isdigit() and int(protocol) <= 255):
        return protocol
    raise invalid_value(f"Invalid value '{given}' for IP protocol. Unknown protocol.")


def checked_ports(
    protocol: str, first: int | None, last: int | None
) -> tuple[int | None, int | None]:
    """A range of ports, or of ICMP types and codes; None where the protocol has neither."""
    if protocol in WITH_PORTS:
        if first is None or last is None:
            raise invalid_value(
                "Invalid value for portRange. Must specify both from and to ports with TCP/UDP."
            )
        if not 0 <= first <= last <= MOST_PORTS:
            raise invalid_value(f"Invalid TCP/UDP port range ({first}:{last})")
        return first, last
    if protocol.startswith("icmp"):
        return (-1 if first is None else first), (-1 if last is None else last)
    return None, None


def _targets(
    call: Call, group: SecurityGroup, permission: dict[str, Any]
) -> Iterator[tuple[str, str, dict[str, Any], str | None]]:
    for each in permission.get("IpRanges") or []:
        yield IPV4, normal_cidr(each.get("CidrIp"), 4), each, None
    for each in permission.get("Ipv6Ranges") or []:
        yield IPV6, normal_cidr(each.get("CidrIpv6"), 6), each, None
    for each in permission.get("PrefixListIds") or []:
        yield PREFIX_LIST, known_prefix_list(call, each.get("PrefixListId")), each, None
    for each in permission.get("UserIdGroupPairs") or []:
        target, account = _peer(call, group, each)
        yield PEER, target, each, account


def normal_cidr(given: str | None, version: int) -> str:
    """A CIDR block without host bits, as EC2 keeps it."""
    if given is None:
        raise missing_parameter("cidrIp" if version == 4 else "cidrIpv6")
    try:
        network = ipaddress.ip_network(given, strict=False)
    except ValueError:
        network = None
    if network is None or network.version != version or "/" not in given:
        raise invalid_value(f"CIDR block {given} is malformed")
    return str(network)


def known_prefix_list(call: Call, number: str | None) -> str:
    """The id of a prefix list that there is."""
    if number is None:
        raise missing_parameter("prefixListId")
    if number not in backend_of(call).managed_prefix_lists:
        message = f"The prefix list ID '{number}' does not exist"
        raise AwsError("InvalidPrefixListID.NotFound", message)
    return number


def _peer(call: Call, group: SecurityGroup, pair: dict[str, Any]) -> tuple[str, str]:
    account = pair.get("UserId") or call.account
    number = pair.get("GroupId")
    if number is None:
        return _named_peer(call, group, pair.get("GroupName")), account
    check_ids(GROUP, [number])
    if account == call.account:
        check_peer(call, group, number)
    return number, account


def _named_peer(call: Call, group: SecurityGroup, name: str | None) -> str:
    if name is None:
        raise missing_parameter("groupId")
    for held in backend_of(call).groups[group.vpc_id].values():
        if held.name == name:
            return held.id
    message = f"The security group '{name}' does not exist"
    raise AwsError(GROUP.not_found, message)


def check_peer(call: Call, group: SecurityGroup, number: str) -> None:
    """Refuse a group that is not there, or that is in another VPC: none are peered here."""
    if find(call, GROUP, number).vpc_id != group.vpc_id:
        raise AwsError(
            GROUP.not_found,
            "You have specified two resources that belong to different networks.",
        )

"""Rules of security groups: what they are, where they are kept, how EC2 words them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from simulator.ec2.service import LOOKUPS, RULE, backend_of, service, tags_of

if TYPE_CHECKING:
    from moto.ec2.models import EC2Backend
    from moto.ec2.models.security_groups import SecurityGroup

IPV4, IPV6, PREFIX_LIST, PEER = "CidrIpv4", "CidrIpv6", "PrefixListId", "ReferencedGroup"
ALL = "-1"
WITH_PORTS = ("tcp", "udp")
EVERYWHERE = {IPV4: "0.0.0.0/0", IPV6: "::/0"}


@dataclass(frozen=True)
class Traffic:
    """What a rule lets through: a protocol, ports (None is all of them), and from or to where.

    `target` is a CIDR block, the id of a prefix list, or the id of a security group.
    """

    protocol: str
    first_port: int | None
    last_port: int | None
    kind: str
    target: str

    def __str__(self) -> str:
        """The words that EC2 has for it when it is there already."""
        parts = [f"peer: {self.target}"]
        if self.protocol == ALL:
            parts.append("ALL")
        else:
            parts.append(self.protocol.upper())
            if self.first_port is not None:
                parts += [f"from port: {self.first_port}", f"to port: {self.last_port}"]
        return ", ".join([*parts, "ALLOW"])


@dataclass
class Rule:
    """One rule."""

    traffic: Traffic
    is_egress: bool
    group_id: str
    owner: str
    description: str | None = None
    # The account of a referenced group.
    peer_account: str | None = None
    id: str = field(default_factory=lambda: f"sgr-0{secrets.token_hex(8)}")

    def summary(self, backend: EC2Backend) -> dict[str, Any]:
        """What DescribeSecurityGroupRules tells."""
        traffic = self.traffic
        told: dict[str, Any] = {
            "SecurityGroupRuleId": self.id,
            "GroupId": self.group_id,
            "GroupOwnerId": self.owner,
            "IsEgress": self.is_egress,
            "IpProtocol": traffic.protocol,
            "FromPort": -1 if traffic.first_port is None else traffic.first_port,
            "ToPort": -1 if traffic.last_port is None else traffic.last_port,
            "Tags": [{"Key": k, "Value": v} for k, v in tags_of(backend, self.id).items()],
        }
        if self.description is not None:
            told["Description"] = self.description
        if traffic.kind == PEER:
            told["ReferencedGroupInfo"] = {"GroupId": traffic.target, "UserId": self.peer_account}
        else:
            told[traffic.kind] = traffic.target
        return told

    def entry(self) -> dict[str, Any]:
        """The rule's part of an IP permission."""
        names = {IPV4: "CidrIp", IPV6: "CidrIpv6", PREFIX_LIST: "PrefixListId", PEER: "GroupId"}
        told: dict[str, Any] = {names[self.traffic.kind]: self.traffic.target}
        if self.traffic.kind == PEER:
            told["UserId"] = self.peer_account
        if self.description is not None:
            told["Description"] = self.description
        return told


# By group.
_rules: dict[str, list[Rule]] = {}


@service.on_reset
def forget_rules() -> None:
    """Drop all rules."""
    _rules.clear()


def rules_of(group: SecurityGroup) -> list[Rule]:
    """A group's rules; those that a new group has come with the first look."""
    if group.id not in _rules:
        _rules[group.id] = list(_initial_rules(group))
    return _rules[group.id]


def _initial_rules(group: SecurityGroup) -> Iterable[Rule]:
    anything = Traffic(ALL, None, None, IPV4, EVERYWHERE[IPV4])
    yield Rule(anything, True, group.id, group.owner_id)
    vpc = group.ec2_backend.vpcs.get(group.vpc_id)
    if vpc is not None and vpc.get_cidr_block_association_set(ipv6=True):
        target = replace(anything, kind=IPV6, target=EVERYWHERE[IPV6])
        yield Rule(target, True, group.id, group.owner_id)
    if group.is_default:
        itself = replace(anything, kind=PEER, target=group.id)
        yield Rule(itself, False, group.id, group.owner_id, peer_account=group.owner_id)


def drop_rules(group_id: str) -> list[Rule]:
    """Forget the rules of a group that is gone."""
    return _rules.pop(group_id, [])


def groups_in(backend: EC2Backend) -> list[SecurityGroup]:
    """All security groups; moto keeps them by VPC."""
    return [group for groups in backend.groups.values() for group in groups.values()]


def all_rules(backend: EC2Backend) -> list[Rule]:
    """The rules of all groups."""
    return [rule for group in groups_in(backend) for rule in rules_of(group)]


def find_rule(backend: EC2Backend, number: str) -> Rule | None:
    """The rule of this id."""
    return next((rule for rule in all_rules(backend) if rule.id == number), None)


LOOKUPS[RULE] = lambda call, number: find_rule(backend_of(call), number)


def permissions(rules: Iterable[Rule]) -> list[dict[str, Any]]:
    """Rules as IP permissions: one for each protocol and range of ports."""
    members = {IPV4: "IpRanges", IPV6: "Ipv6Ranges", PREFIX_LIST: "PrefixListIds"}
    told: dict[tuple[Any, ...], dict[str, Any]] = {}
    for rule in rules:
        traffic = rule.traffic
        key = (traffic.protocol, traffic.first_port, traffic.last_port)
        if key not in told:
            ports = {"FromPort": traffic.first_port, "ToPort": traffic.last_port}
            told[key] = {
                "IpProtocol": traffic.protocol,
                **{name: port for name, port in ports.items() if port is not None},
                **{name: [] for name in (*members.values(), "UserIdGroupPairs")},
            }
        told[key][members.get(traffic.kind, "UserIdGroupPairs")].append(rule.entry())
    return list(told.values())

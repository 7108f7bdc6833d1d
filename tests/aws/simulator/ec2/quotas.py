"""Quotas of EC2: the default ones, unless a test sets others."""

from dataclasses import dataclass
from typing import Any

from simulator.ec2.service import service


@dataclass(frozen=True)
class Quota:
    """A quota, by what tests, Service Quotas and its console call it."""

    key: str
    code: str
    name: str
    default: int


QUOTAS = {
    each.key: each
    for each in (
        Quota("interfaceEndpointsPerVpc", "L-29B6F2EB", "Interface VPC endpoints per VPC", 50),
        Quota("gatewayEndpointsPerRegion", "L-1B52E74A", "Gateway VPC endpoints per Region", 20),
        Quota("securityGroupsPerRegion", "L-E79EC296", "VPC security groups per Region", 2500),
        Quota(
            "rulesPerSecurityGroup",
            "L-0EA8095F",
            "Inbound or outbound rules per security group",
            60,
        ),
        Quota(
            "securityGroupsPerInterface",
            "L-2AFB9258",
            "Security groups per network interface",
            5,
        ),
    )
}
# What tests set.
_values: dict[str, int] = {}


@service.on_reset
def restore_defaults() -> None:
    """Back to the default quotas."""
    _values.clear()


@service.control("ec2/quota")
def set_quota(body: dict[str, Any]) -> None:
    """Set a quota of every account and region."""
    name, value = body["name"], body["value"]
    if name not in QUOTAS:
        raise ValueError(f"name: one of {', '.join(QUOTAS)}")
    if not isinstance(value, int) or value < 0:
        raise ValueError("value: a number")
    _values[name] = value


def quota(name: str) -> int:
    """The value of a quota."""
    return _values.get(name, QUOTAS[name].default)

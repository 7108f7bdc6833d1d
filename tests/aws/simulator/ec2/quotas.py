"""Quotas of EC2: the default ones, unless a test sets others."""

from typing import Any

from simulator.ec2.service import service

DEFAULTS = {
    "interfaceEndpointsPerVpc": 50,
    "gatewayEndpointsPerRegion": 20,
    "securityGroupsPerRegion": 2500,
    "rulesPerSecurityGroup": 60,
    "securityGroupsPerInterface": 5,
}
_values: dict[str, int] = dict(DEFAULTS)


@service.on_reset
def restore_defaults() -> None:
    """Back to the default quotas."""
    _values.update(DEFAULTS)


@service.control("ec2/quota")
def set_quota(body: dict[str, Any]) -> None:
    """Set a quota of every account and region."""
    name, value = body["name"], body["value"]
    if name not in DEFAULTS:
        raise ValueError(f"name: one of {', '.join(DEFAULTS)}")
    if not isinstance(value, int) or value < 0:
        raise ValueError("value: a number")
    _values[name] = value


def quota(name: str) -> int:
    """The value of a quota."""
    return _values[name]

"""EC2: security groups and VPC endpoints, and as much of networks as they stand in."""

from simulator.ec2 import (
    access,
    deletion,
    endpoint_changes,
    endpoint_services,
    endpoint_states,
    endpoints,
    fixtures,
    groups,
    interfaces,
    networks,
    parameters,
    quotas,
    rule_changes,
    rule_descriptions,
    rules,
    tagging,
)
from simulator.ec2.service import service

__all__ = [
    "access",
    "deletion",
    "endpoint_changes",
    "endpoint_services",
    "endpoint_states",
    "endpoints",
    "fixtures",
    "groups",
    "interfaces",
    "networks",
    "parameters",
    "quotas",
    "rule_changes",
    "rule_descriptions",
    "rules",
    "service",
    "tagging",
]

"""ModifyVpcEndpoint: what an endpoint lets its own state and network change."""

from typing import Any

from simulator.call import Call
from simulator.ec2.endpoint import AVAILABLE, Endpoint
from simulator.ec2.endpoint_policies import FULL_ACCESS, checked_policy
from simulator.ec2.endpoint_rules import (
    check_groups,
    check_private_dns,
    check_route_tables,
    check_subnets,
    dns_options_of,
)
from simulator.ec2.endpoints import check_belongs
from simulator.ec2.routes import add_routes, remove_routes
from simulator.ec2.service import (
    ENDPOINT,
    find,
    invalid_combination,
    invalid_parameter,
    service,
)
from simulator.ec2.service_names import GATEWAY, INTERFACE
from simulator.errors import AwsError


@service.before("ModifyVpcEndpoint")
def modify_vpc_endpoint(call: Call) -> dict[str, Any]:
    """Change an endpoint: everything that is given, or nothing."""
    given = call.parameters
    endpoint: Endpoint = find(call, ENDPOINT, given["VpcEndpointId"])
    _check_state(endpoint)
    names = ("RouteTableIds", "SubnetIds", "SecurityGroupIds")
    lists = {name: given.get(f"Add{name}") or given.get(f"Remove{name}") for name in names}
    others = {name: given.get(name) for name in ("PrivateDnsEnabled", "IpAddressType")}
    check_belongs(endpoint.kind, lists | {k: v for k, v in others.items() if v is not None})
    if "SubnetConfigurations" in given:
        raise NotImplementedError("addresses of an endpoint's own")
    policy = _policy(call, endpoint)
    groups = _groups(call, endpoint)
    _check_lists(call, endpoint)
    private_dns = _private_dns(call, endpoint)
    changes_dns = private_dns != endpoint.private_dns
    options = endpoint.dns_options
    # Where a service has gateways, private DNS comes with an option of its own.
    if endpoint.kind == INTERFACE and ("DnsOptions" in given or changes_dns):
        options = dns_options_of(call, endpoint.service, endpoint.vpc_id, private_dns)
    endpoint.policy = policy
    endpoint.set_groups(groups)
    endpoint.dns_options = options
    if endpoint.kind == GATEWAY:
        _change_routes(call, endpoint)
    endpoint.private_dns = private_dns
    if _change_subnets(call, endpoint) or changes_dns:
        endpoint.begin_change()
        endpoint.settle()
    return {"Return": True}


def _check_state(endpoint: Endpoint) -> None:
    if endpoint.is_changing:
        message = "VpcEndpoint modify operation in progress"
        raise AwsError("OperationInProgress", message)
    if endpoint.status != AVAILABLE:
        raise AwsError(
            "IncorrectState",
            f"The VPC endpoint {endpoint.id} is in the {endpoint.status} state and cannot be "
            "modified.",
        )


def _policy(call: Call, endpoint: Endpoint) -> str | None:
    document = call.parameters.get("PolicyDocument")
    if not call.parameters.get("ResetPolicy"):
        if document is None:
            return endpoint.policy
        return checked_policy(endpoint.service, document)
    if document is not None:
        raise invalid_combination("PolicyDocument cannot be used with ResetPolicy.")
    return FULL_ACCESS if endpoint.service.has_policy else None


def _groups(call: Call, endpoint: Endpoint) -> list[str]:
    added = call.parameters.get("AddSecurityGroupIds") or []
    removed = call.parameters.get("RemoveSecurityGroupIds") or []
    _check_members("security group", removed, endpoint.group_ids)
    check_groups(call, endpoint.vpc_id, added)
    left = [each for each in dict.fromkeys([*endpoint.group_ids, *added]) if each not in removed]
    if endpoint.kind == INTERFACE and not left:
        raise invalid_parameter(f"{endpoint.id} must have at least one security group.")
    check_groups(call, endpoint.vpc_id, left)
    return left


def _check_lists(call: Call, endpoint: Endpoint) -> None:
    given = call.parameters
    _check_members("subnet", given.get("RemoveSubnetIds") or [], endpoint.subnet_ids)
    _check_members("route table", given.get("RemoveRouteTableIds") or [], endpoint.route_table_ids)
    # What is removed by the same call still stands in the way: one call each, removal first.
    if added := given.get("AddSubnetIds"):
        check_subnets(call, endpoint.service, endpoint.vpc_id, endpoint.subnet_ids, added)
    if added := given.get("AddRouteTableIds"):
        check_route_tables(call, endpoint.service, endpoint.vpc_id, added)


def _check_members(noun: str, removed: list[str], held: list[str]) -> None:
    for number in removed:
        if number not in held:
            raise invalid_parameter(f"The {noun} {number} is not associated with the endpoint.")


def _private_dns(call: Call, endpoint: Endpoint) -> bool:
    wanted = call.parameters.get("PrivateDnsEnabled")
    if wanted and not endpoint.private_dns:
        check_private_dns(call, endpoint.service, endpoint.vpc_id, own=endpoint.id)
    return endpoint.private_dns if wanted is None else wanted


def _change_routes(call: Call, endpoint: Endpoint) -> None:
    removed = call.parameters.get("RemoveRouteTableIds") or []
    added = call.parameters.get("AddRouteTableIds") or []
    remove_routes(endpoint, removed)
    add_routes(endpoint, added)
    kept = [each for each in endpoint.route_table_ids if each not in removed]
    endpoint.route_table_ids = [*kept, *added]


def _change_subnets(call: Call, endpoint: Endpoint) -> bool:
    removed = call.parameters.get("RemoveSubnetIds") or []
    added = call.parameters.get("AddSubnetIds") or []
    for number in removed:
        endpoint.leave_subnet(number)
    endpoint.subnet_ids += added
    return bool(removed or added)

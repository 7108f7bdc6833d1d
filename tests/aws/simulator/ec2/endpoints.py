"""VPC endpoints: making and describing them."""

from __future__ import annotations

import copy
import secrets
from typing import Any

from simulator.call import Call
from simulator.ec2.endpoint import (
    AVAILABLE,
    PENDING_ACCEPTANCE,
    Endpoint,
    add_endpoint,
    endpoint_of_token,
    visible_endpoints,
)
from simulator.ec2.endpoint_policies import checked_policy
from simulator.ec2.endpoint_rules import (
    check_groups,
    check_private_dns,
    check_quota,
    check_route_tables,
    check_subnets,
    dns_options_of,
    wants_private_dns,
)
from simulator.ec2.endpoint_services import EndpointService, find_service, unknown_service
from simulator.ec2.endpoint_states import take_outcome
from simulator.ec2.items import Item, answer_with
from simulator.ec2.listing import Listing, page_of
from simulator.ec2.routes import add_routes
from simulator.ec2.service import (
    ENDPOINT,
    VPC,
    backend_of,
    find,
    invalid_parameter,
    missing_parameter,
    service,
)
from simulator.ec2.service_names import GATEWAY, INTERFACE
from simulator.ec2.tagging import tags_in_creation
from simulator.errors import AwsError
from simulator.wire import Response

NOT_SIMULATED = ("ServiceNetworkArn", "ResourceConfigurationArn", "SubnetConfigurations")
# What only endpoints of the other type have.
ONLY_INTERFACE = ("SubnetIds", "SecurityGroupIds", "PrivateDnsEnabled", "IpAddressType")
ONLY_GATEWAY = ("RouteTableIds",)
ENDPOINTS = Listing(
    {
        "vpc-endpoint-id": lambda endpoint: endpoint.id,
        "vpc-endpoint-state": lambda endpoint: endpoint.status,
        "vpc-endpoint-type": lambda endpoint: endpoint.kind,
        "vpc-id": lambda endpoint: endpoint.vpc_id,
        "service-name": lambda endpoint: endpoint.service.name,
        "service-region": lambda endpoint: endpoint.service.region,
        "ip-address-type": lambda endpoint: "ipv4",
    },
    ENDPOINT,
    "VpcEndpointIds",
)


@service.before("CreateVpcEndpoint")
def create_vpc_endpoint(call: Call) -> dict[str, Any]:
    """Make an endpoint, or answer with the one that this same call made before."""
    token = call.parameters.get("ClientToken")
    asked = {key: value for key, value in call.parameters.items() if key != "ClientToken"}
    made = endpoint_of_token((call.account, call.region), token) if token else None
    if made is None:
        made = _make(call, token, asked)
    elif made.asked != asked:
        raise AwsError(
            "IdempotentParameterMismatch",
            "The client token you have provided is associated with a resource that was created "
            "with other parameters.",
        )
    made.settle()
    return {"VpcEndpoint": made.description(), **({"ClientToken": token} if token else {})}


def _make(call: Call, token: str | None, asked: dict[str, Any]) -> Endpoint:
    given = call.parameters
    vpc_id = find(call, VPC, given["VpcId"]).id
    kind = given.get("VpcEndpointType", GATEWAY)
    offered = _service_of(call, kind)
    check_belongs(kind, given)
    tags = tags_in_creation(call, ENDPOINT)
    policy = checked_policy(offered, given.get("PolicyDocument"))
    private_dns = wants_private_dns(kind, offered, given)
    options: dict[str, Any] = {"DnsRecordIpType": "service-defined"}
    if kind == INTERFACE:
        check_subnets(call, offered, vpc_id, (), given.get("SubnetIds") or [])
        check_groups(call, vpc_id, given.get("SecurityGroupIds") or [])
        if private_dns:
            check_private_dns(call, offered, vpc_id)
        options = dns_options_of(call, offered, vpc_id, private_dns)
    else:
        check_route_tables(call, offered, vpc_id, given.get("RouteTableIds") or [])
    check_quota(call, kind, vpc_id)
    endpoint = Endpoint(
        id=f"vpce-0{secrets.token_hex(8)}",
        place=(call.account, call.region),
        vpc_id=vpc_id,
        service=offered,
        kind=kind,
        policy=policy,
        private_dns=private_dns,
        dns_options=options,
        subnet_ids=list(dict.fromkeys(given.get("SubnetIds") or [])),
        group_ids=_groups_of(call, kind, vpc_id),
        route_table_ids=list(given.get("RouteTableIds") or []),
        token=token,
        asked=copy.deepcopy(asked),
    )
    add_endpoint(endpoint)
    backend_of(call).tags[endpoint.id].update(tags)
    _begin(endpoint)
    return endpoint


def _service_of(call: Call, kind: str) -> EndpointService:
    given = call.parameters
    name = given.get("ServiceName")
    if kind not in (INTERFACE, GATEWAY) or any(each in given for each in NOT_SIMULATED):
        raise NotImplementedError("endpoints of other types, and addresses of their own")
    if given.get("ServiceRegion", call.region) != call.region:
        raise NotImplementedError("services of other regions")
    if name is None:
        raise missing_parameter("serviceName")
    offered = find_service(call.region, name)
    if offered is None:
        raise unknown_service(name)
    if kind not in offered.types:
        raise invalid_parameter(
            f"Endpoint type ({kind}) does not match available service types "
            f"([{', '.join(offered.types)}])."
        )
    return offered


def check_belongs(kind: str, given: dict[str, Any]) -> None:
    """Refuse parameters that endpoints of this type do not have."""
    for name in ONLY_INTERFACE if kind == GATEWAY else ONLY_GATEWAY:
        if given.get(name):
            raise invalid_parameter(f"{name} is not supported for {kind} endpoints.")
    if given.get("IpAddressType", "ipv4") != "ipv4":
        raise invalid_parameter(
            f"The IP address type {given['IpAddressType']} is not supported by the service."
        )


def _groups_of(call: Call, kind: str, vpc_id: str) -> list[str]:
    """The groups of the interfaces: the VPC's default one unless others are named."""
    if kind == GATEWAY:
        return []
    if given := call.parameters.get("SecurityGroupIds"):
        return list(dict.fromkeys(given))
    default = backend_of(call).get_default_security_group(vpc_id)
    return [default.id] if default else []


def _begin(endpoint: Endpoint) -> None:
    if endpoint.kind == GATEWAY:
        add_routes(endpoint, endpoint.route_table_ids)
    outcome = take_outcome(endpoint.service)
    if outcome is not None:
        endpoint.last_error = outcome.error
        endpoint.begin_creation(outcome.status)
    elif endpoint.service.needs_acceptance:
        endpoint.become(PENDING_ACCEPTANCE)
    else:
        endpoint.begin_creation(AVAILABLE)


@service.before("DescribeVpcEndpoints")
def describe_vpc_endpoints(call: Call) -> Response:
    """Endpoints, by page; after the last one, the token is an empty string."""
    endpoints = visible_endpoints((call.account, call.region))
    page, more = page_of(call, ENDPOINTS, endpoints)
    items = [Item(each.id, each.state(), each.description) for each in page]
    return answer_with(call, "VpcEndpoints", items, {"NextToken": more["NextToken"] or ""})

"""Deletion of endpoints, and of the VPCs that they stand in."""

from typing import Any

from simulator.call import Call
from simulator.ec2.endpoint import DELETING, GONE, endpoints_in
from simulator.ec2.endpoint_states import refusal_of
from simulator.ec2.routes import remove_routes
from simulator.ec2.rules import groups_in
from simulator.ec2.service import (
    ENDPOINT,
    LOOKUPS,
    VPC,
    backend_of,
    check_ids,
    find,
    has_dependencies,
    service,
)


@service.before("DeleteVpcEndpoints")
def delete_vpc_endpoints(call: Call) -> dict[str, Any]:
    """Begin to delete endpoints; those that cannot be are told in an answer without an error."""
    ids = call.parameters["VpcEndpointIds"]
    check_ids(ENDPOINT, ids)
    unsuccessful = []
    for number in dict.fromkeys(ids):
        endpoint = LOOKUPS[ENDPOINT](call, number)
        error = refusal_of(number)
        if endpoint is None:
            error = (ENDPOINT.not_found, f"The {ENDPOINT.noun} '{number}' does not exist")
        if error is not None:
            code, message = error
            told = {"ResourceId": number, "Error": {"Code": code, "Message": message}}
            unsuccessful.append(told)
        elif endpoint.status not in (DELETING, GONE):
            remove_routes(endpoint, endpoint.route_table_ids)
            endpoint.begin_deletion()
            endpoint.settle()
    return {"Unsuccessful": unsuccessful}


@service.before("DeleteVpc")
def keep_used_vpc(call: Call) -> None:
    """Refuse to delete a VPC with endpoints or security groups; moto looks at the rest."""
    vpc = find(call, VPC, call.parameters["VpcId"])
    endpoints = endpoints_in((call.account, call.region))
    has_groups = any(
        group.vpc_id == vpc.id and group.name != "default" for group in groups_in(backend_of(call))
    )
    if has_groups or any(endpoint.vpc_id == vpc.id for endpoint in endpoints):
        raise has_dependencies(f"vpc '{vpc.id}'")

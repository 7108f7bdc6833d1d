"""Routes to gateway endpoints, which come and go with them."""

from __future__ import annotations

from collections.abc import Iterable

from simulator.ec2.endpoint import Endpoint
from simulator.ec2.endpoint_rules import prefix_list_of
from simulator.ec2.service import backend_in


def add_routes(endpoint: Endpoint, tables: Iterable[str]) -> None:
    """Lead what is meant for the service to a gateway, in these route tables."""
    from moto.ec2.models.route_tables import Route

    backend = backend_in(*endpoint.place)
    prefix_list = prefix_list_of(backend, endpoint.service)
    for number in tables:
        table = backend.route_tables[number]
        route = Route(
            table,
            None,
            None,
            destination_prefix_list=prefix_list,
            vpc_endpoint_id=endpoint.id,
        )
        table._routes[route.id] = route


def remove_routes(endpoint: Endpoint, tables: Iterable[str]) -> None:
    """Take a gateway's routes out of route tables."""
    backend = backend_in(*endpoint.place)
    for number in tables:
        table = backend.route_tables.get(number)
        for route in table.routes if table else ():
            if route.vpc_endpoint_id == endpoint.id:
                table._routes.pop(route.id)

"""Endpoint services: what a region has to connect to, and in which zones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from simulator import catalogue
from simulator.call import Call
from simulator.ec2.listing import Listing, page_of
from simulator.ec2.service import service
from simulator.ec2.service_names import GATEWAY, INTERFACE, OFFERS, full_name
from simulator.errors import AwsError

SERVICES = Listing(
    {
        "service-name": lambda detail: detail.service.name,
        "service-type": lambda detail: detail.kind,
        "service-region": lambda detail: detail.service.region,
        "owner": lambda detail: "amazon",
        "supported-ip-address-types": lambda detail: "ipv4",
    },
    tags=lambda call, detail: {},
)


@dataclass(frozen=True)
class EndpointService:
    """A service of one region."""

    name: str
    region: str
    types: tuple[str, ...]
    zones: tuple[str, ...]
    # The host names that an interface endpoint with private DNS answers; none for some services.
    private_names: tuple[str, ...] = ()
    has_policy: bool = True
    needs_acceptance: bool = False

    @property
    def base_name(self) -> str:
        """What the host names of its endpoints end in."""
        if not self.private_names:
            tail = self.name.rpartition(f"{self.region}.")[2]
            return f"{tail}.{self.region}.vpce.{catalogue.dns_suffix_of(self.region)}"
        host = self.private_names[0].removeprefix("*.")
        head = host.partition(f".{self.region}.")[0]
        return f"{head}.{self.region}.vpce.{catalogue.dns_suffix_of(self.region)}"


@dataclass(frozen=True)
class Detail:
    """A service as an endpoint of one type: what DescribeVpcEndpointServices tells."""

    service: EndpointService
    kind: str

    @property
    def id(self) -> str:
        """Its id, always the same."""
        digest = hashlib.sha256(f"{self.service.name} {self.kind}".encode()).hexdigest()
        return f"vpce-svc-{digest[:17]}"

    def description(self) -> dict[str, Any]:
        """All there is to know."""
        offered = self.service
        told: dict[str, Any] = {
            "ServiceName": offered.name,
            "ServiceId": self.id,
            "ServiceType": [{"ServiceType": self.kind}],
            "ServiceRegion": offered.region,
            "AvailabilityZones": list(offered.zones),
            "Owner": "amazon",
            "BaseEndpointDnsNames": [offered.base_name],
            "VpcEndpointPolicySupported": offered.has_policy,
            "AcceptanceRequired": offered.needs_acceptance,
            "ManagesVpcEndpoints": False,
            "SupportedIpAddressTypes": ["ipv4"],
            "Tags": [],
        }
        if self.kind == INTERFACE and offered.private_names:
            told["PrivateDnsName"] = offered.private_names[0]
            told["PrivateDnsNames"] = [{"PrivateDnsName": name} for name in offered.private_names]
            told["PrivateDnsNameVerificationState"] = "verified"
        return told


# What tests changed, by region and name; None is a service that they took away.
_changed: dict[tuple[str, str], EndpointService | None] = {}


@service.on_reset
def forget_changes() -> None:
    """Back to what AWS offers."""
    _changed.clear()


@service.control("ec2/endpoint-service")
def change_service(body: dict[str, Any]) -> dict[str, str]:
    """Add a service to a region, take one away, or change where it is and what it does."""
    region = body["region"]
    if region not in catalogue.regions():
        raise ValueError("region: one that exists")
    types = tuple(body.get("types", ()))
    name = full_name(region, body["name"], GATEWAY if types == (GATEWAY,) else INTERFACE)
    if body.get("remove"):
        _changed[region, name] = None
        return {"name": name}
    held = find_service(region, name) or EndpointService(
        name, region, (INTERFACE,), zones_of(region)
    )
    fields = {
        "types": "types",
        "zones": "zones",
        "privateDnsNames": "private_names",
        "policySupported": "has_policy",
        "acceptanceRequired": "needs_acceptance",
    }
    changes = {field: body[key] for key, field in fields.items() if key in body}
    for field in ("types", "zones", "private_names"):
        if field in changes:
            changes[field] = tuple(changes[field])
    if set(changes.get("types", ())) - {INTERFACE, GATEWAY}:
        raise ValueError(f"types: {INTERFACE}, {GATEWAY}")
    _changed[region, name] = replace(held, **changes)
    return {"name": name}


@cache
def zones_of(region: str) -> tuple[str, ...]:
    """The availability zones of a region."""
    from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend

    return tuple(zone.name for zone in RegionsAndZonesBackend.zones.get(region, []))


@cache
def _offered(region: str) -> dict[str, EndpointService]:
    offered: dict[str, EndpointService] = {}
    for short, offer in OFFERS.items():
        for kind in offer.types if offer.is_in(region) else ():
            name = full_name(region, short, kind)
            held = offered.get(name)
            offered[name] = EndpointService(
                name=name,
                region=region,
                types=(*held.types, kind) if held else (kind,),
                zones=zones_of(region),
                private_names=offer.private_names(region),
                has_policy=offer.has_policy,
            )
    return offered


def services_in(region: str) -> list[EndpointService]:
    """The services of a region, in the order of their names."""
    held: dict[str, EndpointService | None] = dict(_offered(region))
    held.update({name: each for (where, name), each in _changed.items() if where == region})
    return [each for _, each in sorted(held.items()) if each is not None]


def find_service(region: str, name: str) -> EndpointService | None:
    """The service of this name."""
    return next((each for each in services_in(region) if each.name == name), None)


def unknown_service(name: str) -> AwsError:
    """The answer to a name that no service has."""
    message = f"The Vpc Endpoint Service '{name}' does not exist"
    return AwsError("InvalidServiceName", message)


@service.before("DescribeVpcEndpointServices")
def describe_vpc_endpoint_services(call: Call) -> dict[str, Any]:
    """Services, by page; one that has two types of endpoints is told twice."""
    services = services_in(call.region)
    names = call.parameters.get("ServiceNames") or []
    for name in names:
        if not any(each.name == name for each in services):
            raise unknown_service(name)
    details = [
        Detail(each, kind)
        for each in services
        for kind in each.types
        if not names or each.name in names
    ]
    page, more = page_of(call, SERVICES, details)
    return {
        "ServiceNames": list(dict.fromkeys(detail.service.name for detail in page)),
        "ServiceDetails": [detail.description() for detail in page],
        "NextToken": more["NextToken"] or "",
    }

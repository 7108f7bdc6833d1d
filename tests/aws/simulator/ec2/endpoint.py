"""What a VPC endpoint is, and which states it goes through."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from simulator.call import Call
from simulator.ec2.endpoint_services import EndpointService
from simulator.ec2.interfaces import add_interface, drop_released, release_interface, set_groups
from simulator.ec2.service import ENDPOINT, LOOKUPS, backend_in, forget_tags, service, tags_of
from simulator.ec2.service_names import INTERFACE
from simulator.phases import Delay, Phase, Phases

CREATE = "ec2.endpoint.create"
MODIFY = "ec2.endpoint.modify"
DELETE = "ec2.endpoint.delete"
DELETED = "ec2.endpoint.deleted"
VISIBLE = "ec2.endpoint.visible"
APPEAR = "ec2.interface.appear"
DNS_RELEASE = "ec2.privateDns.release"
TOKEN = "ec2.clientToken.remembered"

# As they are on the wire, where the documentation has them with a capital letter.
PENDING_ACCEPTANCE = "pendingAcceptance"
PENDING = "pending"
AVAILABLE = "available"
DELETING = "deleting"
GONE = "deleted"
REJECTED = "rejected"
FAILED = "failed"
EXPIRED = "expired"
PARTIAL = "partial"

Place = tuple[str, str]


@dataclass
class Endpoint:
    """A VPC endpoint, and the call that made it."""

    id: str
    place: Place
    vpc_id: str
    service: EndpointService
    kind: str
    # None for a service that knows no policies.
    policy: str | None
    private_dns: bool
    dns_options: dict[str, Any]
    subnet_ids: list[str]
    group_ids: list[str]
    route_table_ids: list[str]
    token: str | None
    asked: dict[str, Any]
    status: str = PENDING
    # What keeps it from working, by code and message.
    last_error: tuple[str, str] | None = None
    # Whether a change is under way, which keeps others out.
    is_changing: bool = False
    # By subnet: the interfaces that are there.
    interfaces: dict[str, str] = field(default_factory=dict)
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    hidden: Delay = field(default_factory=lambda: Delay(VISIBLE))
    appearing: Delay = field(default_factory=lambda: Delay(APPEAR))
    # Of an endpoint that is gone: for how long its client token answers for it.
    remembered: Delay | None = None
    phases: Phases = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing under way."""
        self.phases = Phases(self._enter)

    def _enter(self, phase: Phase | None, _: float) -> None:
        if phase is not None:
            self.status = phase.status

    @property
    def is_gone(self) -> bool:
        """Whether nothing is left of it but what its client token remembers."""
        return self.remembered is not None

    def begin_creation(self, then: str) -> None:
        """Be pending, and then in this state."""
        self.begin(Phase(PENDING, CREATE, lambda: self.become(then)))

    def begin_change(self) -> None:
        """Be pending while subnets or private DNS change."""
        self.is_changing = True

        def done() -> None:
            self.is_changing = False
            self.become(AVAILABLE)

        self.begin(Phase(PENDING, MODIFY, done))

    def begin_deletion(self) -> None:
        """Be deleting, then be listed as deleted for a while, and then be gone."""
        self.is_changing = False
        self.begin(
            Phase(DELETING, DELETE, self._take_down),
            Phase(GONE, DELETED, self._vanish),
        )

    def begin(self, *phases: Phase) -> None:
        """Enter the first of some states, which lead to each other."""
        self.phases.begin(*phases)

    def become(self, status: str) -> None:
        """Stay in a state that does not end by itself."""
        self.status = status

    def settle(self) -> None:
        """Let happen what was due by now."""
        self.phases.settle()
        is_up = self.kind == INTERFACE and self.status in (PENDING, AVAILABLE)
        if is_up and self.appearing.is_over:
            for subnet_id in self.subnet_ids:
                if subnet_id not in self.interfaces:
                    made = add_interface(self.place, subnet_id, self.group_ids, self.id)
                    self.interfaces[subnet_id] = made.id

    def set_groups(self, group_ids: list[str]) -> None:
        """Put the endpoint and its interfaces into these groups."""
        self.group_ids = group_ids
        for number in self.interfaces.values():
            set_groups(self.place, number, group_ids)

    def leave_subnet(self, subnet_id: str) -> None:
        """Take the endpoint out of a subnet, and its interface with it."""
        self.subnet_ids.remove(subnet_id)
        if number := self.interfaces.pop(subnet_id, None):
            release_interface(self.place, number)

    def _take_down(self) -> None:
        for subnet_id in list(self.subnet_ids):
            self.leave_subnet(subnet_id)
        if self.private_dns:
            _lingering.append((self.vpc_id, self.service.private_names, Delay(DNS_RELEASE)))

    def _vanish(self) -> None:
        self.status = GONE
        self.remembered = Delay(TOKEN)
        forget_tags(backend_in(*self.place), self.id)

    def state(self) -> tuple[Any, ...]:
        """All that can change in its description."""
        backend = backend_in(*self.place)
        tables = [each for each in self.route_table_ids if each in backend.route_tables]
        options, tags = dict(self.dns_options), dict(tags_of(backend, self.id))
        places = (tuple(self.subnet_ids), tuple(self.group_ids), tables)
        names = (self.private_dns, options, list(self.interfaces.values()))
        return (self.status, self.policy, self.last_error, places, names, tags)

    def description(self) -> dict[str, Any]:
        """All there is to know."""
        backend = backend_in(*self.place)
        groups = [backend.get_security_group_from_id(number) for number in self.group_ids]
        told: dict[str, Any] = {
            "VpcEndpointId": self.id,
            "VpcEndpointType": self.kind,
            "VpcId": self.vpc_id,
            "ServiceName": self.service.name,
            "ServiceRegion": self.service.region,
            "State": self.status,
            "RouteTableIds": [
                each for each in self.route_table_ids if each in backend.route_tables
            ],
            "SubnetIds": list(self.subnet_ids),
            "Groups": [{"GroupId": group.id, "GroupName": group.name} for group in groups if group],
            "IpAddressType": "ipv4",
            "DnsOptions": self.dns_options,
            "PrivateDnsEnabled": self.private_dns,
            "RequesterManaged": False,
            "NetworkInterfaceIds": list(self.interfaces.values()),
            "DnsEntries": self._dns_entries() if self.kind == INTERFACE else [],
            "CreationTimestamp": self.created,
            "OwnerId": self.place[0],
            "Tags": [{"Key": k, "Value": v} for k, v in tags_of(backend, self.id).items()],
        }
        if self.policy is not None:
            # EC2 answers documents in a layout of its own.
            told["PolicyDocument"] = json.dumps(json.loads(self.policy), indent=2, sort_keys=True)
        if self.last_error is not None:
            code, message = self.last_error
            told["LastError"] = {"Code": code, "Message": message}
            told["FailureReason"] = message
        return told

    def _dns_entries(self) -> list[dict[str, str]]:
        digest = hashlib.sha256(self.id.encode()).hexdigest()
        head, zone = f"{self.id}-{digest[:8]}", f"Z{digest[8:20].upper()}"
        zones = [_zone_of(self.place, subnet_id) for subnet_id in self.subnet_ids]
        base = self.service.base_name
        names = [f"{head}.{base}", *(f"{head}-{each}.{base}" for each in zones)]
        entries = [{"DnsName": name, "HostedZoneId": zone} for name in names]
        for name in self.service.private_names if self.private_dns else ():
            entries.append({"DnsName": name, "HostedZoneId": hosted_zone(self.vpc_id, name)})
        return entries


def hosted_zone(vpc_id: str, name: str) -> str:
    """The id of the private hosted zone that answers a name in a VPC."""
    return f"Z{hashlib.sha256(f'{vpc_id} {name}'.encode()).hexdigest()[:20].upper()}"


def _zone_of(place: Place, subnet_id: str) -> str:
    subnets = backend_in(*place).subnets.values()
    return next(zone[subnet_id].availability_zone for zone in subnets if subnet_id in zone)


# In the order in which they were made.
_endpoints: list[Endpoint] = []
# The private DNS names of endpoints that are gone, until other endpoints can have them.
_lingering: list[tuple[str, tuple[str, ...], Delay]] = []


@service.on_reset
def forget_endpoints() -> None:
    """Drop all endpoints."""
    _endpoints.clear()
    _lingering.clear()


@service.before("*")
def settle_before_calls(_: Call) -> None:
    """Let happen what was due by now, before a call sees anything."""
    settle_all()


def settle_all() -> None:
    """Let happen what was due by now."""
    for endpoint in _endpoints:
        endpoint.settle()
    _endpoints[:] = [
        each for each in _endpoints if each.remembered is None or not each.remembered.is_over
    ]
    _lingering[:] = [each for each in _lingering if not each[2].is_over]
    drop_released()


def add_endpoint(endpoint: Endpoint) -> None:
    """Keep a new endpoint."""
    _endpoints.append(endpoint)


def endpoints_in(place: Place) -> list[Endpoint]:
    """The endpoints of an account in a region, those on their way out among them."""
    return [each for each in _endpoints if each.place == place and not each.is_gone]


def endpoint_of_token(place: Place, token: str) -> Endpoint | None:
    """The endpoint that a client token made, even if it is gone by now."""
    return next((each for each in _endpoints if each.place == place and each.token == token), None)


def visible_endpoints(place: Place) -> list[Endpoint]:
    """The endpoints of an account in a region that can be found by now."""
    return [each for each in endpoints_in(place) if each.hidden.is_over]


def any_endpoint(number: str) -> Endpoint | None:
    """The endpoint of this id, in whatever account and region."""
    return next((each for each in _endpoints if each.id == number and not each.is_gone), None)


LOOKUPS[ENDPOINT] = lambda call, number: next(
    (each for each in visible_endpoints((call.account, call.region)) if each.id == number), None
)


def lingering_names(vpc_id: str) -> set[str]:
    """The private DNS names in a VPC whose endpoints are gone, but not the names."""
    return {name for where, names, _ in _lingering if where == vpc_id for name in names}

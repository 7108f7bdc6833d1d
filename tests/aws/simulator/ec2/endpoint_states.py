"""States that endpoints get into only if a test asks for them."""

from dataclasses import dataclass, replace
from typing import Any

from simulator.ec2.endpoint import (
    AVAILABLE,
    EXPIRED,
    FAILED,
    PARTIAL,
    PENDING_ACCEPTANCE,
    REJECTED,
    Endpoint,
    any_endpoint,
    settle_all,
)
from simulator.ec2.endpoint_services import EndpointService
from simulator.ec2.service import service

UNSUCCESSFUL = (FAILED, REJECTED, PENDING_ACCEPTANCE, EXPIRED, PARTIAL)
EVERY = "*"


@dataclass(frozen=True)
class Outcome:
    """Where the creation of an endpoint leads, and its error: a code and a message."""

    status: str
    error: tuple[str, str] | None
    # How many endpoints it is for.
    times: int = 1


# By the name of a service, or what it ends in.
_outcomes: dict[str, Outcome] = {}
# By endpoint: why it cannot be deleted, a code and a message.
_refusals: dict[str, tuple[str, str]] = {}


@service.on_reset
def forget_outcomes() -> None:
    """Let everything succeed."""
    _outcomes.clear()
    _refusals.clear()


@service.control("ec2/next-endpoint")
def set_next_outcome(body: dict[str, Any]) -> None:
    """The next endpoint of this service ends in this state, or several of them do."""
    times = int(body.get("times", 1))
    outcome = Outcome(_status(body, UNSUCCESSFUL), _error(body), times)
    _outcomes[body.get("service", EVERY)] = outcome


def take_outcome(offered: EndpointService) -> Outcome | None:
    """Where the creation of an endpoint of this service leads, if a test asked for it."""
    for name in _outcomes:
        if name == EVERY or offered.name == name or offered.name.endswith(f".{name}"):
            outcome = _outcomes.pop(name)
            if outcome.times > 1:
                _outcomes[name] = replace(outcome, times=outcome.times - 1)
            return outcome
    return None


@service.control("ec2/endpoint-state")
def set_state(body: dict[str, Any]) -> None:
    """An endpoint is in this state from now on, as if its service or AWS had decided so."""
    endpoint = _named(body)
    endpoint.last_error = _error(body)
    endpoint.begin()
    endpoint.is_changing = False
    endpoint.become(_status(body, (AVAILABLE, *UNSUCCESSFUL)))
    endpoint.settle()


@service.control("ec2/refuse-deletion")
def refuse_deletion(body: dict[str, Any]) -> None:
    """DeleteVpcEndpoints tells this error of an endpoint, and does not delete it."""
    number = _named(body).id
    if body.get("remove"):
        _refusals.pop(number, None)
    else:
        _refusals[number] = (body["code"], body.get("message", body["code"]))


def refusal_of(number: str) -> tuple[str, str] | None:
    """Why an endpoint cannot be deleted, if a test asked for it."""
    return _refusals.get(number)


def _named(body: dict[str, Any]) -> Endpoint:
    settle_all()
    endpoint = any_endpoint(body["endpointId"])
    if endpoint is None:
        raise ValueError(f"endpointId: there is no {body['endpointId']}")
    return endpoint


def _status(body: dict[str, Any], known: tuple[str, ...]) -> str:
    status = body["state"]
    if status not in known:
        raise ValueError(f"state: one of {', '.join(known)}")
    return status


def _error(body: dict[str, Any]) -> tuple[str, str] | None:
    if "message" not in body:
        return None
    return (body.get("code", "InternalError"), body["message"])

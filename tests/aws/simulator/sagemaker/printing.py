"""The log groups of endpoints, which SageMaker makes when a container first prints."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from simulator.log_groups import ensure_group
from simulator.phases import Delay
from simulator.sagemaker.endpoint import Endpoint
from simulator.sagemaker.naming import endpoint_named_in
from simulator.sagemaker.service import service

PRINT = "sagemaker.endpoint.print"
GROUP = "/aws/sagemaker/Endpoints/"


@dataclass
class Start:
    """Containers that started, and have printed nothing so far."""

    endpoint: Endpoint
    silence: Delay = field(default_factory=lambda: Delay(PRINT))


_starts: list[Start] = []


@service.on_reset
def forget_starts() -> None:
    """Drop what would print later."""
    _starts.clear()


def note_start(endpoint: Endpoint) -> None:
    """Begin the time after which containers of an endpoint print."""
    _starts.append(Start(endpoint))


def note_stop(endpoint: Endpoint) -> None:
    """Let print what is due before an endpoint's containers stop, and nothing after that."""
    print_what_is_due()
    _starts[:] = [start for start in _starts if start.endpoint is not endpoint]


def print_what_is_due() -> None:
    """Make the log groups of endpoints whose containers printed by now."""
    due = [start for start in _starts if start.silence.is_over]
    for start in due:
        _starts.remove(start)
        print_something(start.endpoint)


def print_something(endpoint: Endpoint) -> None:
    """Make the log group of an endpoint, without retention, unless it is there."""
    ensure_group(*endpoint.place, f"{GROUP}{endpoint.name}")


@service.control("sagemaker/print")
def print_from_outside(body: dict[str, Any]) -> None:
    """Let a container of an endpoint print now."""
    print_something(endpoint_named_in(body))

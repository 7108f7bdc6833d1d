"""Failures that a test asks for: the next creation or update of an endpoint goes wrong."""

from dataclasses import dataclass
from typing import Any

from simulator.sagemaker.service import service


@dataclass
class Failure:
    """Why an endpoint does not get where it was sent, and whether it gets back."""

    reason: str
    rolls_back: bool = True


# By endpoint, in whatever account and region: the endpoint need not exist yet.
_creations: dict[str, list[Failure]] = {}
_updates: dict[str, Failure] = {}


@service.on_reset
def forget_failures() -> None:
    """Let everything succeed."""
    _creations.clear()
    _updates.clear()


@service.control("sagemaker/fail-next-create")
def fail_next_create(body: dict[str, Any]) -> None:
    """The next endpoint of this name ends up Failed, or so many of them."""
    _creations[body["endpoint"]] = [Failure(_reason(body))] * int(body.get("times", 1))


@service.control("fail-next-update")
def fail_next_update(body: dict[str, Any]) -> None:
    """The next update of this endpoint is rolled back, or even that fails."""
    rollback = body.get("rollback", "ok")
    if rollback not in ("ok", "failed"):
        raise ValueError("rollback: ok or failed")
    _updates[body["endpoint"]] = Failure(_reason(body), rollback == "ok")


def _reason(body: dict[str, Any]) -> str:
    reason = body["reason"]
    if not isinstance(reason, str) or not 0 < len(reason) <= 1024:
        raise ValueError("reason: a text of at most 1024 characters")
    return reason


def take_creation_failure(endpoint: str) -> Failure | None:
    """What makes this creation fail, if a test asked for it."""
    left = _creations.get(endpoint)
    return left.pop() if left else None


def take_update_failure(endpoint: str) -> Failure | None:
    """What makes this update fail, if a test asked for it."""
    return _updates.pop(endpoint, None)

"""Eventual consistency: for a while, a new role is seen only by those who read it directly."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from simulator.iam.service import find_role, service
from simulator.settings import timing

if TYPE_CHECKING:
    from moto.iam.models import Role

TIMING = "iam.role.visible"

_created: dict[str, float] = {}


@service.on_reset
def forget_creations() -> None:
    """Drop when roles were created."""
    _created.clear()


def note_creation(role: Role) -> None:
    """Begin the time in which a role cannot be named nor assumed."""
    _created[role.id] = time.monotonic()


def note_deletion(role: Role) -> None:
    """Drop when a role was created."""
    _created.pop(role.id, None)


def is_visible(role: Role) -> bool:
    """Whether other services, and other policies, know of a role by now."""
    created = _created.get(role.id)
    return created is None or time.monotonic() - created >= timing(TIMING)


def role_is_visible(arn: str) -> bool:
    """Whether there is a role of this ARN that other services know of by now."""
    role = find_role(arn)
    return role is not None and is_visible(role)

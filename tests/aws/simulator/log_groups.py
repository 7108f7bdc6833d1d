"""Log groups, which people make in CloudWatch Logs and other services make on their behalf."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moto.logs.models import LogGroup, LogsBackend


def backend_in(account: str, region: str) -> LogsBackend:
    """What moto holds for an account in a region."""
    from moto.logs.models import logs_backends

    return logs_backends[account][region]


def find_group(account: str, region: str, name: str) -> LogGroup | None:
    """The log group of this name."""
    return backend_in(account, region).groups.get(name)


def ensure_group(account: str, region: str, name: str) -> None:
    """Make a log group that keeps its events for ever, without tags, unless it is there."""
    backend_in(account, region).ensure_log_group(name)

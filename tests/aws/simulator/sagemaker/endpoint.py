"""What an endpoint is, and which states it goes through."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from simulator.phases import Phase, Phases
from simulator.sagemaker.resources import Resource
from simulator.sagemaker.variants import Variant

CREATE = "sagemaker.endpoint.create"
UPDATE = "sagemaker.endpoint.update"
ROLLBACK = "sagemaker.endpoint.rollback"
SCALE = "sagemaker.endpoint.scale"
DELETE = "sagemaker.endpoint.delete"

IN_SERVICE = "InService"
FAILED = "Failed"
ROLLBACK_FAILED = "UpdateRollbackFailed"
# The times on the wire have milliseconds, and a change must show in them.
TICK = timedelta(milliseconds=1)


@dataclass
class Deployment:
    """A configuration with its variants, running or on its way."""

    config_name: str
    config: dict[str, Any]
    variants: list[Variant]
    shadows: list[Variant]
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def all_variants(self) -> list[Variant]:
        """The variants that serve, and those that only listen."""
        return [*self.variants, *self.shadows]


@dataclass
class Endpoint(Resource):
    """An endpoint."""

    status: str = "Creating"
    running: Deployment | None = None
    pending: Deployment | None = None
    failure: str | None = None
    last_deployment: dict[str, Any] | None = None
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))
    gone: bool = False
    # What waits for the endpoint to be in service.
    waiting: list[Callable[[], None]] = field(default_factory=list)
    phases: Phases = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing under way."""
        self.phases = Phases(self._enter)

    def is_there(self) -> bool:
        """Whether it exists now."""
        self.settle()
        return not self.gone

    @property
    def place(self) -> tuple[str, str]:
        """Its account and region."""
        parts = self.arn.split(":")
        return (parts[4], parts[3])

    @property
    def is_busy(self) -> bool:
        """Whether a change is under way."""
        return bool(self.phases)

    def begin(self, *phases: Phase) -> None:
        """Enter the first of some states, which lead to each other."""
        self.phases.begin(*phases)

    def settle(self) -> None:
        """Let happen what was due by now."""
        while True:
            self.phases.settle()
            if self.phases or self.status != IN_SERVICE or not self.waiting:
                return
            self.waiting.pop(0)()

    def _enter(self, phase: Phase | None, at: float) -> None:
        if phase is not None:
            self.status = phase.status
        when = datetime.now(UTC) - timedelta(seconds=time.monotonic() - at)
        self.modified = max(self.modified + TICK, when)

    def arrive(self) -> None:
        """What was on its way runs now, in place of what ran before."""
        self.running, self.pending = self.pending, None
        for variant in self.running.all_variants() if self.running else []:
            variant.arrive()
        self.failure = None
        self.status = IN_SERVICE

    def fail(self, status: str, reason: str | None) -> None:
        """What was on its way never runs."""
        self.pending = None
        self.failure = reason
        self.status = status

    def find_variant(self, name: str) -> Variant | None:
        """The variant of this name that runs or, while none does, is on its way."""
        deployment = self.running or self.pending
        variants = deployment.variants if deployment else []
        return next((variant for variant in variants if variant.name == name), None)

    def scale(self, change: Callable[[], None]) -> None:
        """Change what is desired of variants, and get there in a while."""
        change()

        def done() -> None:
            for variant in self.running.all_variants() if self.running else []:
                variant.arrive()
            self.status = IN_SERVICE

        self.begin(Phase("Updating", SCALE, done))

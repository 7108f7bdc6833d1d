"""Faults that a test asks for: errors, cut connections, answers that never come."""

import threading
from dataclasses import dataclass
from typing import Any, Literal

from simulator.call import Call
from simulator.errors import AwsError

When = Literal["before", "after"]
Failure = AwsError | Literal["reset", "hang"]


@dataclass
class Fault:
    """One fault and how often it still strikes; None is for ever."""

    service: str
    operation: str
    when: When
    times: int | None
    failure: Failure

    def strikes(self, call: Call, when: When) -> bool:
        """Whether this fault is meant for this call."""
        signing_name = call.credential.signing_name if call.credential else None
        return (
            self.when == when
            and self.service in ("*", call.service, signing_name)
            and self.operation in ("*", call.operation)
        )


class Faults:
    """The faults that are waiting for their call."""

    def __init__(self) -> None:
        """Start with none."""
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, description: dict[str, Any]) -> None:
        """Add a fault as `POST /_sim/faults` describes it."""
        when = description.get("when", "before")
        if when not in ("before", "after"):
            raise ValueError("when: before or after")
        times = description.get("times", 1)
        if times is not None and (not isinstance(times, int) or times < 1):
            raise ValueError("times: a positive number, or null for ever")
        failure = _failure(description["error"])
        fault = Fault(
            service=description["service"],
            operation=description.get("operation", "*"),
            when=when,
            times=times,
            failure=failure,
        )
        with self._lock:
            self._waiting.append(fault)

    def take(self, call: Call, when: When) -> Failure | None:
        """The failure that strikes this call now, if any."""
        with self._lock:
            for fault in self._waiting:
                if fault.strikes(call, when):
                    if fault.times is not None:
                        fault.times -= 1
                        if fault.times == 0:
                            self._waiting.remove(fault)
                    return fault.failure
        return None

    def clear(self) -> None:
        """Drop them all."""
        with self._lock:
            self._waiting.clear()


def _failure(error: Any) -> Failure:
    if error in ("reset", "hang"):
        return error
    if not isinstance(error, dict):
        raise ValueError('error: {"code", "status", "message"?}, "reset" or "hang"')
    code = error["code"]
    return AwsError(code, error.get("message", f"{code} (fault)"), int(error.get("status", 400)))

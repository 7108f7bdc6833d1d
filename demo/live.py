"""The live list: the object and its resources, with the AWS calls made for each."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from process import StageError
from stage import Stage
from terminal import Piece, Terminal

TICK_S = 0.1
KIND_WIDTH = 24
NAME_WIDTH = 42
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
BAD = ("Failed", "Refused", "Stalled", "Degraded")
SIGNS = dict.fromkeys(("Ready", "Retained", "Gone"), "✓") | dict.fromkeys(BAD, "✗")
STYLES = {"Ready": "green", "Retained": "cyan", "Gone": "dim"} | dict.fromkeys(BAD, "red")
READS = ("Get", "List", "Head", "Describe")

Object = dict[str, Any]


def is_read(operation: str) -> bool:
    """Whether an AWS call only looks."""
    return operation.startswith(READS)


def is_ready(thing: Object | None) -> bool:
    """Whether the object is Ready, and that is said of its present spec."""
    if not thing:
        return False
    status = thing.get("status", {})
    ready = [c["status"] for c in status.get("conditions", []) if c["type"] == "Ready"]
    return status.get("observedGeneration") == thing["metadata"]["generation"] and ready == ["True"]


def is_gone(thing: Object | None) -> bool:
    """Whether there is no object any more."""
    return thing is None


@dataclass
class Row:
    """One line of the list."""

    kind: str
    name: str
    state: str = "Pending"
    message: str = ""
    reads: int = 0
    writes: list[str] = field(default_factory=list)
    # The call AWS has not answered yet.
    under_way: str = ""
    # How many writes were already told, where there is a line for each.
    told: int = 0

    def activity(self) -> str:
        """What is to be said beside the state."""
        if self.message:
            return self.message
        if self.under_way:
            return self.under_way
        if self.writes:
            return f"{_counted(len(self.writes), 'write')}, {_counted(self.reads, 'read')} in AWS"
        return f"{_counted(self.reads, 'read')} in AWS" if self.reads else ""


class Live:
    """Watches one object from before it exists until after it is gone."""

    def __init__(self, stage: Stage, terminal: Terminal, namespace: str, name: str) -> None:
        """Begin to watch."""
        self.stage = stage
        self.terminal = terminal
        self.name = name
        self.thing: Object | None = None
        self.rows: dict[tuple[str, str], Row] = {}
        selector = f"--field-selector=metadata.name={name}"
        self.watch = stage.watch("--namespace", namespace, selector)
        self.mark()

    def mark(self) -> None:
        """Count AWS calls from here."""
        self.first_call = len(self.stage.calls())
        self._take(0)
        self.rows = {key: Row(*key, row.state, row.message) for key, row in self.rows.items()}

    def until(
        self, what: str, done: Callable[[Object | None], bool], deadline_s: float = 30.0
    ) -> None:
        """Show the list until this is so of the object, which is None while there is none."""
        self.began = time.monotonic()
        deadline = self.began + deadline_s
        shown = {key: (row.state, row.message) for key, row in self.rows.items()}
        self.terminal.show_cursor(False)
        try:
            tick = 0
            while True:
                self._take(TICK_S)
                self._follow_calls()
                finished = done(self.thing)
                if self.terminal.redraws:
                    self.terminal.redraw(self._pieces(row, tick) for row in self.rows.values())
                else:
                    self._tell_changes(shown)
                if finished:
                    break
                self.stage.check()
                if time.monotonic() > deadline:
                    raise StageError(f"waited {deadline_s:.0f} s for {what}")
                tick += 1
        finally:
            self.terminal.keep_drawn()
            self.terminal.show_cursor(True)
        self._sum_up(what)

    def _take(self, timeout_s: float) -> None:
        """Take in what the watch says."""
        for event in self.watch.events(timeout_s):
            self.thing = None if event["type"] == "DELETED" else event["object"]
            status = event["object"].get("status")
            if not status:
                continue
            ready = [c["message"] for c in status["conditions"] if c["type"] == "Ready"]
            found = {("AIPlatform", self.name): (status["phase"], "".join(ready))}
            for resource in status.get("resources", []):
                key = (resource["kind"], resource["name"])
                found[key] = (resource["state"], resource.get("message", ""))
            if self.thing is None:
                found["AIPlatform", self.name] = ("Gone", "")
            for key in found.keys() | self.rows.keys():
                row = self.rows.get(key) or Row(*key)
                row.state, row.message = found.get(key, ("Gone", ""))
                self.rows[key] = row
            self.rows = dict(sorted(self.rows.items(), key=lambda item: item[0]))

    def _follow_calls(self) -> None:
        """Count the operator's AWS calls for the resource they name."""
        for row in self.rows.values():
            row.reads, row.writes, row.under_way = 0, [], ""
        for call in self._calls():
            named = call["parameters"].values()
            for row in self.rows.values():
                if row.name not in named:
                    continue
                if call["result"] is None:
                    row.under_way = call["operation"]
                if is_read(call["operation"]):
                    row.reads += 1
                else:
                    row.writes.append(call["operation"])

    def _calls(self) -> list[Object]:
        calls = self.stage.calls(self.first_call)
        return [call for call in calls if "app/aiplatform" in call["userAgent"]]

    def _pieces(self, row: Row, tick: int) -> list[Piece]:
        style = STYLES.get(row.state, "yellow")
        sign = SIGNS.get(row.state)
        if sign is None or row.under_way:
            sign = SPINNER[tick % len(SPINNER)]
        return [
            (f"  {sign} ", style),
            (f"{row.kind:<{KIND_WIDTH}}{row.name:<{NAME_WIDTH}}", ""),
            (f" {row.state:<13}", style),
            (row.activity(), "dim"),
        ]

    def _tell_changes(self, shown: dict[tuple[str, str], tuple[str, str]]) -> None:
        """A line for each change since the last call."""
        for key, row in self.rows.items():
            calls, row.told = row.writes[row.told :], len(row.writes)
            if calls and shown.get(key) == (row.state, row.message):
                self._tell(row, ", ".join(calls))
            elif shown.get(key) != (row.state, row.message):
                self._tell(row, ", ".join(calls) or row.message)
            shown[key] = (row.state, row.message)

    def _tell(self, row: Row, message: str) -> None:
        elapsed = time.monotonic() - self.began
        start = (
            f"{elapsed:5.1f} s  {row.kind:<{KIND_WIDTH}}{row.name:<{NAME_WIDTH}} {row.state:<13}"
        )
        self.terminal.line((f"{start}{message}".rstrip(), ""))

    def _sum_up(self, what: str) -> None:
        calls = self._calls()
        writes = sum(not is_read(call["operation"]) for call in calls)
        elapsed = time.monotonic() - self.began
        counts = f"{_counted(len(calls), 'AWS call')}, {writes} of them writes"
        self.terminal.line((f"{what} after {elapsed:.1f} s: {counts}", "green"))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

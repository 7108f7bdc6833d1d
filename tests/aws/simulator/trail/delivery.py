"""Delivery of records to the queues behind EventBridge's rules: late, twice, out of order."""

from __future__ import annotations

import json
import time
from typing import Any

from simulator.call import Call
from simulator.policies.decision import Policies, decide
from simulator.policies.requests import Principal, Request
from simulator.service import Service
from simulator.settings import timing
from simulator.trail.records import event_of, is_recorded
from simulator.wire import Response

service = Service("cloudtrail")

# From a call until EventBridge has its event. AWS takes seconds to minutes.
DELIVERY = "cloudtrail.delivery"
DEFAULT_MS = 200


class Pending:
    """Events on their way, with the time at which they are due."""

    def __init__(self) -> None:
        """Start with nothing, and deliver."""
        self.events: list[tuple[float, dict[str, Any]]] = []
        self.is_held = False
        self.is_logging = True


_pending = Pending()


@service.on_reset
def forget_events() -> None:
    """Drop what is on its way."""
    _pending.__init__()  # type: ignore[misc]


@service.control("cloudtrail/hold")
def hold(_: dict[str, Any]) -> None:
    """Deliver nothing until it is released."""
    _pending.is_held = True


@service.control("cloudtrail/release")
def release(body: dict[str, Any]) -> dict[str, int]:
    """Deliver what was held at once: in this order, so many times."""
    _pending.is_held = False
    events = [event for _, event in _pending.events]
    _pending.events.clear()
    if body.get("order") == "reversed":
        events.reverse()
    copies = int(body.get("copies", 1))
    for event in events * copies:
        _send(event)
    return {"delivered": len(events) * copies}


@service.control("cloudtrail/logging")
def set_logging(body: dict[str, Any]) -> None:
    """Whether there is a trail: without one, no event comes."""
    _pending.is_logging = bool(body["on"])


@service.control("cloudtrail/event")
def plant_event(body: dict[str, Any]) -> None:
    """Hand EventBridge an event as it is."""
    _send(body)


def record(call: Call, response: Response, number: str) -> None:
    """Take note of a call that was answered."""
    if _pending.is_logging and is_recorded(call):
        due = time.monotonic() + timing(DELIVERY, DEFAULT_MS)
        _pending.events.append((due, event_of(call, response, number)))


def deliver_what_is_due() -> None:
    """Send the events whose time has come."""
    if _pending.is_held:
        return
    now = time.monotonic()
    due = [event for at, event in _pending.events if at <= now]
    _pending.events = [(at, event) for at, event in _pending.events if at > now]
    for event in due:
        _send(event)


def _send(event: dict[str, Any]) -> None:
    from moto.events.models import events_backends

    bus = events_backends[event["account"]][event["region"]].event_buses["default"]
    for rule in list(bus.rules.values()):
        if rule.state == "DISABLED" or not rule.event_pattern.matches_event(event):
            continue
        for target in rule.targets:
            _to_queue(rule.arn, target["Arn"], event)


def _to_queue(rule_arn: str, queue_arn: str, event: dict[str, Any]) -> None:
    from moto.sqs.models import sqs_backends

    _, _, kind, region, account, name = queue_arn.split(":")
    if kind != "sqs":
        return
    backend = sqs_backends[account][region]
    queue = backend.queues.get(name)
    # What EventBridge may not send, and what nobody takes, is lost: rules have no dead letters.
    if queue is None or not _may_send(queue, rule_arn):
        return
    backend.send_message(name, json.dumps(event))


def _may_send(queue: Any, rule_arn: str) -> bool:
    document = json.loads(queue.policy) if queue.policy else None
    request = Request(
        Principal("events.amazonaws.com", None),
        "sqs:SendMessage",
        queue.queue_arn,
        queue.account_id,
        {
            "aws:sourcearn": [rule_arn],
            "aws:sourceaccount": [rule_arn.split(":")[4]],
            "aws:securetransport": ["true"],
        },
    )
    return decide(request, Policies(resource=document)).is_allowed

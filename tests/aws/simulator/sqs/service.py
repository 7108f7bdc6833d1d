"""The SQS part: what its modules register with, and what they share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.call import Call
from simulator.service import Service

if TYPE_CHECKING:
    from moto.sqs.models import Queue

service = Service("sqs")

Place = tuple[str, str, str]


def find_queue(place: Place) -> Queue | None:
    """The queue of an account in a region with this name."""
    from moto.sqs.models import sqs_backends

    account, region, name = place
    return sqs_backends[account][region].queues.get(name)


def place_of(call: Call) -> Place:
    """The account, region and name of the queue that a call is about."""
    given: dict[str, Any] = call.parameters
    name = given.get("QueueName") or str(given.get("QueueUrl", "")).rpartition("/")[2]
    return (call.account, call.region, name)

"""Queues: names that stay taken for a while after a deletion."""

import time
from typing import Any

from simulator.call import Call
from simulator.errors import AwsError
from simulator.service import Answer
from simulator.settings import timing
from simulator.sqs.service import Place, place_of, service

# AWS takes 60 seconds.
DELETED = "sqs.queue.deleted"

# When a queue was deleted, on the monotonic clock.
_deleted: dict[Place, float] = {}


@service.on_reset
def forget_deletions() -> None:
    """Let every name be taken at once."""
    _deleted.clear()


@service.before("CreateQueue")
def check_name(call: Call) -> Answer:
    """Refuse the name of a queue that was deleted a moment ago."""
    deleted = _deleted.get(place_of(call))
    if deleted is not None and time.monotonic() < deleted + timing(DELETED):
        raise AwsError(
            "AWS.SimpleQueueService.QueueDeletedRecently",
            "You must wait 60 seconds after deleting a queue before you can create another with "
            "the same name.",
        )
    return None


@service.after("DeleteQueue")
def note_deletion(call: Call, _: Any) -> None:
    """Remember when."""
    _deleted[place_of(call)] = time.monotonic()

"""Queues: names that stay taken for a while after a deletion."""

import json
import time
from typing import Any

from simulator.call import Call
from simulator.errors import AwsError
from simulator.service import Answer
from simulator.settings import timing
from simulator.sqs.service import Place, find_queue, place_of, service

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


@service.before("SetQueueAttributes")
def keep_policy(call: Call) -> Answer:
    """Moto drops the policy when other attributes are set; AWS leaves what is not given."""
    queue = find_queue(place_of(call))
    given = json.loads(call.request.body or b"{}")
    attributes = given.get("Attributes", {})
    if queue is None or not queue.policy or "Policy" in attributes or call.protocol != "json":
        return None
    given["Attributes"] = {**attributes, "Policy": queue.policy}
    call.request = call.request.with_body(json.dumps(given).encode())
    return None

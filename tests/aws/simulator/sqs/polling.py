"""Long polls: ReceiveMessage waits outside of the simulator's turn, so that others go on."""

import json
from typing import Any

from simulator.call import Call
from simulator.service import Answer
from simulator.sqs.service import find_queue, place_of, service
from simulator.trail.delivery import deliver_what_is_due
from simulator.wire import Response


@service.before("*")
def deliver(_: Call) -> Answer:
    """What CloudTrail has recorded arrives when it is due: looked at whenever somebody asks."""
    deliver_what_is_due()
    return None


@service.before("ReceiveMessage")
def at_once(call: Call) -> Answer:
    """Moto would wait with everybody behind it."""
    given = json.loads(call.request.body or b"{}")
    if call.protocol == "json" and given.get("WaitTimeSeconds", 1):
        given["WaitTimeSeconds"] = 0
        call.request = call.request.with_body(json.dumps(given).encode())
    return None


@service.waits("ReceiveMessage")
def patience(call: Call) -> float:
    """How long a poll waits for a message, in seconds."""
    given: Any = call.parameters.get("WaitTimeSeconds")
    if given is None:
        queue = find_queue(place_of(call))
        given = queue.receive_message_wait_time_seconds if queue else 0
    return float(given or 0)


@service.has_waited("ReceiveMessage")
def is_answered(response: Response) -> bool:
    """Whether there is a message, or an error."""
    return response.status >= 300 or b'"Messages"' in response.body

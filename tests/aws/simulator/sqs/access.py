"""The permissions that SQS's operations need."""

from simulator.call import Call
from simulator.conditions import resource_tags
from simulator.service import Conditions, Requirement
from simulator.sqs.service import find_queue, place_of, service

# IAM knows one action for a message and for a batch of them.
BATCH = "Batch"


@service.requires
def requirements(call: Call) -> list[Requirement]:
    """The actions that a call needs, and the ARN they are needed on."""
    operation = (call.operation or "").removesuffix(BATCH)
    account, region, name = place_of(call)
    arn = f"arn:{call.partition}:sqs:{region}:{account}:{name}"
    needed = [(f"sqs:{operation}", "*" if operation == "ListQueues" else arn)]
    if operation == "CreateQueue" and call.parameters.get("tags"):
        needed.append(("sqs:TagQueue", arn))
    return needed


@service.tells
def conditions(call: Call, _action: str, _resource: str) -> Conditions:
    """The tags of a queue."""
    queue = find_queue(place_of(call)) if call.service == "sqs" else None
    return resource_tags(queue.tags) if queue else {}

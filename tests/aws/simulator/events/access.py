"""The permissions that EventBridge's operations need."""

from simulator.call import Call
from simulator.events.service import rule_arn, service
from simulator.service import Requirement

LISTS = frozenset({"ListRules", "ListRuleNamesByTarget"})


@service.requires
def requirements(call: Call) -> list[Requirement]:
    """The actions that a call needs, and the ARN they are needed on."""
    operation, arn = call.operation or "", rule_arn(call)
    needed = [(f"events:{operation}", "*" if operation in LISTS else arn)]
    if operation == "PutRule" and call.parameters.get("Tags"):
        needed.append(("events:TagResource", arn))
    return needed

"""The EventBridge part: what its modules register with, and what they share."""

from simulator.call import Call
from simulator.service import Service

service = Service("events", validation_code="ValidationException")


def rule_arn(call: Call) -> str:
    """The ARN of the rule on the default bus that a call is about."""
    given = call.parameters
    if arn := given.get("ResourceARN"):
        return str(arn)
    name = given.get("Rule") or given.get("Name") or given.get("NamePrefix", "") + "*"
    return f"arn:{call.partition}:events:{call.region}:{call.account}:rule/{name}"

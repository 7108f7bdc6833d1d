"""The permissions that CloudWatch Logs' operations need."""

from simulator.call import Call
from simulator.logs.service import arn_of, service
from simulator.service import Requirement

# Policies name the group itself for these, and what is in it for everything else.
ON_THE_GROUP_ITSELF = frozenset({"TagResource", "UntagResource", "ListTagsForResource"})


@service.requires
def requirements(call: Call) -> list[Requirement]:
    """The actions that a call needs, and the ARN they are needed on."""
    operation, given = call.operation or "", call.parameters
    needed = [(f"logs:{operation}", _resource(call))]
    if operation == "CreateLogGroup" and given.get("tags"):
        needed.append(("logs:TagResource", arn_of(call, str(given.get("logGroupName")))))
    return needed


def _resource(call: Call) -> str:
    operation, given = call.operation or "", call.parameters
    if operation in ON_THE_GROUP_ITSELF:
        return str(given.get("resourceArn", "*"))
    identifier = given.get("logGroupIdentifier") or given.get("resourceIdentifier")
    if identifier is not None and str(identifier).startswith("arn:"):
        group = str(identifier).removesuffix(":*")
    else:
        group = arn_of(call, str(given.get("logGroupName") or identifier or ""))
    return f"{group}:log-stream:{given.get('logStreamName') or ''}"

"""Rules: what AWS refuses and moto takes."""

import json

from simulator.call import Call
from simulator.errors import AwsError
from simulator.events.service import service
from simulator.service import Answer

# "Event pattern size" of the quotas of EventBridge; it can be raised.
LONGEST_PATTERN = 2048


@service.before("PutRule")
def check_rule(call: Call) -> Answer:
    """Refuse patterns that are no JSON, say nothing or are longer than the quota."""
    pattern = call.parameters.get("EventPattern")
    if pattern is None:
        return None
    try:
        content = json.loads(pattern)
    except ValueError as error:
        raise invalid_pattern(str(error)) from None
    if not isinstance(content, dict) or not content:
        raise invalid_pattern("Filter is not an object")
    if len(pattern) > LONGEST_PATTERN:
        raise AwsError(
            "LimitExceededException",
            f"The event pattern is longer than {LONGEST_PATTERN} characters.",
        )
    _check_leaves(content)
    return None


@service.before("ListTagsForResource")
def check_tagged(call: Call) -> Answer:
    """Moto tells that rules which are not there have no tags."""
    from moto.events.models import events_backends

    arn = str(call.parameters["ResourceARN"])
    if ":rule/" not in arn:
        return None
    name = arn.rpartition("/")[2]
    if name not in events_backends[call.account][call.region].event_buses["default"].rules:
        message = f"Rule {name} does not exist on EventBus default."
        raise AwsError("ResourceNotFoundException", message)
    return None


def _check_leaves(pattern: dict) -> None:
    for name, value in pattern.items():
        if isinstance(value, dict):
            _check_leaves(value)
        elif not isinstance(value, list) or not value:
            raise invalid_pattern(f'"{name}" must be an object or an array')


def invalid_pattern(reason: str) -> AwsError:
    """The answer to a pattern that EventBridge does not take."""
    return AwsError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {reason}")

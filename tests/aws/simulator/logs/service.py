"""The CloudWatch Logs part: what its modules register with, and what they share."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulator.call import Call
from simulator.errors import AwsError
from simulator.log_groups import find_group
from simulator.sagemaker.printing import print_what_is_due
from simulator.service import Service
from simulator.settings import timing

if TYPE_CHECKING:
    from moto.logs.models import LogGroup

service = Service("logs", validation_code="InvalidParameterException")

BUSY = "logs.group.busy"
CONFLICT = (
    "A conflicting operation is currently in progress against this resource. Please try again."
)

Place = tuple[str, str, str]


@dataclass
class Record:
    """What moto does not keep of a log group."""

    tags: dict[str, str] = field(default_factory=dict)
    group_class: str = "STANDARD"
    is_protected: bool = False


# By account, region and name.
_records: dict[Place, Record] = {}
# When a group was last changed, made or deleted, on the monotonic clock.
_changes: dict[Place, float] = {}


@service.on_reset
def forget_records() -> None:
    """Drop what is known of log groups."""
    _records.clear()
    _changes.clear()


@service.before("*")
def make_groups_of_endpoints(_: Call) -> None:
    """Make the log groups of endpoints whose containers printed by now."""
    print_what_is_due()


def place_of(call: Call, name: str) -> Place:
    """The key of a log group of the caller's."""
    return (call.account, call.region, name)


def record_of(place: Place) -> Record:
    """What is kept of a log group beyond moto."""
    return _records.setdefault(place, Record())


def forget_record(place: Place) -> None:
    """Drop what is kept of a log group that is gone."""
    _records.pop(place, None)


def group_of(call: Call, name: str) -> LogGroup:
    """The caller's log group of this name, or ResourceNotFoundException."""
    group = find_group(*place_of(call, name))
    if group is None:
        raise not_found()
    return group


def begin_change(place: Place) -> None:
    """Refuse a change so soon after another one, or else note it."""
    now = time.monotonic()
    last = _changes.get(place)
    if last is not None and now - last < timing(BUSY):
        raise AwsError("OperationAbortedException", CONFLICT)
    _changes[place] = now


def arn_of(call: Call, name: str) -> str:
    """The ARN of a log group of the caller's, as tags and keys name it."""
    return f"arn:{call.partition}:logs:{call.region}:{call.account}:log-group:{name}"


def not_found() -> AwsError:
    """The answer to a log group that is not there."""
    return AwsError("ResourceNotFoundException", "The specified log group does not exist.")


def invalid_parameter(message: str) -> AwsError:
    """The answer to a parameter that CloudWatch Logs does not take."""
    return AwsError("InvalidParameterException", message)

"""In which order, and how far apart, the actions of a lifecycle rule may come."""

from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from simulator.errors import AwsError
from simulator.s3.lifecycle_filter import Scope
from simulator.s3.service import invalid_argument, invalid_request

# From each class, what an object may still move to.
WATERFALL = {
    "STANDARD_IA": {
        "INTELLIGENT_TIERING",
        "ONEZONE_IA",
        "GLACIER_IR",
        "GLACIER",
        "DEEP_ARCHIVE",
    },
    "INTELLIGENT_TIERING": {"ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"},
    "ONEZONE_IA": {"GLACIER", "DEEP_ARCHIVE"},
    "GLACIER_IR": {"GLACIER", "DEEP_ARCHIVE"},
    "GLACIER": {"DEEP_ARCHIVE"},
    "DEEP_ARCHIVE": set(),
}
# How many days an object stays in a class before it may move on.
LEAST_STAY = {"STANDARD_IA": 30, "ONEZONE_IA": 30, "GLACIER_IR": 90, "GLACIER": 90}


@dataclass
class Action:
    """An expiration, or a transition to a class, and when it is due."""

    field: str
    due: int | datetime
    storage_class: str = ""

    def days_after(self, other: "Action") -> int:
        """The days between two actions that count alike."""
        if isinstance(self.due, datetime):
            return (self.due - other.due).days
        return self.due - other.due


def check_order(
    moving: str, ending: str, transitions: list[Action], end: Action | None, scope: Scope
) -> None:
    """Check the transitions of a rule against each other and against its expiration."""
    for first, second in combinations(transitions, 2):
        _check_pair(moving, first, second, scope)
    if end is None:
        return
    for transition in transitions:
        if (transition.field == "Date") != (end.field == "Date"):
            raise invalid_request(
                f"Found mixed 'Date' and 'Days' based {ending} and {moving} actions in lifecycle "
                f"rule for filter '{scope}'"
            )
        if end.days_after(transition) <= 0:
            message = (
                f"'{end.field}' in the {ending} action for filter '{scope}' must be greater than "
                f"'{end.field}' in the {moving} action"
            )
            raise _argument(end, message)


def _check_pair(moving: str, first: Action, second: Action, scope: Scope) -> None:
    if first.storage_class == second.storage_class:
        raise invalid_request(
            f"'StorageClass' must be different for '{moving}' actions in same 'Rule' with filter "
            f"'{scope}'"
        )
    if first.field != second.field:
        raise invalid_request(
            f"Found mixed 'Date' and 'Days' based {moving} actions in lifecycle rule for filter "
            f"'{scope}'"
        )
    # A rule may name its transitions in any order; which comes first follows from the classes.
    warm, cold = first, second
    if first.storage_class in WATERFALL[second.storage_class]:
        warm, cold = second, first
    allowed = cold.storage_class in WATERFALL[warm.storage_class]
    stay = cold.days_after(warm)
    field = first.field
    if not allowed or stay <= 0:
        message = (
            f"'{field}' in the {moving} action for StorageClass '{cold.storage_class}' for filter "
            f"'{scope}' must be greater than '{field}' in the {moving} action for StorageClass "
            f"'{warm.storage_class}' for filter '{scope}'"
        )
        raise _argument(second, message)
    least = LEAST_STAY.get(warm.storage_class, 0)
    if stay < least:
        message = (
            f"'{field}' in the '{moving}' action for StorageClass '{cold.storage_class}' for "
            f"filter '{scope}' must be {least} days more than 'filter '{scope}'' in the "
            f"'{moving}' action for StorageClass '{warm.storage_class}'"
        )
        raise _argument(second, message)


def _argument(action: Action, message: str) -> AwsError:
    return invalid_argument(message, action.field, str(action.due))

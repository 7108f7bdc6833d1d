"""Schedule expressions: `at(...)`, `rate(...)` and `cron(...)`."""

import re
from datetime import datetime
from functools import cache

from simulator.applicationautoscaling.service import invalid

EXPRESSION = re.compile(r"(at|rate|cron)\((.*)\)")
RATE = re.compile(r"([1-9]\d*) (minute|minutes|hour|hours|day|days)")
AT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}")
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
# Of each of the six fields: the least and the greatest value, names, and what else may stand there.
FIELDS: tuple[tuple[int, int, list[str], str], ...] = (
    (0, 59, [], ""),
    (0, 23, [], ""),
    (1, 31, [], r"\?|L(-\d{1,2})?|LW|\d{1,2}W"),
    (1, 12, MONTHS, ""),
    (1, 7, DAYS, r"\?|L|[1-7]L|[1-7]#[1-5]"),
    (1970, 2199, [], ""),
)
DAY_OF_MONTH, DAY_OF_WEEK = 2, 4


def check_schedule(expression: str) -> None:
    """Refuse an expression that Application Auto Scaling could not follow."""
    match = EXPRESSION.fullmatch(expression)
    checks = {"at": _is_time, "rate": _is_rate, "cron": _is_cron}
    if match is None or not checks[match[1]](match[2]):
        raise invalid(f"Schedule expression is not valid: {expression}")


def check_timezone(name: str) -> None:
    """Refuse a time zone that nobody knows."""
    if name not in _timezones():
        raise invalid(f"Timezone is not valid: {name}")


@cache
def _timezones() -> frozenset[str]:
    # Not the system's: a machine may have none.
    from dateutil.zoneinfo import get_zonefile_instance

    return frozenset(get_zonefile_instance().zones)


def _is_time(text: str) -> bool:
    if not AT.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_rate(text: str) -> bool:
    match = RATE.fullmatch(text)
    # One of a thing is named in the singular, and nothing else is.
    return match is not None and (match[1] == "1") == (not match[2].endswith("s"))


def _is_cron(text: str) -> bool:
    fields = text.split(" ")
    if len(fields) != len(FIELDS):
        return False
    # One of the two ways to say the day must be left open.
    if (fields[DAY_OF_MONTH] == "?") == (fields[DAY_OF_WEEK] == "?"):
        return False
    return all(_is_field(field, *rule) for field, rule in zip(fields, FIELDS, strict=True))


def _is_field(field: str, least: int, most: int, names: list[str], other: str) -> bool:
    if other and re.fullmatch(other, field):
        return True
    return all(_is_item(item, least, most, names) for item in field.split(","))


def _is_item(item: str, least: int, most: int, names: list[str]) -> bool:
    base, slash, step = item.partition("/")
    if slash and not (step.isdecimal() and int(step) > 0):
        return False
    if base == "*":
        return True
    values = [_value(part, names) for part in base.split("-")]
    return len(values) <= 2 and all(
        value is not None and least <= value <= most for value in values
    )


def _value(text: str, names: list[str]) -> int | None:
    if text.upper() in names:
        return names.index(text.upper()) + 1
    return int(text) if text.isascii() and text.isdecimal() else None

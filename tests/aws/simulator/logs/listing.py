"""DescribeLogGroups: which groups, and which page of them."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any

from simulator.call import Call
from simulator.log_groups import backend_in
from simulator.logs.service import arn_of, invalid_parameter, place_of, record_of, service

if TYPE_CHECKING:
    from moto.logs.models import LogGroup

PAGE = 50
FILTERS = ("logGroupNamePrefix", "logGroupNamePattern", "logGroupClass", "limit", "nextToken")
# The classes that a filter by one of them includes.
INFREQUENT = ("INFREQUENT_ACCESS", "ESSENTIALS")


@service.before("DescribeLogGroups")
def describe_log_groups(call: Call) -> dict[str, Any]:
    """One page of groups, in the order of their names.

    The token is the last name of a page, so that what comes and goes between two pages does no
    harm.
    """
    given = call.parameters
    _check(given)
    start = _name_in(given["nextToken"]) if "nextToken" in given else ""
    held = backend_in(call.account, call.region).groups
    wanted = [held[name] for name in sorted(held) if name > start and _is_wanted(call, name)]
    page = wanted[: given.get("limit", PAGE)]
    answer: dict[str, Any] = {"logGroups": [_description(call, group) for group in page]}
    if len(page) < len(wanted):
        answer["nextToken"] = urlsafe_b64encode(page[-1].name.encode()).decode()
    return answer


def _check(given: dict[str, Any]) -> None:
    if "logGroupNamePrefix" in given and "logGroupNamePattern" in given:
        raise invalid_parameter(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
        )
    if "logGroupIdentifiers" in given and any(name in given for name in FILTERS):
        raise invalid_parameter(
            "logGroupIdentifiers can only be combined with includeLinkedAccounts."
        )


def _name_in(token: str) -> str:
    try:
        return urlsafe_b64decode(token).decode()
    except ValueError:
        raise invalid_parameter("The specified nextToken is invalid.") from None


def _is_wanted(call: Call, name: str) -> bool:
    given = call.parameters
    if "logGroupIdentifiers" in given:
        return bool({name, arn_of(call, name)} & set(given["logGroupIdentifiers"]))
    if "logGroupClass" in given:
        wanted = given["logGroupClass"]
        classes = INFREQUENT if wanted in INFREQUENT else (wanted,)
        if record_of(place_of(call, name)).group_class not in classes:
            return False
    prefix, part = given.get("logGroupNamePrefix", ""), given.get("logGroupNamePattern", "")
    return name.startswith(prefix) and part in name


def _description(call: Call, group: LogGroup) -> dict[str, Any]:
    described = group.to_describe_dict()
    if "logGroupNamePattern" in call.parameters:
        return {name: described[name] for name in ("arn", "creationTime", "logGroupName")}
    record = record_of(place_of(call, group.name))
    return described | {
        "logGroupClass": record.group_class,
        "deletionProtectionEnabled": record.is_protected,
    }

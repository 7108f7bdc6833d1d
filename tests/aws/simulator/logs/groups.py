"""Log groups: making, protecting and deleting them."""

from typing import Any

from simulator.call import Call
from simulator.errors import AwsError
from simulator.log_groups import backend_in, find_group
from simulator.logs.encryption import check_key
from simulator.logs.service import (
    begin_change,
    forget_record,
    group_of,
    invalid_parameter,
    place_of,
    record_of,
    service,
)
from simulator.logs.tagging import check_tags

RESERVED = "aws/"


@service.before("CreateLogGroup")
def create_log_group(call: Call) -> dict[str, Any]:
    """Make a group that keeps its events for ever."""
    given = call.parameters
    name, tags, key = given["logGroupName"], given.get("tags") or {}, given.get("kmsKeyId")
    if name.lower().startswith(RESERVED):
        raise invalid_parameter("Log groups starting with AWS/ are reserved for AWS.")
    check_tags(tags)
    place = place_of(call, name)
    if find_group(*place) is not None:
        raise AwsError("ResourceAlreadyExistsException", "The specified log group already exists")
    if key is not None:
        check_key(call, name, key)
    begin_change(place)
    backend_in(call.account, call.region).create_log_group(name, {}, kmsKeyId=key)
    record = record_of(place)
    record.tags = dict(tags)
    record.group_class = given.get("logGroupClass", record.group_class)
    record.is_protected = given.get("deletionProtectionEnabled", False)
    return {}


@service.before("DeleteLogGroup")
def delete_log_group(call: Call) -> dict[str, Any]:
    """Delete a group with its streams and tags, unless it is protected."""
    name = call.parameters["logGroupName"]
    group_of(call, name)
    place = place_of(call, name)
    if record_of(place).is_protected:
        raise AwsError(
            "ValidationException",
            f"Log group {name} cannot be deleted because deletion protection is enabled.",
        )
    begin_change(place)
    backend_in(call.account, call.region).delete_log_group(name)
    forget_record(place)
    return {}


@service.before("PutLogGroupDeletionProtection")
def put_log_group_deletion_protection(call: Call) -> dict[str, Any]:
    """Protect a group from being deleted, or no longer."""
    identifier = call.parameters["logGroupIdentifier"]
    group = group_of(call, identifier.partition(":log-group:")[2] or identifier)
    place = place_of(call, group.name)
    begin_change(place)
    record_of(place).is_protected = call.parameters["deletionProtectionEnabled"]
    return {}

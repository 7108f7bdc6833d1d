"""KMS keys of log groups; the keys themselves and their policies are not looked at."""

import re
from typing import Any

from simulator.call import Call
from simulator.errors import AwsError
from simulator.logs.service import (
    arn_of,
    begin_change,
    group_of,
    invalid_parameter,
    place_of,
    service,
)

KEY = re.compile(
    r"arn:(?P<partition>[\w-]+):kms:(?P<region>[\w-]+):\d{12}:(?:key/[\w-]+|alias/[\w/-]+)"
)

# Keys that CloudWatch Logs may not use.
_refused: set[str] = set()


@service.on_reset
def allow_all_keys() -> None:
    """Let every key be used."""
    _refused.clear()


@service.control("logs/refuse-key")
def refuse_key(body: dict[str, Any]) -> None:
    """Refuse a key, as for a key policy that does not let CloudWatch Logs use it."""
    arn = body["kmsKeyArn"]
    if KEY.fullmatch(arn) is None:
        raise ValueError("kmsKeyArn: the ARN of a KMS key")
    if body.get("remove"):
        _refused.discard(arn)
    else:
        _refused.add(arn)


def check_key(call: Call, name: str, arn: str) -> None:
    """Refuse what is no key of this region, and keys that may not be used for this group."""
    match = KEY.fullmatch(arn)
    if match is None or match["partition"] != call.partition or match["region"] != call.region:
        raise invalid_parameter(f"Invalid KMS key ARN: {arn}")
    if arn in _refused:
        raise AwsError(
            "AccessDeniedException",
            "The specified KMS key does not exist or is not allowed to be used with Arn "
            f"'{arn_of(call, name)}'",
        )


@service.before("AssociateKmsKey")
def associate_kms_key(call: Call) -> dict[str, Any]:
    """Encrypt what arrives from now on with a key, whichever was used before."""
    name, key = _name(call), call.parameters["kmsKeyId"]
    group = group_of(call, name)
    check_key(call, name, key)
    begin_change(place_of(call, name))
    group.kms_key_id = key
    return {}


@service.before("DisassociateKmsKey")
def disassociate_kms_key(call: Call) -> dict[str, Any]:
    """Encrypt what arrives from now on with AWS's own key."""
    name = _name(call)
    group = group_of(call, name)
    begin_change(place_of(call, name))
    group.kms_key_id = None
    return {}


def _name(call: Call) -> str:
    name, resource = call.parameters.get("logGroupName"), call.parameters.get("resourceIdentifier")
    if (name is None) == (resource is None):
        raise invalid_parameter(
            "Exactly one of logGroupName and resourceIdentifier must be specified."
        )
    if name is not None:
        return name
    if ":query-result:" in resource:
        raise NotImplementedError("keys of query results")
    prefix = arn_of(call, "")
    if not resource.startswith(prefix):
        raise invalid_parameter(f"Invalid resourceIdentifier: {resource}")
    return resource.removeprefix(prefix)

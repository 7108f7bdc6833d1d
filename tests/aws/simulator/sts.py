"""STS: who the caller is, and whose credentials it may have."""

import re
from datetime import datetime
from typing import Any

from moto.utilities.utils import PARTITION_NAMES

from simulator import iam
from simulator.call import Call
from simulator.errors import AwsError
from simulator.service import Service

service = Service("sts", validation_code="ValidationError")

PARTITION = re.compile(r"arn:([\w-]+):iam::\d{12}:role/.+")
# A region of each partition but the first.
REGIONS = {"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
DEFAULT_SECONDS = 3600
LONGEST_CHAINED_SECONDS = 3600

# By role ARN: the external id that roles outside the simulated accounts ask for, if any.
_assumable: dict[str, str | None] = {}


@service.on_reset
def forget_assumable() -> None:
    """Drop the roles that were declared assumable."""
    _assumable.clear()


@service.control("sts/assumable")
def declare_assumable(body: dict[str, Any]) -> None:
    """Let everybody assume a role, whether it exists or not."""
    arn = body["roleArn"]
    match = PARTITION.fullmatch(arn)
    if match is None or match[1] not in PARTITION_NAMES:
        raise ValueError("roleArn: the ARN of a role")
    _assumable[arn] = body.get("externalId")


@service.requires
def requirements(call: Call) -> list[tuple[str, str]]:
    """The action, on the role that is to be assumed; web identities need no permission."""
    if call.credential is None or call.operation == "AssumeRoleWithWebIdentity":
        return []
    return [(f"sts:{call.operation}", call.parameters.get("RoleArn", "*"))]


@service.before("GetCallerIdentity")
def get_caller_identity(call: Call) -> dict[str, Any] | None:
    """The operator's own user, for every access key that was not handed out here."""
    if ":assumed-role/" in call.principal:
        return None
    return {
        "UserId": "AIDASIMULATEDOPERATOR",
        "Account": call.account,
        "Arn": call.principal,
    }


@service.before("AssumeRole")
def assume_role(call: Call) -> dict[str, Any]:
    """Credentials of a role that lets the caller in."""
    arn = _role_arn(call)
    seconds = call.parameters.get("DurationSeconds", DEFAULT_SECONDS)
    if arn in _assumable:
        external_id = _assumable[arn]
        allowed = external_id is None or call.parameters.get("ExternalId") == external_id
        longest = None
    else:
        role = iam.role_for_caller(arn, call)
        allowed = role is not None
        longest = role.max_session_duration if role else None
    if not allowed:
        raise AwsError(
            "AccessDenied",
            f"User: {call.principal} is not authorized to perform: sts:AssumeRole on resource: "
            f"{arn}",
            403,
        )
    if ":assumed-role/" in call.principal and seconds > LONGEST_CHAINED_SECONDS:
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
            "role chaining",
        )
    _check_duration(seconds, longest)
    return _session(call, seconds)


@service.before("AssumeRoleWithWebIdentity")
def assume_role_with_web_identity(call: Call) -> dict[str, Any]:
    """Credentials of a role that trusts an identity provider; the token is not read."""
    role = iam.role_for_web_identity(_role_arn(call))
    if role is None:
        message = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
        raise AwsError("AccessDenied", message, 403)
    seconds = call.parameters.get("DurationSeconds", DEFAULT_SECONDS)
    _check_duration(seconds, role.max_session_duration)
    return _session(call, seconds) | {"Audience": "sts.amazonaws.com"}


def _role_arn(call: Call) -> str:
    arn = call.parameters["RoleArn"]
    if not arn.startswith("arn:"):
        raise AwsError("ValidationError", "Request ARN is invalid")
    return arn


def _check_duration(seconds: int, longest: Any) -> None:
    if longest is not None and seconds > int(longest):
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )


def _session(call: Call, seconds: int) -> dict[str, Any]:
    from moto.sts.models import sts_backends

    given = call.parameters
    match = PARTITION.fullmatch(given["RoleArn"])
    assert match is not None
    # An unsigned call tells no region, and so no partition.
    region = call.region if call.partition == match[1] else REGIONS.get(match[1], call.region)
    session = sts_backends[call.account][match[1]].assume_role(
        region_name=region,
        role_session_name=given["RoleSessionName"],
        role_arn=given["RoleArn"],
        policy=given.get("Policy"),
        duration=seconds,
        external_id=given.get("ExternalId"),
    )
    expiration: datetime = session.expiration
    return {
        "Credentials": {
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret_access_key,
            "SessionToken": session.session_token,
            "Expiration": expiration,
        },
        "AssumedRoleUser": {"AssumedRoleId": session.user_id, "Arn": session.arn},
    }

"""STS: who the caller is."""

from typing import Any

from simulator.call import Call
from simulator.service import Service

service = Service("sts", validation_code="ValidationError")


@service.before("GetCallerIdentity")
def get_caller_identity(call: Call) -> dict[str, Any] | None:
    """The operator's own user, for every access key that moto did not hand out."""
    if ":assumed-role/" in call.principal:
        return None
    return {
        "UserId": "AIDASIMULATEDOPERATOR",
        "Account": call.account,
        "Arn": call.principal,
    }

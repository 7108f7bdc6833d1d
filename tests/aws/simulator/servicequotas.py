"""Service Quotas: the quotas of networks that the simulator applies; the rest are moto's."""

from typing import Any

from simulator.call import Call
from simulator.ec2.quotas import QUOTAS, quota
from simulator.service import Requirement, Service

service = Service("service-quotas", validation_code="IllegalArgumentException")

VPC = "vpc"


@service.requires
def requirements(call: Call) -> list[Requirement]:
    """The action, on the quota if the call names one."""
    given = call.parameters
    action = f"servicequotas:{call.operation}"
    if "QuotaCode" not in given:
        return [(action, "*")]
    return [(action, _arn(call, str(given.get("ServiceCode")), str(given["QuotaCode"])))]


@service.before("GetServiceQuota")
def get_service_quota(call: Call) -> dict[str, Any] | None:
    """A quota as it is applied."""
    given = call.parameters
    for held in QUOTAS.values():
        if (given["ServiceCode"], given["QuotaCode"]) == (VPC, held.code):
            return {
                "Quota": {
                    "ServiceCode": VPC,
                    "ServiceName": "Amazon Virtual Private Cloud (Amazon VPC)",
                    "QuotaArn": _arn(call, VPC, held.code),
                    "QuotaCode": held.code,
                    "QuotaName": held.name,
                    "Value": float(quota(held.key)),
                    "Unit": "None",
                    "Adjustable": True,
                    "GlobalQuota": False,
                }
            }
    return None


def _arn(call: Call, service_code: str, quota_code: str) -> str:
    prefix = f"arn:{call.partition}:servicequotas:{call.region}:{call.account}"
    return f"{prefix}:{service_code}/{quota_code}"

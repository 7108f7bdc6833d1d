"""How many instances of a type an account may use for endpoints: any number, unless limited."""

from collections import Counter
from typing import Any

from simulator.call import Call
from simulator.errors import AwsError
from simulator.sagemaker import resources
from simulator.sagemaker.endpoint import Endpoint
from simulator.sagemaker.service import ENDPOINT, service

_limits: dict[str, int] = {}


@service.on_reset
def forget_limits() -> None:
    """Lift all limits."""
    _limits.clear()


@service.control("sagemaker/limit")
def set_limit(body: dict[str, Any]) -> None:
    """Limit the instances of a type, in every account and region; null lifts the limit."""
    instance, count = body["instanceType"], body["count"]
    if count is None:
        _limits.pop(instance, None)
    elif isinstance(count, int) and count >= 0:
        _limits[instance] = count
    else:
        raise ValueError("count: a number, or null")


def check_quota(call: Call, wanted: Counter[str]) -> None:
    """Refuse to use so many more instances."""
    for instance, delta in wanted.items():
        limit = _limits.get(instance)
        if limit is None or delta <= 0:
            continue
        used = sum(_used(each)[instance] for each in resources.owned(call, ENDPOINT))
        if used + delta > limit:
            raise AwsError(
                "ResourceLimitExceeded",
                f"The account-level service limit '{instance} for endpoint usage' is {limit} "
                f"Instances, with current utilization of {used} Instances and a request delta "
                f"of {delta} Instances. Please use AWS Service Quotas to request an increase for "
                "this quota. If AWS Service Quotas is not available, contact AWS support to "
                "request an increase for this quota.",
            )


def _used(endpoint: Endpoint) -> Counter[str]:
    used: Counter[str] = Counter()
    for deployment in (endpoint.running, endpoint.pending):
        for variant in deployment.all_variants() if deployment else []:
            if variant.instance_type:
                used[variant.instance_type] += variant.desired_count
    return used

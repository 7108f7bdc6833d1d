"""Deployment configurations: how an endpoint gets from one configuration to the next."""

from typing import Any

from simulator.sagemaker.service import invalid
from simulator.sagemaker.variants import Variant

# The member that says how large a step is, for each way to route traffic.
STEPS = {"ALL_AT_ONCE": None, "CANARY": "CanarySize", "LINEAR": "LinearStepSize"}
# How many percent of a variant's capacity a step may be.
CANARY = (1, 50)
LINEAR = (10, 50)
BATCH = (5, 50)
ROLLBACK = (1, 100)


def check_deployment(given: dict[str, Any] | None, variants: list[Variant]) -> None:
    """Refuse a deployment configuration that does not fit these variants, or itself."""
    if given is None:
        return
    blue_green, rolling = given.get("BlueGreenUpdatePolicy"), given.get("RollingUpdatePolicy")
    if blue_green and rolling:
        raise invalid("Only one of BlueGreenUpdatePolicy and RollingUpdatePolicy can be specified.")
    if blue_green:
        _check_blue_green(blue_green, variants)
    if rolling:
        _check_rolling(rolling, variants)


def _check_blue_green(policy: dict[str, Any], variants: list[Variant]) -> None:
    routing = policy["TrafficRoutingConfiguration"]
    wanted = STEPS[routing["Type"]]
    for name in ("CanarySize", "LinearStepSize"):
        if name == wanted and name not in routing:
            raise invalid(f"{name} must be specified for traffic routing type {routing['Type']}.")
        if name != wanted and name in routing:
            raise invalid(f"{name} cannot be specified for traffic routing type {routing['Type']}.")
    if wanted == "CanarySize":
        _check_size(wanted, routing[wanted], CANARY, variants)
    elif wanted == "LinearStepSize":
        _check_size(wanted, routing[wanted], LINEAR, variants)
    waiting = routing["WaitIntervalInSeconds"] + policy.get("TerminationWaitInSeconds", 0)
    _check_timeout(policy, waiting)


def _check_rolling(policy: dict[str, Any], variants: list[Variant]) -> None:
    if any(variant.instance_type is None for variant in variants):
        raise invalid("RollingUpdatePolicy is not supported for serverless endpoints.")
    _check_size("MaximumBatchSize", policy["MaximumBatchSize"], BATCH, variants)
    if "RollbackMaximumBatchSize" in policy:
        size = policy["RollbackMaximumBatchSize"]
        _check_size("RollbackMaximumBatchSize", size, ROLLBACK, variants)
    _check_timeout(policy, policy["WaitIntervalInSeconds"])


def _check_size(
    name: str, size: dict[str, Any], bounds: tuple[int, int], variants: list[Variant]
) -> None:
    least, most = bounds
    if size["Type"] == "CAPACITY_PERCENT":
        if not least <= size["Value"] <= most:
            raise invalid(f"{name} must be between {least} and {most} percent.")
        return
    for variant in variants:
        count = variant.desired_count
        # Percentages of a few instances would leave no whole instance: one is always enough.
        if size["Value"] > max(1, count * most // 100) or size["Value"] * 100 < count * least:
            raise invalid(
                f"{name} must be between {least} and {most} percent of the {count} instances of "
                f'variant "{variant.name}".'
            )


def _check_timeout(policy: dict[str, Any], waiting: int) -> None:
    timeout = policy.get("MaximumExecutionTimeoutInSeconds")
    if timeout is not None and timeout <= waiting:
        raise invalid(
            "MaximumExecutionTimeoutInSeconds must be larger than the total waiting time of "
            f"{waiting} seconds."
        )


def extra_instances(given: dict[str, Any] | None, variant: Variant) -> int:
    """How many instances of a new variant run beside the old ones while they are replaced."""
    rolling = (given or {}).get("RollingUpdatePolicy")
    if not rolling:
        return variant.desired_count
    size = rolling["MaximumBatchSize"]
    if size["Type"] == "INSTANCE_COUNT":
        return min(size["Value"], variant.desired_count)
    return -(-variant.desired_count * size["Value"] // 100)

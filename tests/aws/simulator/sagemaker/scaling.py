"""Weights and capacities: what people, and Application Auto Scaling, change of a variant."""

from collections import Counter
from typing import Any

from simulator.call import Call
from simulator.sagemaker.endpoint import IN_SERVICE, Endpoint
from simulator.sagemaker.endpoints import check_not_busy, endpoint_of
from simulator.sagemaker.naming import endpoint_named_in
from simulator.sagemaker.quota import check_quota
from simulator.sagemaker.service import invalid, service
from simulator.sagemaker.variants import Variant


@service.before("UpdateEndpointWeightsAndCapacities")
def update_weights_and_capacities(call: Call) -> dict[str, Any]:
    """Begin to give variants other weights and capacities."""
    endpoint = endpoint_of(call)
    check_not_busy(endpoint)
    if endpoint.status != IN_SERVICE:
        raise invalid(f'Cannot update endpoint "{endpoint.arn}": its status is {endpoint.status}.')
    changes = call.parameters["DesiredWeightsAndCapacities"]
    wanted: Counter[str] = Counter()
    for change in changes:
        variant = _variant(endpoint, change["VariantName"])
        _check_change(endpoint, variant, change)
        if "DesiredInstanceCount" in change and variant.instance_type:
            wanted[variant.instance_type] += change["DesiredInstanceCount"] - variant.desired_count
    if len({change["VariantName"] for change in changes}) < len(changes):
        raise invalid("A variant name is used more than once.")
    check_quota(call, wanted)

    def change_all() -> None:
        for change in changes:
            _change(_variant(endpoint, change["VariantName"]), change)

    endpoint.scale(change_all)
    return {"EndpointArn": endpoint.arn}


def _variant(endpoint: Endpoint, name: str) -> Variant:
    variant = endpoint.find_variant(name)
    if variant is None:
        raise invalid(
            f'The variant name(s) "{name}" is/are not present within endpoint configuration '
            f'"{endpoint.running.config_name if endpoint.running else ""}".'
        )
    return variant


def _check_change(endpoint: Endpoint, variant: Variant, change: dict[str, Any]) -> None:
    serverless = variant.desired_serverless
    if serverless is None and "ServerlessUpdateConfig" in change:
        raise invalid(f'Variant "{variant.name}" is not serverless.')
    if serverless is not None:
        if "DesiredInstanceCount" in change:
            raise invalid(f'Variant "{variant.name}" is serverless and has no instances.')
        merged = {**serverless, **change.get("ServerlessUpdateConfig", {})}
        if merged.get("ProvisionedConcurrency", 0) > merged["MaxConcurrency"]:
            raise invalid("ProvisionedConcurrency must not be greater than MaxConcurrency.")
    if change.get("DesiredInstanceCount") == 0 and not _can_be_empty(endpoint, variant):
        raise invalid(f'DesiredInstanceCount of variant "{variant.name}" must be at least 1.')


def _can_be_empty(endpoint: Endpoint, variant: Variant) -> bool:
    config = endpoint.running.config if endpoint.running else {}
    return "AsyncInferenceConfig" in config or "ManagedInstanceScaling" in variant.settings


def _change(variant: Variant, change: dict[str, Any]) -> None:
    variant.desired_weight = change.get("DesiredWeight", variant.desired_weight)
    variant.desired_count = change.get("DesiredInstanceCount", variant.desired_count)
    if "ServerlessUpdateConfig" in change:
        serverless = variant.desired_serverless or {}
        variant.desired_serverless = {**serverless, **change["ServerlessUpdateConfig"]}


@service.control("scale")
def scale_from_outside(body: dict[str, Any]) -> None:
    """Give a variant another count of instances, or of provisioned concurrency."""
    count = body["count"]
    if not isinstance(count, int) or count < 0:
        raise ValueError("count: a number")
    endpoint = endpoint_named_in(body)
    variant = endpoint.find_variant(body["variant"])
    if variant is None:
        raise ValueError(f"variant: {endpoint.name} has no {body['variant']}")
    if endpoint.status != IN_SERVICE:
        raise ValueError(f"endpoint: {endpoint.name} is {endpoint.status}")
    set_capacity(endpoint, variant, count)


def capacity_of(variant: Variant) -> int:
    """How much of a variant is desired: instances, or provisioned concurrency."""
    if variant.desired_serverless is None:
        return variant.desired_count
    return variant.desired_serverless.get("ProvisionedConcurrency", 0)


def set_capacity(endpoint: Endpoint, variant: Variant, count: int) -> None:
    """Begin to scale a variant."""

    def change() -> None:
        if variant.desired_serverless is None:
            variant.desired_count = count
            return
        kept = {
            k: v for k, v in variant.desired_serverless.items() if k != "ProvisionedConcurrency"
        }
        variant.desired_serverless = {
            **kept,
            **({"ProvisionedConcurrency": count} if count else {}),
        }

    endpoint.scale(change)

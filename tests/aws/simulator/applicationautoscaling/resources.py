"""What can be scaled: the variant of an endpoint that a resource id names."""

import re

from simulator.applicationautoscaling.service import invalid
from simulator.call import Call
from simulator.sagemaker.endpoint import FAILED, IN_SERVICE, Endpoint
from simulator.sagemaker.resources import look_up
from simulator.sagemaker.scaling import capacity_of, set_capacity
from simulator.sagemaker.service import ENDPOINT, arn_of
from simulator.sagemaker.variants import Variant
from simulator.scalable_targets import CONCURRENCY, COPIES, INSTANCES, ScalableTarget

VARIANT = re.compile(r"endpoint/([^/]+)/variant/([^/]+)")
COMPONENT = re.compile(r"inference-component/[^/]+")
# An endpoint that is on its way out, or never came.
UNSCALABLE = ("Deleting", FAILED)
BURSTABLE = re.compile(r"ml\.t\d\w*\..+")


def check_resource(call: Call) -> None:
    """Refuse a resource that does not exist, or cannot be scaled in this dimension."""
    resource, dimension = call.parameters["ResourceId"], call.parameters["ScalableDimension"]
    if dimension == COPIES and COMPONENT.fullmatch(resource):
        # Nothing here makes inference components, so there cannot be one of that name.
        name = resource.split("/")[1]
        raise invalid(f'Could not find inference component "{name}".')
    match = VARIANT.fullmatch(resource)
    if match is None or dimension not in (INSTANCES, CONCURRENCY):
        raise invalid("Unsupported service namespace, resource type or scalable dimension")
    endpoint, variant = _look_up(call, match[1], match[2])
    if endpoint is None:
        raise invalid(f'Could not find endpoint "{arn_of(call, ENDPOINT, match[1])}".')
    if endpoint.status in UNSCALABLE:
        raise invalid(f'Cannot scale endpoint "{endpoint.arn}": its status is {endpoint.status}.')
    if variant is None:
        raise invalid(f'Could not find variant "{match[2]}" of endpoint "{endpoint.arn}".')
    _check_variant(variant, dimension)


def _check_variant(variant: Variant, dimension: str) -> None:
    serverless = variant.desired_serverless
    if (serverless is not None) != (dimension == CONCURRENCY):
        raise invalid(f'Variant "{variant.name}" cannot be scaled in dimension {dimension}.')
    if serverless is not None and "ProvisionedConcurrency" not in serverless:
        raise invalid(f'Variant "{variant.name}" has no provisioned concurrency.')
    kind = variant.instance_type
    if kind and BURSTABLE.fullmatch(kind):
        raise invalid(
            f"You cannot register a variant with {kind} instance type as a scalable target. This "
            "is because the burstable performance of these instances can lead to unpredictable "
            "behavior with Auto Scaling."
        )


def _look_up(call: Call, endpoint: str, variant: str) -> tuple[Endpoint | None, Variant | None]:
    held = look_up(arn_of(call, ENDPOINT, endpoint))
    if not isinstance(held, Endpoint) or held.name != endpoint:
        return None, None
    return held, held.find_variant(variant)


def pull_into_bounds(call: Call, target: ScalableTarget) -> None:
    """Scale what is outside a target's bounds: now, or when its endpoint is in service."""
    match = VARIANT.fullmatch(target.resource)
    assert match is not None
    endpoint, _ = _look_up(call, match[1], match[2])
    assert endpoint is not None

    def pull() -> None:
        variant = endpoint.find_variant(match[2])
        if variant is None:
            return
        held = capacity_of(variant)
        wanted = min(max(held, target.least), target.most)
        if wanted != held:
            set_capacity(endpoint, variant, wanted)

    if endpoint.status == IN_SERVICE:
        pull()
    else:
        endpoint.waiting.append(pull)

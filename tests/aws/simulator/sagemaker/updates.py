"""UpdateEndpoint: another configuration for an endpoint, or the same one back again."""

import copy
from collections import Counter
from typing import Any

from simulator.call import Call
from simulator.phases import Phase
from simulator.sagemaker.deployment import check_deployment, extra_instances
from simulator.sagemaker.endpoint import (
    FAILED,
    IN_SERVICE,
    ROLLBACK,
    ROLLBACK_FAILED,
    UPDATE,
    Deployment,
    Endpoint,
)
from simulator.sagemaker.endpoints import (
    check_not_busy,
    deployment_problem,
    endpoint_of,
    new_deployment,
)
from simulator.sagemaker.failures import Failure, take_update_failure
from simulator.sagemaker.printing import note_start
from simulator.sagemaker.quota import check_quota
from simulator.sagemaker.service import invalid, service
from simulator.scalable_targets import targets_of_endpoint


@service.before("UpdateEndpoint")
def update_endpoint(call: Call) -> dict[str, Any]:
    """Begin to replace what an endpoint runs."""
    endpoint = endpoint_of(call)
    check_not_busy(endpoint)
    if endpoint.status == FAILED or endpoint.running is None:
        raise invalid(f'Cannot update endpoint "{endpoint.arn}": its status is {endpoint.status}.')
    excluded = _excluded(call)
    deployment = new_deployment(call)
    # After a failed rollback both configurations are in use, and either is a way out.
    is_in_use = deployment.config_name == endpoint.running.config_name
    if is_in_use and endpoint.status != ROLLBACK_FAILED:
        raise invalid(
            "Cannot update endpoint with the currently in use endpoint configuration "
            f'"{deployment.config_name}".'
        )
    _check_scaled_variants(endpoint, deployment)
    if call.parameters.get("RetainAllVariantProperties"):
        _retain(endpoint.running, deployment, excluded)
    how = _how(call, endpoint)
    check_deployment(how, deployment.variants)
    _check_quota(call, how, deployment)
    failure = take_update_failure(endpoint.name)
    problem = deployment_problem(call, deployment)
    if problem is None:
        note_start(endpoint)
    elif failure is None:
        failure = Failure(problem)
    endpoint.last_deployment = copy.deepcopy(how)
    endpoint.pending = deployment
    endpoint.failure = None
    endpoint.begin(*_phases(endpoint, failure))
    return {"EndpointArn": endpoint.arn}


def _phases(endpoint: Endpoint, failure: Failure | None) -> list[Phase]:
    if failure is None:
        return [Phase("Updating", UPDATE, endpoint.arrive)]
    end = IN_SERVICE if failure.rolls_back else ROLLBACK_FAILED
    return [
        Phase("Updating", UPDATE, lambda: endpoint.fail("RollingBack", failure.reason)),
        Phase("RollingBack", ROLLBACK, lambda: endpoint.fail(end, failure.reason)),
    ]


def _excluded(call: Call) -> set[str]:
    given = call.parameters.get("ExcludeRetainedVariantProperties") or []
    if given and not call.parameters.get("RetainAllVariantProperties"):
        raise invalid(
            "ExcludeRetainedVariantProperties can only be specified if RetainAllVariantProperties "
            "is true."
        )
    excluded = {each["VariantPropertyType"] for each in given}
    if "DataCaptureConfig" in excluded:
        raise invalid("VariantPropertyType DataCaptureConfig is not supported.")
    return excluded


def _retain(old: Deployment, new: Deployment, excluded: set[str]) -> None:
    """Keep what is desired of the variants now, whatever the new configuration says."""
    before = {variant.name: variant for variant in old.variants}
    for variant in new.variants:
        kept = before.get(variant.name)
        if kept is None:
            continue
        if "DesiredWeight" not in excluded:
            variant.desired_weight = kept.desired_weight
        has_instances = variant.instance_type and kept.instance_type
        if has_instances and "DesiredInstanceCount" not in excluded:
            variant.desired_count = kept.desired_count


def _check_scaled_variants(endpoint: Endpoint, new: Deployment) -> None:
    """Refuse to take a variant, or what it runs on, from under Application Auto Scaling."""
    types = {variant.name: variant.instance_type for variant in new.variants}
    names = []
    for target in targets_of_endpoint(*endpoint.place, endpoint.name):
        name = target.resource.split("/")[3]
        held = endpoint.find_variant(name)
        if held and (name not in types or types[name] != held.instance_type):
            names.append(name)
    if names:
        raise invalid(
            f'The variant(s) "[{", ".join(dict.fromkeys(names))}]" must be deregistered as '
            "scalable target(s) with AWS Auto Scaling before they can be removed or have their "
            "instance type updated."
        )


def _how(call: Call, endpoint: Endpoint) -> dict[str, Any] | None:
    given = call.parameters.get("DeploymentConfig")
    if not call.parameters.get("RetainDeploymentConfig"):
        return given
    if given is not None:
        raise invalid("DeploymentConfig cannot be specified if RetainDeploymentConfig is true.")
    return endpoint.last_deployment


def _check_quota(call: Call, how: dict[str, Any] | None, deployment: Deployment) -> None:
    wanted: Counter[str] = Counter()
    for variant in deployment.all_variants():
        if variant.instance_type:
            wanted[variant.instance_type] += extra_instances(how, variant)
    check_quota(call, wanted)

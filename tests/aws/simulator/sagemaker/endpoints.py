"""Endpoints: making, reading and deleting them."""

import copy
from collections import Counter
from typing import Any

from simulator.call import Call
from simulator.phases import Phase
from simulator.sagemaker import resources
from simulator.sagemaker.configs import usable_config
from simulator.sagemaker.deployment import check_deployment
from simulator.sagemaker.endpoint import CREATE, DELETE, FAILED, Deployment, Endpoint
from simulator.sagemaker.endpoint_view import description, summary
from simulator.sagemaker.failures import take_creation_failure
from simulator.sagemaker.listing import list_page
from simulator.sagemaker.model_access import model_problem
from simulator.sagemaker.printing import note_start, note_stop
from simulator.sagemaker.quota import check_quota
from simulator.sagemaker.service import ENDPOINT, MODEL, arn_of, invalid, service
from simulator.sagemaker.tags import tags_of
from simulator.sagemaker.variants import new_variants
from simulator.scalable_targets import remove_target, targets_of_endpoint


@service.before("CreateEndpoint")
def create_endpoint(call: Call) -> dict[str, Any]:
    """Make an endpoint, which is in service, or fails, in a while."""
    given = call.parameters
    arn = arn_of(call, ENDPOINT, given["EndpointName"])
    resources.check_is_new(arn)
    deployment = new_deployment(call)
    how = given.get("DeploymentConfig")
    check_deployment(how, deployment.variants)
    wanted: Counter[str] = Counter()
    for variant in deployment.all_variants():
        if variant.instance_type:
            wanted[variant.instance_type] += variant.desired_count
    check_quota(call, wanted)
    endpoint = Endpoint(
        arn,
        given["EndpointName"],
        {"EndpointConfigName": deployment.config_name},
        tags_of(call),
        pending=deployment,
        last_deployment=copy.deepcopy(how),
    )
    resources.add(endpoint)
    failure = take_creation_failure(endpoint.name)
    problem = deployment_problem(call, deployment)
    reason = failure.reason if failure else problem
    if problem is None:
        note_start(endpoint)

    def done() -> None:
        if reason is None:
            endpoint.arrive()
        else:
            endpoint.fail(FAILED, reason)

    endpoint.begin(Phase("Creating", CREATE, done))
    return {"EndpointArn": arn}


def new_deployment(call: Call) -> Deployment:
    """What an endpoint is to run: a copy, since configuration and models may be deleted."""
    config = usable_config(call)
    fields = copy.deepcopy(config.fields)
    return Deployment(
        config.name,
        fields,
        new_variants(call, fields["ProductionVariants"]),
        new_variants(call, fields.get("ShadowProductionVariants", [])),
    )


def deployment_problem(call: Call, deployment: Deployment) -> str | None:
    """Why variants could not start, as SageMaker says it."""
    for variant in deployment.all_variants():
        name = variant.settings.get("ModelName")
        if name and (problem := model_problem(call, resources.find(call, MODEL, name).fields)):
            return problem
    return None


@service.before("DescribeEndpoint")
def describe_endpoint(call: Call) -> dict[str, Any]:
    """All there is to know of an endpoint."""
    return description(endpoint_of(call))


@service.before("ListEndpoints")
def list_endpoints(call: Call) -> dict[str, Any]:
    """A page of endpoints."""
    return list_page(call, resources.owned(call, ENDPOINT), "Endpoints", summary)


@service.before("DeleteEndpoint")
def delete_endpoint(call: Call) -> dict[str, Any]:
    """Begin to delete an endpoint; its variants are scaled no more from now on."""
    endpoint = endpoint_of(call)
    check_not_busy(endpoint)
    for target in targets_of_endpoint(*endpoint.place, endpoint.name):
        remove_target(target)

    note_stop(endpoint)

    def done() -> None:
        endpoint.gone = True

    endpoint.begin(Phase("Deleting", DELETE, done))
    return {}


def endpoint_of(call: Call) -> Endpoint:
    """The endpoint that a call names."""
    return resources.find(call, ENDPOINT, call.parameters["EndpointName"])


def check_not_busy(endpoint: Endpoint) -> None:
    """Refuse anything while a change is under way, even to delete."""
    if endpoint.is_busy:
        raise invalid(f'Cannot update in-progress endpoint "{endpoint.arn}".')

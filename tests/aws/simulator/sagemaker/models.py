"""Models."""

import copy
from typing import Any

from simulator.call import Call
from simulator.errors import AwsError
from simulator.sagemaker import resources
from simulator.sagemaker.listing import list_page
from simulator.sagemaker.model_access import containers_of, model_problem
from simulator.sagemaker.resources import Resource
from simulator.sagemaker.service import MODEL, arn_of, invalid, service
from simulator.sagemaker.tags import tags_of

MOST_ENVIRONMENT = 32 * 1024
KEPT = (
    *("PrimaryContainer", "Containers", "InferenceExecutionConfig", "ExecutionRoleArn"),
    *("VpcConfig", "EnableNetworkIsolation"),
)


@service.before("CreateModel")
def create_model(call: Call) -> dict[str, Any]:
    """Make a model of what SageMaker can reach now."""
    given = call.parameters
    arn = arn_of(call, MODEL, given["ModelName"])
    _check(call)
    resources.check_is_new(arn)
    fields = {name: copy.deepcopy(given[name]) for name in KEPT if given.get(name) is not None}
    fields.setdefault("EnableNetworkIsolation", False)
    if problem := model_problem(call, fields):
        raise invalid(problem)
    for container in containers_of(fields):
        _complete(container)
    resources.add(Resource(arn, given["ModelName"], fields, tags_of(call)))
    return {"ModelArn": arn}


def _check(call: Call) -> None:
    given = call.parameters
    if bool(given.get("PrimaryContainer")) == bool(given.get("Containers")):
        raise invalid("Exactly one of PrimaryContainer and Containers must be specified.")
    role = given.get("ExecutionRoleArn")
    if role is None:
        raise invalid("ExecutionRoleArn must be specified.")
    if role.split(":")[4] != call.account:
        raise AwsError("AccessDeniedException", "Cross-account pass role is not allowed.")
    for container in containers_of(given):
        _check_container(container)


def _check_container(container: dict[str, Any]) -> None:
    if not container.get("Image") and not container.get("ModelPackageName"):
        raise invalid("A container must have an Image or a ModelPackageName.")
    if container.get("ModelDataUrl") and container.get("ModelDataSource"):
        raise invalid("ModelDataUrl and ModelDataSource cannot be specified together.")
    source = container.get("ModelDataSource", {}).get("S3DataSource", {})
    if source.get("S3DataType") == "S3Prefix" and source["CompressionType"] == "Gzip":
        raise invalid("CompressionType Gzip needs S3DataType S3Object.")
    environment = container.get("Environment", {})
    size = sum(len(key.encode()) + len(value.encode()) for key, value in environment.items())
    if size > MOST_ENVIRONMENT:
        raise invalid(f"The environment is larger than {MOST_ENVIRONMENT} bytes.")


def _complete(container: dict[str, Any]) -> None:
    """Add what SageMaker tells of every container, whether it was given or not."""
    container.setdefault("Mode", "SingleModel")
    container.setdefault("Environment", {})
    url = container.get("ModelDataUrl")
    if url and container["Mode"] == "SingleModel":
        container["ModelDataSource"] = {
            "S3DataSource": {
                "S3Uri": url,
                "S3DataType": "S3Object",
                "CompressionType": "Gzip",
            }
        }


@service.before("DescribeModel")
def describe_model(call: Call) -> dict[str, Any]:
    """All there is to know of a model."""
    model = resources.find(call, MODEL, call.parameters["ModelName"])
    return {
        "ModelName": model.name,
        "ModelArn": model.arn,
        "CreationTime": model.created,
        **model.fields,
    }


@service.before("DeleteModel")
def delete_model(call: Call) -> dict[str, Any]:
    """Delete a model; endpoints that run it go on."""
    resources.remove(resources.find(call, MODEL, call.parameters["ModelName"]))
    return {}


@service.before("ListModels")
def list_models(call: Call) -> dict[str, Any]:
    """A page of models."""
    return list_page(call, resources.owned(call, MODEL), "Models", _summary)


def _summary(model: Resource) -> dict[str, Any]:
    return {"ModelName": model.name, "ModelArn": model.arn, "CreationTime": model.created}

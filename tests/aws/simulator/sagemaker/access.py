"""The permissions that SageMaker's operations need."""

from simulator.call import Call
from simulator.conditions import resource_tags
from simulator.iam import pass_role
from simulator.sagemaker.resources import look_up
from simulator.sagemaker.service import CONFIG, ENDPOINT, MODEL, arn_of, service
from simulator.scalable_targets import targets_of_endpoint
from simulator.service import Conditions, Requirement

# The parameter that names what an operation is about, by the end of the operation's name.
ABOUT = {
    "EndpointConfig": (CONFIG, "EndpointConfigName"),
    "EndpointWeightsAndCapacities": (ENDPOINT, "EndpointName"),
    "Endpoint": (ENDPOINT, "EndpointName"),
    "Model": (MODEL, "ModelName"),
}
VERBS = ("Create", "Describe", "Update", "Delete")


@service.tells
def conditions(_call: Call, _action: str, resource: str) -> Conditions:
    """The tags of a model, an endpoint configuration or an endpoint."""
    found = look_up(resource)
    return resource_tags(found.tags) if found else {}


@service.requires
def requirements(call: Call) -> list[Requirement]:
    """The actions that a call needs, and the ARN they are needed on."""
    operation, given = call.operation or "", call.parameters
    resource = _resource(call)
    needed = [(f"sagemaker:{operation}", resource)]
    if operation in ("CreateEndpoint", "UpdateEndpoint"):
        config = arn_of(call, CONFIG, str(given.get("EndpointConfigName")))
        needed.append((f"sagemaker:{operation}", config))
    if operation.startswith("Create") and given.get("Tags"):
        needed.append(("sagemaker:AddTags", resource))
    if operation in ("CreateModel", "CreateEndpointConfig") and given.get("ExecutionRoleArn"):
        needed.append(pass_role(str(given["ExecutionRoleArn"])))
    if operation == "DeleteEndpoint":
        name = str(given.get("EndpointName"))
        for target in targets_of_endpoint(call.account, call.region, name):
            needed.append(("application-autoscaling:DeregisterScalableTarget", target.arn))
    return needed


def _resource(call: Call) -> str:
    operation, given = call.operation or "", call.parameters
    if arn := given.get("ResourceArn"):
        return str(arn)
    for verb in VERBS:
        about = ABOUT.get(operation.removeprefix(verb))
        if operation.startswith(verb) and about is not None:
            return arn_of(call, about[0], str(given.get(about[1])))
    return "*"

"""The permissions that EKS's operations need."""

from simulator.call import Call
from simulator.conditions import resource_tags
from simulator.eks.associations import find_association
from simulator.eks.service import service
from simulator.iam import pass_role
from simulator.service import Conditions, Requirement


@service.requires
def requirements(call: Call) -> list[Requirement]:
    """The actions that a call needs, and the ARN they are needed on."""
    resource = _resource(call)
    needed = [(f"eks:{call.operation}", resource)]
    if call.operation == "CreatePodIdentityAssociation" and call.parameters.get("tags"):
        # EKS asks for it on what is to be made, of which nobody knows the id yet.
        association = resource.replace(":cluster/", ":podidentityassociation/", 1)
        needed.append(("eks:TagResource", f"{association}/*"))
    arn = call.parameters.get("roleArn")
    if arn and "PodIdentityAssociation" in (call.operation or ""):
        # EKS reads the role on the caller's behalf before it hands it on.
        needed += [("iam:GetRole", arn), pass_role(arn)]
    return needed


@service.tells
def conditions(_call: Call, _action: str, resource: str) -> Conditions:
    """The tags of an association."""
    association = find_association(resource)
    return resource_tags(association.tags) if association else {}


def _resource(call: Call) -> str:
    given = call.parameters
    if arn := given.get("resourceArn"):
        return arn
    prefix = f"arn:{call.partition}:eks:{call.region}:{call.account}"
    cluster = given.get("clusterName", given.get("name"))
    if number := given.get("associationId"):
        return f"{prefix}:podidentityassociation/{cluster}/{number}"
    return f"{prefix}:cluster/{cluster}" if cluster else "*"

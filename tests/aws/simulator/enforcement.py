"""`POST /_sim/enforce`: calls of roles are held against the roles' policies, as AWS does.

Only identity policies and boundaries count, of roles that exist: a bucket's policy, and whoever
has no role, are let through as without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.iam.held_policies import boundary_of, documents_of
from simulator.iam.service import backend_in
from simulator.policies.decision import Policies, decide
from simulator.policies.requests import SESSION, Principal, Request

if TYPE_CHECKING:
    from moto.iam.models import Role

    from simulator.call import Call
    from simulator.service import Conditions

EKS_PODS = "pods.eks.amazonaws.com"
SAGEMAKER = "sagemaker.amazonaws.com"
SCALING = "sagemaker.application-autoscaling.amazonaws.com"


def is_allowed(call: Call, action: str, resource: str, known: Conditions) -> bool:
    """Whether the policies of the caller's role allow an action on a resource."""
    role = _role(call)
    if role is None:
        return True
    context = {
        "aws:PrincipalAccount": call.account,
        "aws:PrincipalArn": role.arn,
        "aws:ResourceAccount": call.account,
        **({"aws:RequestedRegion": call.region}),
        **of_service(call, action),
        **known,
    }
    request = Request(
        Principal(role.arn, call.account, call.principal),
        action,
        resource,
        call.account,
        {name.lower(): [value] for name, value in context.items()},
    )
    policies = Policies(identity=documents_of(role), boundary=boundary_of(role))
    return decide(request, policies).is_allowed


def of_service(call: Call, action: str) -> Conditions:
    """What services tell IAM of their own calls."""
    operation = call.operation or ""
    if action == "sagemaker:AddTags" and operation.startswith("Create"):
        return {"sagemaker:TaggingAction": operation}
    if action == "iam:PassRole":
        is_of_pods = operation.endswith("PodIdentityAssociation")
        return {"iam:PassedToService": EKS_PODS if is_of_pods else SAGEMAKER}
    if action == "iam:CreateServiceLinkedRole":
        return {"iam:AWSServiceName": SCALING}
    if action.startswith("application-autoscaling:"):
        return {"application-autoscaling:service-namespace": "sagemaker"}
    return {}


def _role(call: Call) -> Role | None:
    session = SESSION.fullmatch(call.principal)
    if session is None:
        return None
    name = session["role"].rpartition("/")[2]
    roles = backend_in(session["account"], session["partition"]).roles.values()
    return next((role for role in roles if role.name == name), None)

"""The permissions that Application Auto Scaling's operations need."""

from simulator.applicationautoscaling.service import is_ours, service
from simulator.applicationautoscaling.targets import PRINCIPAL
from simulator.call import Call
from simulator.conditions import resource_tags
from simulator.iam.service_linked import find_service_linked_role, service_linked_role_arn
from simulator.sagemaker.endpoint import Endpoint
from simulator.sagemaker.resources import look_up
from simulator.sagemaker.service import CONFIG, ENDPOINT, arn_of
from simulator.scalable_targets import ScalableTarget, find_target, targets_in
from simulator.service import Conditions, Requirement

LISTS = ("DescribeScalableTargets", "DescribeScalingPolicies", "DescribeScheduledActions")
# What takes alarms away, where there are any.
DELETIONS = ("DeleteScalingPolicy", "DeregisterScalableTarget")


@service.requires
def requirements(call: Call) -> list[Requirement]:
    """The actions that a call needs, and the ARN they are needed on.

    Callers need what is done on their behalf, too: at SageMaker, CloudWatch and IAM.
    """
    target = _target(call)
    needed = [(f"application-autoscaling:{call.operation}", _resource(call, target))]
    if not is_ours(call):
        return needed
    if call.operation == "RegisterScalableTarget":
        if call.parameters.get("Tags"):
            needed.append(("application-autoscaling:TagResource", _resource(call, target)))
        needed += _at_sagemaker(call)
        if find_service_linked_role(call, PRINCIPAL) is None:
            arn = service_linked_role_arn(call, PRINCIPAL)
            needed.append(("iam:CreateServiceLinkedRole", arn))
    elif call.operation == "PutScalingPolicy":
        needed += [
            (f"cloudwatch:{each}", _alarms(call)) for each in ("PutMetricAlarm", "DescribeAlarms")
        ]
    elif call.operation in DELETIONS and target and target.policies:
        needed.append(("cloudwatch:DeleteAlarms", _alarms(call)))
    return needed


@service.tells
def conditions(call: Call, _action: str, resource: str) -> Conditions:
    """The tags of a scalable target."""
    found = (it for it in targets_in(call.account, call.region) if it.arn == resource)
    return resource_tags(next((target.tags for target in found), {}))


def _target(call: Call) -> ScalableTarget | None:
    given = call.parameters
    resource, dimension = given.get("ResourceId"), given.get("ScalableDimension")
    return find_target((call.account, call.region, str(resource), str(dimension)))


def _resource(call: Call, target: ScalableTarget | None) -> str:
    if arn := call.parameters.get("ResourceARN"):
        return str(arn)
    if call.operation in LISTS:
        return "*"
    if target is not None:
        return target.arn
    prefix = f"arn:{call.partition}:application-autoscaling:{call.region}:{call.account}"
    return f"{prefix}:scalable-target/*"


def _alarms(call: Call) -> str:
    prefix = f"arn:{call.partition}:cloudwatch:{call.region}:{call.account}"
    return f"{prefix}:alarm:TargetTracking-{call.parameters.get('ResourceId')}-*"


def _at_sagemaker(call: Call) -> list[Requirement]:
    parts = str(call.parameters.get("ResourceId")).split("/")
    if parts[0] != ENDPOINT or len(parts) < 2:
        return []
    arn = arn_of(call, ENDPOINT, parts[1])
    needed = [("sagemaker:DescribeEndpoint", arn)]
    needed.append(("sagemaker:UpdateEndpointWeightsAndCapacities", arn))
    endpoint = look_up(arn)
    if isinstance(endpoint, Endpoint):
        deployment = endpoint.running or endpoint.pending
        if deployment is not None:
            config = arn_of(call, CONFIG, deployment.config_name)
            needed.append(("sagemaker:DescribeEndpointConfig", config))
    return needed

"""Service-linked roles, which one makes and AWS names."""

from simulator.call import Call
from simulator.errors import AwsError
from simulator.iam.service import backend_of, service
from simulator.wire import Response

# Where moto makes up another name.
NAMES = {
    "sagemaker.application-autoscaling.amazonaws.com": (
        "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
    ),
}


@service.before("CreateServiceLinkedRole")
def create_service_linked_role(call: Call) -> None:
    """Refuse a second role for one service."""
    name = call.parameters["AWSServiceName"]
    for role in backend_of(call).roles.values():
        if role._linked_service == name and not call.parameters.get("CustomSuffix"):
            raise AwsError(
                "InvalidInput",
                f"Service role name {role.name} has been taken in this account, please try a "
                "different suffix.",
            )


@service.after("CreateServiceLinkedRole")
def name_role(call: Call, response: Response) -> Response:
    """Give the role the name that AWS gives it."""
    service_name = call.parameters["AWSServiceName"]
    for role in backend_of(call).roles.values():
        if role._linked_service == service_name and service_name in NAMES:
            made_up, role.name = role.name, NAMES[service_name]
            response.body = response.body.replace(made_up.encode(), role.name.encode())
    return response

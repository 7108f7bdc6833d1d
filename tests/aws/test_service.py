"""The seam that parts use, shown with parts that exist only here."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from conftest import Simulator as Client
from failures import refused
from simulator.backend import call_moto
from simulator.call import Call
from simulator.errors import AwsError
from simulator.server import Server
from simulator.service import Service
from simulator.simulator import Simulator
from simulator.wire import Response

MOMENT = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)

eks = Service("eks")
ec2 = Service("ec2")
iam = Service("iam", validation_code="ValidationError")
sagemaker = Service("sagemaker", validation_code="ValidationException")
remembered: list[str] = []


@eks.before("DescribePodIdentityAssociation")
def describe(call: Call) -> dict[str, Any]:
    remembered.append(call.parameters["associationId"])
    return {"association": {"associationId": call.parameters["associationId"], "tags": {"a": "b"}}}


@eks.on_reset
def forget() -> None:
    remembered.clear()


@eks.control("eks/remembered")
def tell(body: dict[str, Any]) -> dict[str, Any]:
    return {"ids": remembered, **body}


@ec2.before("DescribeVpcEndpoints")
def describe_endpoints(call: Call) -> dict[str, Any]:
    endpoints = [{"VpcEndpointId": each} for each in call.parameters["VpcEndpointIds"]]
    return {"VpcEndpoints": endpoints, "NextToken": "more"}


@iam.before("GetRole")
def get_role(call: Call) -> None:
    if call.parameters["RoleName"] == "fresh":
        raise AwsError("NoSuchEntity", "not yet", 404)


@iam.before("ListRoles")
def list_roles(call: Call) -> Response:
    response = call_moto(call)
    response.body = response.body.replace(b"<IsTruncated>false", b"<IsTruncated>true")
    return response


@iam.after("CreateRole")
def shout(_: Call, response: Response) -> Response:
    response.body = response.body.replace(b"quiet", b"LOUDER")
    return response


@sagemaker.before("*")
def check(call: Call) -> None:
    if call.parameters.get("EndpointName") == "forbidden":
        raise AwsError("ValidationException", "no")


@sagemaker.before("DescribeEndpoint")
def describe_endpoint(call: Call) -> dict[str, Any]:
    return {"EndpointName": call.parameters["EndpointName"], "CreationTime": MOMENT}


@sagemaker.requires
def requirements(call: Call) -> list[tuple[str, str]]:
    name = call.parameters.get("EndpointName", "*")
    return [(f"sagemaker:{call.operation}", f"arn:endpoint/{name}"), ("iam:PassRole", "*")]


@pytest.fixture
def client() -> Iterator[Client]:
    """A server of its own, in this process."""
    server = Server(0, Simulator((eks, ec2, iam, sagemaker)).answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made = Client(f"http://127.0.0.1:{server.server_address[1]}")
    yield made
    made.post("reset")
    server.shutdown()
    server.server_close()


def test_outputs_in_every_protocol(client: Client) -> None:
    asked = {"clusterName": "c", "associationId": "a-1"}
    answer = client.client("eks").describe_pod_identity_association(**asked)
    assert answer["association"] == {"associationId": "a-1", "tags": {"a": "b"}}
    answer = client.client("ec2").describe_vpc_endpoints(VpcEndpointIds=["vpce-1", "vpce-2"])
    assert [each["VpcEndpointId"] for each in answer["VpcEndpoints"]] == ["vpce-1", "vpce-2"]
    assert answer["NextToken"] == "more"
    answer = client.client("sagemaker").describe_endpoint(EndpointName="e")
    assert (answer["EndpointName"], answer["CreationTime"]) == ("e", MOMENT)
    assert answer["ResponseMetadata"]["RequestId"]


def test_state_and_control(client: Client) -> None:
    asked = {"clusterName": "c", "associationId": "a-1"}
    client.client("eks").describe_pod_identity_association(**asked)
    assert client.post("eks/remembered", more=1) == {"ids": ["a-1"], "more": 1}
    client.post("reset")
    assert client.post("eks/remembered") == {"ids": []}


def test_errors_and_moto(client: Client) -> None:
    roles = client.client("iam")
    assert refused(roles.get_role, RoleName="fresh") == (404, "NoSuchEntity", "not yet")
    assert refused(roles.get_role, RoleName="none")[2] != "not yet"
    created = roles.create_role(RoleName="quiet", AssumeRolePolicyDocument="{}")
    assert created["Role"]["RoleName"] == "LOUDER"
    assert roles.get_role(RoleName="quiet")["Role"]["RoleName"] == "quiet"
    assert roles.list_roles()["IsTruncated"] is True


def test_general_checks_and_permissions(client: Client) -> None:
    endpoints = client.client("sagemaker")
    answer = refused(endpoints.describe_endpoint, EndpointName="forbidden")
    assert answer == (400, "ValidationException", "no")
    client.post("deny", action="sagemaker:Describe*", resource="arn:endpoint/secret")
    assert refused(endpoints.describe_endpoint, EndpointName="secret")[1] == "AccessDeniedException"
    endpoints.describe_endpoint(EndpointName="open")
    client.post("deny", action="iam:PassRole")
    answer = refused(endpoints.describe_endpoint, EndpointName="open")
    assert "not authorized to perform: iam:PassRole" in answer[2]


def test_validation_comes_first(client: Client) -> None:
    endpoints = client.client("sagemaker", parameter_validation=False)
    answer = refused(endpoints.describe_endpoint, EndpointName="no_underscores")
    assert answer[:2] == (400, "ValidationException")
    assert "'endpointName' failed to satisfy constraint" in answer[2]
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "SageMaker.DescribeEndpoint",
    }
    status, _, body = client.raw("POST", "/", service="sagemaker", body=b"{", headers=headers)
    assert (status, b"SerializationException" in body) == (400, True)


def test_latest_result_is_logged(client: Client) -> None:
    refused(client.client("iam").get_role, RoleName="fresh")
    assert client.calls("GetRole")[0]["result"] == {"status": 404, "code": "NoSuchEntity"}

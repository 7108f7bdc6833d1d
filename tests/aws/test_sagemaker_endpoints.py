"""Endpoints: how they come, what is told of them, how they go."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from conftest import Simulator
from failures import refused
from serving import FOREVER, IMAGE, PREFIX, ROLE, Serving, serverless, until, variant
from test_sagemaker_configs import ASYNC, CAPTURE

REFUSED = (400, "ValidationException")
ARN = f"{PREFIX}endpoint/e"
EXISTS = f'Cannot create already existing endpoint "{ARN}".'
BUSY = f'Cannot update in-progress endpoint "{ARN}".'
MISSING = f'Could not find endpoint "{ARN}".'
CANARY = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "WaitIntervalInSeconds": 60,
            "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50},
        }
    }
}


def test_from_creating_to_in_service(serving: Serving) -> None:
    serving.take(create=FOREVER)
    told = serving.serve()
    assert told["EndpointStatus"] == "Creating"
    assert told["EndpointConfigName"] == "c"
    assert "ProductionVariants" not in told
    pending = told["PendingDeploymentSummary"]
    assert pending["EndpointConfigName"] == "c"
    [coming] = pending["ProductionVariants"]
    assert (coming["CurrentInstanceCount"], coming["DesiredInstanceCount"]) == (0, 2)
    assert coming["VariantStatus"][0]["Status"] == "Creating"
    assert coming["InstanceType"] == "ml.m5.large"
    serving.take(create=0)
    there = serving.described()
    assert there["EndpointStatus"] == "InService"
    assert not {"PendingDeploymentSummary", "FailureReason"} & there.keys()
    assert there["LastModifiedTime"] > told["LastModifiedTime"]
    assert there["CreationTime"] == told["CreationTime"]
    [running] = there["ProductionVariants"]
    [image] = running.pop("DeployedImages")
    assert image["SpecifiedImage"] == IMAGE
    assert running == {
        "VariantName": "v",
        "CurrentWeight": 1.0,
        "DesiredWeight": 1.0,
        "CurrentInstanceCount": 2,
        "DesiredInstanceCount": 2,
    }


def test_states_follow_the_clock(serving: Serving) -> None:
    serving.take(create=60, delete=60)
    assert serving.serve()["EndpointStatus"] == "Creating"
    until(lambda: serving.described()["EndpointStatus"] == "InService")
    serving.sagemaker.delete_endpoint(EndpointName="e")
    assert serving.described()["EndpointStatus"] == "Deleting"
    until(lambda: not serving.sagemaker.list_endpoints()["Endpoints"])
    assert refused(serving.described) == (*REFUSED, MISSING)


def test_what_configurations_say_is_told_of_endpoints(serving: Serving) -> None:
    serving.model()
    serving.config("c", variant(), DataCaptureConfig=CAPTURE, AsyncInferenceConfig=ASYNC)
    serving.endpoint(DeploymentConfig=CANARY, Tags=[{"Key": "a", "Value": "b"}])
    told = serving.described()
    assert told["AsyncInferenceConfig"] == ASYNC
    assert told["DataCaptureConfig"] == {
        "EnableCapture": True,
        "CaptureStatus": "Started",
        "CurrentSamplingPercentage": 20,
        "DestinationS3Uri": "s3://artifacts/capture/",
        "KmsKeyId": "",
    }
    assert told["LastDeploymentConfig"] == CANARY
    assert serving.sagemaker.list_tags(ResourceArn=ARN)["Tags"] == [{"Key": "a", "Value": "b"}]


def test_serverless_endpoints(serving: Serving) -> None:
    [running] = serving.serve(serverless(ProvisionedConcurrency=2))["ProductionVariants"]
    config = {"MemorySizeInMB": 2048, "MaxConcurrency": 10, "ProvisionedConcurrency": 2}
    assert running["CurrentServerlessConfig"] == running["DesiredServerlessConfig"] == config
    assert running["CurrentInstanceCount"] == 0
    assert "DesiredInstanceCount" not in running


def test_shadow_variants(serving: Serving) -> None:
    told = serving.serve(ShadowProductionVariants=[variant("s")])
    assert [each["VariantName"] for each in told["ShadowProductionVariants"]] == ["s"]


def test_a_creation_that_fails(serving: Serving) -> None:
    serving.simulator.post("sagemaker/fail-next-create", endpoint="e", reason="No capacity.")
    serving.take(create=FOREVER)
    assert serving.serve()["EndpointStatus"] == "Creating"
    serving.take(create=0)
    told = serving.described()
    assert (told["EndpointStatus"], told["FailureReason"]) == ("Failed", "No capacity.")
    serving.config("d")
    assert refused(serving.update)[:2] == REFUSED
    assert refused(serving.endpoint) == (*REFUSED, EXISTS)
    serving.sagemaker.delete_endpoint(EndpointName="e")
    serving.endpoint()
    assert serving.described()["EndpointStatus"] == "InService"


def test_creations_that_fail_so_many_times(serving: Serving) -> None:
    serving.simulator.post("sagemaker/fail-next-create", endpoint="e", reason="No.", times=2)
    ends = [serving.serve()["EndpointStatus"]]
    for _ in range(2):
        serving.sagemaker.delete_endpoint(EndpointName="e")
        serving.endpoint()
        ends.append(serving.described()["EndpointStatus"])
    assert ends == ["Failed", "Failed", "InService"]


def test_a_role_that_went_away_fails_the_endpoint(serving: Serving) -> None:
    serving.model()
    serving.config()
    serving.iam.delete_role(RoleName="execution")
    serving.endpoint()
    told = serving.described()
    assert told["EndpointStatus"] == "Failed"
    assert told["FailureReason"].startswith(f'The execution role ARN "{ROLE}" is invalid.')


def test_data_that_went_away_fails_the_endpoint(serving: Serving) -> None:
    serving.model()
    serving.config()
    serving.s3.delete_object(Bucket="artifacts", Key="rank/model.tar.gz")
    serving.endpoint()
    assert serving.described()["FailureReason"].startswith("Could not access model data at s3://")


@pytest.mark.parametrize("name", ["e", "E"])
def test_names_are_taken_while_anything_has_them(serving: Serving, name: str) -> None:
    serving.take(delete=FOREVER)
    serving.serve()
    assert refused(serving.endpoint, name=name) == (*REFUSED, EXISTS)
    serving.sagemaker.delete_endpoint(EndpointName="e")
    assert refused(serving.endpoint, name=name) == (*REFUSED, EXISTS)
    serving.take(delete=0)
    serving.endpoint(name)


def test_the_case_of_a_name_is_kept(serving: Serving) -> None:
    serving.model()
    serving.config()
    assert serving.endpoint("Rank")["EndpointArn"] == f"{PREFIX}endpoint/rank"
    assert serving.described("Rank")["EndpointName"] == "Rank"
    message = f'Could not find endpoint "{PREFIX}endpoint/rank".'
    assert refused(serving.described, name="rank") == (*REFUSED, message)


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("update_endpoint", {"EndpointConfigName": "d"}),
    ("delete_endpoint", {}),
    (
        "update_endpoint_weights_and_capacities",
        {"DesiredWeightsAndCapacities": [{"VariantName": "v", "DesiredInstanceCount": 3}]},
    ),
]


@pytest.mark.parametrize(("operation", "given"), CHANGES)
@pytest.mark.parametrize("state", ["Creating", "Updating", "RollingBack", "Scaling", "Deleting"])
def test_busy(serving: Serving, state: str, operation: str, given: dict[str, Any]) -> None:
    if state == "Creating":
        serving.take(create=FOREVER)
    serving.serve()
    serving.config("d")
    serving.config("f")
    serving.take(rollback=FOREVER, scale=FOREVER, delete=FOREVER)
    if state == "Updating":
        serving.take(update=FOREVER)
        serving.update("f")
    if state == "RollingBack":
        serving.simulator.post("fail-next-update", endpoint="e", reason="r")
        serving.update("f")
    if state == "Scaling":
        serving.simulator.post("scale", endpoint="e", variant="v", count=3)
    if state == "Deleting":
        serving.sagemaker.delete_endpoint(EndpointName="e")
    expected = "Updating" if state == "Scaling" else state
    assert serving.described()["EndpointStatus"] == expected
    change = getattr(serving.sagemaker, operation)
    assert refused(change, EndpointName="e", **given) == (*REFUSED, BUSY)


@pytest.mark.parametrize(("operation", "given"), [*CHANGES, ("describe_endpoint", {})])
def test_what_does_not_exist(serving: Serving, operation: str, given: dict[str, Any]) -> None:
    change = getattr(serving.sagemaker, operation)
    assert refused(change, EndpointName="e", **given) == (*REFUSED, MISSING)


def test_configurations_that_cannot_be_used(serving: Serving) -> None:
    message = f'Could not find endpoint configuration "{PREFIX}endpoint-config/c".'
    assert refused(serving.endpoint) == (*REFUSED, message)
    serving.model()
    serving.config()
    serving.sagemaker.delete_model(ModelName="m")
    message = f'Could not find model "{PREFIX}model/m".'
    assert refused(serving.endpoint) == (*REFUSED, message)
    assert refused(serving.endpoint, name="a_b")[:2] == REFUSED


def test_configurations_that_are_too_new(serving: Serving) -> None:
    serving.model()
    name = "sagemaker.endpointConfig.visible"
    serving.simulator.post("timings", **{name: FOREVER})
    serving.config()
    serving.sagemaker.describe_endpoint_config(EndpointConfigName="c")
    assert "Could not find endpoint configuration" in refused(serving.endpoint)[2]
    serving.simulator.post("timings", **{name: 0})
    serving.endpoint()


def test_what_an_endpoint_runs_may_be_deleted(serving: Serving) -> None:
    before = serving.serve()
    serving.sagemaker.delete_endpoint_config(EndpointConfigName="c")
    serving.sagemaker.delete_model(ModelName="m")
    assert serving.described() == before


def test_quota(serving: Serving) -> None:
    serving.simulator.post("sagemaker/limit", instanceType="ml.m5.large", count=4)
    serving.serve()
    serving.config("d", variant(InitialInstanceCount=3))

    def message(delta: int) -> str:
        return (
            "The account-level service limit 'ml.m5.large for endpoint usage' is 4 Instances, with "
            f"current utilization of 2 Instances and a request delta of {delta} Instances."
        )

    def check(delta: int, *call: Any, **given: Any) -> None:
        status, code, text = refused(*call, **given)
        assert (status, code) == (400, "ResourceLimitExceeded")
        assert text.startswith(message(delta))

    check(3, serving.endpoint, name="f", config="d")
    check(3, serving.update)
    change = [{"VariantName": "v", "DesiredInstanceCount": 5}]
    scale = serving.sagemaker.update_endpoint_weights_and_capacities
    check(3, scale, EndpointName="e", DesiredWeightsAndCapacities=change)
    rolling = {
        "MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 1},
        "WaitIntervalInSeconds": 0,
    }
    serving.update(DeploymentConfig={"RollingUpdatePolicy": rolling})
    serving.simulator.post("sagemaker/limit", instanceType="ml.m5.large", count=None)
    serving.endpoint("f", "d")


def test_lists(serving: Serving) -> None:
    serving.model()
    serving.config()
    for name in ("a", "b", "c"):
        serving.endpoint(name)
    serving.take(delete=FOREVER)
    serving.sagemaker.delete_endpoint(EndpointName="b")
    told = serving.sagemaker.list_endpoints(StatusEquals="InService", SortBy="Name")["Endpoints"]
    assert [each["EndpointName"] for each in told] == ["c", "a"]
    told = serving.sagemaker.list_endpoints(SortBy="Status", SortOrder="Ascending", MaxResults=1)
    assert told["Endpoints"][0]["EndpointStatus"] == "Deleting"
    assert "NextToken" in told
    soon = datetime(2100, 1, 1, tzinfo=UTC)
    assert not serving.sagemaker.list_endpoints(LastModifiedTimeAfter=soon)["Endpoints"]
    assert len(serving.sagemaker.list_endpoints(CreationTimeBefore=soon)["Endpoints"]) == 3


def test_accounts_and_regions_are_apart(serving: Serving) -> None:
    serving.serve()
    role = "arn:aws:iam::999999999999:role/operator"
    serving.simulator.post("sts/assumable", roleArn=role)
    given = serving.simulator.client("sts").assume_role(RoleArn=role, RoleSessionName="session")
    key = given["Credentials"]["AccessKeyId"]
    for client in (
        serving.simulator.client("sagemaker", access_key=key),
        serving.simulator.client("sagemaker", "us-east-1"),
    ):
        assert client.list_endpoints()["Endpoints"] == []
        assert "Could not find" in refused(client.describe_endpoint, EndpointName="e")[2]
        assert "Could not find" in refused(client.list_tags, ResourceArn=ARN)[2]


def test_the_wire(simulator: Simulator, serving: Serving) -> None:
    """What stricter clients see: numbers for times, no nulls, errors by type."""
    serving.take(create=FOREVER)
    serving.serve()
    form = {"Content-Type": "application/x-amz-json-1.1"}
    asked = {
        "DescribeEndpoint": {"EndpointName": "e"},
        "DescribeEndpointConfig": {"EndpointConfigName": "c"},
        "DescribeModel": {"ModelName": "m"},
        "ListEndpoints": {},
    }
    for operation, body in asked.items():
        status, headers, answer = simulator.raw(
            "POST",
            "/",
            service="sagemaker",
            body=json.dumps(body).encode(),
            headers={**form, "X-Amz-Target": f"SageMaker.{operation}"},
        )
        assert status == 200
        assert headers["content-type"] == "application/x-amz-json-1.1"
        assert b"null" not in answer
        told = json.loads(answer)
        told = told["Endpoints"][0] if operation == "ListEndpoints" else told
        assert isinstance(told["CreationTime"], (int, float))
    status, _, answer = simulator.raw(
        "POST",
        "/",
        service="sagemaker",
        body=b'{"EndpointName": "none"}',
        headers={**form, "X-Amz-Target": "SageMaker.DescribeEndpoint"},
    )
    assert (status, json.loads(answer)["__type"]) == (400, "ValidationException")


def test_lost_answers(serving: Serving) -> None:
    serving.model()
    serving.config()
    serving.simulator.post(
        "faults",
        service="sagemaker",
        operation="CreateEndpoint",
        when="after",
        error={"code": "InternalFailure", "status": 500},
    )
    assert refused(serving.endpoint)[0] == 500
    assert refused(serving.endpoint) == (*REFUSED, EXISTS)

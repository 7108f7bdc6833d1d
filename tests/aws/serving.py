"""What tests of endpoints begin with: a role, models, configurations, endpoints."""

import json
import time
from collections.abc import Callable
from functools import cache
from typing import Any

REGION = "eu-west-1"
ACCOUNT = "123456789012"
PREFIX = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/execution"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/rank:1"
DATA = "s3://artifacts/rank/model.tar.gz"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sagemaker.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
DEADLINE_SECONDS = 10


@cache
def clients(simulator: Any) -> tuple[Any, Any, Any, Any]:
    """Clients that all tests share: to make one takes longer than what most tests do with it."""
    return (
        simulator.client("sagemaker", parameter_validation=False),
        simulator.client("application-autoscaling", parameter_validation=False),
        simulator.client("iam", "us-east-1"),
        simulator.client("s3"),
    )


class Serving:
    """Clients, and short ways to make what an endpoint needs; names are taken as they are."""

    def __init__(self, simulator: Any) -> None:
        """Make a role that SageMaker may assume, and an object in a bucket."""
        self.simulator = simulator
        self.sagemaker, self.scaling, self.iam, self.s3 = clients(simulator)
        self.iam.create_role(RoleName="execution", AssumeRolePolicyDocument=TRUST)
        where = {"LocationConstraint": REGION}
        self.s3.create_bucket(Bucket="artifacts", CreateBucketConfiguration=where)
        self.s3.put_object(Bucket="artifacts", Key="rank/model.tar.gz", Body=b"weights")

    def model(self, name: str = "m", **changes: Any) -> dict[str, Any]:
        """Make a model."""
        given = {
            "ModelName": name,
            "ExecutionRoleArn": ROLE,
            "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": DATA},
        }
        return self.sagemaker.create_model(**without_none(given | changes))

    def config(self, name: str = "c", *variants: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Make a configuration, with one variant `v` of model `m` unless told otherwise."""
        return self.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=list(variants) or [variant()], **more
        )

    def endpoint(self, name: str = "e", config: str = "c", **more: Any) -> dict[str, Any]:
        """Make an endpoint."""
        return self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config, **more)

    def serve(self, *variants: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Make model `m`, configuration `c` and endpoint `e`, and tell of the last."""
        self.model()
        self.config("c", *variants, **more)
        self.endpoint()
        return self.described()

    def described(self, name: str = "e") -> dict[str, Any]:
        """What DescribeEndpoint says."""
        told = self.sagemaker.describe_endpoint(EndpointName=name)
        del told["ResponseMetadata"]
        return told

    def update(self, config: str = "d", **more: Any) -> dict[str, Any]:
        """Update endpoint `e`."""
        return self.sagemaker.update_endpoint(EndpointName="e", EndpointConfigName=config, **more)

    def take(self, **timings: float) -> None:
        """Say how many milliseconds the transitions of endpoints take."""
        self.simulator.post(
            "timings", **{f"sagemaker.endpoint.{name}": ms for name, ms in timings.items()}
        )

    def register(self, **changes: Any) -> dict[str, Any]:
        """Register variant `v` of endpoint `e`, 1 to 4 instances unless told otherwise."""
        given = {**TARGET, "MinCapacity": 1, "MaxCapacity": 4, **changes}
        return self.scaling.register_scalable_target(**given)


TARGET = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/e/variant/v",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
FOREVER = 3_600_000


def variant(name: str = "v", **changes: Any) -> dict[str, Any]:
    """A variant on two instances; None takes a field away."""
    given = {
        "VariantName": name,
        "ModelName": "m",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 2,
        **changes,
    }
    return without_none(given)


def without_none(given: dict[str, Any]) -> dict[str, Any]:
    """Without the fields that are None."""
    return {key: value for key, value in given.items() if value is not None}


def serverless(name: str = "v", variant_changes: Any = None, **changes: Any) -> dict[str, Any]:
    """A variant without instances."""
    config = {"MemorySizeInMB": 2048, "MaxConcurrency": 10, **changes}
    nothing = {"InstanceType": None, "InitialInstanceCount": None}
    return variant(name, ServerlessConfig=config, **nothing, **(variant_changes or {}))


def until(what: Callable[[], Any]) -> Any:
    """Ask again until the answer is true."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if answer := what():
            return answer
        time.sleep(0.005)
    raise AssertionError("not within the deadline")

"""The platform that is measured: the standard example, many times under different names."""

from __future__ import annotations

from typing import Any

from stage import REGION, Stage

NAMESPACE = "bench"
ACCOUNT = "123456789012"
ECR = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
MODEL, IN_CLUSTER = "rank", "embed"
FIRST_IMAGE, SECOND_IMAGE = f"{ECR}/rank:1.4.0", f"{ECR}/rank:1.5.0"
PROVIDER = (
    f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.eks.{REGION}.amazonaws.com/id/"
    "EXAMPLED539D4633E53DE1B71EXAMPLE"
)
# Quotas that an account with so many platforms has had raised.
QUOTAS = ("gatewayEndpointsPerRegion", "securityGroupsPerRegion")
PODS_PER_NODE = 100


def nodes(count: int) -> int:
    """How many nodes the pods of so many platforms and of a rollout take."""
    return 2 + 2 * count // PODS_PER_NODE


def prepare(stage: Stage, count: int) -> None:
    """Put in place what so many platforms take for granted: each has a VPC of its own."""
    for quota in QUOTAS:
        stage.control("ec2/quota", {"name": quota, "value": 100 + 10 * count})
    for number in range(count):
        vpc = _network(number)
        place = {"region": REGION, "vpcId": vpc["vpcId"]}
        stage.control("ec2/vpc", place)
        for subnet, zone in zip(vpc["subnetIds"], "ab", strict=True):
            stage.control("ec2/subnet", {**place, "subnetId": subnet, "zone": f"{REGION}{zone}"})
        for table in vpc["routeTableIds"]:
            there = {**place, "routeTableId": table, "subnetIds": vpc["subnetIds"]}
            stage.control("ec2/route-table", there)


def manifest(number: int, image: str = FIRST_IMAGE) -> dict[str, Any]:
    """A platform: two buckets, a model on SageMaker that scales, one in pods, and a consumer.

    Roles follow from it (one for each of the two models and the consumer), and three VPC
    endpoints with their groups: for S3, SageMaker's runtime and STS.
    """
    return {
        "apiVersion": "aiplatform.dev/v1alpha1",
        "kind": "AIPlatform",
        "metadata": {"name": name(number), "namespace": NAMESPACE},
        "spec": {
            "region": REGION,
            "accountId": ACCOUNT,
            "deletionPolicy": "Delete",
            "ownership": {
                "team": "support",
                "contact": "support-ml@example.com",
                "environment": "prod",
                "costCenter": "4711",
                "runbook": "https://runbooks.example.com/support",
                "dataClassification": "confidential",
            },
            "tags": {"project": "assistant"},
            "identity": {"irsa": {"oidcProviderArn": PROVIDER}},
            "network": _network(number),
            "storage": {"buckets": [_bucket("artifacts"), _bucket("captured")]},
            "models": [_on_sagemaker(image), _in_cluster()],
            "access": [_consumer(number)],
        },
    }


def smaller(number: int) -> dict[str, Any]:
    """A platform without a network and without a model in the cluster."""
    whole = manifest(number)
    spec = {key: value for key, value in whole["spec"].items() if key != "network"}
    consumer = {**spec["access"][0], "models": [MODEL]}
    del consumer["buckets"]
    spec |= {"models": spec["models"][:1], "access": [consumer]}
    return {**whole, "spec": spec}


def name(number: int) -> str:
    """The name of a platform."""
    return f"platform-{number:03}"


def _network(number: int) -> dict[str, Any]:
    return {
        "vpcId": f"vpc-{number:017x}",
        "subnetIds": [f"subnet-{2 * number + zone:017x}" for zone in (0, 1)],
        "routeTableIds": [f"rtb-{number:017x}"],
    }


def _bucket(name: str) -> dict[str, Any]:
    kept = {"days": 90, "newerVersions": 3}
    rule = {
        "id": "drop-old-versions",
        "noncurrentExpiration": kept,
        "abortIncompleteMultipartUploadDays": 7,
    }
    return {"name": name, "lifecycle": {"rules": [rule]}}


def _on_sagemaker(image: str) -> dict[str, Any]:
    scaling = {
        "minInstances": 1,
        "maxInstances": 4,
        "target": {"invocationsPerInstance": {"value": 600}},
    }
    instance = {"type": "ml.g5.xlarge", "count": 1}
    return {
        "name": MODEL,
        "sagemaker": {"image": image, "instance": instance, "autoscaling": scaling},
    }


def _in_cluster() -> dict[str, Any]:
    return {
        "name": IN_CLUSTER,
        "kubernetes": {
            "engine": "VLLM",
            "source": {"s3": {"bucket": "artifacts", "prefix": "models/embed/1/"}},
            # Little enough for many of them to fit on nodes that are not there.
            "resources": {"gpus": 0, "cpu": "250m", "memory": "2Gi"},
            "replicas": 1,
        },
    }


def _consumer(number: int) -> dict[str, Any]:
    prompts = {"name": "artifacts", "prefix": "prompts/", "mode": "Read"}
    return {
        "name": "api",
        "serviceAccount": {"name": f"api-{number:03}"},
        "models": [MODEL, IN_CLUSTER],
        "buckets": [prompts],
    }

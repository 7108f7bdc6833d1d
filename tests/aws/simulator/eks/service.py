"""The EKS part: what its modules register with, and what they share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator import catalogue
from simulator.call import DEFAULT_ACCOUNT, Call
from simulator.errors import AwsError
from simulator.service import Service

if TYPE_CHECKING:
    from moto.eks.models import Cluster, EKSBackend

service = Service("eks", validation_code="InvalidParameterException")


def backend_in(account: str, region: str) -> EKSBackend:
    """What moto holds for an account in a region."""
    from moto.eks.models import eks_backends

    return eks_backends[account][region]


def check_cluster(call: Call, name: str) -> None:
    """Refuse clusters that are not in the caller's account and region."""
    if name not in backend_in(call.account, call.region).clusters:
        raise not_found(f"No cluster found for name: {name}.")


def not_found(message: str) -> AwsError:
    """The answer to what is not there."""
    return AwsError("ResourceNotFoundException", message, 404)


def invalid_parameter(message: str) -> AwsError:
    """The answer to a parameter that EKS does not take."""
    return AwsError("InvalidParameterException", message)


@service.control("eks/cluster")
def plant_cluster(body: dict[str, Any]) -> dict[str, str]:
    """Make an active cluster out of nothing, or change the issuer of one that is there."""
    name, region = body["name"], body["region"]
    if region not in catalogue.regions():
        raise ValueError("region: one that exists")
    account = body.get("account", DEFAULT_ACCOUNT)
    backend = backend_in(account, region)
    cluster = backend.clusters.get(name) or _create(backend, name, account, region)
    if issuer := body.get("oidcIssuer"):
        cluster.identity = {"oidc": {"issuer": issuer}}
    return {"arn": cluster.arn, "oidcIssuer": cluster.identity["oidc"]["issuer"]}


def _create(backend: EKSBackend, name: str, account: str, region: str) -> Cluster:
    partition = catalogue.partition_of(region)
    return backend.create_cluster(
        name=name,
        role_arn=f"arn:{partition}:iam::{account}:role/{name}",
        resources_vpc_config={"subnetIds": [], "securityGroupIds": []},
        version="1.36",
    )

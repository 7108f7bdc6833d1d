"""What SageMaker must reach to run a model: its role, and its data in S3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simulator.call import Call
from simulator.iam import role_for_service, role_is_visible
from simulator.iam.service import find_role

PRINCIPAL = "sagemaker.amazonaws.com"


def model_problem(call: Call, fields: dict[str, Any]) -> str | None:
    """Why a model with these fields cannot run, as SageMaker says it; None if it can."""
    role = fields["ExecutionRoleArn"]
    if role_for_service(role, PRINCIPAL) is None:
        return _role_problem(role)
    for uri, is_prefix in data_of(fields):
        if not _is_in_s3(call, uri, is_prefix):
            return (
                f"Could not access model data at {uri}. Please ensure that the role "
                f'"{role}" exists and that its trust relationship policy allows the action '
                f'"sts:AssumeRole" for the service principal "{PRINCIPAL}". Also ensure that the '
                'role has "s3:GetObject" permissions and that the object is located in '
                f"{call.region}. If your Model uses multiple models or uncompressed models, "
                'please ensure that the role has "s3:ListBucket" permission.'
            )
    return None


def _role_problem(role: str) -> str:
    if find_role(role) is not None and not role_is_visible(role):
        return (
            f"Could not assume role {role}. Please ensure that the role exists and allows "
            f"principal '{PRINCIPAL}' to assume the role."
        )
    return (
        f'The execution role ARN "{role}" is invalid. Please ensure that the role exists and '
        'that its trust relationship policy allows the action "sts:AssumeRole" for the service '
        f'principal "{PRINCIPAL}".'
    )


def containers_of(fields: dict[str, Any]) -> list[dict[str, Any]]:
    """A model's containers, in order."""
    primary = fields.get("PrimaryContainer")
    return [primary] if primary else fields.get("Containers", [])


def data_of(fields: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """The S3 URIs that a model is read from, and whether they are prefixes."""
    for container in containers_of(fields):
        many = container.get("Mode") == "MultiModel"
        if url := container.get("ModelDataUrl"):
            yield url, many
        for source in _sources(container):
            yield source["S3Uri"], many or source["S3DataType"] == "S3Prefix"


def _sources(container: dict[str, Any]) -> Iterator[dict[str, Any]]:
    holders = [container.get("ModelDataSource", {})]
    holders += container.get("AdditionalModelDataSources", [])
    for holder in holders:
        if "S3DataSource" in holder:
            yield holder["S3DataSource"]


def _is_in_s3(call: Call, uri: str, is_prefix: bool) -> bool:
    from moto.s3.models import FakeKey

    from simulator.s3.service import find_bucket

    scheme, _, path = uri.partition("://")
    if scheme != "s3":
        return True
    name, _, key = path.partition("/")
    bucket = find_bucket(name)
    if bucket is None or bucket.region_name != call.region:
        return False
    keys = [each for each in bucket.keys if each.startswith(key)] if is_prefix else [key]
    versions = (bucket.keys.getlist(each, []) for each in keys)
    # The newest version of what was deleted is a marker.
    return any(held and isinstance(held[-1], FakeKey) for held in versions)

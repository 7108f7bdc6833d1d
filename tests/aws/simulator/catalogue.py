"""What botocore's service models say: which services exist and what calls them."""

import gzip
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import botocore

METADATA = re.compile(r'"metadata"\s*:\s*(\{.*?\n  \})', re.DOTALL)
# Enough of a model to hold its metadata, which comes first; a whole model can be megabytes.
HEAD = 4096


@dataclass(frozen=True)
class ServiceHead:
    """A service model's identifying marks."""

    name: str
    signing_name: str
    target_prefix: str | None
    protocol: str
    api_version: str


@cache
def services() -> tuple[ServiceHead, ...]:
    """Every service that botocore knows."""
    found = []
    for folder in sorted((Path(botocore.__file__).parent / "data").iterdir()):
        models = sorted(folder.glob("*/service-2.json*"))
        if models and (head := _head(folder.name, models[-1])):
            found.append(head)
    return tuple(found)


def _head(name: str, model: Path) -> ServiceHead | None:
    with gzip.open(model) if model.suffix == ".gz" else model.open("rb") as file:
        match = METADATA.search(file.read(HEAD).decode("utf-8", "ignore"))
    if match is None:
        return None
    metadata = json.loads(match.group(1))
    return ServiceHead(
        name=name,
        signing_name=metadata.get("signingName", metadata["endpointPrefix"]),
        target_prefix=metadata.get("targetPrefix"),
        protocol=metadata["protocol"],
        api_version=metadata["apiVersion"],
    )


@cache
def signed_as(signing_name: str) -> tuple[ServiceHead, ...]:
    """The services whose requests carry this name in their credential scope."""
    return tuple(head for head in services() if head.signing_name == signing_name)


def with_target(prefix: str) -> ServiceHead | None:
    """The service whose X-Amz-Target begins with this prefix."""
    return next((head for head in services() if head.target_prefix == prefix), None)


def with_version(api_version: str) -> ServiceHead | None:
    """The Query service of this API version: the only mark such a request carries."""
    candidates = [
        head
        for head in services()
        if head.api_version == api_version and head.protocol in ("query", "ec2")
    ]
    return candidates[0] if candidates else None


@cache
def _partitions() -> list[dict[str, Any]]:
    file = Path(botocore.__file__).parent / "data" / "partitions.json"
    return json.loads(file.read_text())["partitions"]


@cache
def regions() -> frozenset[str]:
    """Every region of every partition, without the pseudo-regions of global services."""
    names = {name for partition in _partitions() for name in partition["regions"]}
    return frozenset(name for name in names if not name.endswith("-global"))


@cache
def partition_of(region: str) -> str:
    """The partition (aws, aws-cn, ...) that a region belongs to."""
    for partition in _partitions():
        if region in partition["regions"]:
            return partition["id"]
    return "aws"


@cache
def dns_suffix_of(region: str) -> str:
    """What the names of a region's services end in, such as `amazonaws.com`."""
    for partition in _partitions():
        if region in partition["regions"]:
            return partition["outputs"]["dnsSuffix"]
    return "amazonaws.com"


@cache
def endpoints_of(prefix: str, partition: str) -> frozenset[str]:
    """The keys under which botocore lists the endpoints of a service in a partition.

    They are regions and, for some services, variants such as `bedrock-fips-us-east-1`.
    """
    file = Path(botocore.__file__).parent / "data" / "endpoints.json"
    for listed in json.loads(file.read_text())["partitions"]:
        if listed["partition"] == partition:
            return frozenset(listed["services"].get(prefix, {}).get("endpoints", {}))
    return frozenset()

"""What exists in AWS, asked with boto3: nothing here comes from the operator."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.client import Config
from botocore.exceptions import ClientError
from stage import REGION
from terminal import Piece, Terminal

LABEL_WIDTH = 19
GAP = 3

# What is known of each bucket: some lines for each aspect.
Aspects = dict[str, list[str]]
Buckets = dict[str, Aspects]


class Cloud:
    """The account, as somebody with credentials sees it."""

    def __init__(self, url: str) -> None:
        """Make a client, from nothing that the environment says."""

        def client(service: str) -> Any:
            return boto3.client(
                service,
                endpoint_url=url,
                region_name=REGION,
                aws_access_key_id="colleague",
                aws_secret_access_key="colleague",
                config=Config(proxies={}, s3={"addressing_style": "path"}),
            )

        self.s3 = client("s3")
        self.iam = client("iam")
        self.ec2 = client("ec2")
        self.sagemaker = client("sagemaker")

    def buckets(self) -> Buckets:
        """Every bucket of the account."""
        names = sorted(bucket["Name"] for bucket in self.s3.list_buckets()["Buckets"])
        # Each aspect is a call of its own, and calls take time here.
        with ThreadPoolExecutor(max_workers=16) as pool:
            asked = {
                name: {aspect: pool.submit(ask, self, name) for aspect, ask in ASPECTS.items()}
                for name in names
            }
            return {
                name: {aspect: answer.result() for aspect, answer in answers.items()}
                for name, answers in asked.items()
            }

    def rules(self, bucket: str) -> list[dict[str, Any]]:
        """The lifecycle rules of a bucket."""
        return self.s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]

    def put_rules(self, bucket: str, rules: list[dict[str, Any]]) -> None:
        """Replace the lifecycle rules of a bucket: S3 knows no smaller change."""
        self.s3.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration={"Rules": rules}
        )

    def exists(self, bucket: str) -> bool:
        """Whether a bucket is there."""
        try:
            self.s3.head_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return False
            raise
        return True

    def tags(self, bucket: str) -> dict[str, str]:
        """The tags of a bucket."""
        found = self.s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
        return {tag["Key"]: tag["Value"] for tag in found}


def _region(cloud: Cloud, bucket: str) -> list[str]:
    return [cloud.s3.head_bucket(Bucket=bucket)["BucketRegion"]]


def _versioning(cloud: Cloud, bucket: str) -> list[str]:
    return [cloud.s3.get_bucket_versioning(Bucket=bucket).get("Status", "off")]


def _encryption(cloud: Cloud, bucket: str) -> list[str]:
    answer = cloud.s3.get_bucket_encryption(Bucket=bucket)
    rules = answer["ServerSideEncryptionConfiguration"]["Rules"]
    return [rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] for rule in rules]


def _public_access(cloud: Cloud, bucket: str) -> list[str]:
    block = cloud.s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    return ["blocked" if all(block.values()) else f"partly blocked: {block}"]


def _policy(cloud: Cloud, bucket: str) -> list[str]:
    document = json.loads(cloud.s3.get_bucket_policy(Bucket=bucket)["Policy"])
    return [_statement(statement) for statement in document["Statement"]]


def _statement(statement: dict[str, Any]) -> str:
    secure = statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
    condition = " without TLS" if secure == "false" else ""
    return f"{statement['Effect'].lower()} {statement['Action']}{condition}"


def _lifecycle(cloud: Cloud, bucket: str) -> list[str]:
    return [line for rule in cloud.rules(bucket) for line in _rule(rule)]


def _rule(rule: dict[str, Any]) -> list[str]:
    """A rule in words: its name, then a line for each thing it does."""
    prefix = rule.get("Filter", {}).get("Prefix")
    lines = [f"{rule['ID']} ({prefix}*)" if prefix else rule["ID"]]
    for transition in rule.get("Transitions", []):
        lines.append(f"  day {transition['Days']}: to {transition['StorageClass']}")
    if days := rule.get("Expiration", {}).get("Days"):
        lines.append(f"  day {days}: expire")
    if old := rule.get("NoncurrentVersionExpiration"):
        newest = old.get("NewerNoncurrentVersions", 0)
        lines.append(f"  old versions: keep {newest}, expire at {old['NoncurrentDays']} days")
    if abort := rule.get("AbortIncompleteMultipartUpload"):
        lines.append(f"  day {abort['DaysAfterInitiation']}: abort unfinished uploads")
    return lines


def _tag(name: str) -> Callable[[Cloud, str], list[str]]:
    return lambda cloud, bucket: [cloud.tags(bucket).get(name, "(none)")]


def _own_tags(cloud: Cloud, bucket: str) -> list[str]:
    tags = cloud.tags(bucket).items()
    return [f"{key}={value}" for key, value in sorted(tags) if not key.startswith("aiplatform.dev")]


def _objects(cloud: Cloud, bucket: str) -> list[str]:
    found = cloud.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return [thing["Key"] for thing in found] or ["(none)"]


ASPECTS: dict[str, Callable[[Cloud, str], list[str]]] = {
    "region": _region,
    "versioning": _versioning,
    "encryption": _encryption,
    "public access": _public_access,
    "policy": _policy,
    "lifecycle": _lifecycle,
    "deletion policy": _tag("aiplatform.dev/deletion-policy"),
    "owner": _tag("aiplatform.dev/owner"),
    "other tags": _own_tags,
    "objects": _objects,
}


def show(
    terminal: Terminal, buckets: Buckets, aspects: list[str], before: Buckets | None = None
) -> None:
    """A table with a column for each bucket; what was not there before is marked."""
    columns = [_column(name, found, aspects, before) for name, found in buckets.items()]
    together = LABEL_WIDTH + sum(_width(column) + GAP for column in columns) - GAP
    for side_by_side in [columns] if together <= terminal.width else [[c] for c in columns]:
        for number, label in enumerate(["", *aspects]):
            cells = [column[number] for column in side_by_side]
            for line in range(max(len(cell) for cell in cells)):
                pieces: list[Piece] = [(f"  {'' if line else label:<{LABEL_WIDTH - 2}}", "dim")]
                for column, cell in zip(side_by_side, cells, strict=True):
                    text, style = cell[line] if line < len(cell) else ("", "")
                    pieces.append((f"{text:<{_width(column) + GAP}}", style))
                terminal.line(*pieces)


def _column(
    name: str, found: Aspects, aspects: list[str], before: Buckets | None
) -> list[list[Piece]]:
    """A cell for the name and for each aspect, of some lines each."""

    def cell(aspect: str) -> list[Piece]:
        known = found[aspect] if before is None else before.get(name, {}).get(aspect, [])
        return [
            (text, "") if text in known else (f"{text}  <-", "yellow") for text in found[aspect]
        ]

    return [[(name, "bold")], *(cell(aspect) for aspect in aspects)]


def _width(column: list[list[Piece]]) -> int:
    return max(len(text) for cell in column for text, _ in cell)

"""What lies near a resource, where a careless policy would reach; and what keys are asked as."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evaluator import RESOURCE_ACCOUNT, Call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from declared import Bucket

    Context = dict[str, str | list[str]]

STRANGER = "210987654321"
ANOTHER_KEY = "99999999-aaaa-bbbb-cccc-dddddddddddd"
DECRYPT = "kms:Decrypt"
DATA_KEY = "kms:GenerateDataKey"
PLAIN = {"aws:SecureTransport": "false"}
TLS = {"aws:SecureTransport": "true"}
# A bucket's name says nothing about whose it is.
OF_ANOTHER = {**TLS, RESOURCE_ACCOUNT: STRANGER}
ALIASES = "kms:ResourceAliases"
VIA = "kms:ViaService"
FOR = "kms:EncryptionContext:aws:s3:arn"

PARTITIONS = {
    "cn": "aws-cn",
    "us-gov": "aws-us-gov",
    "us-iso": "aws-iso",
    "us-isob": "aws-iso-b",
    "us-isof": "aws-iso-f",
    "eu-isoe": "aws-iso-e",
    "eusc": "aws-eusc",
}
REGIONS = {
    "aws": ["us-east-1", "eu-west-1", "eu-central-1", "ap-southeast-2"],
    "aws-us-gov": ["us-gov-west-1", "us-gov-east-1"],
}


def partition_of(region: str) -> str:
    """The partition of a region: its words but for the direction and the number decide."""
    words = region.split("-")
    return next(
        (PARTITIONS[start] for n in (2, 1) if (start := "-".join(words[:n])) in PARTITIONS), "aws"
    )


def elsewhere(regions: list[str] | tuple[str, ...], partition: str) -> str:
    """A region of the partition that is none of these."""
    known = [*REGIONS.get(partition, []), f"{regions[0][:-1]}9"]
    return next(region for region in known if region not in regions)


def neighbours(arn: str, regions: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Resources that a careless pattern would let in, and why they are others."""
    _, partition, service, region, account, rest = arn.split(":", 5)

    def changed(region: str = region, account: str = account, rest: str = rest) -> str:
        return ":".join(["arn", partition, service, region, account, rest])

    kind, separator, identifier = re.split("([/:])", rest, maxsplit=1)
    if kind == "key":
        for other in (ANOTHER_KEY, f"{identifier}0"):
            yield changed(rest=f"{kind}/{other}"), "another key"
    else:
        unlike = "amazon.nova-pro-v1:0" if service == "bedrock" else "another"
        for other in (f"{identifier}0", identifier[:-1], unlike):
            yield changed(rest=f"{kind}{separator}{other}"), f"another {kind}"
    yield changed(region=elsewhere(regions, partition)), f"a {kind} in another region"
    if account:
        yield changed(account=STRANGER), f"a {kind} of another account"


def outside(prefix: str) -> Iterator[str]:
    """Beginnings of keys that do not begin with the prefix; none if there is no prefix."""
    if not prefix:
        return
    yield ""
    yield "other/"
    yield f"{prefix[:-1]}~/"
    yield f"other/{prefix}"
    yield prefix.swapcase()
    if "/" in prefix[:-1]:
        yield prefix[: prefix[:-1].rindex("/") + 1]


def keys(bucket: Bucket | None) -> Iterator[tuple[str, Context]]:
    """What calls with a bucket's key ask of IAM: the key, the aliases it has, and for what it is.

    With an S3 Bucket Key the encryption context is the bucket, without one the object.
    """
    if bucket is None or bucket.key is None:
        return
    use: Context = {VIA: f"s3.{bucket.region}.amazonaws.com", FOR: bucket.arn}
    place, kind, name = bucket.key.partition(":alias/")
    if not kind:
        yield bucket.key, use
        yield bucket.key, {**use, FOR: f"{bucket.arn}/deep/er/a.txt"}
        return
    for identifier in ("11111111-2222-3333-4444-555555555555", "mrk-0123456789abcdef"):
        yield f"{place}:key/{identifier}", {**use, ALIASES: [f"alias/{name}"]}
    several = {ALIASES: ["alias/older", f"alias/{name}"]}
    of_object = {FOR: f"{bucket.arn}/a.txt"}
    yield f"{place}:key/66666666-2222-3333-4444-555555555555", {**use, **several, **of_object}


def misused(context: Context) -> Iterator[tuple[Context, str]]:
    """A key asked for by others than S3 in its region, or for what another bucket holds."""
    yield {key: value for key, value in context.items() if key != VIA}, "not by way of S3"
    yield {key: value for key, value in context.items() if key != FOR}, "for nothing that is told"
    service, region, *suffix = str(context[VIA]).split(".")
    for via in (
        [service, elsewhere([region], partition_of(region)), *suffix],
        ["secretsmanager", region, *suffix],
    ):
        yield {**context, VIA: ".".join(via)}, "by way of another service"
    bucket, _, key = str(context[FOR]).partition("/")
    for other in (f"{bucket}x", bucket[:-1]):
        yield {**context, FOR: f"{other}/{key}" if key else other}, "for another bucket"


def opens(bucket: Bucket, call: Call) -> bool:
    """Whether a call is for the bucket's key, which an alias may name, and for the bucket."""
    if bucket.key is None or call.context.get(VIA) != f"s3.{bucket.region}.amazonaws.com":
        return False
    if str(call.context.get(FOR)).split("/")[0] != bucket.arn:
        return False
    place, kind, name = bucket.key.partition(":alias/")
    if not kind:
        return call.resource == bucket.key
    aliases = call.context.get(ALIASES, [])
    return call.resource.startswith(f"{place}:key/") and f"alias/{name}" in aliases

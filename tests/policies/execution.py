"""What SageMaker may do for a model, read from the spec without the program's help.

Sources: "How to use SageMaker AI execution roles", "Auto-Rollback Configuration and Monitoring" and
"Complete the prerequisites" of asynchronous inference, Amazon SageMaker developer guide.
"""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING, Any

from evaluator import RESOURCE_ACCOUNT, Call
from nearby import (
    DATA_KEY,
    DECRYPT,
    OF_ANOTHER,
    PLAIN,
    TLS,
    keys,
    neighbours,
    opens,
    outside,
)
from strangers import foreign_calls, wrong_key_calls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from declared import Bucket, Platform

TOKEN = "ecr:GetAuthorizationToken"
PULL = ("ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage")
METRICS = "cloudwatch:PutMetricData"
NAMESPACE = "cloudwatch:namespace"
ALARMS = "cloudwatch:DescribeAlarms"
# What IAM is asked about: the group for these, one of its streams for the others.
OF_GROUP = ("logs:CreateLogGroup", "logs:DescribeLogStreams")
OF_STREAM = ("logs:CreateLogStream", "logs:PutLogEvents")
GET = "s3:GetObject"
PUT = "s3:PutObject"
ABORT = "s3:AbortMultipartUpload"
DELETE = "s3:DeleteObject"
LIST = "s3:ListBucket"
# "CreateModel API: Execution Role Permissions", where a model runs in a VPC.
MAKE_INTERFACE = "ec2:CreateNetworkInterface"
USE_INTERFACE = (
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
)
READ_NETWORK = (
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
)
OF_SUBNET = "ec2:Subnet"


@dataclasses.dataclass(frozen=True)
class Place:
    """A part of a bucket, and what is done there. Without a slash at its end, it is one object."""

    arn: str
    bucket: Bucket | None
    key: str
    actions: tuple[str, ...]
    listed: bool

    def __post_init__(self) -> None:
        """Whoever lists, lists a prefix."""
        assert self.is_prefix or not self.listed

    @property
    def is_prefix(self) -> bool:
        """Whether it is many objects."""
        return self.key.endswith("/")

    def holds(self, key: str) -> bool:
        """Whether an object is in it."""
        return key.startswith(self.key) if self.is_prefix else key == self.key


class Execution:
    """The role of one of spec.models that SageMaker serves and that names no role itself."""

    entry: dict[str, Any] = {}  # noqa: RUF012
    service_account = None
    # Policies are judged each on its own, so what two of them say is not said twice.
    repeats_itself = False

    def __init__(self, platform: Platform, name: str, model: dict[str, Any]) -> None:
        """Look up what it names."""
        self.platform = platform
        self.name = f"execution-{name}"
        self.model = model
        role = platform.generated(f"{name}-execution", 64)
        self.role_arn = platform.arn("iam", f"role/aiplatform/{role}", region="")
        self.endpoint = platform.endpoint_arn(name)
        endpoint = self.endpoint.rsplit("/", maxsplit=1)[1]
        self.log_group = platform.arn("logs", f"log-group:/aws/sagemaker/Endpoints/{endpoint}")
        self.streams = [f"{self.log_group}:log-stream:AllTraffic/i-0{n}abc" for n in (1, 2)]
        rollout = model.get("rollout", {})
        self.alarms = [
            platform.arn("cloudwatch", f"alarm:{alarm}")
            for alarm in rollout.get("rollbackAlarms", [])
        ]
        network = {} if "serverless" in model else platform.spec.get("network", {})
        self.subnets = [platform.arn("ec2", f"subnet/{it}") for it in network.get("subnetIds", [])]
        self.interface = platform.arn("ec2", "network-interface/eni-0a1b2c3d4e5f60718")
        self.group = platform.arn("ec2", "security-group/sg-0a1b2c3d4e5f60718")
        host, _, image = model["image"].partition("/")
        account, _, _, region, *_ = host.split(".")
        repository = image.split("@")[0].split(":")[0]
        self.repository = f"arn:{platform.partition}:ecr:{region}:{account}:repository/{repository}"

    @property
    def without_resource(self) -> frozenset[str]:
        """Actions that IAM knows no resource for."""
        return frozenset({TOKEN, *(READ_NETWORK if self.subnets else ())})

    @cached_property
    def artifact(self) -> Place | None:
        """Where the artifact is."""
        data = self.model.get("modelData")
        if not data:
            return None
        if "uri" in data:
            name, key = data["uri"].removeprefix("s3://").split("/", 1)
            arn = f"arn:{self.platform.partition}:s3:::{name}"
            ours = [it for it in self.platform.buckets.values() if it.arn == arn]
            return Place(arn, ours[0] if ours else None, key, (GET,), key.endswith("/"))
        bucket = self.platform.buckets[data["bucket"]]
        return Place(bucket.arn, bucket, data["key"], (GET,), data["key"].endswith("/"))

    @cached_property
    def written_places(self) -> list[Place]:
        """Where the current revision writes."""
        places = []
        if output := self.model.get("async", {}).get("output"):
            places.append(self.place(output, (GET, PUT, ABORT), listed=True))
        if destination := self.model.get("dataCapture", {}).get("destination"):
            places.append(self.place(destination, (PUT,), listed=False))
        return places

    def place(self, entry: dict[str, str], actions: tuple[str, ...], *, listed: bool) -> Place:
        """A prefix in a bucket of the platform."""
        bucket = self.platform.buckets[entry["bucket"]]
        assert entry["prefix"].endswith("/")
        return Place(bucket.arn, bucket, entry["prefix"], actions, listed)

    @property
    def places(self) -> list[Place]:
        """All of them."""
        return [*([self.artifact] if self.artifact else []), *self.written_places]

    @cached_property
    def standing(self) -> list[Call]:
        """What every revision needs."""
        calls = [Call(TOKEN, "*", "a token for pulling")]
        calls += [Call(action, self.log_group, "its own log group") for action in OF_GROUP]
        for stream in self.streams:
            # IAM names the streams when it refuses to make the group or to list them.
            calls += [Call(each, stream, "its own log") for each in (*OF_STREAM, *OF_GROUP)]
        context = {NAMESPACE: "/aws/sagemaker/Endpoints"}
        calls.append(Call(METRICS, "*", "metrics of its instances", context))
        return calls + [Call(ALARMS, alarm, "an alarm of its rollout") for alarm in self.alarms]

    @cached_property
    def of_revision(self) -> list[Call]:
        """What the current revision needs."""
        calls = [Call(action, self.repository, "its image") for action in PULL]
        calls += self.of_network
        return calls + [call for place in self.places for call in calls_in(place)]

    @property
    def of_network(self) -> list[Call]:
        """What a model in a network needs to be there."""
        if not self.subnets:
            return []
        places = [*self.subnets, self.interface, self.group]
        calls = [Call(MAKE_INTERFACE, place, "an interface in its subnets") for place in places]
        calls += [
            Call(action, self.interface, "its interface", {OF_SUBNET: subnet})
            for action in USE_INTERFACE
            for subnet in self.subnets
        ]
        return calls + [Call(action, "*", "its network") for action in READ_NETWORK]

    @cached_property
    def allowed(self) -> list[Call]:
        """Calls that the spec declares."""
        return [*self.standing, *self.of_revision]

    def parts(
        self, policies: list[dict[str, Any]]
    ) -> Iterator[tuple[list[dict[str, Any]], list[Call]]]:
        """What a revision needs is in a policy of its own, which goes with the revision."""
        revision = [policy for policy in policies if policy["name"].startswith("revision-")]
        assert len(revision) == 1
        rest = [policy["document"] for policy in policies if policy not in revision]
        yield rest, self.standing
        yield [revision[0]["document"]], self.of_revision

    @cached_property
    def denied(self) -> list[Call]:
        """Calls near the declared ones, and others, that the spec does not declare."""
        candidates = [
            *self.wrong_logs(),
            *self.wrong_metrics(),
            *self.wrong_images(),
            *self.wrong_objects(),
            *self.wrong_sagemaker_calls(),
            *self.wrong_networks(),
            *wrong_key_calls(self.platform),
            *foreign_calls(self.platform, self.role_arn),
        ]
        different = {(c.action, c.resource, str(c.context)): c for c in candidates}
        return [call for call in different.values() if not self.declares(call)]

    def declares(self, call: Call) -> bool:
        """Whether another line of the spec allows what is wrong by this one."""
        action, resource = call.action, call.resource
        if action in (*OF_GROUP, *OF_STREAM):
            return resource == self.log_group or resource.startswith(f"{self.log_group}:")
        if action == METRICS:
            return call.context.get(NAMESPACE) == "/aws/sagemaker/Endpoints"
        if action in (DECRYPT, DATA_KEY):
            return any(
                place.bucket
                and (PUT in place.actions or action == DECRYPT)
                and opens(place.bucket, call)
                for place in self.places
            )
        if action == MAKE_INTERFACE and self.subnets:
            kinds = ("network-interface", "security-group")
            start = tuple(self.platform.arn("ec2", f"{kind}/") for kind in kinds)
            return resource in self.subnets or resource.startswith(start)
        if action in USE_INTERFACE:
            return call.context.get(OF_SUBNET) in self.subnets and resource.startswith(
                self.platform.arn("ec2", "network-interface/")
            )
        if action in READ_NETWORK:
            return bool(self.subnets)
        if action.startswith("s3:"):
            if call.context == PLAIN or RESOURCE_ACCOUNT in call.context:
                return False
            return any(within(place, call) for place in self.places)
        simple = {TOKEN: ["*"], ALARMS: self.alarms}
        return resource in simple.get(action, [self.repository] if action in PULL else [])

    def wrong_logs(self) -> Iterator[Call]:
        """Other groups, and what is done with a group otherwise."""
        region = (self.platform.region,)
        others = [near for near, _ in neighbours(self.log_group, region)]
        for name in ("/aws/sagemaker/Endpoints", "/aws/lambda/api", "/aws/sagemaker/TrainingJobs"):
            others.append(self.platform.arn("logs", f"log-group:{name}"))
        for group in others:
            for action in OF_GROUP:
                yield Call(action, group, "another log group")
                yield Call(action, f"{group}:log-stream:a", "another log group")
            for action in OF_STREAM:
                yield Call(action, f"{group}:log-stream:a", "another log group")
        for action in ("DeleteLogGroup", "PutRetentionPolicy", "FilterLogEvents"):
            yield Call(f"logs:{action}", self.log_group, "more than logging")
        for action in ("DeleteLogStream", "GetLogEvents"):
            yield Call(f"logs:{action}", self.streams[0], "more than logging")

    def wrong_metrics(self) -> Iterator[Call]:
        """Other namespaces, other alarms, and changes of alarms."""
        for namespace in ("/aws/sagemaker/Endpoints2", "/aws/sagemaker/TrainingJobs", "Ours"):
            yield Call(METRICS, "*", "another namespace", {NAMESPACE: namespace})
        yield Call(METRICS, "*", "no namespace")
        yield Call(ALARMS, self.platform.arn("cloudwatch", "alarm:another"), "another alarm")
        for alarm in self.alarms:
            for near, why in neighbours(alarm, (self.platform.region,)):
                yield Call(ALARMS, near, why)
            for action in ("PutMetricAlarm", "DeleteAlarms", "SetAlarmState"):
                yield Call(f"cloudwatch:{action}", alarm, "more than looking")

    def wrong_images(self) -> Iterator[Call]:
        """Other repositories, and changes of its own."""
        region = self.repository.split(":")[3]
        for action in PULL:
            for near, why in neighbours(self.repository, (region,)):
                yield Call(action, near, why)
        for action in ("PutImage", "BatchDeleteImage", "DeleteRepository", "DescribeImages"):
            yield Call(f"ecr:{action}", self.repository, "more than pulling")

    def wrong_objects(self) -> Iterator[Call]:
        """Other keys, other buckets, other actions, no TLS."""
        everything = (GET, PUT, ABORT, DELETE)
        for place in self.places:
            inside = [f"{place.key}a"] if place.is_prefix else [place.key]
            beyond = [f"{prefix}a" for prefix in outside(place.key)]
            if not place.is_prefix:
                parent = place.key.rpartition("/")[0]
                beyond += [
                    f"{place.key}0",
                    place.key[:-1],
                    f"{parent}/other.tar.gz",
                    "x/" + place.key,
                ]
            for key in [*inside, *beyond]:
                for action in (*everything, "s3:GetObjectVersion", "s3:PutObjectAcl"):
                    yield Call(action, f"{place.arn}/{key}", "another object or action", TLS)
                for other in (f"{place.arn}x", place.arn[:-1]):
                    for action in everything:
                        yield Call(action, f"{other}/{key}", "another bucket", TLS)
            for prefix in [place.key, *outside(place.key)]:
                for arn in (place.arn, f"{place.arn}x"):
                    yield Call(LIST, arn, "another list", {**TLS, "s3:prefix": prefix})
            yield Call(LIST, place.arn, "a list of everything", TLS)
            inside_list = {**TLS, "s3:prefix": place.key}
            yield Call("s3:ListBucketVersions", place.arn, "not what it lists", inside_list)
            for action in place.actions:
                yield Call(action, f"{place.arn}/{inside[0]}", "of another account", OF_ANOTHER)
            yield Call(LIST, place.arn, "of another account", {**OF_ANOTHER, **inside_list})
            if place.bucket and place.bucket.tls_only:
                yield Call(place.actions[0], f"{place.arn}/{inside[0]}", "without TLS", PLAIN)
            for action in ("s3:DeleteBucket", "s3:PutBucketPolicy"):
                yield Call(action, place.arn, "the bucket itself", TLS)
        for bucket in self.platform.buckets.values():
            for action in everything:
                yield Call(action, f"{bucket.arn}/a.txt", "the business of others", TLS)
            yield Call(LIST, bucket.arn, "the business of others", TLS)

    def wrong_sagemaker_calls(self) -> Iterator[Call]:
        """What runs a model neither calls it nor changes how it runs."""
        for action in ("InvokeEndpoint", "DescribeEndpoint", "UpdateEndpoint", "DeleteEndpoint"):
            yield Call(f"sagemaker:{action}", self.endpoint, "not for what runs behind it")
        yield Call("ec2:CreateNetworkInterface", self.platform.arn("ec2", "subnet/a"), "no network")

    def wrong_networks(self) -> Iterator[Call]:
        """Other subnets, and what else is done with interfaces."""
        for subnet in self.subnets:
            for near, why in neighbours(subnet, (self.platform.region,)):
                yield Call(MAKE_INTERFACE, near, why)
                for action in USE_INTERFACE:
                    yield Call(action, self.interface, why, {OF_SUBNET: near})
        for near, why in neighbours(self.interface, (self.platform.region,)):
            if ":network-interface/" in near and self.platform.arn("ec2", "") in near:
                continue
            yield Call(MAKE_INTERFACE, near, why)
            for action in USE_INTERFACE:
                for subnet in self.subnets:
                    yield Call(action, near, why, {OF_SUBNET: subnet})
        for near, why in neighbours(self.group, (self.platform.region,)):
            if self.platform.arn("ec2", "") not in near:
                yield Call(MAKE_INTERFACE, near, why)
        for action in USE_INTERFACE:
            yield Call(action, self.interface, "in no subnet")
        for action in ("AttachNetworkInterface", "ModifyNetworkInterfaceAttribute"):
            for subnet in self.subnets:
                yield Call(
                    f"ec2:{action}", self.interface, "more than having one", {OF_SUBNET: subnet}
                )
        for action in ("RunInstances", "DeleteSubnet", "AuthorizeSecurityGroupIngress"):
            yield Call(f"ec2:{action}", "*", "more than having an interface")


def calls_in(place: Place) -> Iterator[Call]:
    """What is done there, and with the key of the bucket."""
    why = f"{place.key} of {place.arn}"
    objects = [f"{place.key}a", f"{place.key}deep/er b.json"] if place.is_prefix else [place.key]
    for action in place.actions:
        for key in objects:
            yield Call(action, f"{place.arn}/{key}", why, TLS)
    for prefix in (place.key, f"{place.key}deep/") if place.listed else ():
        yield Call(LIST, place.arn, why, {**TLS, "s3:prefix": prefix})
    for resource, context in keys(place.bucket):
        yield Call(DECRYPT, resource, why, context)
        if PUT in place.actions:
            yield Call(DATA_KEY, resource, why, context)


def within(place: Place, call: Call) -> bool:
    """Whether a call is one of those in a place."""
    if call.action == LIST:
        prefix = str(call.context.get("s3:prefix", ""))
        return place.listed and call.resource == place.arn and prefix.startswith(place.key)
    bucket, _, key = call.resource.partition("/")
    return call.action in place.actions and bucket == place.arn and place.holds(key)

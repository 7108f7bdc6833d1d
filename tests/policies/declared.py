"""What a spec declares, read without the program's help: calls that must be allowed or denied.

Nothing here looks at a generated policy. Names and ARNs are computed anew, from the contract and
from AWS's documentation, so that a mistake in the program is not repeated here.
"""

import dataclasses
import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from evaluator import ANYTHING, RESOURCE_ACCOUNT, Call
from execution import Execution
from nearby import (
    DATA_KEY,
    DECRYPT,
    OF_ANOTHER,
    PLAIN,
    STRANGER,
    TLS,
    elsewhere,
    keys,
    neighbours,
    opens,
    outside,
    partition_of,
)
from strangers import foreign_calls, wrong_key_calls

ROLE_PATH = "/aiplatform/"

INVOKE = "bedrock:InvokeModel"
INVOKE_STREAM = "bedrock:InvokeModelWithResponseStream"
APPLY_GUARDRAIL = "bedrock:ApplyGuardrail"
THROUGH = "bedrock:InferenceProfileArn"
GUARDED_BY = "bedrock:GuardrailIdentifier"
# "Supported Regions for cross-Region guardrail inference", Amazon Bedrock user guide.
GUARDRAIL_REGIONS = {
    "eu.guardrail.v1:0": [
        "eu-central-1",
        "eu-north-1",
        "eu-south-1",
        "eu-south-2",
        "eu-west-1",
        "eu-west-3",
        "il-central-1",
    ]
}
READ = ("s3:GetObject",)
WRITE = ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
LIST = "s3:ListBucket"
INVOKE_ENDPOINT = "sagemaker:InvokeEndpoint"
INVOKE_ENDPOINT_STREAM = "sagemaker:InvokeEndpointWithResponseStream"
INVOKE_ENDPOINT_ASYNC = "sagemaker:InvokeEndpointAsync"


@dataclasses.dataclass(frozen=True)
class Guardrail:
    """A guardrail at a version, and the profile by which it may be applied in other regions."""

    arn: str
    version: str
    profiles: tuple[str, ...]

    @property
    def identifier(self) -> str:
        """As calls name it to IAM: the draft has no version."""
        return self.arn if self.version == "DRAFT" else f"{self.arn}:{self.version}"

    @property
    def applied(self) -> list[str]:
        """What has to be applied to a call."""
        return [self.arn, *self.profiles]

    def others(self) -> Iterator[str]:
        """Guardrails that a call might name instead, and that are not this one."""
        yield self.arn if self.version != "DRAFT" else f"{self.arn}:1"
        yield f"{self.arn}:{self.version}0" if self.version != "DRAFT" else f"{self.arn}:2"
        for arn in self.other_arns():
            yield arn + self.identifier.removeprefix(self.arn)

    def other_arns(self) -> Iterator[str]:
        """ARNs of guardrails near this one."""
        parts = self.arn.split(":")
        yield self.arn + "x"
        yield ":".join([*parts[:4], STRANGER, *parts[5:]])
        yield ":".join([*parts[:3], elsewhere([parts[3]], parts[1]), *parts[4:]])

    def other_profiles(self) -> Iterator[str]:
        """Profiles near its own, in place and in name."""
        for arn in self.profiles:
            parts = arn.split(":")
            yield f"{arn}0"
            yield ":".join([*parts[:3], "ap-southeast-2", *parts[4:]])
            yield ":".join([*parts[:4], STRANGER, *parts[5:]])


@dataclasses.dataclass(frozen=True)
class Model:
    """A Bedrock model of the spec."""

    name: str
    id: str
    profile: str | None
    regions: tuple[str, ...]
    guardrail: Guardrail | None
    streaming: bool

    @property
    def actions(self) -> tuple[str, ...]:
        """How it may be called."""
        return (INVOKE, INVOKE_STREAM) if self.streaming else (INVOKE,)


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A SageMaker model of the spec, as those see it who call it."""

    name: str
    arn: str
    actions: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Bucket:
    """A bucket of the spec."""

    name: str
    arn: str
    region: str
    key: str | None
    tls_only: bool


@dataclasses.dataclass(frozen=True)
class Use:
    """What a consumer may do with a bucket."""

    bucket: Bucket
    prefix: str
    writes: bool


class Platform:
    """One AIPlatform object."""

    def __init__(self, path: Path, document: dict[str, Any]) -> None:
        """Read what matters for access."""
        self.path = path
        self.name = document["metadata"]["name"]
        self.namespace = document["metadata"].get("namespace", "default")
        self.spec = document["spec"]
        self.region = self.spec["region"]
        self.account = self.spec["accountId"]
        self.partition = partition_of(self.region)
        self.boundary = self.spec.get("permissionsBoundaryArn")
        self.identity = self.spec.get("identity")
        declared = self.spec.get("storage", {}).get("buckets", [])
        self.buckets = {bucket["name"]: self.bucket(bucket) for bucket in declared}
        models = self.spec.get("models", [])
        for model in models:
            known = {"bedrock", "sagemaker", "kubernetes"} & set(model)
            assert len(known) == 1, f"{self.path}: nobody judges the backend of {model}"
        # Models in the cluster are not called through AWS: who uses nothing else has no role.
        self.models = {m["name"]: self.model(m) for m in models if "bedrock" in m}
        self.endpoints = {m["name"]: self.endpoint(m) for m in models if "sagemaker" in m}
        in_cluster = {m["name"] for m in models if "kubernetes" in m}
        self.consumers = [
            Consumer(self, entry)
            for entry in self.spec.get("access", [])
            if entry.get("buckets") or not entry.get("models") or {*entry["models"]} - in_cluster
        ]
        self.executions = [
            Execution(self, model["name"], model["sagemaker"])
            for model in models
            if "sagemaker" in model and "executionRoleArn" not in model["sagemaker"]
        ]
        sources = {m["name"]: m.get("kubernetes", {}).get("source", {}) for m in models}
        self.workloads = [
            workload(self, name, source["s3"]) for name, source in sources.items() if "s3" in source
        ]

    @property
    def holders(self) -> list["Holder"]:
        """Everybody who has a role."""
        return [*self.consumers, *self.executions, *self.workloads]

    def generated(self, part: str, limit: int) -> str:
        """The name of a part, at most so long."""
        place = f"{self.account}/{self.region}/{self.namespace}/{self.name}/{part}"
        digest = hashlib.sha256(place.encode()).hexdigest()[:8]
        readable = f"{self.namespace}-{self.name}-{part}".lower().replace(".", "-")
        return f"{readable[: limit - 9].rstrip('-')}-{digest}"

    def arn(self, service: str, rest: str, *, region: str | None = None) -> str:
        """An ARN in this account, and in this region unless another is given."""
        region = self.region if region is None else region
        return f"arn:{self.partition}:{service}:{region}:{self.account}:{rest}"

    def foundation_model(self, region: str, identifier: str) -> str:
        """The ARN of a foundation model, which belongs to no account."""
        return f"arn:{self.partition}:bedrock:{region}::foundation-model/{identifier}"

    def profile(self, identifier: str) -> str:
        """The ARN of an inference profile."""
        return self.arn("bedrock", f"inference-profile/{identifier}")

    def bucket(self, entry: dict[str, Any]) -> Bucket:
        """One of spec.storage.buckets."""
        name = entry.get("bucketName") or self.generated(entry["name"], 63)
        key = entry.get("encryption", {}).get("kmsKeyArn")
        arn = f"arn:{self.partition}:s3:::{name}"
        return Bucket(name, arn, self.region, key, entry.get("tlsOnly", True))

    def endpoint(self, entry: dict[str, Any]) -> Endpoint:
        """One of spec.models that SageMaker serves."""
        name = entry["name"]
        model = entry["sagemaker"]
        assert ("instance" in model) != ("serverless" in model), f"{self.path}: {entry}"
        actions = [INVOKE_ENDPOINT]
        if "async" in model:
            actions.append(INVOKE_ENDPOINT_ASYNC)
        elif "instance" in model:
            # Serverless endpoints do not stream.
            actions.append(INVOKE_ENDPOINT_STREAM)
        return Endpoint(name, self.endpoint_arn(name), tuple(actions))

    def endpoint_arn(self, model: str) -> str:
        """The endpoint of a model."""
        return self.arn("sagemaker", f"endpoint/{self.generated(model, 63)}")

    def model(self, entry: dict[str, Any]) -> Model:
        """One of spec.models that Bedrock serves."""
        bedrock = entry["bedrock"]
        guardrail = bedrock.get("guardrail")
        return Model(
            name=entry["name"],
            id=bedrock["modelId"],
            profile=bedrock.get("inferenceProfileId"),
            regions=tuple(bedrock.get("destinationRegions") or [self.region]),
            guardrail=guardrail and self.guardrail(guardrail),
            streaming=bedrock.get("streaming", True),
        )

    def guardrail(self, entry: dict[str, Any]) -> Guardrail:
        """The guardrail of a model."""
        profile = entry.get("guardrailProfileId")
        regions = GUARDRAIL_REGIONS[profile] if profile else []
        rest = f"guardrail-profile/{profile}"
        return Guardrail(
            self.arn("bedrock", f"guardrail/{entry['id']}"),
            str(entry["version"]),
            tuple(self.arn("bedrock", rest, region=region) for region in regions),
        )

    def ways(self, model: Model) -> Iterator[tuple[str, dict[str, str | list[str]]]]:
        """What a right call of a model asks of IAM: resources, each with its context."""
        guarded: dict[str, Any] = (
            {GUARDED_BY: model.guardrail.identifier} if model.guardrail else {}
        )
        if not model.profile:
            yield self.foundation_model(self.region, model.id), guarded
            return
        profile = self.profile(model.profile)
        yield profile, guarded
        without_region = [""] if model.profile.startswith("global.") else []
        for region in [*model.regions, *without_region]:
            yield self.foundation_model(region, model.id), {THROUGH: profile, **guarded}


class Consumer:
    """One of spec.access."""

    def __init__(self, platform: Platform, entry: dict[str, Any]) -> None:
        """Look up what it names."""
        self.platform = platform
        self.entry = entry
        self.name = entry["name"]
        role = platform.generated(self.name, 64)
        self.role_arn = platform.arn("iam", f"role{ROLE_PATH}{role}", region="")
        names = entry.get("models", [])
        self.models = [platform.models[name] for name in names if name in platform.models]
        self.endpoints = [platform.endpoints[name] for name in names if name in platform.endpoints]
        self.uses = [
            Use(
                platform.buckets[use["name"]],
                use.get("prefix") or "",
                use.get("mode", "Read") == "ReadWrite",
            )
            for use in entry.get("buckets", [])
        ]

    @property
    def service_account(self) -> tuple[str, str] | None:
        """Namespace and name."""
        account = self.entry.get("serviceAccount")
        return account and (account.get("namespace", self.platform.namespace), account["name"])

    @property
    def repeats_itself(self) -> bool:
        """Whether one of its prefixes contains another."""
        return any(
            use is not other and use.bucket == other.bucket and other.prefix.startswith(use.prefix)
            for use in self.uses
            for other in self.uses
        )

    @cached_property
    def allowed(self) -> list[Call]:
        """Calls that the spec declares."""
        return [
            *self.model_calls(),
            *self.endpoint_calls(),
            *self.bucket_calls(),
            *self.key_calls(),
        ]

    # What actions without a resource it may call.
    without_resource = frozenset()

    def parts(
        self, policies: list[dict[str, Any]]
    ) -> Iterator[tuple[list[dict[str, Any]], list[Call]]]:
        """Policies that are judged together, and what they allow."""
        yield [policy["document"] for policy in policies], self.allowed

    @cached_property
    def denied(self) -> list[Call]:
        """Calls near the declared ones, and others, that the spec does not declare."""
        candidates = [
            *self.wrong_model_calls(),
            *self.unguarded_calls(),
            *self.wrong_guardrails(),
            *self.wrong_endpoint_calls(),
            *self.wrong_bucket_calls(),
            *wrong_key_calls(self.platform),
            *foreign_calls(self.platform, self.role_arn),
        ]
        # The same call may be wrong for several reasons.
        different = {(c.action, c.resource, str(c.context), bool(c.beside)): c for c in candidates}
        return [call for call in different.values() if not self.declares(call)]

    def declares(self, call: Call) -> bool:
        """Whether another line of the spec allows what is wrong by this one."""
        if call.beside:
            return False
        if call.action in (INVOKE, INVOKE_STREAM):
            return any(
                call.action in model.actions
                and call.resource == resource
                and context.items() <= call.context.items()
                for model in self.models
                for resource, context in self.platform.ways(model)
            )
        if call.action in (INVOKE_ENDPOINT, INVOKE_ENDPOINT_STREAM, INVOKE_ENDPOINT_ASYNC):
            return any(
                call.action in endpoint.actions and call.resource == endpoint.arn
                for endpoint in self.endpoints
            )
        if call.action == APPLY_GUARDRAIL:
            return any(m.guardrail and call.resource in m.guardrail.applied for m in self.models)
        if call.context.get("aws:SecureTransport") == "false" or RESOURCE_ACCOUNT in call.context:
            return False
        if call.action == LIST:
            prefix = str(call.context.get("s3:prefix", ""))
            return any(
                call.resource == use.bucket.arn and prefix.startswith(use.prefix)
                for use in self.uses
            )
        if call.action in (*READ, *WRITE):
            return any(
                call.resource.startswith(f"{use.bucket.arn}/{use.prefix}")
                and (use.writes or call.action in READ)
                for use in self.uses
            )
        if call.action in (DECRYPT, DATA_KEY):
            return any(
                (use.writes or call.action == DECRYPT) and opens(use.bucket, call)
                for use in self.uses
            )
        return False

    def model_calls(self) -> Iterator[Call]:
        """Calls of its models, and the guardrails on them."""
        for model in self.models:
            for action in model.actions:
                for resource, context in self.platform.ways(model):
                    yield Call(action, resource, f"model {model.name}", context)
                    if model.guardrail:
                        # What somebody else allows does not make the right call wrong.
                        why = f"model {model.name} with its guardrail"
                        yield Call(action, resource, why, context, beside=(ANYTHING,))
            if model.guardrail:
                for arn in model.guardrail.applied:
                    yield Call(APPLY_GUARDRAIL, arn, f"guardrail of {model.name}")

    def wrong_model_calls(self) -> Iterator[Call]:
        """Other models, other places, around the profile, streaming where it is off."""
        platform = self.platform
        for model in self.models:
            for action in (INVOKE, INVOKE_STREAM):
                for resource, context in platform.ways(model):
                    if action not in model.actions:
                        yield Call(action, resource, "streaming is off", context)
                    for near, why in neighbours(resource, model.regions):
                        yield Call(action, near, why, context)
                    if THROUGH in context:
                        yield from self.around_the_profile(model, action, resource, context)
                if model.profile and not model.profile.startswith("global."):
                    profile = platform.profile(model.profile)
                    nowhere = platform.foundation_model("", model.id)
                    guarded = next(context for _, context in platform.ways(model))
                    why = "a model without a region"
                    yield Call(action, nowhere, why, {THROUGH: profile, **guarded})
        for model in platform.models.values():
            for action in (INVOKE, INVOKE_STREAM):
                for resource, context in platform.ways(model):
                    if model not in self.models:
                        yield Call(action, resource, "a model that is not the consumer's", context)
            for resource, _ in platform.ways(model):
                get = "FoundationModel" if "::foundation-model/" in resource else "InferenceProfile"
                yield Call(f"bedrock:Get{get}", resource, "not a call of the model")
        for kind in ("provisioned-model", "application-inference-profile", "imported-model"):
            resource = platform.arn("bedrock", f"{kind}/abcdef123456")
            yield Call(INVOKE, resource, "another kind of model")

    def around_the_profile(
        self, model: Model, action: str, resource: str, context: dict[str, Any]
    ) -> Iterator[Call]:
        """The model behind a profile, reached in another way."""
        direct = {key: value for key, value in context.items() if key != THROUGH}
        yield Call(action, resource, "around the profile", direct)
        profile = self.platform.profile(model.profile or "")
        for other, why in neighbours(profile, (self.platform.region,)):
            yield Call(action, resource, f"through {why}", {**context, THROUGH: other})

    def unguarded_calls(self) -> Iterator[Call]:
        """Without the guardrail, or with another, even if somebody else allows everything."""
        for model in self.models:
            if not model.guardrail:
                continue
            for action in model.actions:
                for resource, context in self.platform.ways(model):
                    bare = {key: value for key, value in context.items() if key != GUARDED_BY}
                    wrong = [{**bare, GUARDED_BY: other} for other in model.guardrail.others()]
                    for unguarded in [bare, *wrong]:
                        why = f"not guarded by {model.guardrail.identifier}"
                        yield Call(action, resource, why, unguarded)
                        yield Call(action, resource, why, unguarded, beside=(ANYTHING,))

    def wrong_guardrails(self) -> Iterator[Call]:
        """Guardrails that are not those of its models."""
        own = [model.guardrail for model in self.models if model.guardrail]
        invented = Guardrail(self.platform.arn("bedrock", "guardrail/abc123"), "1", ())
        declared = [model.guardrail for model in self.platform.models.values() if model.guardrail]
        yield Call(APPLY_GUARDRAIL, invented.arn, "another guardrail")
        for guardrail in declared:
            for arn in guardrail.applied:
                yield Call(APPLY_GUARDRAIL, arn, "the guardrail of another consumer")
        for guardrail in own:
            for arn in [*guardrail.other_arns(), *guardrail.other_profiles()]:
                yield Call(APPLY_GUARDRAIL, arn, "another guardrail")
            for verb in ("Get", "Update", "Delete"):
                yield Call(f"bedrock:{verb}Guardrail", guardrail.arn, "the guardrail itself")

    def endpoint_calls(self) -> Iterator[Call]:
        """Calls of its models on SageMaker."""
        for endpoint in self.endpoints:
            for action in endpoint.actions:
                yield Call(action, endpoint.arn, f"model {endpoint.name}")

    def wrong_endpoint_calls(self) -> Iterator[Call]:
        """Other endpoints, other ways to call, and what makes and changes endpoints."""
        for endpoint in self.platform.endpoints.values():
            for action in (INVOKE_ENDPOINT, INVOKE_ENDPOINT_STREAM, INVOKE_ENDPOINT_ASYNC):
                yield Call(action, endpoint.arn, "not its model, or not a way to call it")
                for near, why in neighbours(endpoint.arn, (self.platform.region,)):
                    yield Call(action, near, why)
            for verb in ("Describe", "Update", "Delete"):
                yield Call(f"sagemaker:{verb}Endpoint", endpoint.arn, "the endpoint itself")

    def bucket_calls(self) -> Iterator[Call]:
        """Objects and lists below each prefix."""
        for use in self.uses:
            why = f"bucket {use.bucket.name} below {use.prefix!r}"
            for key in (f"{use.prefix}a.txt", f"{use.prefix}deep/er/b c.json"):
                for action in (*READ, *WRITE) if use.writes else READ:
                    yield Call(action, f"{use.bucket.arn}/{key}", why, TLS)
            for prefix in (use.prefix, f"{use.prefix}deep/"):
                context = {**TLS, **({"s3:prefix": prefix} if prefix else {})}
                yield Call(LIST, use.bucket.arn, why, context)

    def wrong_bucket_calls(self) -> Iterator[Call]:
        """Writes where only reading is declared, other keys, other buckets, no TLS."""
        for use in self.uses:
            arn = use.bucket.arn
            inside = f"{arn}/{use.prefix}a.txt"
            for action in WRITE:
                yield Call(action, inside, "mode Read", TLS)
            for prefix in outside(use.prefix):
                for action in (*READ, *WRITE):
                    yield Call(action, f"{arn}/{prefix}a.txt", f"outside {use.prefix!r}", TLS)
                listing = {**TLS, "s3:prefix": prefix}
                yield Call(LIST, arn, f"a list outside {use.prefix!r}", listing)
            yield Call(LIST, arn, "a list without prefix", TLS)
            inside_list = {**TLS, "s3:prefix": use.prefix}
            yield Call("s3:ListBucketVersions", arn, "not what a mode means", inside_list)
            for other in (f"{arn}x", arn[:-1], f"{arn}-prompts"):
                for action in (*READ, *WRITE):
                    yield Call(action, f"{other}/{use.prefix}a.txt", "another bucket", TLS)
                yield Call(LIST, other, "another bucket", {**TLS, "s3:prefix": use.prefix})
            for action in (*READ, *WRITE):
                yield Call(action, inside, "a bucket of another account", OF_ANOTHER)
            yield Call(LIST, arn, "a bucket of another account", {**OF_ANOTHER, **inside_list})
            if use.bucket.tls_only:
                yield Call("s3:GetObject", inside, "without TLS", PLAIN)
                yield Call("s3:PutObject", inside, "without TLS", PLAIN)
                yield Call(LIST, arn, "without TLS", {**PLAIN, "s3:prefix": use.prefix})
            for action in ("s3:GetObjectVersion", "s3:DeleteObjectVersion", "s3:PutObjectAcl"):
                yield Call(action, inside, "not what a mode means", TLS)
            for action in ("s3:DeleteBucket", "s3:PutBucketPolicy", "s3:PutLifecycleConfiguration"):
                yield Call(action, arn, "the bucket itself", TLS)
        for bucket in self.platform.buckets.values():
            for action in (*READ, *WRITE):
                yield Call(action, f"{bucket.arn}/a.txt", "a bucket of another consumer", TLS)
            yield Call(LIST, bucket.arn, "a bucket of another consumer", TLS)

    def key_calls(self) -> Iterator[Call]:
        """Keys of its buckets."""
        for use in self.uses:
            for resource, context in keys(use.bucket):
                why = f"the key of bucket {use.bucket.name}"
                for action in (DECRYPT, DATA_KEY) if use.writes else (DECRYPT,):
                    yield Call(action, resource, why, context)


def workload(platform: Platform, name: str, source: dict[str, str]) -> Consumer:
    """The pods of one of spec.models that load their weights from a bucket of the platform.

    They read what is below one prefix and nothing else, through a service account of their own.
    """
    holder = Consumer(
        platform,
        {
            "name": f"{name}-workload",
            "serviceAccount": {"name": f"{platform.name}-{name}"},
            "buckets": [{"name": source["bucket"], "prefix": source["prefix"]}],
        },
    )
    assert source["prefix"].endswith("/")
    return holder


Holder = Consumer | Execution


def read(path: Path) -> list[Platform]:
    """The platforms of a file, which may hold other kinds too."""
    documents = [document for document in yaml.safe_load_all(path.read_text()) if document]
    return [Platform(path, each) for each in documents if each.get("kind") == "AIPlatform"]

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
from evaluator import ANYTHING, Call

ROLE_PATH = "/aiplatform/"
STRANGER = "210987654321"
ANOTHER_KEY = "99999999-aaaa-bbbb-cccc-dddddddddddd"

INVOKE = "bedrock:InvokeModel"
INVOKE_STREAM = "bedrock:InvokeModelWithResponseStream"
APPLY_GUARDRAIL = "bedrock:ApplyGuardrail"
THROUGH = "bedrock:InferenceProfileArn"
GUARDED_BY = "bedrock:GuardrailIdentifier"
READ = ("s3:GetObject",)
WRITE = ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
LIST = "s3:ListBucket"
DECRYPT = "kms:Decrypt"
DATA_KEY = "kms:GenerateDataKey"
PLAIN = {"aws:SecureTransport": "false"}
TLS = {"aws:SecureTransport": "true"}

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


@dataclasses.dataclass(frozen=True)
class Guardrail:
    """A guardrail at a version."""

    arn: str
    version: str

    @property
    def identifier(self) -> str:
        """As calls name it to IAM: the draft has no version."""
        return self.arn if self.version == "DRAFT" else f"{self.arn}:{self.version}"

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
class Bucket:
    """A bucket of the spec."""

    name: str
    arn: str
    key: str | None
    tls_only: bool


@dataclasses.dataclass(frozen=True)
class Use:
    """What a consumer may do with a bucket."""

    bucket: Bucket
    prefix: str
    writes: bool


def elsewhere(regions: list[str] | tuple[str, ...], partition: str) -> str:
    """A region of the partition that is none of these."""
    known = [*REGIONS.get(partition, []), f"{regions[0][:-1]}9"]
    return next(region for region in known if region not in regions)


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
        models = [self.model(model) for model in self.spec.get("models", [])]
        self.models = {model.name: model for model in models if model}
        self.consumers = [Consumer(self, entry) for entry in self.spec.get("access", [])]

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
        return Bucket(name, arn, key, entry.get("tlsOnly", True))

    def model(self, entry: dict[str, Any]) -> Model | None:
        """One of spec.models; models in the cluster are not called through AWS."""
        if "kubernetes" in entry:
            return None
        assert "bedrock" in entry, f"{self.path}: nobody judges the backend of {entry}"
        bedrock = entry["bedrock"]
        guardrail = bedrock.get("guardrail")
        return Model(
            name=entry["name"],
            id=bedrock["modelId"],
            profile=bedrock.get("inferenceProfileId"),
            regions=tuple(bedrock.get("destinationRegions") or [self.region]),
            guardrail=guardrail
            and Guardrail(
                self.arn("bedrock", f"guardrail/{guardrail['id']}"), str(guardrail["version"])
            ),
            streaming=bedrock.get("streaming", True),
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
        return [*self.model_calls(), *self.bucket_calls(), *self.key_calls()]

    @cached_property
    def denied(self) -> list[Call]:
        """Calls near the declared ones, and others, that the spec does not declare."""
        candidates = [
            *self.wrong_model_calls(),
            *self.unguarded_calls(),
            *self.wrong_guardrails(),
            *self.wrong_bucket_calls(),
            *self.wrong_key_calls(),
            *self.foreign_calls(),
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
        if call.action == APPLY_GUARDRAIL:
            return any(m.guardrail and m.guardrail.arn == call.resource for m in self.models)
        if call.context.get("aws:SecureTransport") == "false":
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
                use.bucket.key
                and (use.writes or call.action == DECRYPT)
                and opens(use.bucket.key, call)
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
                yield Call(APPLY_GUARDRAIL, model.guardrail.arn, f"guardrail of {model.name}")

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
        invented = Guardrail(self.platform.arn("bedrock", "guardrail/abc123"), "1")
        declared = [model.guardrail for model in self.platform.models.values() if model.guardrail]
        yield Call(APPLY_GUARDRAIL, invented.arn, "another guardrail")
        for guardrail in declared:
            yield Call(APPLY_GUARDRAIL, guardrail.arn, "the guardrail of another consumer")
        for guardrail in own:
            for arn in guardrail.other_arns():
                yield Call(APPLY_GUARDRAIL, arn, "another guardrail")
            for verb in ("Get", "Update", "Delete"):
                yield Call(f"bedrock:{verb}Guardrail", guardrail.arn, "the guardrail itself")

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
            for resource, context in keys(use.bucket.key):
                why = f"the key of bucket {use.bucket.name}"
                for action in (DECRYPT, DATA_KEY) if use.writes else (DECRYPT,):
                    yield Call(action, resource, why, context)

    def wrong_key_calls(self) -> Iterator[Call]:
        """Other keys, and what only writers do."""
        for bucket in self.platform.buckets.values():
            for resource, context in keys(bucket.key):
                for action in (DECRYPT, DATA_KEY):
                    yield Call(action, resource, "the key of another use", context)
                    for near, why in neighbours(resource, (resource.split(":")[3],)):
                        # The alias decides which key of an account it is, if there is one.
                        if near.split(":")[:5] != resource.split(":")[:5] or not context:
                            yield Call(action, near, why, context)
                    for aliases in ([], ["alias/another"]) if context else ():
                        why = f"a key with aliases {aliases}"
                        other = {"kms:ResourceAliases": aliases} if aliases else {}
                        yield Call(action, resource, why, other)
                for action in ("kms:Encrypt", "kms:CreateGrant", "kms:ScheduleKeyDeletion"):
                    yield Call(action, resource, "not what a mode means", context)
        other = self.platform.arn("kms", f"key/{ANOTHER_KEY}")
        for action in (DECRYPT, DATA_KEY):
            yield Call(action, other, "a key that the spec does not name")

    def foreign_calls(self) -> Iterator[Call]:
        """Other services, and control planes."""
        platform = self.platform
        iam = platform.arn("iam", "role/admin", region="")
        bucket = f"arn:{platform.partition}:s3:::made-by-a-consumer"
        for action, resource in [
            ("iam:PassRole", iam),
            ("iam:AttachRolePolicy", iam),
            ("iam:PutRolePolicy", self.role_arn),
            ("iam:UpdateAssumeRolePolicy", self.role_arn),
            ("iam:DeleteRolePermissionsBoundary", self.role_arn),
            ("sts:AssumeRole", iam),
            ("sts:TagSession", iam),
            ("sagemaker:InvokeEndpoint", platform.arn("sagemaker", "endpoint/rank")),
            ("sagemaker:CreateModel", platform.arn("sagemaker", "model/rank")),
            ("bedrock:UpdateGuardrail", platform.arn("bedrock", "guardrail/abc")),
            ("bedrock:DeleteGuardrail", platform.arn("bedrock", "guardrail/abc")),
            ("bedrock:PutModelInvocationLoggingConfiguration", "*"),
            ("bedrock:ListFoundationModels", "*"),
            ("bedrock:CreateFoundationModelAgreement", "*"),
            ("s3:ListAllMyBuckets", "*"),
            ("s3:CreateBucket", bucket),
            ("secretsmanager:GetSecretValue", platform.arn("secretsmanager", "secret:prod-AbCdEf")),
            ("eks:CreatePodIdentityAssociation", platform.arn("eks", "cluster/prod")),
        ]:
            yield Call(action, resource, "not a consumer's business")


def neighbours(arn: str, regions: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Resources that a careless pattern would let in, and why they are others."""
    _, partition, service, region, account, rest = arn.split(":", 5)

    def changed(region: str = region, account: str = account, rest: str = rest) -> str:
        return ":".join(["arn", partition, service, region, account, rest])

    kind, identifier = rest.split("/", 1)
    if kind == "key":
        for other in (ANOTHER_KEY, f"{identifier}0"):
            yield changed(rest=f"{kind}/{other}"), "another key"
    else:
        for other in (f"{identifier}0", identifier[:-1], "amazon.nova-pro-v1:0"):
            yield changed(rest=f"{kind}/{other}"), f"another {kind}"
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


def keys(key: str | None) -> Iterator[tuple[str, dict[str, str | list[str]]]]:
    """What calls with a bucket's key ask of IAM: the key, and the aliases it has."""
    if key is None:
        return
    place, kind, name = key.partition(":alias/")
    if not kind:
        yield key, {}
        return
    for identifier in ("11111111-2222-3333-4444-555555555555", "mrk-0123456789abcdef"):
        yield f"{place}:key/{identifier}", {"kms:ResourceAliases": [f"alias/{name}"]}
    several = {"kms:ResourceAliases": ["alias/older", f"alias/{name}"]}
    yield f"{place}:key/66666666-2222-3333-4444-555555555555", several


def opens(key: str, call: Call) -> bool:
    """Whether a call is for this key, which an alias may name."""
    place, kind, name = key.partition(":alias/")
    if not kind:
        return call.resource == key
    aliases = call.context.get("kms:ResourceAliases", [])
    return call.resource.startswith(f"{place}:key/") and f"alias/{name}" in aliases


def read(path: Path) -> list[Platform]:
    """The platforms of a file, which may hold other kinds too."""
    documents = [document for document in yaml.safe_load_all(path.read_text()) if document]
    return [Platform(path, each) for each in documents if each.get("kind") == "AIPlatform"]

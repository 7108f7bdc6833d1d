"""Calls that no role of a platform is made for, or not in this way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluator import Call
from nearby import ALIASES, ANOTHER_KEY, DATA_KEY, DECRYPT, FOR, keys, misused, neighbours

if TYPE_CHECKING:
    from collections.abc import Iterator

    from declared import Platform


def wrong_key_calls(platform: Platform) -> Iterator[Call]:
    """Other keys, and what only writers do."""
    for bucket in platform.buckets.values():
        for resource, context in keys(bucket):
            for action in (DECRYPT, DATA_KEY):
                yield Call(action, resource, "the key of another use", context)
                for other, why in misused(context):
                    yield Call(action, resource, why, other)
                for near, why in neighbours(resource, (resource.split(":")[3],)):
                    # The alias decides which key of an account it is, if there is one.
                    if near.split(":")[:5] != resource.split(":")[:5] or ALIASES not in context:
                        yield Call(action, near, why, context)
                for aliases in ([], ["alias/another"]) if ALIASES in context else ():
                    why = f"a key with aliases {aliases}"
                    use = {key: value for key, value in context.items() if key != ALIASES}
                    other = {**use, ALIASES: aliases} if aliases else use
                    yield Call(action, resource, why, other)
            for action in ("kms:Encrypt", "kms:CreateGrant"):
                yield Call(action, resource, "not what a mode means", context)
            # Whoever deletes a key encrypts nothing.
            of_key = {key: value for key, value in context.items() if key != FOR}
            yield Call("kms:ScheduleKeyDeletion", resource, "not what a mode means", of_key)
    other = platform.arn("kms", f"key/{ANOTHER_KEY}")
    for action in (DECRYPT, DATA_KEY):
        yield Call(action, other, "a key that the spec does not name")


def foreign_calls(platform: Platform, role_arn: str) -> Iterator[Call]:
    """Other services, and control planes."""
    iam = platform.arn("iam", "role/admin", region="")
    bucket = f"arn:{platform.partition}:s3:::made-by-a-role"
    for action, resource in [
        ("iam:PassRole", iam),
        ("iam:AttachRolePolicy", iam),
        ("iam:PutRolePolicy", role_arn),
        ("iam:UpdateAssumeRolePolicy", role_arn),
        ("iam:DeleteRolePermissionsBoundary", role_arn),
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
        yield Call(action, resource, "not the business of this role")

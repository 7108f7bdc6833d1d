"""Bucket policies: checked when they are put, never enforced on calls."""

import json
import re
from functools import cache
from typing import Any

from moto.core.utils import get_service_model

from simulator.call import Call
from simulator.errors import AwsError, request_id
from simulator.iam import ids_of_principals, with_ids_of_the_deleted
from simulator.s3.actions import ACTIONS, VERSIONED_ACTIONS
from simulator.s3.policy_principals import check_principals, is_public
from simulator.s3.service import bucket_of, configuration_of, service
from simulator.wire import Response

LARGEST = 20 * 1024
VERSIONS = ("2012-10-17", "2008-10-17")
DOCUMENT_FIELDS = {"Version", "Id", "Statement"}
STATEMENT_FIELDS = {
    *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource"),
    *("NotResource", "Condition"),
}
# Actions that no operation of the SDK stands for.
OTHER_BUCKET_ACTIONS = {
    *("CreateBucketMetadataTableConfiguration", "DeleteBucketWebsite", "GetBucketLogging"),
    *("GetBucketRequestPayment", "ListTagsForResource", "TagResource", "UntagResource"),
}
OTHER_OBJECT_ACTIONS = {
    *("BypassGovernanceRetention", "GetObjectVersionForReplication", "InitiateReplication"),
    *("ObjectOwnerOverrideToBucketOwner", "ReplicateDelete", "ReplicateObject", "ReplicateTags"),
    *("GetObjectVersionAttributes", "GetObjectVersionTorrent"),
}


@service.before("PutBucketPolicy")
def put_bucket_policy(call: Call) -> Response:
    """Check the document and keep it."""
    bucket = bucket_of(call)
    document = call.request.body.decode("utf-8", "replace")
    statements = check_document(document, bucket.name, call.partition)
    for statement in statements:
        check_principals(call, statement)
    block = bucket.public_access_block
    if block and block.block_public_policy and any(map(is_public, statements)):
        raise AwsError(
            "AccessDenied",
            f"User: {call.principal} is not authorized to perform: s3:PutBucketPolicy on "
            f'resource: "{bucket.arn}" because public policies are prevented by the '
            "BlockPublicPolicy setting in S3 Block Public Access.",
            403,
        )
    configuration = configuration_of(bucket.name)
    configuration.policy = document
    configuration.principals = ids_of_principals(call, {"Statement": statements})
    return Response(204, {"x-amz-request-id": request_id()})


@service.before("GetBucketPolicy")
def get_bucket_policy(call: Call) -> Response:
    """The document as it was put."""
    headers = {"Content-Type": "application/json", "x-amz-request-id": request_id()}
    return Response(200, headers, _policy(call).encode())


@service.before("GetBucketPolicyStatus")
def get_bucket_policy_status(call: Call) -> dict[str, Any]:
    """Whether the policy lets everyone in."""
    statements = as_list(json.loads(_policy(call))["Statement"])
    return {"PolicyStatus": {"IsPublic": any(map(is_public, statements))}}


@service.before("DeleteBucketPolicy")
def delete_bucket_policy(call: Call) -> Response:
    """Drop the policy; there is nothing wrong with there being none."""
    configuration_of(call.parameters["Bucket"]).policy = None
    return Response(204, {"x-amz-request-id": request_id()})


def _policy(call: Call) -> str:
    name = call.parameters["Bucket"]
    configuration = configuration_of(name)
    if configuration.policy is None:
        message = "The bucket policy does not exist"
        raise AwsError("NoSuchBucketPolicy", message, 404, BucketName=name)
    return with_ids_of_the_deleted(configuration.policy, configuration.principals)


def check_document(document: str, bucket: str, partition: str) -> list[dict[str, Any]]:
    """The statements of a policy document, or S3's error."""
    if not document.lstrip().startswith("{"):
        raise _malformed("Policies must be valid JSON and the first byte must be '{'")
    try:
        content = json.loads(document)
    except ValueError:
        raise _malformed("This policy contains invalid Json") from None
    if len(json.dumps(content, separators=(",", ":")).encode()) > LARGEST:
        message = f"Normalized policy document exceeds the maximum allowed size of {LARGEST} bytes."
        raise _malformed(message)
    _check_fields(content, DOCUMENT_FIELDS)
    if content.get("Version", VERSIONS[-1]) not in VERSIONS:
        raise _malformed("The policy must contain a valid version string")
    if "Statement" not in content:
        raise _malformed("Missing required field Statement")
    statements = as_list(content["Statement"])
    if not statements:
        raise _malformed("Could not parse the policy: Statement is empty!")
    for statement in statements:
        _check_statement(statement, bucket, partition)
    names = [statement["Sid"] for statement in statements if "Sid" in statement]
    if len(set(names)) < len(names):
        raise _malformed("Duplicate statement ids are not allowed in a policy")
    return statements


def _check_statement(statement: Any, bucket: str, partition: str) -> None:
    if not isinstance(statement, dict):
        raise _malformed("Invalid policy syntax.")
    _check_fields(statement, STATEMENT_FIELDS)
    if "Effect" not in statement:
        raise _malformed("Missing required field Effect")
    if statement["Effect"] not in ("Allow", "Deny"):
        raise _malformed(f"Invalid effect: {statement['Effect']}")
    for name in ("Principal", "Action", "Resource"):
        if name not in statement and f"Not{name}" not in statement:
            raise _malformed(f"Missing required field {name}")
        if name in statement and f"Not{name}" in statement:
            raise _malformed("Invalid policy syntax.")
    conditions = statement.get("Condition", {})
    if not isinstance(conditions, dict) or not all(
        isinstance(condition, dict) for condition in conditions.values()
    ):
        raise _malformed("Invalid policy syntax.")
    resources = as_list(statement.get("Resource", statement.get("NotResource")))
    actions = as_list(statement.get("Action", statement.get("NotAction")))
    _check_resources(resources, bucket, partition)
    _check_actions(actions, resources, "Action" in statement and "Resource" in statement)


def _check_fields(content: dict[str, Any], known: set[str]) -> None:
    for name in content:
        if name not in known:
            raise _malformed(f"Unknown field {name}")


def _check_resources(resources: list[Any], bucket: str, partition: str) -> None:
    own = re.compile(rf"arn:{partition}:s3:::{re.escape(bucket)}(/.*)?", re.DOTALL)
    for resource in resources:
        if not isinstance(resource, str) or not own.fullmatch(resource):
            raise _malformed("Policy has invalid resource")


def _check_actions(actions: list[Any], resources: list[Any], exact: bool) -> None:
    of_buckets, of_objects = action_names()
    for action in actions:
        if not isinstance(action, str):
            raise _malformed("Policy has invalid action")
        pattern = _glob(action)
        on_buckets = any(pattern.fullmatch(f"s3:{name}") for name in of_buckets)
        on_objects = any(pattern.fullmatch(f"s3:{name}") for name in of_objects)
        if not on_buckets and not on_objects:
            raise _malformed("Policy has invalid action")
        named = {"/" in resource for resource in resources}
        if exact and not ((on_buckets and False in named) or (on_objects and True in named)):
            raise _malformed("Action does not apply to any resource(s) in statement")


def _glob(action: str) -> re.Pattern[str]:
    pattern = re.escape(action).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(pattern, re.IGNORECASE)


@cache
def action_names() -> tuple[frozenset[str], frozenset[str]]:
    """The actions on buckets and the actions on objects, as the operations have them."""
    model = get_service_model("s3")
    buckets, objects = set(OTHER_BUCKET_ACTIONS), set(OTHER_OBJECT_ACTIONS)
    objects.update(VERSIONED_ACTIONS.values())
    for operation in model.operation_names:
        shape = model.operation_model(operation).input_shape
        members = shape.members if shape else {}
        names = ACTIONS.get(operation, [operation])
        if "Key" in members or operation == "DeleteObjects":
            objects.update(names)
        elif "Bucket" in members:
            buckets.update(names)
    return frozenset(buckets), frozenset(objects)


def as_list(value: Any) -> list[Any]:
    """What policies write as one thing or as a list of them."""
    return value if isinstance(value, list) else [value]


def _malformed(message: str) -> AwsError:
    return AwsError("MalformedPolicy", message, 400)

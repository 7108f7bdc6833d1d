"""Lifecycle configurations: kept as they were given, answered as they were kept."""

import secrets
from typing import Any
from xml.etree import ElementTree

from simulator.call import Call
from simulator.errors import AwsError, request_id
from simulator.s3.lifecycle_rules import check_configuration, local_name
from simulator.s3.service import (
    DEFAULT_MINIMUM_SIZE,
    configuration_of,
    find_bucket,
    invalid_request,
    malformed_xml,
    service,
)
from simulator.wire import Response

MINIMUM_SIZES = (DEFAULT_MINIMUM_SIZE, "varies_by_storage_class")
MINIMUM_SIZE_HEADER = "x-amz-transition-default-minimum-object-size"
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

ElementTree.register_namespace("", NAMESPACE)


@service.before("PutBucketLifecycleConfiguration", "PutBucketLifecycle")
def put_lifecycle(call: Call) -> Response:
    """Replace the whole configuration, the minimum object size in the header included."""
    try:
        root = ElementTree.fromstring(call.request.body)
    except ElementTree.ParseError:
        raise malformed_xml() from None
    check_configuration(root)
    minimum_size = call.request.headers.get(MINIMUM_SIZE_HEADER, DEFAULT_MINIMUM_SIZE)
    if minimum_size not in MINIMUM_SIZES:
        raise invalid_request("Invalid TransitionDefaultMinimumObjectSize found")
    configuration = configuration_of(call.parameters["Bucket"])
    configuration.lifecycle = _with_ids(call.request.body, root)
    configuration.lifecycle_minimum_size = minimum_size
    return Response(200, _headers(minimum_size))


@service.before("GetBucketLifecycleConfiguration", "GetBucketLifecycle")
def get_lifecycle(call: Call) -> Response:
    """The configuration, with elements that no SDK knows if it has some."""
    name = call.parameters["Bucket"]
    configuration = configuration_of(name)
    if configuration.lifecycle is None:
        message = "The lifecycle configuration does not exist"
        raise AwsError("NoSuchLifecycleConfiguration", message, 404, BucketName=name)
    headers = {"Content-Type": "application/xml", **_headers(configuration.lifecycle_minimum_size)}
    return Response(200, headers, configuration.lifecycle)


@service.before("DeleteBucketLifecycle")
def delete_lifecycle(call: Call) -> Response:
    """Drop the configuration; there is nothing wrong with there being none."""
    configuration = configuration_of(call.parameters["Bucket"])
    configuration.lifecycle = None
    configuration.lifecycle_minimum_size = DEFAULT_MINIMUM_SIZE
    return Response(204, {"x-amz-request-id": request_id()})


@service.control("s3/lifecycle")
def plant_lifecycle(body: dict[str, Any]) -> None:
    """Set a bucket's configuration to any XML, unchecked."""
    if find_bucket(body["bucket"]) is None:
        raise ValueError(f"no bucket {body['bucket']}")
    configuration = configuration_of(body["bucket"])
    configuration.lifecycle = body["xml"].encode()
    configuration.lifecycle_minimum_size = body.get("minimumSize", DEFAULT_MINIMUM_SIZE)


def _headers(minimum_size: str) -> dict[str, str]:
    return {MINIMUM_SIZE_HEADER: minimum_size, "x-amz-request-id": request_id()}


def _with_ids(body: bytes, root: ElementTree.Element) -> bytes:
    """The body as it is, unless some rule needs an ID."""
    changed = False
    for rule in root:
        if local_name(rule) != "Rule":
            continue
        given = next((child for child in rule if local_name(child) == "ID"), None)
        if given is not None and given.text:
            continue
        if given is None:
            given = ElementTree.Element(rule.tag[: -len("Rule")] + "ID")
            rule.insert(0, given)
        given.text = secrets.token_urlsafe(36)
        changed = True
    return ElementTree.tostring(root, "utf-8", xml_declaration=True) if changed else body

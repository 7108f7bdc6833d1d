"""Which AWS operation a request calls, with which parameters, on whose behalf."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs

from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS, RequestParserError
from moto.core.request import Request as MotoRequest
from moto.core.request import determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from werkzeug.exceptions import NotFound

from simulator import catalogue
from simulator.wire import Request

DEFAULT_ACCOUNT = "123456789012"
DEFAULT_REGION = "us-east-1"
SIGNED = re.compile(r"AWS4-\S+ +Credential=([^, ]+)")
RPC_V2 = re.compile(r"/service/[^/]+/operation/([A-Za-z0-9]+)$")
# What a pod can call with nothing but its own token.
UNSIGNED_OPERATIONS = frozenset({"AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"})


@dataclass(frozen=True)
class Credential:
    """The access key and scope that a request says it is signed with."""

    access_key: str
    region: str
    signing_name: str


@dataclass
class Call:
    """One call of one operation."""

    request: Request
    credential: Credential | None = None
    service: str | None = None
    operation: str | None = None
    protocol: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    model: OperationModel | None = None
    malformed: str | None = None
    # Whether an action is denied on an ARN, for operations that answer item by item.
    is_denied: Callable[[str, str], bool] = lambda _action, _arn: False

    @property
    def region(self) -> str:
        """The region the call is signed for."""
        return self.credential.region if self.credential else DEFAULT_REGION

    @property
    def partition(self) -> str:
        """The partition of the call's region."""
        return catalogue.partition_of(self.region)

    @cached_property
    def account(self) -> str:
        """The account of the caller: that of the assumed role, or the default one."""
        from moto.iam.models import get_account_id_from

        return get_account_id_from(self.credential.access_key) if self.credential else "anonymous"

    @cached_property
    def principal(self) -> str:
        """The ARN of the caller."""
        from moto.sts.models import sts_backends

        if self.credential is None:
            return "anonymous"
        backend = sts_backends[self.account][self.partition]
        role = backend.get_assumed_role_from_access_key(self.credential.access_key)
        return role.arn if role else f"arn:{self.partition}:iam::{self.account}:user/operator"


def identify(request: Request) -> Call:
    """Find out what a request calls. What stays unknown is None."""
    credential = _credential(request)
    moto_request = MotoRequest(request.environ())
    call = Call(request, credential)
    best = None
    for head in _candidates(moto_request, credential):
        found = _match(head, moto_request)
        # Several services may sign with one name (s3 and s3control): the longest template is
        # the one that names most of the path.
        if found and (best is None or _literal(found[1]) > _literal(best[1])):
            best = (head, *found)
    if best is None:
        return call
    head, call.model, uri_parameters, call.protocol = best
    call.service = head.name
    call.operation = call.model.name
    _parse(call, moto_request, uri_parameters)
    return call


def _credential(request: Request) -> Credential | None:
    match = SIGNED.match(request.headers.get("Authorization", ""))
    scope = match.group(1) if match else _presigned_scope(request)
    if not scope:
        return None
    parts = scope.split("/")
    if len(parts) == 5:
        return Credential(access_key=parts[0], region=parts[2], signing_name=parts[3])
    if len(parts) == 4:  # asymmetric signatures name no region
        return Credential(access_key=parts[0], region=DEFAULT_REGION, signing_name=parts[2])
    return None


def _presigned_scope(request: Request) -> str | None:
    return parse_qs(request.query).get("X-Amz-Credential", [None])[0]


def _candidates(
    request: MotoRequest, credential: Credential | None
) -> tuple[catalogue.ServiceHead, ...]:
    if credential:
        return catalogue.signed_as(credential.signing_name)
    target = request.headers.get("X-Amz-Target", "")
    if target:
        head = catalogue.with_target(target.rpartition(".")[0])
    elif "Action" in request.values:
        head = catalogue.with_version(request.values.get("Version", ""))
    else:
        return catalogue.signed_as("s3")
    return (head,) if head else ()


def _match(
    head: catalogue.ServiceHead, request: MotoRequest
) -> tuple[OperationModel, dict[str, Any], str] | None:
    if rpc := RPC_V2.search(request.path):
        service = get_service_model(head.name)
        known = rpc.group(1) in service.operation_names
        return (service.operation_model(rpc.group(1)), {}, "json") if known else None
    if head.protocol in ("query", "ec2"):
        version = request.values.get("Version")
        if version and version != head.api_version:
            return None
    try:
        protocol = determine_request_protocol(get_service_model(head.name), request.content_type)
        operation, uri_parameters = get_service_router(head.name).match(request)
    except (NotFound, NotImplementedError):
        return None
    return operation, uri_parameters, protocol


def _literal(operation: OperationModel) -> int:
    return len(re.sub(r"\{[^}]*\}", "", operation.http.get("requestUri", "/")))


def _parse(call: Call, request: MotoRequest, uri_parameters: dict[str, Any]) -> None:
    assert call.model is not None
    if RPC_V2.search(request.path):
        return
    try:
        if call.protocol == "json":
            json.loads(call.request.body or b"{}")
        call.parameters = PROTOCOL_PARSERS[call.protocol](call.model).parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": call.request.body,
                "url_path": request.path,
                "url_params": uri_parameters,
            }
        )
    except (RequestParserError, ValueError, TypeError, AttributeError, KeyError) as error:
        call.parameters = dict(uri_parameters)
        call.malformed = str(error)

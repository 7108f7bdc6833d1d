"""`POST /_sim/evaluate`: would this call be allowed, made from here or there?

The calls themselves are never held against policies; this is how a test asks what AWS would do.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from simulator import catalogue
from simulator.ec2.endpoint import AVAILABLE, Endpoint, any_endpoint, settle_all
from simulator.ec2.service_names import GATEWAY
from simulator.iam.held_policies import EVERYTHING, boundary_of, documents_of
from simulator.iam.service import backend_in, find_role
from simulator.policies.decision import Document, EndpointPolicy, Policies, decide
from simulator.policies.requests import IDENTITY, SESSION, Principal, Request
from simulator.policies.statements import names_anybody, names_principal
from simulator.s3.service import configuration_of, find_bucket

if TYPE_CHECKING:
    from moto.iam.models import Role

ANYWHERE = "203.0.113.10"
IN_VPC = "10.0.0.10"


def evaluate(body: dict[str, Any]) -> dict[str, Any]:
    """Judge one call."""
    settle_all()
    principal = _principal(body["principal"])
    action, resource = body["action"], body["resource"]
    if action.count(":") != 1:
        raise ValueError("action: <service>:<name>")
    endpoint = _endpoint(body, action)
    role = find_role(principal.name)
    identity, boundary = _identity(body, principal, role)
    owner = _owner(resource, principal)
    request = Request(
        principal,
        action,
        resource,
        owner,
        _context(body, principal, role, endpoint, owner),
    )
    policies = Policies(
        identity=identity,
        boundary=boundary,
        resource=_bucket_policy(resource),
        endpoint=_endpoint_policy(endpoint),
    )
    decision = decide(request, policies)
    return {
        "allowed": decision.is_allowed,
        "explicitDeny": decision.is_explicit,
        "reason": decision.reason,
    }


def _principal(name: str) -> Principal:
    if session := SESSION.fullmatch(name):
        roles = backend_in(session["account"], session["partition"]).roles.values()
        wanted = session["role"].rpartition("/")[2]
        for role in roles:
            if role.name == wanted:
                return Principal(role.arn, session["account"], name)
        raise ValueError(f"principal: there is no role {wanted}")
    if match := IDENTITY.fullmatch(name):
        is_role = match["kind"] == "role"
        # A role acts in sessions only; which one does not matter unless a policy names it.
        session_name = f"{match['name'].rpartition('/')[2]}/session"
        head = f"arn:{match['partition']}:sts::{match['account']}:assumed-role"
        session_arn = f"{head}/{session_name}" if is_role else None
        return Principal(name, match["account"], session_arn)
    if name.endswith(".amazonaws.com"):
        return Principal(name, None)
    raise ValueError("principal: the ARN of a role, a session or a user, or the name of a service")


def _endpoint(body: dict[str, Any], action: str) -> Endpoint | None:
    number = body.get("endpointId")
    if number is None:
        return None
    if body.get("viaService"):
        raise ValueError("viaService: what a service does on somebody's behalf uses no endpoint")
    endpoint = any_endpoint(number)
    if endpoint is None:
        raise ValueError(f"endpointId: there is no {number}")
    if endpoint.status != AVAILABLE:
        raise ValueError(f"endpointId: {number} is {endpoint.status}")
    prefix = action.partition(":")[0]
    # Such as s3, bedrock-runtime or sagemaker.api: the service comes first in all of them.
    name = endpoint.service.name.partition(f".{endpoint.service.region}.")[2]
    served = {"monitoring": "cloudwatch"}.get(name, name)
    if not (served == prefix or served.startswith((f"{prefix}.", f"{prefix}-"))):
        raise ValueError(f"endpointId: {number} leads to {endpoint.service.name}, not to {prefix}")
    return endpoint


def _endpoint_policy(endpoint: Endpoint | None) -> EndpointPolicy | None:
    if endpoint is None or endpoint.policy is None:
        return None
    test = names_anybody if endpoint.kind == GATEWAY else names_principal
    return EndpointPolicy(json.loads(endpoint.policy), test)


def _identity(
    body: dict[str, Any], principal: Principal, role: Role | None
) -> tuple[Mapping[str, Document], Document | None]:
    """The identity policies by name, and the boundary: given, or those of the role."""
    if "identityPolicies" in body:
        given = body["identityPolicies"]
        return {f"given policy {n}": each for n, each in enumerate(given, 1)}, None
    if principal.is_service or principal.is_root:
        return {}, None
    if principal.name.endswith(":user/operator"):
        return {"everything, as the operator's user has": EVERYTHING}, None
    if role is None:
        raise ValueError(f"principal: there is no {principal.name}; give its identityPolicies")
    return documents_of(role), boundary_of(role)


def _bucket_policy(resource: str) -> Document | None:
    bucket = find_bucket(_bucket_name(resource) or "")
    text = configuration_of(bucket.name).policy if bucket else None
    return json.loads(text) if text else None


def _bucket_name(resource: str) -> str | None:
    parts = resource.split(":", 5)
    if len(parts) < 6 or parts[2] != "s3":
        return None
    return parts[5].partition("/")[0]


def _owner(resource: str, principal: Principal) -> str | None:
    """The account of a resource: its ARN tells, or its bucket does; else it is the caller's."""
    bucket = find_bucket(_bucket_name(resource) or "")
    if bucket is not None:
        return bucket.account_id
    parts = resource.split(":", 5)
    told = parts[4] if len(parts) == 6 else ""
    return told or principal.account


def _context(
    body: dict[str, Any],
    principal: Principal,
    role: Role | None,
    endpoint: Endpoint | None,
    owner: str | None,
) -> dict[str, list[str]]:
    """The keys that AWS would set, and then those that the body sets; in lower case."""
    via_service = bool(body.get("viaService"))
    keys: dict[str, Any] = {
        "aws:SecureTransport": True,
        "aws:ViaAWSService": via_service,
        "aws:PrincipalIsAWSService": principal.is_service,
        "aws:CurrentTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:EpochTime": int(time.time()),
        "aws:PrincipalArn": None if principal.is_service else principal.name,
        "aws:PrincipalAccount": principal.account,
        "aws:PrincipalServiceName": principal.name if principal.is_service else None,
        "aws:PrincipalType": _type_of(principal),
        "aws:RequestedRegion": _region(body, endpoint),
        "aws:ResourceAccount": owner,
        "s3:ResourceAccount": owner if _bucket_name(body["resource"]) else None,
        "aws:CalledVia": [body["viaService"]] if via_service else None,
    }
    for tag in (role.tags or []) if role else []:
        keys[f"aws:PrincipalTag/{tag['Key']}"] = tag["Value"]
    if endpoint is not None:
        keys |= {
            "aws:SourceVpce": endpoint.id,
            "aws:SourceVpc": endpoint.vpc_id,
            "aws:VpcSourceIp": IN_VPC,
        }
    elif not principal.is_service and not via_service:
        keys["aws:SourceIp"] = ANYWHERE
    keys |= body.get("context", {})
    return {name.lower(): _as_texts(value) for name, value in keys.items() if value is not None}


def _type_of(principal: Principal) -> str | None:
    if principal.is_service:
        return None
    if principal.is_root:
        return "Account"
    return "AssumedRole" if principal.session else "User"


def _region(body: dict[str, Any], endpoint: Endpoint | None) -> str | None:
    told = body["resource"].split(":", 5)[3] if body["resource"].count(":") >= 5 else ""
    if told in catalogue.regions():
        return told
    bucket = find_bucket(_bucket_name(body["resource"]) or "")
    if bucket is not None:
        return bucket.region_name
    return endpoint.service.region if endpoint else None


def _as_texts(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [str(each).lower() if isinstance(each, bool) else str(each) for each in listed]

"""The grammar of identity policies: inline ones, and managed ones."""

import re
from typing import Any

from simulator.iam.documents import (
    ACTION,
    DOCUMENT_FIELDS,
    NO_VENDOR,
    STATEMENT_FIELDS,
    VERSIONS,
    as_list,
    check_condition,
    check_sids,
    malformed,
    parse,
    strings,
)

SYNTAX = "Syntax errors in policy."
LEGACY = "The policy failed legacy parsing"
NO_RESOURCES = "Policy statement must contain resources."
PARTITIONS = {"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f"}
VARIABLE = re.compile(r"\$\{[^}]*\}")
VENDOR = re.compile(r"[a-z0-9-]+")
REGION = re.compile(r"[a-z0-9*?-]*")
ACCOUNT = re.compile(r"|aws|\d{12}|[0-9*?]*[*?][0-9*?]*|aws-marketplace|elasticbeanstalk|managed")
IAM_PATHS = (
    *("user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/"),
    *("server-certificate/", "policy/", "sms-mfa/", "saml-provider/", "oidc-provider/"),
    *("report/", "access-report/"),
)


def check_identity_policy(document: str, *, managed: bool = False) -> None:
    """Raise MalformedPolicyDocument unless IAM takes this document."""
    content = parse(document, SYNTAX)
    if content.keys() - DOCUMENT_FIELDS or "Statement" not in content:
        raise malformed(SYNTAX)
    version = content.get("Version")
    if version is not None and version not in VERSIONS:
        raise malformed(SYNTAX)
    if managed and version != VERSIONS[0]:
        raise malformed("Policy document must be version 2012-10-17 or greater.")
    statements = as_list(content["Statement"])
    if not statements or not all(isinstance(statement, dict) for statement in statements):
        raise malformed(SYNTAX)
    for statement in statements:
        _check_statement(statement)
    check_sids(statements, "Statement IDs (SID) in a single policy must be unique.")


def _check_statement(statement: dict[str, Any]) -> None:
    if statement.keys() - STATEMENT_FIELDS:
        raise malformed(SYNTAX)
    if "Principal" in statement or "NotPrincipal" in statement:
        raise malformed("Policy document should not specify a principal.")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise malformed(SYNTAX)
    for action in _either(statement, "Action", "Policy statement must contain actions."):
        _check_action(action)
    for resource in _either(statement, "Resource", NO_RESOURCES):
        _check_resource(resource)
    if "Condition" in statement:
        check_condition(statement["Condition"], SYNTAX)


def _either(statement: dict[str, Any], name: str, missing: str) -> list[str]:
    given = [key for key in (name, f"Not{name}") if key in statement]
    if len(given) > 1:
        raise malformed(SYNTAX)
    if not given or statement[given[0]] == []:
        raise malformed(missing)
    values = strings(statement[given[0]])
    if values is None:
        raise malformed(SYNTAX)
    return values


def _check_action(action: str) -> None:
    if action == "*":
        return
    if ":" not in action:
        raise malformed(NO_VENDOR)
    if action.count(":") > 1:
        raise malformed("Actions/Condition can contain only one colon.")
    if not ACTION.fullmatch(action):
        raise malformed(f"Vendor {action.partition(':')[0]} is not valid")


def _check_resource(resource: str) -> None:
    if resource == "*":
        return
    # A variable stands for any text, and may itself hold a colon.
    parts = VARIABLE.sub("*", resource).split(":", 5)
    if parts[0] != "arn":
        raise malformed(f'Resource {resource} must be in ARN format or "*".')
    if len(parts) < 6:
        raise malformed(LEGACY)
    _, partition, vendor, region, account, path = parts
    if partition not in PARTITIONS and "*" not in partition:
        raise malformed(f'Partition "{partition}" is not valid for resource "{resource}".')
    if "*" in vendor or "?" in vendor:
        raise malformed("Resource vendor must be fully qualified and cannot contain regexes.")
    if not VENDOR.fullmatch(vendor):
        raise malformed(f"Vendor {vendor} is not valid")
    if vendor == "iam" and region:
        raise malformed(f"IAM resource {resource} cannot contain region information.")
    if vendor == "s3" and region and not path.startswith("accesspoint/"):
        raise malformed(f"Resource {resource} can not contain region information.")
    if not (REGION.fullmatch(region) and ACCOUNT.fullmatch(account) and path):
        raise malformed(LEGACY)
    if vendor == "iam" and not _is_iam_path(path):
        known = ", ".join(IAM_PATHS)
        raise malformed(f'IAM resource path must either be "*" or start with {known}.')


def _is_iam_path(path: str) -> bool:
    if path in ("*", "root"):
        return True
    head = re.split(r"[*?]", path)[0]
    return any(known.startswith(head) or head.startswith(known) for known in IAM_PATHS)

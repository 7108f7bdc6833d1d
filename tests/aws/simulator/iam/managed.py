"""Managed policies and their versions."""

from typing import Any

from simulator.call import Call
from simulator.errors import AwsError
from simulator.iam.documents import encoded, size
from simulator.iam.identity import check_identity_policy
from simulator.iam.roles import check_path
from simulator.iam.service import (
    AWS,
    already_exists,
    backend_of,
    delete_conflict,
    limit_exceeded,
    no_such_entity,
    policy_of,
    service,
)
from simulator.iam.tags import check_tags

LARGEST = 6144
MOST_VERSIONS = 5
OF_AWS = f":iam::{AWS}:policy/"


@service.before("CreatePolicy")
def create_policy(call: Call) -> None:
    """Check what moto does not, and leave the rest to it."""
    name = call.parameters["PolicyName"]
    check_path(call.parameters.get("Path", "/"))
    check_tags(call.parameters.get("Tags", []))
    _check_document(call)
    held = backend_of(call).managed_policies.values()
    own = {policy.name.lower() for policy in held if OF_AWS not in policy.arn}
    if name.lower() in own:
        raise already_exists(
            f"A policy called {name} already exists. Duplicate names are not allowed."
        )


@service.before("CreatePolicyVersion")
def create_policy_version(call: Call) -> None:
    """Check what moto does not, and leave the rest to it."""
    policy = _own_policy_of(call)
    _check_document(call)
    if len(policy.versions) >= MOST_VERSIONS:
        raise limit_exceeded(
            f"A managed policy can have up to {MOST_VERSIONS} versions. Before you create a new "
            "version, you must delete an existing version."
        )


def _check_document(call: Call) -> None:
    document = call.parameters["PolicyDocument"]
    check_identity_policy(document, managed=True)
    if size(document) > LARGEST:
        raise limit_exceeded(f"Cannot exceed quota for PolicySize: {LARGEST}")


def _own_policy_of(call: Call) -> Any:
    policy = policy_of(call)
    if OF_AWS in policy.arn:
        raise AwsError(
            "AccessDenied",
            f"User: {call.principal} is not authorized to perform: iam:{call.operation} on "
            f"resource: policy {policy.arn}",
            403,
        )
    return policy


@service.before("GetPolicy", "ListPolicyVersions", "ListEntitiesForPolicy", "ListPolicyTags")
def find(call: Call) -> None:
    """Refuse what is not there in AWS's words."""
    policy_of(call)


@service.before("GetPolicyVersion")
def get_policy_version(call: Call) -> dict[str, Any]:
    """A version's document as it was put, encoded."""
    version = _version_of(call, policy_of(call))
    return {
        "PolicyVersion": {
            "Document": encoded(version.document),
            "VersionId": version.version_id,
            "IsDefaultVersion": version.is_default,
            "CreateDate": version.create_date,
        }
    }


@service.before("DeletePolicyVersion")
def delete_policy_version(call: Call) -> dict[str, Any]:
    """Delete any version but the default one."""
    policy = _own_policy_of(call)
    version = _version_of(call, policy)
    if version.is_default:
        raise delete_conflict("Cannot delete the default version of a policy.")
    policy.versions.remove(version)
    return {}


@service.before("SetDefaultPolicyVersion")
def set_default_policy_version(call: Call) -> dict[str, Any] | None:
    """Leave it to moto, which would take the default away if it already is what is asked for."""
    policy = _own_policy_of(call)
    return {} if _version_of(call, policy).is_default else None


def _version_of(call: Call, policy: Any) -> Any:
    wanted = call.parameters["VersionId"]
    for version in policy.versions:
        if version.version_id == wanted:
            return version
    raise no_such_entity(
        f"Policy {policy.arn} version {wanted} does not exist or is not attachable."
    )


@service.before("DeletePolicy")
def delete_policy(call: Call) -> None:
    """Refuse to delete what somebody still uses, or what has versions left."""
    policy = _own_policy_of(call)
    bounds = any(
        role.permissions_boundary_arn == policy.arn for role in backend_of(call).roles.values()
    )
    if policy.attachment_count or bounds:
        raise delete_conflict("Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        raise delete_conflict(
            "This policy has more than one version. Before you delete a policy, you must delete "
            "the policy's versions. The default version is deleted with the policy."
        )

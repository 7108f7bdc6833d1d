"""IAM, as strict as AWS is with roles and policies."""

from simulator.iam import (
    access,
    attachments,
    authorization_details,
    boundaries,
    inline,
    managed,
    roles,
    service_linked,
    simulation,
    tags,
    trust,
    visibility,
)
from simulator.iam.access import pass_role
from simulator.iam.assumption import role_for_caller, role_for_service, role_for_web_identity
from simulator.iam.principals import ids_of_principals, principal_exists, with_ids_of_the_deleted
from simulator.iam.service import service
from simulator.iam.visibility import role_is_visible

__all__ = [
    "access",
    "attachments",
    "authorization_details",
    "boundaries",
    "ids_of_principals",
    "inline",
    "managed",
    "pass_role",
    "principal_exists",
    "role_for_caller",
    "role_for_service",
    "role_for_web_identity",
    "role_is_visible",
    "roles",
    "service",
    "service_linked",
    "simulation",
    "tags",
    "trust",
    "visibility",
    "with_ids_of_the_deleted",
]

"""The policies that a role or a user holds, and what bounds them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from simulator.iam.service import backend_in
from simulator.policies.decision import Document
from simulator.policies.requests import IDENTITY

if TYPE_CHECKING:
    from moto.iam.models import ManagedPolicy, Role, User

EVERYTHING: Document = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"},
}


def documents_of(holder: Role | User) -> dict[str, Document]:
    """The identity policies of a role or a user, inline and attached, by their names."""
    inline = holder.policies
    documents = {name: json.loads(text) for name, text in inline.items()}
    for arn, policy in holder.managed_policies.items():
        documents[arn] = default_version(policy)
    return documents


def boundary_of(role: Role) -> Document | None:
    """The permissions boundary of a role; None where it has none."""
    arn = role.permissions_boundary_arn
    if arn is None:
        return None
    match = IDENTITY.fullmatch(role.arn)
    assert match is not None
    held = backend_in(match["account"], match["partition"]).managed_policies
    # A boundary that was deleted allows nothing.
    nothing: Document = {"Version": "2012-10-17", "Statement": []}
    return default_version(held[arn]) if arn in held else nothing


def default_version(policy: ManagedPolicy) -> Document:
    """The version of a managed policy that is in force."""
    return json.loads(next(each.document for each in policy.versions if each.is_default))

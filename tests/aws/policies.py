"""Policy documents that tests of IAM begin with."""

import json
from typing import Any

from conftest import ACCOUNT

ROOT = f"arn:aws:iam::{ACCOUNT}:root"


def document(*statements: dict[str, Any], version: str | None = "2012-10-17") -> str:
    """A policy document; without a version if that is None."""
    head = {"Version": version} if version else {}
    return json.dumps({**head, "Statement": list(statements)})


def trusting(**changes: Any) -> str:
    """A trust policy that lets the account in; None takes a field away."""
    statement = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "sts:AssumeRole"}
    return document(changed(statement, changes))


def allowing(**changes: Any) -> str:
    """An identity policy that allows one read; None takes a field away."""
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
    return document(changed(statement, changes))


def changed(statement: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A statement with some fields replaced, added or taken away."""
    merged = {**statement, **changes}
    return {name: value for name, value in merged.items() if value is not None}

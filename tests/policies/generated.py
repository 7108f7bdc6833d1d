"""What the program generates: the answer of `aiplatform audit -o json`."""

import functools
import json
import os
import subprocess
from pathlib import Path
from typing import Any

DEADLINE_S = 60


def binary() -> Path:
    """The program under test: $AIPLATFORM_BINARY, else the debug build."""
    if given := os.environ.get("AIPLATFORM_BINARY"):
        return Path(given)
    user = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache = os.environ.get("AIPLATFORM_CACHE") or Path(user) / "aiplatform"
    target = os.environ.get("CARGO_TARGET_DIR") or Path(cache) / "target"
    return Path(target) / "debug" / "aiplatform"


@functools.cache
def audit(path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The platforms of a file, by namespace and name."""
    command = [str(binary()), "audit", "-f", str(path), "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    if "unrecognized subcommand" in done.stderr:
        return from_plan(path)
    # 1: there are findings, which the tests of the program judge.
    assert done.returncode in (0, 1), f"{' '.join(command)}: {done.returncode}\n{done.stderr}"
    platforms = json.loads(done.stdout)["platforms"]
    return {(platform["namespace"], platform["name"]): platform for platform in platforms}


def written(document: dict[str, Any]) -> str:
    """A document as it is sent."""
    return json.dumps(document, separators=(",", ":"))


def bucket_policies(platform: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The policies of buckets, by the bucket's name in AWS."""
    return {policy["bucket"]: policy["document"] for policy in platform["bucketPolicies"]}


# All below stands in for `audit` where the program has not got it yet.

SPELLINGS = {
    spelling.lower(): spelling
    for spelling in (
        *("StringEquals", "StringNotEquals", "StringLike", "ArnEquals", "ForAnyValue:StringEquals"),
        *("aws:SourceAccount", "aws:SourceArn", "bedrock:GuardrailIdentifier"),
        *("bedrock:InferenceProfileArn", "kms:ResourceAliases"),
    )
}


def from_plan(path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The same from `plan`, which writes policies without Sids and reasons."""
    command = [str(binary()), "plan", "-f", str(path), "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stderr}"
    platforms = json.loads(done.stdout)["platforms"]
    return {
        (platform["namespace"], platform["name"]): {
            "roles": [planned_role(step) for step in platform["steps"] if step["kind"] == "Role"],
            "bucketPolicies": [
                {"bucket": step["name"], "document": planned_bucket_policy(step)}
                for step in platform["steps"]
                if step["kind"] == "Bucket" and step["desired"].get("policy")
            ],
        }
        for platform in platforms
    }


def planned_role(step: dict[str, Any]) -> dict[str, Any]:
    """A step as a role of `audit`."""
    desired = step["desired"]
    return {
        "name": step["name"],
        "arn": step["arn"],
        "purpose": "Consumer",
        "trustPolicy": spelled(desired["trust"]),
        "permissionsBoundary": desired.get("permissionsBoundary"),
        "policies": [
            {"name": name, "document": spelled(document)}
            for name, document in desired["policies"].items()
        ],
    }


def planned_bucket_policy(step: dict[str, Any]) -> dict[str, Any]:
    """The bucket policy in a step, whose statements are there by Sid."""
    statements = step["desired"]["policy"].items()
    return {
        "Version": "2012-10-17",
        "Statement": [{"Sid": sid, **each} for sid, each in statements],
    }


def spelled(document: dict[str, Any]) -> dict[str, Any]:
    """Operators and keys with the capitals that `plan` takes away."""
    for statement in document["Statement"]:
        if "Condition" in statement:
            statement["Condition"] = {
                SPELLINGS.get(operator, operator): {
                    SPELLINGS.get(key, key): values for key, values in keys.items()
                }
                for operator, keys in statement["Condition"].items()
            }
    return document

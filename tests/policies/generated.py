"""What the program generates: the answers of `aiplatform audit -o json` and `plan -o json`."""

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
    # 1: there are findings, which the tests of the program judge.
    assert done.returncode in (0, 1), f"{' '.join(command)}: {done.returncode}\n{done.stderr}"
    platforms = json.loads(done.stdout)["platforms"]
    return {(platform["namespace"], platform["name"]): platform for platform in platforms}


@functools.cache
def revisions(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    """The revision of each endpoint that would be made, by its execution role."""
    command = [str(binary()), "plan", "-f", str(path), "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stderr}"
    return {
        (platform["namespace"], platform["name"]): _revisions(platform["steps"])
        for platform in json.loads(done.stdout)["platforms"]
    }


def _revisions(steps: list[dict[str, Any]]) -> dict[str, str]:
    desired = {(step["kind"], step["name"]): step["desired"] for step in steps}
    return {
        desired["SageMakerModel", it["model"]]["executionRoleArn"]: name.rsplit("-", maxsplit=1)[1]
        for (kind, name), it in desired.items()
        if kind == "SageMakerEndpointConfig"
    }


def written(document: dict[str, Any]) -> str:
    """A document as it is sent."""
    return json.dumps(document, separators=(",", ":"))


def bucket_policies(platform: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The policies of buckets, by the bucket's name in AWS."""
    return {policy["bucket"]: policy["document"] for policy in platform["bucketPolicies"]}

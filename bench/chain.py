"""The longest chain of waits: what AWS alone makes a platform wait for until it is Ready."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

LATENCY_MS, ENDPOINT_S, VPC_ENDPOINT_S = 20, 5, 3
TIMINGS_MS = {
    "sagemaker.endpoint.create": ENDPOINT_S * 1000,
    "sagemaker.endpoint.update": ENDPOINT_S * 1000,
    "ec2.endpoint.create": VPC_ENDPOINT_S * 1000,
}
TRANSITIONS_S = {"SageMakerEndpoint": ENDPOINT_S, "VpcEndpoint": VPC_ENDPOINT_S}
IN_CLUSTER = frozenset(
    {"ServiceAccount", "NetworkPolicy", "Deployment", "Service", "ConfigMap", "PodDisruptionBudget"}
)

Step = dict[str, Any]


def creation_s(binary: Path, manifest: dict[str, Any]) -> float:
    """The seconds of the chain, by what each step of a platform's plan needs.

    One call that reads, then along the longest path one call for each resource of AWS, and what
    it takes to come up. What does not need each other goes on side by side.
    """
    text = json.dumps(manifest)
    command = [binary, "plan", "-f", "-", "-o", "json", "--cluster-name", "bench"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    steps: list[Step] = json.loads(done.stdout)["platforms"][0]["steps"]
    known = {(step["kind"], step["name"]): step for step in steps}

    def until(step: Step) -> float:
        needs = [known[need["kind"], need["name"]] for need in step["needs"]]
        return own_s(step["kind"]) + max(map(until, needs), default=0.0)

    return round(LATENCY_MS / 1000 + max(map(until, steps)), 2)


def rollout_s() -> float:
    """The seconds of a rollout: a read, a model, a configuration, an update, and its time."""
    return round(4 * LATENCY_MS / 1000 + ENDPOINT_S, 2)


def own_s(kind: str) -> float:
    """The seconds that one resource takes."""
    call = 0.0 if kind in IN_CLUSTER else LATENCY_MS / 1000
    return call + TRANSITIONS_S.get(kind, 0)

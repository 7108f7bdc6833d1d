"""Argo CD, Flux, kstatus and kubectl understand what the operator writes.

`objects.json` holds what the operator's own status functions make
(core/src/status/tests/gitops.rs); here stands what each of those who wait must make of it.
"""

import json
import subprocess
from typing import Any

import pytest
import yaml
from conftest import ROOT, Answers, serve_definitions
from running import Cluster

OBJECTS: dict[str, dict[str, Any]] = json.loads(
    (ROOT / "tests" / "installation" / "objects.json").read_text()
)
GITOPS = ROOT / "manifests" / "gitops"

# By name of the object: Argo CD, Flux with its expressions, kstatus without any, and whether
# `kubectl wait` ends.
EXPECTED = {
    # kstatus takes an object without conditions for done, which is what the expressions are for:
    # where there is no status, they fail, and Flux waits.
    "fresh": ("Progressing", "Unknown", "Current", False),
    "announced": ("Progressing", "InProgress", "InProgress", False),
    "converging": ("Progressing", "InProgress", "InProgress", False),
    "retrying": ("Progressing", "InProgress", "InProgress", False),
    "unreachable": ("Progressing", "InProgress", "InProgress", False),
    "denied": ("Degraded", "Failed", "Failed", False),
    "invalid": ("Degraded", "Failed", "Failed", False),
    "stalled-beside-progress": ("Degraded", "Failed", "Failed", False),
    "ready": ("Healthy", "Current", "Current", True),
    "edited-while-ready": ("Progressing", "InProgress", "InProgress", False),
    "edited-while-stalled": ("Progressing", "InProgress", "InProgress", False),
    "suspended": ("Suspended", "InProgress", "InProgress", False),
    "deletion-not-seen-yet": ("Progressing", "InProgress", "Terminating", False),
    "deleting": ("Progressing", "InProgress", "Terminating", False),
    # Argo CD itself says Progressing of whatever is being deleted, before it asks the script.
    "deletion-blocked": ("Degraded", "Failed", "Terminating", False),
    "observed-in-sync": ("Healthy", "Current", "Current", True),
    "observed-with-differences": ("Suspended", "InProgress", "InProgress", False),
}


@pytest.fixture(scope="module")
def found(verdicts: Answers) -> dict[str, Any]:
    (flux,) = yaml.safe_load((GITOPS / "flux-health-checks.yaml").read_text())
    assert (flux["apiVersion"], flux["kind"]) == ("aiplatform.dev/v1alpha1", "AIPlatform")
    lua = (GITOPS / "argocd-health.lua").read_text()
    return verdicts({"lua": lua, "expressions": flux, "objects": OBJECTS})


def test_every_status_has_a_verdict() -> None:
    assert OBJECTS.keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_each_makes_of_a_status_what_it_should(name: str, found: dict[str, Any]) -> None:
    argo, flux, kstatus, _ = EXPECTED[name]
    verdict = found[name]
    assert (verdict["argo"]["status"], verdict["flux"], verdict["kstatus"]) == (argo, flux, kstatus)


def test_argo_cd_shows_the_message_of_the_operator(found: dict[str, Any]) -> None:
    conditions = OBJECTS["denied"]["status"]["conditions"]
    (ready,) = [condition for condition in conditions if condition["type"] == "Ready"]
    assert found["denied"]["argo"]["message"] == ready["message"]
    assert (
        found["edited-while-ready"]["argo"]["message"]
        == "Waiting for the operator to see the last edit"
    )


def test_an_edit_is_never_taken_for_done_whatever_was_before(
    verdicts: Answers,
) -> None:
    (flux,) = yaml.safe_load((GITOPS / "flux-health-checks.yaml").read_text())
    edited = json.loads(json.dumps(OBJECTS))
    for item in edited.values():
        item["metadata"]["generation"] = 7
    lua = (GITOPS / "argocd-health.lua").read_text()
    answers = verdicts({"lua": lua, "expressions": flux, "objects": edited})
    for name, verdict in answers.items():
        assert verdict["argo"]["status"] == "Progressing", name
        assert verdict["flux"] == ("Unknown" if name == "fresh" else "InProgress"), name


@pytest.fixture(scope="module")
def served(live: Cluster) -> Cluster:
    """The objects on a real API server, each with its status."""
    serve_definitions(live, (ROOT / "crds" / "aiplatform.yaml").read_text())
    for name, item in OBJECTS.items():
        metadata = {"name": name, "namespace": "default"}
        live.kubectl("create", "-f", "-", stdin=json.dumps({**item, "metadata": metadata}))
        if "status" in item:
            # What the operator writes is what the schema takes.
            patch = json.dumps({"status": item["status"]})
            live.kubectl("patch", "aip", name, "--subresource=status", "--type=merge", "-p", patch)
        for tag in range(1, item["metadata"]["generation"]):
            live.kubectl(
                "patch", "aip", name, "--type=merge", "-p", f'{{"spec":{{"tags":{{"a":"{tag}"}}}}}}'
            )
    return live


def waits(live: Cluster, name: str, condition: str) -> bool:
    """Whether `kubectl wait` ends with success."""
    try:
        live.kubectl("wait", f"aip/{name}", f"--for=condition={condition}", "--timeout=1s")
    except subprocess.CalledProcessError:
        return False
    return True


@pytest.mark.parametrize("name", EXPECTED)
def test_kubectl_wait_ends_when_an_object_is_ready_and_not_before(
    name: str, served: Cluster
) -> None:
    assert waits(served, name, "Ready") is EXPECTED[name][3]


def test_kubectl_wait_can_end_when_somebody_has_to_act(served: Cluster) -> None:
    assert waits(served, "denied", "Stalled")
    assert not waits(served, "ready", "Stalled")
    assert not waits(served, "edited-while-stalled", "Stalled"), "it speaks of the edit before"

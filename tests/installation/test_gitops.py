"""The GitOps repositories are taken by the real definitions, and say what the manifests say."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, Objects, serve_definitions
from running import Cluster

GITOPS = ROOT / "examples" / "gitops"
PROBES = ROOT / "manifests" / "gitops"


def documents(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every object of a folder, with its file."""
    for path in sorted(folder.rglob("*.yaml")):
        for found in yaml.safe_load_all(path.read_text()):
            yield path, found


def one(folder: str, kind: str, name: str) -> dict[str, Any]:
    """One object of a folder."""
    found = [o for _, o in documents(GITOPS / folder) if o["kind"] == kind]
    (named,) = [o for o in found if o["metadata"]["name"] == name]
    return named


def test_the_api_server_takes_every_object(with_definitions: Callable[..., Cluster]) -> None:
    live = with_definitions("Application", "Kustomization", "GitRepository", "HelmRelease")
    serve_definitions(live, (ROOT / "crds" / "aiplatform.yaml").read_text())
    for namespace in ("argocd", "flux-system", "support"):
        live.kubectl("create", "namespace", namespace)
    for path, found in documents(GITOPS):
        try:
            live.kubectl("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(found))
        except subprocess.CalledProcessError as error:
            pytest.fail(f"{path}: {found['kind']}: {error}")


def test_argo_cd_is_given_the_health_script_as_it_is() -> None:
    data = one("argocd", "ConfigMap", "argocd-cm")["data"]
    script = data["resource.customizations.health.aiplatform.dev_AIPlatform"]
    assert script == (PROBES / "argocd-health.lua").read_text()


def test_flux_is_given_the_expressions_as_they_are() -> None:
    platform = one("flux", "Kustomization", "support-platform")["spec"]
    assert platform["healthCheckExprs"] == yaml.safe_load(
        (PROBES / "flux-health-checks.yaml").read_text()
    )
    assert platform["wait"] is True


def wave(found: dict[str, Any]) -> int:
    return int(found["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave", "0"))


def test_what_is_needed_comes_before_what_needs_it() -> None:
    operator = one("argocd", "Application", "aiplatform")
    assert wave(operator) < wave(one("argocd", "Application", "support"))
    namespace, platform, application = (
        one("argocd/support", kind, name)
        for kind, name in (
            ("Namespace", "support"),
            ("AIPlatform", "assistant"),
            ("Deployment", "support-api"),
        )
    )
    assert wave(namespace) < wave(platform) < wave(application)
    needs = {
        name: [need["name"] for need in one("flux", "Kustomization", name)["spec"]["dependsOn"]]
        for name in ("support-platform", "support-application")
    }
    assert needs == {"support-platform": ["operator"], "support-application": ["support-platform"]}


def test_every_folder_that_is_named_is_there() -> None:
    named = [
        one("argocd", "Application", name)["spec"]["source"]["path"] for name in ("root", "support")
    ]
    for name in ("operator", "support-platform", "support-application"):
        named.append(one("flux", "Kustomization", name)["spec"]["path"])
    assert [path for path in named if not (GITOPS / path).is_dir()] == []


def test_the_chart_takes_the_values(template: Callable[..., Objects], tmp_path: Path) -> None:
    argo = one("argocd", "Application", "aiplatform")["spec"]["source"]["helm"]["valuesObject"]
    flux = one("flux", "HelmRelease", "aiplatform")["spec"]["values"]
    for values in (argo, flux):
        path = tmp_path / "values.yaml"
        path.write_text(yaml.safe_dump(values))
        kinds = [found["kind"] for found in template("--values", str(path))]
        assert "Deployment" in kinds


@pytest.mark.skipif("AIPLATFORM_BINARY" not in os.environ, reason="AIPLATFORM_BINARY names none")
def test_the_platforms_can_be_planned() -> None:
    files = [str(path) for path, found in documents(GITOPS) if found["kind"] == "AIPlatform"]
    assert len(files) == 2
    for path in files:
        command = [os.environ["AIPLATFORM_BINARY"], "plan", "-f", path]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

"""One version, and everything that a release says of itself, follow from one place."""

import re
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from release import version


def test_the_chart_and_the_manifests_have_the_version_of_the_workspace() -> None:
    chart = yaml.safe_load((ROOT / "charts/aiplatform/Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (version(), version()), "run make generate"
    for folder in (
        "manifests",
        "manifests/overlays/namespaced",
        "examples/installation/shards/shard-1",
    ):
        manifests = yaml.safe_load((ROOT / folder / "kustomization.yaml").read_text())
        assert manifests["images"] == [{"name": "aiplatform", "newTag": version()}], folder
        labels = manifests["labels"][0]
        assert labels["pairs"]["app.kubernetes.io/version"] == version(), folder
    for crate in ("Cargo.toml", "core/Cargo.toml"):
        assert "version.workspace = true" in (ROOT / crate).read_text(), crate


def test_the_examples_install_this_version() -> None:
    for path in sorted((ROOT / "examples").rglob("*.yaml")) + [ROOT / "docs/install.md"]:
        for found in re.findall(
            r"(?:targetRevision: v|tag: v|ref=v|aiplatform:)(\d+\.\d+\.\d+)", path.read_text()
        ):
            assert found == version(), path


def test_the_changelog_knows_the_version() -> None:
    assert re.search(
        rf"^## {re.escape(version())}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )


@pytest.mark.parametrize("name", ["SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"])
def test_what_people_look_for_in_a_repository_is_there(name: str) -> None:
    text = (ROOT / name).read_text()
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text):
        assert Path(ROOT / target).exists(), f"{name}: {target}"

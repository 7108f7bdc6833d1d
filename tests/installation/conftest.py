"""A control plane on which everything is installed, and the programs that people install with."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "cluster"))

import programs  # noqa: E402
from running import Cluster, cluster  # noqa: E402

Objects = list[dict[str, Any]]


@pytest.fixture(scope="module")
def live() -> Iterator[Cluster]:
    """A control plane with a node for each test file."""
    with cluster("--nodes", "1") as started:
        yield started


@pytest.fixture(scope="session")
def kustomize() -> Callable[[Path], Objects]:
    """What a folder is made of, by the kustomize that is built into kubectl."""
    kubectl = programs.kubectl()

    def build(folder: Path) -> Objects:
        output = subprocess.run(
            [kubectl, "kustomize", folder], capture_output=True, text=True, check=False
        )
        assert output.returncode == 0, output.stderr
        return list(yaml.safe_load_all(output.stdout))

    return build


@pytest.fixture(scope="session")
def helm() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs helm; what it says is the caller's to judge."""
    if not shutil.which("go"):
        pytest.skip("helm is built with Go, and the go command is not in PATH")
    path = programs.helm()

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [path, *arguments], input=stdin, capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture(scope="session")
def template(helm: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[..., Objects]:
    """What the chart makes of values."""

    def render(*arguments: str, namespace: str = "aiplatform-system") -> Objects:
        chart = str(ROOT / "charts" / "aiplatform")
        output = helm("template", "aiplatform", chart, f"--namespace={namespace}", *arguments)
        assert output.returncode == 0, output.stderr
        return [found for found in yaml.safe_load_all(output.stdout) if found]

    return render


@pytest.fixture(scope="session")
def verdicts() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What those who wait for an object make of it; by the programs that they are built of."""
    if not shutil.which("go"):
        pytest.skip("gopher-lua, cel-go and kstatus are Go, and the go command is not in PATH")
    path = programs.verdict()

    def judge(question: dict[str, Any]) -> dict[str, Any]:
        output = subprocess.run(
            [path], input=json.dumps(question), capture_output=True, text=True, check=False
        )
        assert output.returncode == 0, output.stderr
        return json.loads(output.stdout)

    return judge

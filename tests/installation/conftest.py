"""A control plane on which everything is installed, and the programs that people install with."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "cluster"))

import programs  # noqa: E402
from running import DEADLINE_S, Cluster, cluster  # noqa: E402

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


Answers = Callable[[dict[str, Any]], dict[str, Any]]


def answers_of(path: Path) -> Answers:
    """Asks a program that takes one question and gives one answer, each in JSON."""

    def ask(question: dict[str, Any]) -> dict[str, Any]:
        output = subprocess.run(
            [path], input=json.dumps(question), capture_output=True, text=True, check=False
        )
        assert output.returncode == 0, output.stderr
        return json.loads(output.stdout)

    return ask


@pytest.fixture(scope="session")
def verdicts() -> Answers:
    """What those who wait for an object make of it; by the programs that they are built of."""
    if not shutil.which("go"):
        pytest.skip("gopher-lua, cel-go and kstatus are Go, and the go command is not in PATH")
    return answers_of(programs.verdict())


@pytest.fixture(scope="session")
def complaints() -> Answers:
    """What a JSON schema says of documents."""
    if not shutil.which("go"):
        pytest.skip("the validator of JSON schemas is Go, and the go command is not in PATH")
    return answers_of(programs.validate())


# The definitions that others release, by module, checksum and file.
DEFINITIONS = {
    "ServiceMonitor": (
        "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
    ),
    "Application": (
        "github.com/argoproj/argo-cd/v3@v3.2.0",
        "h1:m2eGAV+nXQGgzZbH5SyJD5laaPW27mzWXBrgisUHY/0=",
        "manifests/crds/application-crd.yaml",
    ),
    "Kustomization": (
        "github.com/fluxcd/kustomize-controller@v1.10.1",
        "h1:IjTnrkIy0ULJoTNC2ZKuMb32vkqj7dJ6zt6UqbTFxKA=",
        "config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml",
    ),
    "GitRepository": (
        "github.com/fluxcd/source-controller@v1.7.0",
        "h1:/fBgS4CSmT5Jj/fjQDF92y+pC3gst1GJjgNSzY8Ff9I=",
        "config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml",
    ),
    "HelmRelease": (
        "github.com/fluxcd/helm-controller@v1.4.0",
        "h1:rkm8rmB6Na7eNc4pJOnvtXEaJ19iKluRtayHKjBxcUM=",
        "config/crd/bases/helm.toolkit.fluxcd.io_helmreleases.yaml",
    ),
}


def serve_definitions(live: Cluster, *texts: str) -> None:
    """Apply definitions and wait until the API server serves them."""
    apply = ("apply", "--server-side", "-f", "-", "-o", "name")
    names = " ".join(live.kubectl(*apply, stdin=text) for text in texts)
    deadline = time.monotonic() + DEADLINE_S
    # `kubectl wait` fails while there are no conditions at all.
    for name in names.split():
        while not is_served(json.loads(live.kubectl("get", name, "-o", "json"))):
            assert time.monotonic() < deadline, name


def is_served(definition: dict[str, Any]) -> bool:
    """Whether a definition is established."""
    conditions = definition.get("status", {}).get("conditions") or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


@pytest.fixture
def with_definitions(live: Cluster) -> Callable[..., Cluster]:
    """The control plane with the definitions that others release, by kind."""
    if not shutil.which("go"):
        pytest.skip("the definitions come out of Go modules, and the go command is not in PATH")

    def serve(*kinds: str) -> Cluster:
        serve_definitions(live, *(programs.definitions(*DEFINITIONS[kind]) for kind in kinds))
        return live

    return serve

#!/usr/bin/env python3
"""The programs that people install with, built once from the versions that go.mod pins.

Run by itself it builds what is missing, so that no test with a deadline has to.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "cluster"))

import control_plane  # noqa: E402
import go_tools  # noqa: E402

FLAGS = ["-mod=readonly", "-trimpath", "-ldflags=-s -w"]
HELM = {"helm": "helm.sh/helm/v4/cmd/helm"}
PROMTOOL = {"promtool": "github.com/prometheus/prometheus/cmd/promtool"}
# Reading rules takes no service discovery, which is most of what Prometheus is built from.
PROMETHEUS = go_tools.Module(
    HERE / "prometheus", "installation-prometheus", [*FLAGS, "-tags=remove_all_sd"]
)
VERDICT = {"verdict": "./verdict"}
VALIDATE = {"validate": "./validate"}


def kubectl() -> Path:
    """The kubectl of the control plane's version, with the kustomize that is built into it."""
    return control_plane.provide({"kubectl": control_plane.PACKAGES["kubectl"]})["kubectl"]


def helm() -> Path:
    """Helm itself."""
    return go_tools.provide(go_tools.Module(HERE, "installation", FLAGS), HELM)["helm"]


def promtool() -> Path:
    """The program of Prometheus that checks and tests rules."""
    return go_tools.provide(PROMETHEUS, PROMTOOL)["promtool"]


def own(program: dict[str, str]) -> Path:
    """A program of this folder, which is built again when its source is another."""
    (name,) = program
    sources = tuple(sorted((HERE / name).glob("*.go")))
    module = go_tools.Module(HERE, f"installation-{name}", FLAGS, sources)
    return go_tools.provide(module, program)[name]


def verdict() -> Path:
    """The program that asks gopher-lua, Flux and kstatus."""
    return own(VERDICT)


def validate() -> Path:
    """The program that asks a JSON schema."""
    return own(VALIDATE)


def definitions(module: str, checksum: str, path: str) -> str:
    """The text of a file of definitions out of a Go module, as its project releases them."""
    go = shutil.which("go")
    if not go:
        raise go_tools.ToolError("the go command is not in PATH")
    with tempfile.TemporaryDirectory() as elsewhere:
        command = [go, "mod", "download", "-json", module]
        done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=False)
    # A module for a later Go is downloaded all the same, and the command says so in `Error`.
    found = json.loads(done.stdout or "{}")
    if found.get("Sum") != checksum:
        raise go_tools.ToolError(f"{module}: {found.get('Error') or found.get('Sum')}")
    with zipfile.ZipFile(found["Zip"]) as files:
        return files.read(f"{module}/{path}").decode()


if __name__ == "__main__":
    control_plane.provide(control_plane.PACKAGES)
    print(helm(), promtool(), verdict(), validate(), sep="\n")

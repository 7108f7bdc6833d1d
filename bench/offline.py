"""What needs no servers: the time of `aiplatform plan`."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from counting import Figures
from process import StageError
from stage import ROOT

MANIFEST = ROOT / "examples" / "storage.yaml"


def measure(binary: Path, runs: int) -> Figures:
    """Time `aiplatform plan` with nothing around it, and see whether it needs a network."""
    with tempfile.TemporaryDirectory(prefix="aiplatform-bench-") as home:
        environment = {"HOME": home, "PATH": os.defpath}
        command = [str(binary), "plan", "-f", str(MANIFEST)]
        took = []
        # One more than is counted: the first one reads the file into memory.
        for _ in range(runs + 1):
            began = time.perf_counter()
            done = subprocess.run(command, env=environment, capture_output=True, check=False)
            took.append((time.perf_counter() - began) * 1000)
            if done.returncode:
                raise StageError(f"plan ended with {done.returncode}: {done.stderr.decode()}")
        isolated = run_without_network(command, environment)
        return {
            "runs": runs,
            "min_ms": round(min(took[1:]), 1),
            "median_ms": round(statistics.median(took[1:]), 1),
            "max_ms": round(max(took[1:]), 1),
            "same_without_network": None if isolated is None else isolated == done.stdout,
        }


def measure_many(binary: Path, manifests: list[dict[str, Any]]) -> Figures:
    """Time `plan` and `audit` of a file of many platforms, the best of three."""
    with tempfile.TemporaryDirectory(prefix="aiplatform-bench-") as home:
        environment = {"HOME": home, "PATH": os.defpath}
        path = Path(home) / "platforms.yaml"
        path.write_text("\n---\n".join(json.dumps(manifest) for manifest in manifests))
        return {
            f"{command}_s": best_of_three([str(binary), command, "-f", str(path)], environment)
            for command in ("plan", "audit")
        }


def best_of_three(command: list[str], environment: dict[str, str]) -> float:
    """The seconds of the fastest run."""
    took = []
    for _ in range(3):
        began = time.perf_counter()
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        took.append(time.perf_counter() - began)
        # An audit that finds something says so with its exit status.
        if not done.stdout:
            raise StageError(f"{command[1]} printed nothing: {done.stderr.decode()}")
    return round(min(took), 3)


def run_without_network(command: list[str], environment: dict[str, str]) -> bytes | None:
    """What a command prints where there is no network interface, or None if that cannot be had."""
    unshare = shutil.which("unshare")
    if not unshare:
        return None
    for flags in (["--net"], ["--net", "--map-root-user"]):
        isolated = [unshare, *flags]
        if subprocess.run([*isolated, "true"], capture_output=True, check=False).returncode == 0:
            whole = [*isolated, *command]
            return subprocess.run(whole, env=environment, capture_output=True, check=False).stdout
    return None

#!/usr/bin/env python3
"""Measures the operator against a real API server and a simulated AWS; asserts nothing.

`make bench` runs this with a release build, in the simulator's virtual environment. Progress goes
to standard error; standard output is a table, then all figures as one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# The stage is the demo's.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "demo"))

import endpoints  # noqa: E402
import many  # noqa: E402
import offline  # noqa: E402
import single  # noqa: E402
from counting import Figures  # noqa: E402
from process import StageError, Stopped, forget_settings, stop_on_signals  # noqa: E402
from stage import Stage, executable, open_stage  # noqa: E402
from table import table  # noqa: E402


def progress(text: str) -> None:
    """Say what is going on."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


@contextmanager
def operator(binary: Path, latency_ms: int, *flags: str, nodes: int = 2) -> Iterator[Stage]:
    """A stage with the operator at work, and a namespace for what it is asked to make."""
    with open_stage(binary, nodes) as stage:
        stage.set_latency(latency_ms)
        crd = subprocess.run([binary, "crd"], capture_output=True, text=True, check=True).stdout
        stage.kubectl("apply", "-f", "-", stdin=crd)
        stage.wait("the custom resource", lambda: is_established(stage))
        stage.kubectl("create", "namespace", many.NAMESPACE)
        stage.start_operator(*flags)
        yield stage


def is_established(stage: Stage) -> bool:
    """Whether the API server serves the custom resource."""
    text = stage.kubectl("get", "crd", "aiplatforms.aiplatform.dev", "--output=json")
    conditions = json.loads(text)["status"]["conditions"] or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def measure(binary: Path, count: int, latency_ms: int, runs: int) -> Figures:
    """Everything, one after the other."""
    figures: Figures = {"platforms": count, "latency_ms": latency_ms}
    progress("timing plan")
    figures["plan"] = offline.measure(binary, runs)
    progress("one platform: creation, resyncs, a rollout")
    flags = ["--resync", f"{single.RESYNC_S}s", "--guardrails", str(single.GUARDRAILS)]
    with operator(binary, latency_ms, *flags) as stage:
        figures["single"] = single.measure(stage)
    progress("a platform in a network: creation, resyncs")
    with operator(binary, latency_ms, "--resync", f"{endpoints.RESYNC_S}s") as stage:
        figures["network"] = endpoints.measure(stage)
    progress("ten platforms in a network: another look")
    with operator(binary, latency_ms) as stage:
        figures["networks"] = endpoints.measure_many(stage)
    progress(f"{count} platforms: creation, another look")
    with operator(binary, latency_ms) as stage:
        figures["creation"], figures["steady"] = many.measure(stage, count)
    return figures


def main() -> int:
    """Measure; the return value is the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="path of aiplatform")
    parser.add_argument("--platforms", type=int, default=100)
    parser.add_argument("--latency", type=int, default=20, help="ms added to each AWS call")
    parser.add_argument("--runs", type=int, default=20, help="how many times plan is timed")
    arguments = parser.parse_args()
    forget_settings()
    stop_on_signals()
    try:
        binary = executable(arguments.binary)
        figures = measure(binary, arguments.platforms, arguments.latency, arguments.runs)
    except StageError as error:
        notes = getattr(error, "__notes__", [])
        print("\n".join([f"bench: {error}", *notes]), file=sys.stderr)
        return 1
    except Stopped:
        progress("stopped")
        return 130
    print(table(figures))
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Measures growing numbers of platforms, and writes docs/performance.md with tables and plots.

`make bench` runs this with a release build. Every figure of the page comes from one run of
this file; those of ACK come from a run of its controllers on the same servers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "demo"))

import chain  # noqa: E402
import lifecycle  # noqa: E402
import many  # noqa: E402
import offline  # noqa: E402
import plot  # noqa: E402
import repair  # noqa: E402
import standard  # noqa: E402
import steady  # noqa: E402
from counting import Figures  # noqa: E402
from page import page  # noqa: E402
from process import StageError, forget_settings, stop_on_signals  # noqa: E402
from stage import ROOT, Stage, executable  # noqa: E402

from bench import operator, progress  # noqa: E402

COUNTS = [1, 10, 100, 500]
# ACK was measured with so many.
BESIDE_ACK = 10
# From so many platforms on, what does not depend on their number is not measured again.
MANY = 200


@contextmanager
def prepared(binary: Path, count: int) -> Iterator[Stage]:
    """A stage with the operator, and room for so many platforms."""
    with operator(binary, chain.LATENCY_MS, nodes=standard.nodes(count)) as stage:
        stage.control("timings", chain.TIMINGS_MS)
        # Events that nobody hears yet are not to be kept until somebody does.
        stage.control("cloudtrail/logging", {"on": False})
        standard.prepare(stage, count + 1)
        # The API server holds back the first object of a kind for two seconds.
        first = json.dumps(standard.manifest(0))
        stage.kubectl("create", "--dry-run=server", "-f", "-", stdin=first)
        yield stage


def warm_up(stage: Stage, number: int) -> None:
    """Make a platform and delete it: the simulator loads each service at its first call."""
    lifecycle.create(stage, [standard.manifest(number)])
    lifecycle.delete(stage, 1)
    many.settle(stage)


def measure(binary: Path, count: int) -> Figures:
    """Create so many platforms, change them, leave them alone, and delete them."""
    began = time.monotonic()
    figures: Figures = {"platforms": count}
    with prepared(binary, count) as stage:
        figures["at_rest_mb"] = many.memory(stage)["resident_mb"]
        warm_up(stage, count)
        progress(f"{count} platforms: creation")
        manifests = [standard.manifest(number) for number in range(count)]
        figures["creation"] = lifecycle.create(stage, manifests)
        figures["resources"] = resources(stage)
        progress(f"{count} platforms: rollout")
        edited = [standard.manifest(number, standard.SECOND_IMAGE) for number in range(count)]
        figures["rollout"] = lifecycle.roll_out(stage, edited)
        progress(f"{count} platforms: resyncs")
        interval = steady.resync_s(count)
        steady.restart(stage, count, "--resync", f"{interval}s")
        figures["resync"] = steady.resyncs(stage, count)
        if count < MANY:
            progress(f"{count} platforms: repair by resync")
            figures["repair_by_resync"] = repair.by_resync(stage, count, interval)
        progress(f"{count} platforms: a restart, with drift events")
        stage.control("cloudtrail/logging", {"on": True})
        figures["restart"] = steady.first_look(stage, count, "--drift-events")
        progress(f"{count} platforms: repair by events")
        figures["repair_by_events"] = repair.by_events(stage, count)
        progress(f"{count} platforms: an idle minute")
        steady.until_quiet(stage, steady.QUIET_AFTER_REPAIRS_S)
        figures["idle"] = steady.idle(stage)
        progress(f"{count} platforms: deletion")
        figures["deletion"] = lifecycle.delete(stage, count)
    figures["command_line"] = offline.measure_many(binary, manifests)
    figures["took_s"] = round(time.monotonic() - began)
    return figures


def resources(stage: Stage) -> int:
    """How many resources a platform has."""
    text = stage.kubectl("get", "aip", standard.name(0), "-n", standard.NAMESPACE, "-o", "json")
    return len(json.loads(text)["status"]["resources"])


def measure_smaller(binary: Path) -> Figures:
    """The platforms that ACK was measured with, and the chain of what they wait for."""
    progress(f"{BESIDE_ACK} smaller platforms: creation and deletion")
    manifests = [standard.smaller(number) for number in range(BESIDE_ACK)]
    with prepared(binary, BESIDE_ACK) as stage:
        warm_up(stage, BESIDE_ACK)
        creation = lifecycle.create(stage, manifests)
        return {
            "platforms": BESIDE_ACK,
            "resources": resources(stage),
            "chain_s": chain.creation_s(binary, manifests[0]),
            "creation": creation,
            "deletion": lifecycle.delete(stage, BESIDE_ACK),
        }


def conditions(binary: Path, build: str) -> Figures:
    """What the figures depend on, besides the operator."""
    return {
        "build": build,
        "binary_mb": round(binary.stat().st_size / 1e6, 1),
        "cpus": len(os.sched_getaffinity(0)),
        "machine": platform.machine(),
        "chain_s": chain.creation_s(binary, standard.manifest(0)),
        "rollout_s": chain.rollout_s(),
    }


def main() -> int:
    """Measure and write; the return value is the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="path of aiplatform")
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--build", default="release build", help="what the page calls the binary")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of the page")
    arguments = parser.parse_args()
    forget_settings()
    stop_on_signals()
    found = []
    try:
        binary = executable(arguments.binary)
        given = conditions(binary, arguments.build)
        smaller = measure_smaller(binary)
        for figures in [given, smaller]:
            print(json.dumps(figures), flush=True)
        for count in sorted(arguments.counts):
            found.append(measure(binary, count))
            print(json.dumps(found[-1]), flush=True)
    except StageError as error:
        notes = getattr(error, "__notes__", [])
        print("\n".join([f"bench: {error}", *notes]), file=sys.stderr)
        return 1
    images = arguments.docs / "images"
    images.mkdir(parents=True, exist_ok=True)
    (arguments.docs / "performance.md").write_text(page(given, smaller, found))
    drawn = plot.time_to_ready(found, given["chain_s"], given["cpus"])
    (images / "performance.svg").write_text(drawn)
    return 0


if __name__ == "__main__":
    sys.exit(main())

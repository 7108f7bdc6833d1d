#!/usr/bin/env python3
"""Measures growing numbers of platforms, and writes docs/performance.md with a table and a plot.

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
from pathlib import Path
from statistics import quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "demo"))

import many  # noqa: E402
from counting import Figures, calls_of_operator, tally  # noqa: E402
from live import is_ready  # noqa: E402
from process import StageError, forget_settings, stop_on_signals  # noqa: E402
from stage import ROOT, Stage, executable  # noqa: E402

from bench import operator, progress  # noqa: E402

LATENCY_MS, ENDPOINT_S = 20, 5
# The longest chain of what AWS makes wait: eight calls in a row, and the endpoint.
CHAIN_S = 8 * LATENCY_MS / 1000 + ENDPOINT_S
DEADLINE_S = 900.0
PROVIDER = (
    "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/"
    "EXAMPLED539D4633E53DE1B71EXAMPLE"
)
# ACK v1.9.1 and others, with the same resources on the same servers, ten platforms, its defaults.
ACK = {"chain": 6.7, "calls": 151, "requests": 180, "deletion": 51, "cpu_s": 0.33}


def standard(stage: Stage, number: int) -> dict[str, Any]:
    """Two buckets, an endpoint that scales, and a consumer with a service account."""
    base = many.platforms(stage, 1)["items"][0]
    spec = json.loads(json.dumps(base["spec"]))
    scaling = {
        "minInstances": 1,
        "maxInstances": 4,
        "target": {"invocationsPerInstance": {"value": 600}},
    }
    spec["models"][0]["sagemaker"]["autoscaling"] = scaling
    spec["identity"] = {"irsa": {"oidcProviderArn": PROVIDER}}
    account = {"name": f"api-{number:03}"}
    spec["access"] = [{"name": "api", "serviceAccount": account, "models": ["rank"]}]
    for bucket in spec["storage"]["buckets"]:
        bucket["deletionPolicy"] = "Delete"
    name = f"platform-{number:03}"
    return {**base, "metadata": {"name": name, "namespace": many.NAMESPACE}, "spec": spec}


def requests(stage: Stage) -> float:
    """The requests to the API server so far, but for those that begin a watch."""
    counted = "aiplatform_kubernetes_requests_total{"
    metrics = stage.metrics().items()
    return sum(v for k, v in metrics if k.startswith(counted) and '"watch"' not in k)


def until_ready(stage: Stage, manifests: list[dict[str, Any]]) -> list[float]:
    """Create platforms; how long after its own creation each was Ready."""
    watch = stage.watch("--namespace", many.NAMESPACE)
    path = stage.work / "platforms.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}))
    created: dict[str, float] = {}
    took: dict[str, float] = {}
    with stage.shell(f"kubectl create -f {path} > /dev/null") as creating:
        began = time.monotonic()
        while len(took) < len(manifests):
            for event in watch.events(0.05):
                name, now = event["object"]["metadata"]["name"], time.monotonic()
                created.setdefault(name, now)
                if is_ready(event["object"]):
                    took.setdefault(name, now - created[name])
            stage.check()
            if creating.poll() or time.monotonic() - began > DEADLINE_S:
                raise StageError(f"only {len(took)} platforms became Ready")
    watch.stop()
    return sorted(took.values())


def measure(binary: Path, count: int) -> Figures:
    """Create so many platforms, look at them again, and delete them."""
    with operator(binary, LATENCY_MS) as stage:
        stage.control("timings", {"sagemaker.endpoint.create": ENDPOINT_S * 1000})
        manifests = [standard(stage, number) for number in range(count)]
        dry = json.dumps(manifests[0])
        stage.kubectl("create", "--dry-run=server", "-f", "-", stdin=dry)
        at_rest = many.memory(stage)["resident_mb"]
        # The simulator loads each service at its first call, which takes it seconds.
        until_ready(stage, [standard(stage, count)])
        deletion(stage, 1)
        many.settle(stage)
        written = many.status_writes(stage)
        first, asked, used = len(stage.calls()), requests(stage), many.processor_seconds(stage)
        took = until_ready(stage, manifests)
        many.settle(stage)
        found = tally(calls_of_operator(stage, first))
        text = stage.kubectl("get", "aip", "-n", many.NAMESPACE, "-o", "json")
        resources = len(json.loads(text)["items"][0]["status"]["resources"])
        figures: Figures = {
            "platforms": count,
            "resources": resources,
            "ready_p50_s": round(took[len(took) // 2], 2),
            "ready_p95_s": round(quantiles(took, n=20)[-1] if count > 1 else took[0], 2),
            "calls": round(found["calls"] / count, 1),
            "requests": round((requests(stage) - asked) / count, 1),
            "status_writes": round((many.status_writes(stage) - written) / count, 1),
            "cpu_s": round((many.processor_seconds(stage) - used) / count, 3),
            "at_rest_mb": at_rest,
            **{f"made_{key}": value for key, value in many.memory(stage).items()},
        }
        figures["steady"] = many.measure_steady(stage, count)
        figures["deletion"] = deletion(stage, count)
        return figures


def deletion(stage: Stage, count: int) -> Figures:
    """Delete all of them."""
    first, began = len(stage.calls()), time.monotonic()
    stage.kubectl("delete", "aip", "--all", "-n", many.NAMESPACE, "--wait=false")

    def is_gone() -> bool:
        return not json.loads(stage.kubectl("get", "aip", "-n", many.NAMESPACE, "-o", "json"))[
            "items"
        ]

    stage.wait("the platforms to go", is_gone, DEADLINE_S)
    found = tally(calls_of_operator(stage, first))
    took = round(time.monotonic() - began, 1)
    return {"seconds": took, "calls": round(found["calls"] / count, 1), "writes": found["writes"]}


def page(found: list[Figures], build: str) -> str:
    """The page: what was measured, the table, and the comparison."""
    rows = [
        ("time to Ready, p50, s", [f["ready_p50_s"] for f in found]),
        ("time to Ready, p95, s", [f["ready_p95_s"] for f in found]),
        (
            f"p95 / chain of waits ({CHAIN_S:.2f} s)",
            [ratio(f["ready_p95_s"], CHAIN_S) for f in found],
        ),
        ("AWS calls to converge", [f["calls"] for f in found]),
        ("AWS calls per resource", [ratio(f["calls"], f["resources"]) for f in found]),
        ("API server requests to converge", [f["requests"] for f in found]),
        ("status writes to converge", [f["status_writes"] for f in found]),
        ("CPU to converge, s", [f["cpu_s"] for f in found]),
        (
            "AWS calls of a pass that reads everything",
            [f["steady"]["reads_per_platform"] for f in found],
        ),
        ("status writes of it, all platforms", [f["steady"]["status_writes"] for f in found]),
        ("AWS calls of a deletion", [f["deletion"]["calls"] for f in found]),
        ("deletion of all, s", [f["deletion"]["seconds"] for f in found]),
        ("resident memory at rest, MB", [f["at_rest_mb"] for f in found]),
        ("resident memory, peak, MB", [f["made_peak_mb"] for f in found]),
    ]
    heads = " | ".join(str(f["platforms"]) for f in found)
    table = [f"| platforms | {heads} |", "|---|" + "---|" * len(found)]
    table += [f"| {name} | {' | '.join(str(value) for value in values)} |" for name, values in rows]
    ten = min(found, key=lambda f: abs(f["platforms"] - 10))
    compared = [
        ("p95 / chain of waits", ratio(ten["ready_p95_s"], CHAIN_S), ACK["chain"]),
        ("AWS calls to converge", ten["calls"], ACK["calls"]),
        ("API server requests to converge", ten["requests"], ACK["requests"]),
        ("AWS calls of a deletion", ten["deletion"]["calls"], ACK["deletion"]),
        ("CPU to converge, s", ten["cpu_s"], ACK["cpu_s"]),
    ]
    versus = ["| per platform | aiplatform | ACK | ratio |", "|---|---|---|---|"]
    versus += [
        f"| {name} | {ours} | {acks} | {ratio(ours, acks)} |" for name, ours, acks in compared
    ]
    return TEXT.format(
        build=build,
        cpus=len(os.sched_getaffinity(0)),
        machine=platform.machine(),
        resources=found[0]["resources"],
        latency=LATENCY_MS,
        endpoint=ENDPOINT_S,
        table="\n".join(table),
        versus="\n".join(versus),
        ten=ten["platforms"],
    )


TEXT = """# Performance

Written by `make bench`; nothing here is written by hand. A real API server and the AWS
simulator with {latency} ms per call, an endpoint `Creating` for {endpoint} s; {cpus} CPUs
({machine}), which the servers and the bench share; {build}. A platform is two buckets, a role for
each of a model and a consumer, and an endpoint with autoscaling: {resources} resources. Per
platform unless it says otherwise.

{table}

![Time to Ready by number of platforms](images/performance.svg)

## Beside ACK

At {ten} platforms, against ACK's five controllers with their defaults, ten platforms, measured
before on the same servers with much the same resources: one bucket there instead of two, shorter
policies, and no tags on scalable targets. ACK's time follows from its fixed pause of 30 s after an
endpoint began, so that the first ratio comes closer to 1 where endpoints take minutes.

{versus}
"""


def ratio(one: float, other: float) -> float:
    """How many times the other."""
    return round(one / other, 2)


def plot(found: list[Figures]) -> str:
    """Time to Ready by number of platforms, as SVG."""
    width, height, left, top = 640, 300, 60, 20
    most = max([f["ready_p95_s"] for f in found] + [1.2 * CHAIN_S + 2]) * 1.1
    step = (width - left - 40) / max(len(found) - 1, 1)

    def y(seconds: float) -> float:
        return round(height - 40 - (height - 40 - top) * seconds / most, 1)

    def line(key: str, colour: str) -> str:
        points = [(round(left + step * index, 1), y(f[key])) for index, f in enumerate(found)]
        dots = "".join(f'<circle cx="{a}" cy="{b}" r="3" fill="{colour}"/>' for a, b in points)
        path = " ".join(f"{a},{b}" for a, b in points)
        return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}'

    bound = y(1.2 * CHAIN_S + 2)
    labels = "".join(
        f'<text x="{left + step * index:.1f}" y="{height - 20}" text-anchor="middle">'
        f"{f['platforms']}</text>"
        for index, f in enumerate(found)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">'
        f'<rect width="{width}" height="{height}" fill="white"/>'
        f'<line x1="{left}" y1="{bound}" x2="{width - 20}" y2="{bound}" stroke="#999" '
        'stroke-dasharray="4"/>'
        f'<text x="{width - 20}" y="{bound - 4}" text-anchor="end" fill="#666">'
        "1.2 x the chain of waits + 2 s</text>"
        f"{line('ready_p50_s', '#1f77b4')}{line('ready_p95_s', '#d62728')}"
        f'<text x="{left}" y="14" fill="#1f77b4">p50</text>'
        f'<text x="{left + 40}" y="14" fill="#d62728">p95 of the time to Ready, seconds</text>'
        f'<text x="{left - 8}" y="{y(0)}" text-anchor="end">0</text>'
        f'<text x="{left - 8}" y="{y(CHAIN_S)}" text-anchor="end">{CHAIN_S:.1f}</text>'
        f"{labels}"
        f'<text x="{width / 2}" y="{height - 4}" text-anchor="middle">platforms</text></svg>\n'
    )


def main() -> int:
    """Measure and write; the return value is the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="path of aiplatform")
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 10, 100, 500])
    parser.add_argument("--build", default="release build", help="what the page calls the binary")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of the page")
    arguments = parser.parse_args()
    forget_settings()
    stop_on_signals()
    found = []
    try:
        binary = executable(arguments.binary)
        for count in sorted(arguments.counts):
            progress(f"{count} platforms")
            found.append(measure(binary, count))
            print(json.dumps(found[-1]), flush=True)
    except StageError as error:
        notes = getattr(error, "__notes__", [])
        print("\n".join([f"bench: {error}", *notes]), file=sys.stderr)
        return 1
    (arguments.docs / "images").mkdir(parents=True, exist_ok=True)
    (arguments.docs / "performance.md").write_text(page(found, arguments.build))
    (arguments.docs / "images" / "performance.svg").write_text(plot(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())

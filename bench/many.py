"""Many platforms at once: how long they take together, and what the operator needs meanwhile."""

from __future__ import annotations

import json
import time
from pathlib import Path
from statistics import median
from typing import Any

import process
from counting import Figures, calls_of_operator, tally
from live import is_ready
from process import StageError
from stage import ROOT, Stage

MANIFEST = ROOT / "examples" / "storage.yaml"
NAMESPACE = "bench"
DEADLINE_S = 300.0
MODEL = {
    "name": "rank",
    "sagemaker": {
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1.4.0",
        "instance": {"type": "ml.g5.xlarge", "count": 1},
    },
}


def measure(stage: Stage, count: int) -> tuple[Figures, Figures]:
    """Create them, and look at them again."""
    idle = memory(stage)["resident_mb"]
    created = {"idle_resident_mb": idle, **measure_creation(stage, count)}
    return created, measure_steady(stage, count)


def platforms(stage: Stage, count: int) -> dict[str, Any]:
    """The example with a model, many times under different names."""
    text = stage.kubectl("create", "--dry-run=client", "--output=json", "-f", str(MANIFEST))
    example = json.loads(text)
    example["spec"]["models"] = [MODEL]

    def named(number: int) -> dict[str, Any]:
        metadata = {"name": f"platform-{number:03}", "namespace": NAMESPACE}
        return {**example, "metadata": metadata}

    items = [named(number) for number in range(count)]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def memory(stage: Stage) -> dict[str, float]:
    """The operator's resident memory, now and at most, in MB (of 1,000,000 bytes)."""
    assert stage.operator is not None
    status = Path(f"/proc/{stage.operator.pid}/status").read_text()
    kib = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if "kB" in line}

    def megabytes(name: str) -> float:
        return round(int(kib[name]) * 1024 / 1e6, 1)

    return {
        "resident_mb": megabytes("VmRSS"),
        "peak_mb": megabytes("VmHWM"),
        # What is the program itself: pages of its file, which the kernel can take back.
        "program_mb": megabytes("RssFile"),
    }


def processor_seconds(stage: Stage) -> float:
    """The processor time that the operator has used."""
    assert stage.operator is not None
    return process.processor_seconds(stage.operator.pid)


def count_calls(stage: Stage, since: int, count: int) -> Figures:
    """The AWS calls from one number on, by operation."""
    calls = calls_of_operator(stage, since)
    found = tally(calls)
    return {
        **found,
        "reads_per_platform": round(found["reads"] / count, 2),
        "writes_per_platform": round(found["writes"] / count, 2),
        # Above the latency that was asked for, this is the simulator's own time.
        "median_call_ms": median(call["durationMs"] for call in calls) if calls else 0,
    }


def status_writes(stage: Stage) -> int:
    """How many times the operator wrote a status."""
    return int(stage.metrics().get("aiplatform_status_writes_total", 0))


def passes(stage: Stage) -> tuple[float, float]:
    """How many passes have ended, and how many are under way."""
    metrics = stage.metrics()
    return (
        metrics.get("aiplatform_reconcile_duration_seconds_count", 0),
        metrics.get("aiplatform_reconciles_in_progress", 0),
    )


def measure_creation(stage: Stage, count: int) -> Figures:
    """From `kubectl create` of all platforms to all of them Ready."""
    everything = platforms(stage, count)
    manifest = stage.work / "platforms.json"
    # The API server holds back the first object of a kind for two seconds: it is not to be counted.
    manifest.write_text(json.dumps(everything["items"][0]))
    stage.kubectl("create", "--dry-run=server", "-f", str(manifest))
    manifest.write_text(json.dumps(everything))

    first_call, used = stage.call_count(), processor_seconds(stage)
    watch = stage.watch("--namespace", NAMESPACE)
    ready: dict[str, float] = {}
    created = 0.0
    began = time.monotonic()
    with stage.shell(f"kubectl create -f {manifest} > /dev/null") as creating:
        while len(ready) < count or not created:
            for event in watch.events(0.05):
                if is_ready(event["object"]):
                    name = event["object"]["metadata"]["name"]
                    ready.setdefault(name, time.monotonic() - began)
            if not created and creating.poll() == 0:
                created = time.monotonic() - began
            stage.check()
            if creating.poll() or time.monotonic() - began > DEADLINE_S:
                raise StageError(f"only {len(ready)} platforms became Ready")
    settle(stage)
    watch.stop()
    return {
        "all_created_s": round(created, 2),
        "first_ready_s": round(min(ready.values()), 2),
        "all_ready_s": round(max(ready.values()), 2),
        "status_writes_per_platform": round(status_writes(stage) / count, 2),
        "processor_s": round(processor_seconds(stage) - used, 2),
        **memory(stage),
        **count_calls(stage, first_call, count),
    }


def measure_steady(stage: Stage, count: int) -> Figures:
    """A look at all platforms, of which none needs anything."""
    first_call, used = stage.call_count(), processor_seconds(stage)
    written, (passed, _) = status_writes(stage), passes(stage)
    began = time.monotonic()
    text = stage.kubectl(
        *("annotate", "aip", "--all", "--namespace", NAMESPACE, "--output=json"),
        f"aiplatform.dev/reconcile-at={time.time()}",
    )
    asked = time.monotonic() - began
    stage.wait("the passes", lambda: passes(stage)[0] >= passed + count, DEADLINE_S)
    settle(stage)
    took = time.monotonic() - began
    before = versions(documents(text))
    after = versions(
        json.loads(stage.kubectl("get", "aip", "-n", NAMESPACE, "-o", "json"))["items"]
    )
    return {
        "all_asked_s": round(asked, 2),
        "all_looked_at_s": round(took, 2),
        "passes": int(passes(stage)[0] - passed),
        "status_writes": status_writes(stage) - written,
        "objects_changed": sum(after[name] != version for name, version in before.items()),
        "processor_s": round(processor_seconds(stage) - used, 2),
        **memory(stage),
        **count_calls(stage, first_call, count),
    }


def settle(stage: Stage) -> None:
    """Wait until no pass is under way."""
    stage.wait("the last pass", lambda: not passes(stage)[1], DEADLINE_S, pause_s=0.2)


def documents(text: str) -> list[dict[str, Any]]:
    """The JSON documents that follow each other in a text."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text.rstrip()):
        document, at = decoder.raw_decode(text, at)
        found += document.get("items", [document])
        at += len(text[at:]) - len(text[at:].lstrip())
    return found


def versions(things: list[dict[str, Any]]) -> dict[str, str]:
    """The resource version of each object, by name."""
    return {thing["metadata"]["name"]: thing["metadata"]["resourceVersion"] for thing in things}

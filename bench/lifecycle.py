"""What people ask for: platforms, new revisions of their models, and their deletion."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path
from statistics import quantiles
from typing import Any

import many
import standard
from counting import Call, Figures, counts_of_operator, tally
from live import is_ready
from process import StageError, Watch
from stage import Stage

DEADLINE_S = 1800.0
# The operator's own queue and rule for events of drift, which belong to no platform.
EVENT_SERVICES = ("sqs", "events")
SERVERS = ("aws", "cluster")
WAITING, QUEUED = "aiplatform_aws_requests_waiting{", "aiplatform_queue_depth{"


class Meter:
    """What the operator and the simulator use from now on."""

    def __init__(self, stage: Stage) -> None:
        """Begin."""
        self.stage = stage
        self.first_call = stage.call_count()
        self.requests = requests(stage)
        self.status_writes = many.status_writes(stage)
        self.processor_s = many.processor_seconds(stage)
        self.servers_s = {name: stage.processor_seconds(name) for name in SERVERS}
        self.began, self.machine_s = time.monotonic(), machine_seconds()
        self.waiting = self.queued = 0.0
        self._next_sample = 0.0

    def sample(self) -> None:
        """Note what there is to note now and then, once a second at most."""
        if time.monotonic() > self._next_sample:
            metrics = self.stage.metrics()
            self.waiting = max(self.waiting, total(metrics, WAITING))
            self.queued = max(self.queued, total(metrics, QUEUED))
            self._next_sample = time.monotonic() + 1

    def _servers(self) -> dict[str, float]:
        """The processor time of the servers so far."""
        return {
            name: self.stage.processor_seconds(name) - before
            for name, before in self.servers_s.items()
        }

    def read(self, count: int) -> Figures:
        """What was used so far, of which some for each platform."""
        stage = self.stage
        calls = without(EVENT_SERVICES, counts_of_operator(stage, self.first_call))
        found = tally(calls)
        used = self._servers()
        answered = stage.call_count() - self.first_call
        whole = (time.monotonic() - self.began) * len(os.sched_getaffinity(0))
        return {
            "calls": round(found["calls"] / count, 2),
            "services": each(found["services"], count),
            "operations": each(found["operations"], count),
            "refused": found["error_codes"],
            "calls_per_s": busiest(calls),
            "waiting": round(self.waiting),
            "queued": round(self.queued),
            # The simulator answers with one processor at a time: so many calls in a second of it.
            "simulator_calls_per_s": round(answered / max(used["aws"], 0.01)),
            "simulator_cpu_s": round(used["aws"] / count, 3),
            "cluster_cpu_s": round(used["cluster"] / count, 3),
            "processors_busy": round((machine_seconds() - self.machine_s) / whole, 2),
            "requests": round(sum((requests(stage) - self.requests).values()) / count, 2),
            "requests_by": each(requests(stage) - self.requests, count),
            "status_writes": round((many.status_writes(stage) - self.status_writes) / count, 2),
            "cpu_s": round((many.processor_seconds(stage) - self.processor_s) / count, 3),
            **{f"memory_{key}": value for key, value in many.memory(stage).items()},
        }


def create(stage: Stage, manifests: list[dict[str, Any]]) -> Figures:
    """From the creation of each platform to its being Ready."""
    meter, watch = Meter(stage), stage.watch("--namespace", standard.NAMESPACE)
    command = f"kubectl create -f {written(stage, manifests)}"
    took = until_ready(meter, watch, command, len(manifests), generation=1)
    many.settle(stage)
    return {**percentiles(took), **meter.read(len(manifests))}


def roll_out(stage: Stage, manifests: list[dict[str, Any]]) -> Figures:
    """From each platform's edit to its being Ready with the new revision in service."""
    meter, watch = Meter(stage), stage.watch("--namespace", standard.NAMESPACE)
    path = written(stage, manifests)
    command = f"kubectl apply --server-side --force-conflicts -f {path}"
    took = until_ready(meter, watch, command, len(manifests), generation=2)
    many.settle(stage)
    found = meter.read(len(manifests))
    if found["operations"].get("UpdateEndpoint", 0) < 1:
        raise StageError(f"not every endpoint was updated: {found['operations']}")
    return {**percentiles(took), **found}


def delete(stage: Stage, count: int) -> Figures:
    """Delete all of them."""
    meter, watch = Meter(stage), stage.watch("--namespace", standard.NAMESPACE)
    began = time.monotonic()
    gone: set[str] = set()
    asked = "kubectl delete aip --all --wait=false"
    with stage.shell(f"{asked} --namespace {standard.NAMESPACE} > /dev/null"):
        while len(gone) < count:
            for event in watch.events(0.05):
                if event["type"] == "DELETED":
                    gone.add(event["object"]["metadata"]["name"])
            stage.check()
            if time.monotonic() - began > DEADLINE_S:
                raise StageError(f"only {len(gone)} platforms went")
    took = round(time.monotonic() - began, 1)
    watch.stop()
    return {"seconds": took, **meter.read(count)}


def until_ready(
    meter: Meter, watch: Watch, command: str, count: int, *, generation: int
) -> list[float]:
    """Run a command; how long after its own change each platform was Ready."""
    stage = meter.stage
    changed: dict[str, float] = {}
    took: dict[str, float] = {}
    with stage.shell(f"{command} > /dev/null") as changing:
        began = time.monotonic()
        while len(took) < count:
            for event in watch.events(0.05):
                thing, now = event["object"], time.monotonic()
                name = thing["metadata"]["name"]
                if thing["metadata"]["generation"] != generation:
                    continue
                changed.setdefault(name, now)
                if is_ready(thing):
                    took.setdefault(name, now - changed[name])
            meter.sample()
            stage.check()
            if changing.poll() or time.monotonic() - began > DEADLINE_S:
                raise StageError(f"only {len(took)} platforms became Ready: {reasons(stage)}")
    watch.stop()
    return sorted(took.values())


def reasons(stage: Stage) -> dict[str, int]:
    """Why platforms are not Ready, and how many for each reason."""
    text = stage.kubectl("get", "aip", "-n", standard.NAMESPACE, "-o", "json")
    conditions = [
        condition
        for thing in json.loads(text)["items"]
        for condition in thing.get("status", {}).get("conditions", [])
    ]
    unready = [c for c in conditions if c["type"] == "Ready" and c["status"] != "True"]
    return dict(Counter(f"{c['reason']}: {c['message']}" for c in unready).most_common(5))


def written(stage: Stage, manifests: list[dict[str, Any]]) -> str:
    """A file with these objects."""
    path = stage.work / "platforms.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}))
    return str(path)


def percentiles(took: list[float]) -> Figures:
    """The median and what only one in twenty exceeds, in seconds."""
    most = quantiles(took, n=20)[-1] if len(took) > 1 else took[0]
    return {"p50_s": round(took[len(took) // 2], 2), "p95_s": round(min(most, took[-1]), 2)}


def requests(stage: Stage) -> Counter[str]:
    """The requests to the API server so far, but for those that begin a watch."""
    prefix = "aiplatform_kubernetes_requests_total{"
    counted = Counter[str]()
    for name, value in stage.metrics().items():
        if name.startswith(prefix) and '"watch"' not in name:
            counted[name.removeprefix(prefix).removesuffix("}")] += int(value)
    return counted


def machine_seconds() -> float:
    """The processor time that everything on this machine has used."""
    user, nice, system = Path("/proc/stat").read_text().split()[1:4]
    return (int(user) + int(nice) + int(system)) / os.sysconf("SC_CLK_TCK")


def total(metrics: dict[str, float], prefix: str) -> float:
    """The sum of a metric over its labels."""
    return sum(value for name, value in metrics.items() if name.startswith(prefix))


def each(counts: dict[str, int], count: int) -> dict[str, float]:
    """Of each platform."""
    return {name: round(number / count, 3) for name, number in counts.items() if number}


def without(services: tuple[str, ...], calls: list[Call]) -> list[Call]:
    """The calls of other services."""
    return [call for call in calls if call["service"] not in services]


def busiest(calls: list[Call], seconds: int = 5) -> float:
    """The calls a second in the busiest seconds."""
    slots = Counter(call["time"] // seconds for call in calls)
    return round(max(slots.values(), default=0) / seconds, 1)

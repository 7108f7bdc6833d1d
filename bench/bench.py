#!/usr/bin/env python3
"""Measures the operator against a real API server and a simulated AWS; asserts nothing.

`make bench` runs this with a release build, in the simulator's virtual environment. Progress goes
to standard error; standard output is a table, then all figures as one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# The stage is the demo's.
sys.path.insert(0, str(ROOT / "demo"))

from live import is_read, is_ready  # noqa: E402
from process import StageError, Stopped, forget_settings, stop_on_signals  # noqa: E402
from stage import Stage, executable, open_stage  # noqa: E402

MANIFEST = ROOT / "examples" / "storage.yaml"
NAMESPACE = "bench"
DEADLINE_S = 300.0

Figures = dict[str, Any]


def progress(text: str) -> None:
    """Say what is going on."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def measure_plan(binary: Path, runs: int) -> Figures:
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


def platforms(stage: Stage, count: int) -> dict[str, Any]:
    """The example, many times under different names."""
    text = stage.kubectl("create", "--dry-run=client", "--output=json", "-f", str(MANIFEST))
    example = json.loads(text)

    def named(number: int) -> dict[str, Any]:
        metadata = {"name": f"platform-{number:03}", "namespace": NAMESPACE}
        return {**example, "metadata": metadata}

    items = [named(number) for number in range(count)]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def memory(stage: Stage) -> dict[str, float]:
    """The operator's resident memory, now and at most, in MiB."""
    assert stage.operator is not None
    status = Path(f"/proc/{stage.operator.pid}/status").read_text()
    kib = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if "kB" in line}
    return {
        "resident_mib": round(int(kib["VmRSS"]) / 1024, 1),
        "peak_mib": round(int(kib["VmHWM"]) / 1024, 1),
    }


def processor_seconds(stage: Stage) -> float:
    """The processor time that the operator has used."""
    assert stage.operator is not None
    fields = Path(f"/proc/{stage.operator.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def count_calls(stage: Stage, since: int, count: int) -> Figures:
    """The AWS calls from one number on, by operation."""
    calls = stage.calls(since)
    operations = Counter(call["operation"] for call in calls)
    reads = sum(number for name, number in operations.items() if is_read(name))
    failed = Counter(call["result"]["code"] for call in calls if call["result"]["code"])
    return {
        "calls": len(calls),
        "reads": reads,
        "writes": len(calls) - reads,
        "reads_per_platform": round(reads / count, 2),
        "writes_per_platform": round((len(calls) - reads) / count, 2),
        "operations": dict(sorted(operations.items())),
        "error_codes": dict(failed),
        # Above the latency that was asked for, this is the simulator's own time.
        "median_call_ms": statistics.median(call["durationMs"] for call in calls) if calls else 0,
    }


def status_writes(stage: Stage) -> int:
    """How many times the operator wrote a status."""
    return int(stage.metrics().get("aiplatform_status_writes_total", 0))


def passes(stage: Stage) -> tuple[float, float]:
    """How many passes have ended, and how many are under way."""
    metrics = stage.metrics()
    return (
        metrics.get("aiplatform_pass_seconds_count", 0),
        metrics.get("aiplatform_passes_in_progress", 0),
    )


def measure_creation(stage: Stage, count: int) -> Figures:
    """From `kubectl create` of all platforms to all of them Ready."""
    everything = platforms(stage, count)
    manifest = stage.work / "platforms.json"
    # The API server holds back the first object of a kind for two seconds: it is not to be counted.
    manifest.write_text(json.dumps(everything["items"][0]))
    stage.kubectl("create", "--dry-run=server", "-f", str(manifest))
    manifest.write_text(json.dumps(everything))

    first_call, used = len(stage.calls()), processor_seconds(stage)
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
    first_call, used = len(stage.calls()), processor_seconds(stage)
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
    stage.wait("the last pass", lambda: not passes(stage)[1], DEADLINE_S)


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


def measure_operator(binary: Path, count: int, latency_ms: int) -> tuple[Figures, Figures]:
    """Everything that needs the servers."""
    with open_stage(binary) as stage:
        stage.set_latency(latency_ms)
        crd = subprocess.run([binary, "crd"], capture_output=True, text=True, check=True).stdout
        stage.kubectl("apply", "-f", "-", stdin=crd)
        stage.kubectl("wait", "--for=condition=Established", "crd/aiplatforms.aiplatform.dev")
        stage.kubectl("create", "namespace", NAMESPACE)
        stage.start_operator()
        idle = memory(stage)["resident_mib"]
        progress(f"creating {count} platforms")
        created = {"idle_resident_mib": idle, **measure_creation(stage, count)}
        progress("looking at them again")
        return created, measure_steady(stage, count)


def table(figures: Figures) -> str:
    """The figures, for people."""
    plan, created, steady = figures["plan"], figures["creation"], figures["steady"]
    count = figures["platforms"]
    network = {True: "same output", False: "ANOTHER OUTPUT", None: "not tried"}
    rows = [
        ("plan of examples/storage.yaml", ""),
        ("  time", f"{plan['median_ms']} ms ({plan['min_ms']} to {plan['max_ms']})"),
        ("  without network or credentials", network[plan["same_without_network"]]),
        (f"{count} platforms of 2 buckets, {figures['latency_ms']} ms per AWS call", ""),
        (
            "  to all Ready",
            f"{created['all_ready_s']} s (kubectl create: {created['all_created_s']} s)",
        ),
        ("  AWS calls per platform", per_platform(created)),
        ("  status writes per platform", str(created["status_writes_per_platform"])),
        (
            "  resident memory",
            f"{created['resident_mib']} MiB (before: {created['idle_resident_mib']} MiB)",
        ),
        ("  processor time", f"{created['processor_s']} s"),
        ("a pass over all of them that changes nothing", ""),
        ("  time", f"{steady['all_looked_at_s']} s (kubectl annotate: {steady['all_asked_s']} s)"),
        ("  AWS calls per platform", per_platform(steady)),
        (
            "  status writes, changed objects",
            f"{steady['status_writes']}, {steady['objects_changed']}",
        ),
        ("  resident memory", f"{steady['resident_mib']} MiB (most: {steady['peak_mib']} MiB)"),
        ("  processor time", f"{steady['processor_s']} s"),
        ("AWS calls", f"{'to Ready':>10}{'steady':>10}"),
    ]
    for name in sorted(created["operations"] | steady["operations"]):
        numbers = (part["operations"].get(name, 0) for part in (created, steady))
        rows.append((f"  {name}", "".join(f"{number:>10}" for number in numbers)))
    width = max(len(label) for label, _ in rows) + 2
    return "\n".join(f"{label:<{width}}{value}".rstrip() for label, value in rows)


def per_platform(part: Figures) -> str:
    """The AWS calls of one part."""
    return f"{part['reads_per_platform']} reads, {part['writes_per_platform']} writes"


def main() -> int:
    """Measure; the return value is the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="path of aiplatform")
    parser.add_argument("--platforms", type=int, default=50)
    parser.add_argument("--latency", type=int, default=20, help="ms added to each AWS call")
    parser.add_argument("--runs", type=int, default=20, help="how many times plan is timed")
    arguments = parser.parse_args()
    forget_settings()
    stop_on_signals()
    try:
        figures: Figures = {"platforms": arguments.platforms, "latency_ms": arguments.latency}
        binary = executable(arguments.binary)
        progress("timing plan")
        figures["plan"] = measure_plan(binary, arguments.runs)
        progress("starting the API server and the AWS simulator")
        figures["creation"], figures["steady"] = measure_operator(
            binary, arguments.platforms, arguments.latency
        )
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

"""The page docs/performance.md, from the figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from textwrap import fill
from typing import Any

import chain
import repair
import steady
from counting import Figures
from text import TEXT

# ACK v1.9.1 and others, with the same resources on the same servers, ten platforms, its defaults.
ACK = {"chain": 6.7, "calls": 151, "requests": 180, "deletion": 51, "cpu_s": 0.33}
HOURLY_BOUNDS = {1: 72, 10: None, 100: 12, 500: 6}
RESYNC_MIN = 10
# Operations with fewer calls than this for each platform are left out of the table.
RARE = 0.05
NOTHING = "–"

Row = tuple[str, list[Any], str]


def page(given: Figures, smaller: Figures, found: list[Figures]) -> str:
    """The whole page."""
    ready_s = ready_bound_s(given["chain_s"])
    text = TEXT.format(
        build=given["build"],
        cpus=given["cpus"],
        machine=given["machine"],
        resources=found[0]["resources"],
        latency=chain.LATENCY_MS,
        endpoint=chain.ENDPOINT_S,
        vpc_endpoint=chain.VPC_ENDPOINT_S,
        chain=given["chain_s"],
        chain_calls=chain_calls(given["chain_s"]),
        rollout_chain=given["rollout_s"],
        bound=ready_s,
        delivery=repair.DELIVERY_MS,
        converge=table(found, converge_rows(found, given["chain_s"], given["cpus"])),
        operations=operations(found),
        rest=table(found, rest_rows(found)),
        drift=table(found, drift_rows(found)),
        rollout=table(found, rollout_rows(found, given["rollout_s"])),
        deletion=table(found, deletion_rows(found)),
        weight=table(found, weight_rows(found, given["binary_mb"])),
        resyncs=intervals(found),
        smaller=smaller["resources"],
        ten=smaller["platforms"],
        ack=beside_ack(smaller),
    )
    return "\n\n".join(map(wrapped, text.rstrip().split("\n\n"))) + "\n"


def wrapped(part: str) -> str:
    """A paragraph in lines of one width; headings, tables and pictures as they are."""
    if part.startswith(("#", "|", "!")):
        return part
    return fill(" ".join(part.split()), 100, break_long_words=False, break_on_hyphens=False)


def ready_bound_s(chain_s: float) -> float:
    """The most that the time to Ready is to be."""
    return round(1.2 * chain_s + 2, 1)


def chain_calls(chain_s: float) -> int:
    """The calls in a row of the chain."""
    return round((chain_s - chain.ENDPOINT_S) * 1000 / chain.LATENCY_MS)


def converge_rows(found: list[Figures], chain_s: float, cpus: int) -> list[Row]:
    """Creation."""
    made = [f["creation"] for f in found]
    each = [ratio(f["creation"]["calls"], f["resources"]) for f in found]
    return [
        ("time to Ready, p50, s", of(made, "p50_s"), ""),
        ("time to Ready, p95, s", of(made, "p95_s"), f"{ready_bound_s(chain_s)} up to 100"),
        ("p95 / chain of waits", [ratio(f["p95_s"], chain_s) for f in made], ""),
        ("AWS calls", of(made, "calls"), ""),
        ("AWS calls per resource", each, "2.5 at 1, 2 at 100"),
        ("AWS calls a second, all, in the busiest 5 s", of(made, "calls_per_s"), ""),
        ("API server requests", of(made, "requests"), "10"),
        ("status writes", of(made, "status_writes"), ""),
        ("CPU, ms", milliseconds(made, "cpu_s"), "100"),
        ("platforms that wait for a pass, most at once", of(made, "queued"), ""),
        ("AWS requests that wait for the budget, most at once", of(made, "waiting"), ""),
        ("CPU of the API server and its parts, ms", milliseconds(made, "cluster_cpu_s"), ""),
        ("CPU of the simulator, ms", milliseconds(made, "simulator_cpu_s"), ""),
        (f"seconds in which {cpus} CPUs can do all this", [floor_s(f, cpus) for f in found], ""),
        ("processors of the machine that were busy", of(made, "processors_busy"), ""),
        ("calls a second that the simulator can answer", of(made, "simulator_calls_per_s"), ""),
    ]


def floor_s(figures: Figures, cpus: int) -> float:
    """The time that the processors take at least for a creation, with the servers' part of it."""
    made = figures["creation"]
    each = made["cpu_s"] + made["cluster_cpu_s"] + made["simulator_cpu_s"]
    return round(figures["platforms"] * each / cpus, 1)


def rest_rows(found: list[Figures]) -> list[Row]:
    """Platforms in sync."""
    counts = [f["platforms"] for f in found]
    by_reading = [steady.hour_by_reading(f["restart"], f["resync"], f["platforms"]) for f in found]
    by_events = [steady.hour_by_events(f["restart"], f["idle"], f["platforms"]) for f in found]
    asked = [steady.requests_of_hour(f["restart"], f["resync"], f["idle"]) for f in found]
    bounds = [f"{HOURLY_BOUNDS[n]} at {n}" for n in counts if HOURLY_BOUNDS.get(n)]
    return [
        ("AWS calls of a resync", [f["resync"]["calls"] for f in found], ""),
        ("AWS calls of one that reads everything", [f["restart"]["calls"] for f in found], ""),
        ("AWS calls an hour, drift seen within 10 minutes", by_reading, ", ".join(bounds)),
        ("AWS calls an hour, with drift events", by_events, "2"),
        ("of these for the queues, all platforms", [f["idle"]["calls"] for f in found], ""),
        ("API server requests an hour", [platform for platform, _ in asked], "6"),
        ("API server requests an hour, whole process", [process for _, process in asked], "60"),
        (
            "status writes of resyncs and an idle hour, all platforms",
            list(map(status_writes, found)),
            "0",
        ),
        ("CPU of a resync, ms", [round(1000 * f["resync"]["cpu_s"], 1) for f in found], ""),
        ("CPU of an idle hour, all platforms, s", [f["idle"]["cpu_s"] for f in found], ""),
        ("first pass after a restart, all platforms, s", of_part(found, "restart", "seconds"), ""),
    ]


def status_writes(figures: Figures) -> float:
    """Of resyncs and of an idle hour."""
    return figures["resync"]["status_writes"] + figures["idle"]["status_writes"]


def drift_rows(found: list[Figures]) -> list[Row]:
    """Changes by hand."""
    delivery_s = repair.DELIVERY_MS / 1000
    by_events = [f["repair_by_events"] for f in found]
    arrival = [round(f["max_s"] - delivery_s, 2) for f in by_events]
    by_resync = [f.get("repair_by_resync") for f in found]
    middle = [interval(f, "p50_s") for f in by_resync]
    most = [interval(f, "max_s") for f in by_resync]
    return [
        ("changes that events told of", of(by_events, "repairs"), ""),
        ("from the change to its repair, p50, s", of(by_events, "p50_s"), ""),
        ("from the change to its repair, longest, s", of(by_events, "max_s"), ""),
        ("from the event's arrival to the repair, longest, s", arrival, "5"),
        ("changes that resyncs found", [f["repairs"] if f else NOTHING for f in by_resync], ""),
        ("to the repair, p50, resync intervals", middle, ""),
        ("to the repair, longest, resync intervals", most, ""),
        (f"longest where that is {RESYNC_MIN} minutes, min", list(map(minutes, by_resync)), ""),
    ]


def interval(repairs: Figures | None, key: str) -> Any:
    """A time in resync intervals."""
    return repairs["intervals"][key] if repairs else NOTHING


def minutes(repairs: Figures | None) -> Any:
    """The longest time, with the default resync interval."""
    return round(repairs["intervals"]["max_s"] * RESYNC_MIN, 1) if repairs else NOTHING


def rollout_rows(found: list[Figures], chain_s: float) -> list[Row]:
    """A new image."""
    made = [f["rollout"] for f in found]
    return [
        ("time to Ready, p50, s", of(made, "p50_s"), ""),
        ("time to Ready, p95, s", of(made, "p95_s"), ""),
        ("p95 / chain of waits", [ratio(f["p95_s"], chain_s) for f in made], ""),
        ("AWS calls", of(made, "calls"), ""),
        ("API server requests", of(made, "requests"), ""),
        ("status writes", of(made, "status_writes"), ""),
        ("CPU, ms", milliseconds(made, "cpu_s"), ""),
    ]


def deletion_rows(found: list[Figures]) -> list[Row]:
    """Deletion of all of them."""
    made = [f["deletion"] for f in found]
    each = [ratio(f["deletion"]["calls"], f["resources"]) for f in found]
    return [
        ("deletion of all, s", of(made, "seconds"), ""),
        ("AWS calls", of(made, "calls"), ""),
        ("AWS calls per resource", each, "2"),
        ("API server requests", of(made, "requests"), ""),
        ("CPU, ms", milliseconds(made, "cpu_s"), ""),
    ]


def weight_rows(found: list[Figures], binary_mb: float) -> list[Row]:
    """What the operator takes."""
    at_rest = [f["at_rest_mb"] for f in found]
    peaks = [f["creation"]["memory_peak_mb"] for f in found]
    return [
        ("release binary, MB", [binary_mb] * len(found), "30"),
        ("resident memory, no platform, MB", at_rest, "45"),
        (
            "resident memory, after creation, MB",
            of_part(found, "creation", "memory_resident_mb"),
            "",
        ),
        ("resident memory, peak of creation, MB", peaks, "60 at 100, 150 at 500"),
        (
            "resident memory, at rest since a restart, MB",
            of_part(found, "idle", "memory_resident_mb"),
            "",
        ),
        (
            "`plan` of a file of all, s",
            of_part(found, "command_line", "plan_s"),
            "0.02 at 1, 1 at 500",
        ),
        ("`audit` of a file of all, s", of_part(found, "command_line", "audit_s"), "2 at 500"),
    ]


def intervals(found: list[Figures]) -> str:
    """The resync intervals that were observed, in words."""
    told = [f"{f['resync']['interval_s']} s at {f['platforms']}" for f in found]
    return ", ".join(told)


def operations(found: list[Figures]) -> str:
    """A table of the calls of one platform by operation: each count, created and deleted."""
    most = max(found, key=lambda f: f["platforms"])
    columns: list[tuple[str, Callable[[Figures], Figures]]] = [
        ("creation", lambda f: f["creation"]["operations"]),
        ("resync", lambda f: f["resync"]["operations"]),
        ("reads everything", lambda f: f["restart"]["operations"]),
        ("rollout", lambda f: f["rollout"]["operations"]),
        ("deletion", lambda f: f["deletion"]["operations"]),
    ]
    names = {name for _, column in columns for name, value in column(most).items() if value >= RARE}
    lines = [
        f"| at {most['platforms']} | {' | '.join(head for head, _ in columns)} |",
        "|---|" + "---|" * len(columns),
    ]
    for name in sorted(names):
        values = (column(most).get(name, "") for _, column in columns)
        lines.append(f"| {name} | {' | '.join(map(str, values))} |")
    return "\n".join(lines)


def beside_ack(smaller: Figures) -> str:
    """Ratios to ACK."""
    creation, chain_s = smaller["creation"], smaller["chain_s"]
    compared = [
        ("p95 / chain of waits", ratio(creation["p95_s"], chain_s), ACK["chain"]),
        ("AWS calls to converge", creation["calls"], ACK["calls"]),
        ("API server requests to converge", creation["requests"], ACK["requests"]),
        ("AWS calls of a deletion", smaller["deletion"]["calls"], ACK["deletion"]),
        ("CPU to converge, s", creation["cpu_s"], ACK["cpu_s"]),
    ]
    lines = ["| per platform | aiplatform | ACK | ratio |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {ours} | {acks} | {ratio(ours, acks)} |" for name, ours, acks in compared
    ]
    return "\n".join(lines)


def table(found: list[Figures], rows: Iterable[Row]) -> str:
    """A row for each figure, a column for each number of platforms, and the bound."""
    heads = " | ".join(str(f["platforms"]) for f in found)
    lines = [f"| platforms | {heads} | at most |", "|---|" + "---|" * (len(found) + 1)]
    lines += [
        f"| {name} | {' | '.join(map(str, values))} | {bound} |" for name, values, bound in rows
    ]
    return "\n".join(lines)


def of(parts: list[Figures], key: str) -> list[Any]:
    """One figure of each."""
    return [part[key] for part in parts]


def of_part(found: list[Figures], part: str, key: str) -> list[Any]:
    """One figure of a part of each."""
    return [figures[part][key] for figures in found]


def milliseconds(parts: list[Figures], key: str) -> list[int]:
    """One time of each, in milliseconds."""
    return [round(1000 * part[key]) for part in parts]


def ratio(one: float, other: float) -> float:
    """How many times the other."""
    return round(one / other, 2)

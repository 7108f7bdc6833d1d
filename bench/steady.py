"""Platforms at rest: what looking for drift costs, and what an idle operator asks for."""

from __future__ import annotations

import time

import many
from counting import Call, Figures, counts_of_operator, tally
from lifecycle import EVENT_SERVICES, each, requests, without
from stage import Stage

HOUR_S = 3600
# Resyncs in an hour with the operator's default, and how many of them read everything.
RESYNCS, FULL_RESYNCS = 6, 1
# What is asked at times of its own, whatever the interval: whose the credentials are, each ten
# minutes.
IDENTITY, IDENTITIES = "GetCallerIdentity", 6
# Each watch is begun anew every half an hour; the definition is read every three minutes.
WATCHES_ANEW, DEFINITIONS = 2, 20
DEFINITION = "customresourcedefinitions"
# Lists that all platforms share, and how often in an hour they are read where resyncs are hourly
# and events come.
SHARED = (
    *("GetAccountAuthorizationDetails", "ListEndpoints", "DescribeScalableTargets"),
    *("DescribeVpcEndpoints", "DescribeSecurityGroups"),
)
LISTS_ANEW = 2
# What nobody can change is read weekly then: each with its tags, and lists of them.
WEEKLY_WITH_TAGS = ("DescribeModel", "DescribeEndpointConfig")
WEEKLY = ("ListModels", "ListEndpointConfigs")
# While events come, what else only calls change and no list shows is read daily.
DAY_H, WEEK_H = 24, 7 * 24
QUIET_S, IDLE_S = 2.0, 60.0
# After a repair its own event comes back, and what was repaired is read once more.
QUIET_AFTER_REPAIRS_S = 10.0
# Few platforms are observed for several intervals: one has no pass in some of them.
FEW = 10
DEADLINE_S = 600.0


def restart(stage: Stage, count: int, *flags: str) -> None:
    """Start the operator anew, and wait for as many passes as there are platforms."""
    stage.stop_operator()
    stage.start_operator(*flags)

    def is_over() -> bool:
        return many.passes(stage)[0] >= count

    stage.wait("the first pass over all platforms", is_over, DEADLINE_S, pause_s=0.5)


def first_look(stage: Stage, count: int, *flags: str) -> Figures:
    """Start the operator anew: its first pass over all platforms, which reads everything.

    A list serves many of them here, as it does in the resync of each hour that reads everything.
    """
    first, began = stage.call_count(), time.monotonic()
    restart(stage, count, *flags)
    many.settle(stage)
    took = time.monotonic() - began
    until_quiet(stage)
    calls = without(EVENT_SERVICES, counts_of_operator(stage, first))
    found = tally([call for call in calls if call["operation"] != IDENTITY])
    return {
        "seconds": round(took, 1),
        "calls": round(found["calls"] / count, 2),
        "writes": found["writes"],
        "operations": each(found["operations"], count),
        "requests": round(sum(requests(stage).values()) / count, 2),
        "status_writes": many.status_writes(stage),
        "watches": watches(stage),
        **{f"memory_{key}": value for key, value in many.memory(stage).items()},
    }


def until_quiet(stage: Stage, quiet_s: float = QUIET_S) -> None:
    """Wait until the operator has asked AWS for nothing for so long, but for events."""
    since = stage.call_count()
    last = time.monotonic()

    def is_quiet() -> bool:
        nonlocal since, last
        calls = without(EVENT_SERVICES, counts_of_operator(stage, since))
        since = stage.call_count()
        if calls:
            last = time.monotonic()
        return time.monotonic() - last > quiet_s

    stage.wait("quiet", is_quiet, DEADLINE_S, pause_s=0.25)


def resync_s(count: int) -> int:
    """A short resync interval, which so many platforms can keep here."""
    return max(15, count // 8)


def resyncs(stage: Stage, count: int) -> Figures:
    """Resyncs at a short interval, which `restart` was given: what one of them costs a platform."""
    interval = resync_s(count)
    # Each platform has had its first pass; now the resyncs have to spread as they do.
    time.sleep(interval)
    found = observe(stage, interval * (3 if count <= FEW else 1))
    passes = max(found["passes"], 1)
    return {
        "interval_s": interval,
        "passes": found["passes"],
        "calls": round(found["calls"] / passes, 2),
        "writes": found["writes"],
        "operations": each(found["operations"], passes),
        "requests": round(sum(timely_requests(found).values()) / passes, 2),
        "requests_by": each(timely_requests(found), passes),
        "status_writes": found["status_writes"],
        "cpu_s": round(found["cpu_s"] / passes, 4),
    }


def idle(stage: Stage) -> Figures:
    """A minute in which nothing happens and no resync is due, as of an hour."""
    found = observe(stage, IDLE_S)
    times, asked = HOUR_S / IDLE_S, timely_requests(found)
    return {
        "calls": round(found["calls"] * times, 1),
        "counted": found["operations"],
        "requests": round(sum(asked.values()) * times, 1),
        "requests_by": asked,
        "status_writes": round(found["status_writes"] * times, 1),
        "cpu_s": round(found["cpu_s"] * times, 1),
        **{f"memory_{key}": value for key, value in many.memory(stage).items()},
    }


def observe(stage: Stage, seconds: float) -> Figures:
    """Count for so long, and ask for nothing meanwhile."""
    first, asked, written = stage.call_count(), requests(stage), many.status_writes(stage)
    (passed, _), used, began = many.passes(stage), many.processor_seconds(stage), time.time()
    time.sleep(seconds)
    used = many.processor_seconds(stage) - used
    passed = round(many.passes(stage)[0] - passed)
    asked, written = requests(stage) - asked, many.status_writes(stage) - written
    calls = [c for c in counts_of_operator(stage, first) if c["time"] <= began + seconds]
    found = tally(timely(calls))
    return {
        "passes": passed,
        "calls": found["calls"],
        "writes": found["writes"],
        "operations": found["operations"],
        "requests": dict(asked),
        "status_writes": written,
        "cpu_s": used,
    }


def timely(calls: list[Call]) -> list[Call]:
    """The calls that come more often where resyncs do."""
    return [call for call in calls if call["operation"] != IDENTITY]


def timely_requests(found: Figures) -> dict[str, int]:
    """The requests to the API server that come more often where resyncs do."""
    return {name: value for name, value in found["requests"].items() if DEFINITION not in name}


def watches(stage: Stage) -> int:
    """How many watches the operator has begun."""
    counted = "aiplatform_kubernetes_requests_total{"
    metrics = stage.metrics().items()
    return int(sum(v for k, v in metrics if k.startswith(counted) and '"watch"' in k))


def hour_by_reading(full: Figures, resync: Figures, count: int) -> float:
    """The AWS calls of a platform in an hour, where drift is seen by reading."""
    plain = (RESYNCS - FULL_RESYNCS) * resync["calls"]
    return round(plain + FULL_RESYNCS * full["calls"] + IDENTITIES / count, 1)


def hour_by_events(full: Figures, idle_hour: Figures, count: int) -> float:
    """The AWS calls of a platform in an hour, where events tell of drift.

    Each platform is resynced once, at a time of its own; so what one list served in the first pass
    is read again for each of them, and as often as a list grows old at most. The rest is read once
    a day or once a week.
    """

    def calls(names: tuple[str, ...]) -> float:
        return sum(full["operations"].get(name, 0) for name in names)

    lists = calls(SHARED) * min(count, LISTS_ANEW)
    weekly = 2 * calls(WEEKLY_WITH_TAGS) + calls(WEEKLY)
    daily = full["calls"] - calls(SHARED) - weekly
    rest = (idle_hour["calls"] + IDENTITIES) / count
    return round(lists + daily / DAY_H + weekly / WEEK_H + rest, 1)


def requests_of_hour(full: Figures, resync: Figures, idle_hour: Figures) -> tuple[float, float]:
    """The requests to the API server of an hour with nothing to do: of a platform, of a process."""
    per_process = full["watches"] * WATCHES_ANEW + DEFINITIONS + idle_hour["requests"]
    return round(RESYNCS * resync["requests"], 1), round(per_process, 1)

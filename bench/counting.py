"""What the operator asked of AWS and wrote there, from the simulator's record of calls."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from live import is_read
from stage import Stage

Call = dict[str, Any]
Figures = dict[str, Any]

# Asking the same again and again, because AWS is at work, counts this often at most.
ASKED_AGAIN = 3
# What is counted of a call: with its parameters and conditions it is a hundred times as much.
COUNTED = ("service", "operation", "userAgent", "time", "durationMs", "result")
SCALED_SERVICES = ("sagemaker", "application-autoscaling")


def calls_of_operator(stage: Stage, since: int = 0, without: str = "") -> list[Call]:
    """The operator's calls from one number on, but for those that name this."""
    ours = [call for call in stage.calls(since) if "app/aiplatform" in call["userAgent"]]
    return [call for call in ours if not without or without not in parameters(call)]


def counts_of_operator(stage: Stage, since: int = 0) -> list[Call]:
    """The operator's calls from one number on, with what counting takes and no more."""
    calls = stage.calls(since, COUNTED)
    return [call for call in calls if "app/aiplatform" in call["userAgent"]]


def parameters(call: Call) -> str:
    """What a call says, as text."""
    return json.dumps(call["parameters"], sort_keys=True)


def counted(calls: list[Call]) -> int:
    """How many calls these are, where asking the same counts three times at most."""
    questions = Counter(
        (call["service"], call["operation"], parameters(call))
        for call in calls
        if is_read(call["operation"])
    )
    writes = sum(not is_read(call["operation"]) for call in calls)
    return writes + sum(min(number, ASKED_AGAIN) for number in questions.values())


def tally(calls: list[Call]) -> Figures:
    """Calls by what they do and where they go."""
    reads = sum(is_read(call["operation"]) for call in calls)
    failed = Counter(call["result"]["code"] for call in calls if (call["result"] or {}).get("code"))
    return {
        "calls": len(calls),
        "reads": reads,
        "writes": len(calls) - reads,
        "services": dict(sorted(Counter(call["service"] for call in calls).items())),
        "operations": dict(sorted(Counter(call["operation"] for call in calls).items())),
        "error_codes": dict(failed),
    }


def clusters(calls: list[Call], pause_s: float) -> list[list[Call]]:
    """The calls of each pass, told apart by the pauses between passes."""
    found: list[list[Call]] = []
    before = float("-inf")
    for call in sorted(calls, key=lambda call: call["time"]):
        if call["time"] - before > pause_s:
            found.append([])
        found[-1].append(call)
        before = call["time"]
    return found

"""The simulator's own evaluator of policies says what the independent judge says."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from random_policies import ACCOUNT, ACTION, RESOURCE, ROLE, SESSION, USER, Chance

sys.path.append(str(Path(__file__).resolve().parent.parent / "aws"))

from simulator.policies.decision import EndpointPolicy, Policies, decide  # noqa: E402
from simulator.policies.requests import Principal, Request  # noqa: E402

QUESTIONS = 300
RESULTS = {(True, False): "Allowed", (False, True): "ExplicitlyDenied"}
CALLERS = {
    USER: Principal(USER, ACCOUNT),
    SESSION: Principal(ROLE, ACCOUNT, SESSION),
    ROLE: Principal(ROLE, ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/app/another"),
}


def simulated(question: dict[str, Any]) -> str:
    context = {
        key.lower(): value if isinstance(value, list) else [value]
        for key, value in question["context"].items()
    }
    endpoint = question["endpoint"]
    decision = decide(
        Request(CALLERS[question["principal"]], ACTION, RESOURCE, question["owner"], context),
        Policies(
            identity={str(n): each for n, each in enumerate(question["identity"])},
            boundary=question["boundary"],
            resource=question["resourcePolicy"],
            endpoint=EndpointPolicy(endpoint) if endpoint else None,
        ),
    )
    return RESULTS.get((decision.is_allowed, decision.is_explicit), "ImplicitlyDenied")


def judged(judge, question: dict[str, Any]) -> str:
    call = {
        "principal": question["principal"],
        "action": ACTION,
        "resource": RESOURCE,
        "account": question["owner"],
        **{name: question[name] for name in ("context", "resourcePolicy", "boundary", "endpoint")},
    }
    (answer,) = judge.exchange("ask", identity=question["identity"], calls=[call])["answers"]
    assert answer["result"] != "Error", (question, answer)
    assert not answer["ignored"], (question, answer)
    return answer["result"]


@pytest.mark.parametrize("seed", range(4))
def test_both_decide_alike(judge, seed: int) -> None:
    chance, seen = Chance(seed), Counter()
    for _ in range(QUESTIONS):
        question = chance.question()
        expected = judged(judge, question)
        assert simulated(question) == expected, question
        seen[expected] += 1
    # Nothing is proved by two that always say no.
    assert min(seen[result] for result in ("Allowed", *RESULTS.values(), "ImplicitlyDenied")) > 20

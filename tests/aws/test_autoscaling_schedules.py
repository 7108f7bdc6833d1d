"""Scheduled actions."""

from datetime import UTC, datetime
from typing import Any

import pytest
from conftest import ACCOUNT, REGION
from failures import refused
from serving import TARGET, Serving
from test_autoscaling_policies import ABOUT

REFUSED = (400, "ValidationException")
MORNING = "cron(0 7 ? * MON-FRI *)"
START = datetime(2030, 1, 1, tzinfo=UTC)
END = datetime(2031, 1, 1, tzinfo=UTC)


@pytest.fixture
def scaled(serving: Serving) -> Serving:
    """A registered endpoint."""
    serving.serve()
    serving.register()
    return serving


def put(serving: Serving, name: str = "morning", **changes: Any) -> None:
    capacities = {"MinCapacity": 4, "MaxCapacity": 8}
    given = {"Schedule": MORNING, "ScalableTargetAction": capacities, **changes}
    given = {key: value for key, value in given.items() if value is not None}
    serving.scaling.put_scheduled_action(**TARGET, ScheduledActionName=name, **given)


def described(serving: Serving, **given: Any) -> list[dict[str, Any]]:
    told = serving.scaling.describe_scheduled_actions(ServiceNamespace="sagemaker", **given)
    return told["ScheduledActions"]


def test_an_action_is_told_as_it_was_made(scaled: Serving) -> None:
    put(scaled, Timezone="Europe/Dublin", StartTime=START, EndTime=END)
    [told] = described(scaled)
    prefix = f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:scheduledAction:"
    suffix = ":resource/sagemaker/endpoint/e/variant/v:scheduledActionName/morning"
    assert told.pop("ScheduledActionARN").startswith(prefix)
    assert described(scaled)[0]["ScheduledActionARN"].endswith(suffix)
    del told["CreationTime"]
    assert told == {
        **TARGET,
        "ScheduledActionName": "morning",
        "Schedule": MORNING,
        "Timezone": "Europe/Dublin",
        "StartTime": START,
        "EndTime": END,
        "ScalableTargetAction": {"MinCapacity": 4, "MaxCapacity": 8},
    }


def test_updates_keep_all_but_start_and_end(scaled: Serving) -> None:
    put(scaled, Timezone="Europe/Dublin", StartTime=START, EndTime=END)
    [before] = described(scaled)
    put(scaled, Schedule=None, ScalableTargetAction={"MinCapacity": 1})
    [after] = described(scaled)
    assert not {"StartTime", "EndTime"} & after.keys()
    assert after["ScalableTargetAction"] == {"MinCapacity": 1}
    for name in ("Schedule", "Timezone", "ScheduledActionARN", "CreationTime"):
        assert after[name] == before[name]


@pytest.mark.parametrize(
    "schedule",
    [
        MORNING,
        "cron(0/15 * * * ? *)",
        "cron(0 0 1,15 JAN-MAR ? 2030)",
        "cron(0 12 L * ? *)",
        "cron(0 12 ? * 6L *)",
        "cron(0 12 ? * 2#1 *)",
        "cron(0 12 15W * ? 2030-2035)",
        "rate(1 day)",
        "rate(5 minutes)",
        "at(2030-01-01T07:00:00)",
    ],
)
def test_good_schedules(scaled: Serving, schedule: str) -> None:
    put(scaled, Schedule=schedule)
    assert described(scaled)[0]["Schedule"] == schedule


@pytest.mark.parametrize(
    "schedule",
    [
        "0 7 ? * MON-FRI *",
        "cron(0 7 * * *)",
        "cron(0 7 * * MON *)",
        "cron(0 7 ? * ? *)",
        "cron(60 7 ? * MON *)",
        "cron(0 24 ? * MON *)",
        "cron(0 7 0 * ? *)",
        "cron(0 7 ? 13 MON *)",
        "cron(0 7 ? * MOO *)",
        "cron(0 7 ? * 8 *)",
        "cron(0 7 ? * MON 1969)",
        "cron(0 7 ? * MON-TUE-WED *)",
        "cron(*/0 7 ? * MON *)",
        "cron(0  7 ? * MON *)",
        "rate(1 days)",
        "rate(2 day)",
        "rate(0 days)",
        "rate(5 weeks)",
        "at(2030-02-30T07:00:00)",
        "at(2030-01-01 07:00:00)",
        "every(1 day)",
    ],
)
def test_bad_schedules(scaled: Serving, schedule: str) -> None:
    answer = refused(put, serving=scaled, Schedule=schedule)
    assert answer == (*REFUSED, f"Schedule expression is not valid: {schedule}")
    assert described(scaled) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Schedule": None}, "Schedule must be specified"),
        ({"ScalableTargetAction": None}, "ScalableTargetAction must be specified"),
        ({"ScalableTargetAction": {}}, "MinCapacity or MaxCapacity must be specified"),
        (
            {"ScalableTargetAction": {"MinCapacity": 2, "MaxCapacity": 1}},
            "Maximum capacity cannot be less than minimum capacity.",
        ),
        ({"Timezone": "Europe/Atlantis"}, "Timezone is not valid"),
        ({"StartTime": END, "EndTime": START}, "EndTime must be later than StartTime"),
        ({"name": "a:b"}, "regular expression pattern"),
    ],
)
def test_bad_parameters(scaled: Serving, changes: dict[str, Any], message: str) -> None:
    status, code, got = refused(put, serving=scaled, **changes)
    assert (status, code) == REFUSED
    assert message in got


def test_what_does_not_exist(serving: Serving) -> None:
    serving.serve()
    message = f"No scalable target registered for {ABOUT}"
    assert refused(put, serving=serving) == (400, "ObjectNotFoundException", message)
    serving.register()
    delete = serving.scaling.delete_scheduled_action
    answer = refused(delete, **TARGET, ScheduledActionName="morning")
    message = f"No scheduled action found for {ABOUT}, scheduled action name: morning"
    assert answer == (400, "ObjectNotFoundException", message)


def test_filters_pages_and_deletion(scaled: Serving) -> None:
    for name in "abc":
        put(scaled, name)
    told = described(scaled, ScheduledActionNames=["c", "a"])
    assert [each["ScheduledActionName"] for each in told] == ["a", "c"]
    pages = scaled.scaling.get_paginator("describe_scheduled_actions").paginate(
        ServiceNamespace="sagemaker", PaginationConfig={"PageSize": 2}
    )
    assert [len(page["ScheduledActions"]) for page in pages] == [2, 1]
    scaled.scaling.delete_scheduled_action(**TARGET, ScheduledActionName="a")
    assert len(described(scaled)) == 2
    scaled.scaling.deregister_scalable_target(**TARGET)
    assert described(scaled) == []

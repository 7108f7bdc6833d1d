"""Changes by hand, and the time until the operator has undone them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import standard
from cloud import Cloud
from counting import Call, Figures
from stage import Stage

# From a call until its event is in the queue, and so at the operator's door.
DELIVERY_MS = 200
# Of this many platforms each role and each bucket is changed once.
PLATFORMS = 4
DEADLINE_S = 120.0
FIELDS = ("operation", "parameters", "userAgent", "time", "durationMs", "result")
# Parts of a bucket: the call that deletes one, and that by which the operator puts it back.
LIFECYCLE = ("delete_bucket_lifecycle", "PutBucketLifecycleConfiguration")
PUBLIC_ACCESS = ("delete_public_access_block", "PutPublicAccessBlock")
WIDENED = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}


@dataclass
class Change:
    """A change by hand, and the operator's call that undoes it."""

    what: str
    make: Callable[[], Any]
    repair: str
    parameter: str
    resource: str

    def is_undone_by(self, call: Call) -> bool:
        """Whether this is that call, and AWS has taken it."""
        result = call["result"] or {}
        return (
            call["operation"] == self.repair
            and call["parameters"].get(self.parameter) == self.resource
            and (result.get("status") or 500) < 300
        )


def by_events(stage: Stage, count: int) -> Figures:
    """Repairs that events bring about: of a role's policy, and of a bucket's lifecycle rules."""
    stage.control("timings", {"cloudtrail.delivery": DELIVERY_MS})
    cloud, found = Cloud(stage.aws_url), list[Figures]()
    for number in range(min(count, PLATFORMS)):
        for change in [*roles(stage, cloud, number), *buckets(stage, cloud, number, *LIFECYCLE)]:
            found += timed(stage, [change])
    return summary(found)


def by_resync(stage: Stage, count: int, interval_s: int) -> Figures:
    """Repairs that a resync makes: of a role's policy, and of a bucket's public access block."""
    cloud, changes = Cloud(stage.aws_url), list[Change]()
    for number in range(min(count, PLATFORMS)):
        changes += [*roles(stage, cloud, number), *buckets(stage, cloud, number, *PUBLIC_ACCESS)]
    # At all times of an interval, as people make them.
    found = timed(stage, changes, interval_s / len(changes))
    intervals = {
        key: round(value / interval_s, 2) for key, value in summary(found).items() if "_s" in key
    }
    return {**summary(found), "interval_s": interval_s, "intervals": intervals}


def roles(stage: Stage, cloud: Cloud, number: int) -> list[Change]:
    """An inline policy of each role of a platform, widened."""

    def widen(role: str) -> None:
        policy = cloud.iam.list_role_policies(RoleName=role)["PolicyNames"][0]
        document = json.dumps(WIDENED)
        cloud.iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=document)

    return [
        Change("put_role_policy", lambda role=role: widen(role), "PutRolePolicy", "RoleName", role)
        for role in names(stage, number, "Role")
    ]


def buckets(stage: Stage, cloud: Cloud, number: int, delete: str, repair: str) -> list[Change]:
    """A part of each bucket of a platform, deleted."""
    call = getattr(cloud.s3, delete)
    return [
        Change(delete, lambda bucket=bucket: call(Bucket=bucket), repair, "Bucket", bucket)
        for bucket in names(stage, number, "Bucket")
    ]


def names(stage: Stage, number: int, kind: str) -> list[str]:
    """The names of a platform's resources of a kind."""
    name = standard.name(number)
    text = stage.kubectl("get", "aip", name, "-n", standard.NAMESPACE, "-o", "json")
    resources = json.loads(text)["status"]["resources"]
    return [resource["name"] for resource in resources if resource["kind"] == kind]


def timed(stage: Stage, changes: list[Change], pause_s: float = 0.0) -> list[Figures]:
    """Make changes, with a pause after each; how long after each its repair was done."""
    since = stage.call_count()
    made: list[float] = []
    for change in changes:
        change.make()
        made.append(time.time())
        time.sleep(pause_s)
    waiting = list(zip(changes, made, strict=True))
    found: list[Figures] = []

    def all_undone() -> bool:
        nonlocal since
        calls = stage.calls(since, FIELDS)
        for change, at in list(waiting):
            for call in calls:
                if call["time"] > at and change.is_undone_by(call):
                    seconds = call["time"] + call["durationMs"] / 1000 - at
                    found.append({"what": change.what, "seconds": seconds})
                    waiting.remove((change, at))
                    break
        answered = [index for index, call in enumerate(calls) if call["result"] is None]
        since += answered[0] if answered else len(calls)
        return not waiting

    stage.wait("repairs", all_undone, DEADLINE_S, pause_s=0.1)
    return found


def summary(found: list[Figures]) -> Figures:
    """The median and the longest, in seconds."""
    took = [repair["seconds"] for repair in found]
    return {"repairs": len(took), "p50_s": round(median(took), 2), "max_s": round(max(took), 2)}

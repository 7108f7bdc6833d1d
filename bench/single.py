"""One platform from its creation to a new revision, while two others take long to be created."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Any

from access import BOUNDARY, document
from cloud import Cloud
from counting import (
    SCALED_SERVICES,
    Call,
    Figures,
    calls_of_operator,
    clusters,
    counted,
    parameters,
    tally,
)
from live import Object, is_read, is_ready
from stage import ROOT, Stage

MANIFEST = ROOT / "examples" / "ranking.yaml"
GUARDRAILS = ROOT / "bench" / "guardrails.yaml"
NAMESPACE, NAME = "bench", "ranking"
# The platform whose endpoint takes long, and the one whose role does; nothing else is called so.
SLOW, SLOW_ROLE = "slow", "slow-role"
SLOW_PREFIX = f"{NAMESPACE}-{SLOW}-"
RESYNC_S = 6
CREATE_S, UPDATE_S, SLOW_S, ROLE_S = 25, 20, 3600, 8
DEADLINE_S = 120.0
# An artifact that is there before the platform is: waiting for it is not what is measured.
ARTIFACTS, ARTIFACT = "somebodys-artifacts", "rank/model.tar.gz"
INSTANCES = 5
UNSCALED = {
    "name": "embed",
    "sagemaker": {
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/embed:2.0.0",
        "instance": {"type": "ml.g5.xlarge", "count": 1},
    },
}


class Single:
    """The stage, and what is asked of the cloud without the operator."""

    def __init__(self, stage: Stage) -> None:
        """Put in place what the platform takes for granted."""
        self.stage = stage
        self.cloud = Cloud(stage.aws_url)
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        self.cloud.iam.create_policy(PolicyName=BOUNDARY, PolicyDocument=document(everything))
        region = {"LocationConstraint": "eu-west-1"}
        self.cloud.s3.create_bucket(Bucket=ARTIFACTS, CreateBucketConfiguration=region)
        self.cloud.s3.put_object(Bucket=ARTIFACTS, Key=ARTIFACT, Body=b"content")
        text = stage.kubectl("create", "--dry-run=client", "--output=json", "-f", str(MANIFEST))
        self.example = json.loads(text)

    def manifest(self) -> Object:
        """The example with two models of which one scales, and with one consumer."""
        spec = json.loads(json.dumps(self.example["spec"]))
        spec["models"][0]["sagemaker"]["modelData"] = {"uri": f"s3://{ARTIFACTS}/{ARTIFACT}"}
        spec["models"].append(UNSCALED)
        spec["access"] = spec["access"][:1]
        return {**self.example, "metadata": {"name": NAME, "namespace": NAMESPACE}, "spec": spec}

    def begin(self, name: str, until: str) -> None:
        """Ask for a platform of one model, and wait until the operator makes this call for it."""
        spec = {**self.example["spec"], "models": [UNSCALED]}
        del spec["storage"], spec["access"]
        thing = {**self.example, "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}
        self.stage.kubectl("create", "-f", "-", stdin=json.dumps(thing))
        self.wait_for_call(name, until)

    def wait_for_call(self, name: str, operation: str) -> None:
        """Wait until the operator has made this call for a platform of one model."""

        def made() -> bool:
            calls = self.calls_for(name)
            return any(call["operation"] == operation and call["result"] for call in calls)

        self.stage.wait(f"{operation} for {name}", made, DEADLINE_S)

    def begin_with_slow_role(self) -> None:
        """Have a role that IAM tells of at once and SageMaker knows later."""
        self.stage.control("timings", {"iam.role.visible": ROLE_S * 1000})
        self.begin(SLOW_ROLE, "CreateRole")

    def begin_slowly(self) -> None:
        """Have an endpoint that is `Creating` for longer than anybody waits."""
        # Timings that are shortened let arrive what is on its way: each has had its turn by now.
        self.wait_for_call(SLOW_ROLE, "CreateEndpoint")
        self.stage.control("timings", {"iam.role.visible": 0})
        self.takes("create", SLOW_S)
        self.begin(SLOW, "CreateEndpoint")

    def takes(self, transition: str, seconds: int) -> None:
        """How long an endpoint takes."""
        self.stage.control("timings", {f"sagemaker.endpoint.{transition}": seconds * 1000})

    def creation(self) -> Figures:
        """From `kubectl apply` to Ready."""
        self.takes("create", CREATE_S)
        # The API server holds back the first object of a kind for two seconds: not to be counted.
        text = json.dumps(self.manifest())
        self.stage.kubectl("create", "--dry-run=server", "-f", "-", stdin=text)
        first_call = self.stage.call_count()
        took, thing = self.until_ready(self.manifest())
        calls = self.calls(first_call)
        resources = len(thing["status"]["resources"])
        number = counted(calls)
        return {
            "resources": resources,
            "wait_s": CREATE_S,
            "ready_s": took,
            "bound_s": bound(CREATE_S),
            "counted_calls": number,
            "counted_calls_per_resource": round(number / resources, 2),
            **tally(calls),
        }

    def resync(self) -> Figures:
        """The passes that nothing but time causes."""
        first_call = self.stage.call_count()

        def two_whole_ones() -> list[list[Call]]:
            found = clusters(self.calls(first_call), RESYNC_S / 2)
            return found[1:3] if len(found) > 3 else []

        # The first may have begun before and the last may not have ended.
        seen = self.stage.wait("some resyncs", two_whole_ones, DEADLINE_S)
        calls = max(seen, key=len)
        served = [call for call in calls if call["service"] in SCALED_SERVICES]
        unscaled = sum(f"-{UNSCALED['name']}-" in parameters(call) for call in served)
        return {
            "scaled_endpoint_calls": len(served) - unscaled,
            "unscaled_endpoint_calls": unscaled,
            **tally(calls),
        }

    def everything(self) -> Figures:
        """A pass that reads everything, what a resync reads once an hour too."""

        def quiet_since() -> float:
            return time.time() - self.calls(0)[-1]["time"]

        # Not in the midst of a resync, nor right before the next.
        self.stage.wait("a resync to end", lambda: 1 < quiet_since() < RESYNC_S / 2, DEADLINE_S)
        first_call = self.stage.call_count()
        asked = f"aiplatform.dev/reconcile-at={time.time()}"
        self.stage.kubectl("annotate", "--overwrite", "aip", NAME, "-n", NAMESPACE, asked)
        self.stage.wait("it to begin", lambda: self.calls(first_call), DEADLINE_S)
        self.stage.wait("it to end", lambda: quiet_since() > 1, DEADLINE_S)
        return tally(self.calls(first_call))

    def rollout(self) -> Figures:
        """A new image for an endpoint that was scaled meanwhile."""
        self.takes("update", UPDATE_S)
        endpoint = self.endpoint()
        scale = {"endpoint": endpoint, "variant": "AllTraffic", "count": INSTANCES}
        self.stage.control("scale", scale)
        scaled = (INSTANCES, "InService")
        self.stage.wait("the instances", lambda: self.capacity(endpoint) == scaled, DEADLINE_S)
        manifest = self.manifest()
        serving = manifest["spec"]["models"][0]["sagemaker"]
        serving["image"] = serving["image"].replace("1.4.0", "1.5.0")
        first_call, before = self.stage.call_count(), self.capacity(endpoint)[0]
        took, _ = self.until_ready(manifest)
        calls = self.calls(first_call)
        written = [call["operation"] for call in calls if not is_read(call["operation"])]
        return {
            "wait_s": UPDATE_S,
            "ready_s": took,
            "bound_s": bound(UPDATE_S),
            "instances_before": before,
            "instances_after": self.capacity(endpoint)[0],
            "written": written,
            **tally(calls),
        }

    def late(self) -> Figures:
        """How long the platform took whose role SageMaker did not know at first."""

        def found() -> Object | None:
            text = self.stage.kubectl("get", "aip", SLOW_ROLE, "-n", NAMESPACE, "--output=json")
            thing = json.loads(text)
            return thing if is_ready(thing) else None

        thing = self.stage.wait("the role and what it is for", found, DEADLINE_S)
        conditions = thing["status"]["conditions"]
        since = next(c["lastTransitionTime"] for c in conditions if c["type"] == "Ready")
        created = thing["metadata"]["creationTimestamp"]
        took = datetime.fromisoformat(since) - datetime.fromisoformat(created)
        return {
            "wait_s": ROLE_S + CREATE_S,
            "ready_s": took.total_seconds(),
            "bound_s": bound(ROLE_S + CREATE_S),
            **tally(self.calls_for(SLOW_ROLE)),
        }

    def polls(self) -> Figures:
        """How the endpoint that takes long was asked about, from its creation on."""
        asking = ("CreateEndpoint", "DescribeEndpoint")
        named = [call for call in self.calls_for(SLOW) if call["operation"] in asking]
        operations = [call["operation"] for call in named]
        times = [call["time"] for call in named[operations.index("CreateEndpoint") :]]
        gaps = [round(later - earlier, 1) for earlier, later in zip(times, times[1:], strict=False)]
        return {"seconds": round(time.time() - times[0]), "asked": len(gaps), "gaps_s": gaps}

    def calls_for(self, name: str) -> list[Call]:
        """The operator's calls for a platform of one model."""
        what = f"{NAMESPACE}-{name}-{UNSCALED['name']}-"
        return [call for call in calls_of_operator(self.stage) if what in parameters(call)]

    def until_ready(self, thing: Object) -> tuple[float, Object]:
        """Give the platform to the API server; how long it took to be Ready, and how it is then."""
        watch = self.stage.watch("-n", NAMESPACE, f"--field-selector=metadata.name={NAME}")
        before = self.generation()
        began = time.monotonic()
        self.stage.kubectl("apply", "-f", "-", stdin=json.dumps(thing))
        latest: Object = {}

        def ready() -> bool:
            for event in watch.events(0.05):
                latest.update(event["object"])
            is_new = bool(latest) and latest["metadata"]["generation"] > before
            return is_new and is_ready(latest)

        self.stage.wait("the platform to be Ready", ready, DEADLINE_S)
        took = round(time.monotonic() - began, 1)
        watch.stop()
        return took, latest

    def generation(self) -> int:
        """How often the spec was written."""
        found = self.stage.kubectl(
            *("get", "aip", NAME, "-n", NAMESPACE, "--ignore-not-found"),
            "--output=jsonpath={.metadata.generation}",
        )
        return int(found or 0)

    def endpoint(self) -> str:
        """What the endpoint that scales is called in AWS."""
        path = "--output=jsonpath={.status.models[0].endpoint}"
        return self.stage.kubectl("get", "aip", NAME, "-n", NAMESPACE, path)

    def capacity(self, endpoint: str) -> tuple[int, str]:
        """How many instances there are, and how the endpoint is."""
        found = self.cloud.sagemaker.describe_endpoint(EndpointName=endpoint)
        return found["ProductionVariants"][0]["CurrentInstanceCount"], found["EndpointStatus"]

    def calls(self, since: int) -> list[Call]:
        """The operator's calls for this platform."""
        return calls_of_operator(self.stage, since, without=SLOW_PREFIX)


def bound(wait_s: int) -> float:
    """How long a platform may take whose longest wait in AWS is this."""
    return round(1.2 * wait_s + 2, 1)


def measure(stage: Stage) -> dict[str, Any]:
    """Everything, one after the other."""
    single = Single(stage)
    figures = {"creation": single.creation()}
    single.begin_with_slow_role()
    figures["resync"] = single.resync()
    figures["everything"] = single.everything()
    single.begin_slowly()
    figures["rollout"] = single.rollout()
    figures["resync_after"] = single.resync()
    figures["late_role"] = single.late()
    figures["polls"] = single.polls()
    return figures

"""Platforms in a network: how long endpoints take to be Ready, and how often EC2 is asked."""

from __future__ import annotations

import json
import time
from typing import Any

from counting import Call, Figures, calls_of_operator, clusters, tally
from live import Object, is_ready
from process import StageError
from single import MANIFEST, bound
from stage import REGION, Stage

NAMESPACE = "bench"
ONE = "private"
VPC, TABLE = "vpc-0a1b2c3d4e5f60718", "rtb-0a1b2c3d4e5f60718"
SUBNETS = {"subnet-0a1b2c3d4e5f60711": "a", "subnet-0a1b2c3d4e5f60712": "b"}
CREATE_S = 20
RESYNC_S = 6
DEADLINE_S = 120.0
ADDITIONAL = ("kms", "ecr.api", "ecr.dkr", "logs")
# With bedrock-runtime and s3, which follow from what the platform has.
ENDPOINTS = 2 + len(ADDITIONAL)
# A VPC has one endpoint with private DNS for each service: every platform has another one.
EACH = (
    *("monitoring", "secretsmanager", "sts", "sqs", "sns"),
    *("ssm", "events", "states", "lambda", "execute-api"),
)


class Private:
    """The stage with a VPC."""

    def __init__(self, stage: Stage) -> None:
        """Put the VPC in place."""
        self.stage = stage
        stage.control("timings", {"ec2.endpoint.create": CREATE_S * 1000})
        stage.control("ec2/vpc", {"region": REGION, "vpcId": VPC})
        for subnet, zone in SUBNETS.items():
            place = {"region": REGION, "vpcId": VPC, "zone": f"{REGION}{zone}"}
            stage.control("ec2/subnet", {**place, "subnetId": subnet})
        table = {"region": REGION, "vpcId": VPC, "routeTableId": TABLE}
        stage.control("ec2/route-table", {**table, "subnetIds": list(SUBNETS)})
        text = stage.kubectl("create", "--dry-run=client", "--output=json", "-f", str(MANIFEST))
        self.example = json.loads(text)

    def manifest(self, name: str, endpoints: dict[str, Any], **spec: Any) -> Object:
        """A platform in the VPC, with these endpoints."""
        kept = ("region", "accountId", "ownership")
        basic = {field: self.example["spec"][field] for field in kept}
        network = {"vpcId": VPC, "subnetIds": list(SUBNETS), "routeTableIds": [TABLE]}
        metadata = {"name": name, "namespace": NAMESPACE}
        whole = {**basic, "network": {**network, "endpoints": endpoints}, **spec}
        return {**self.example, "metadata": metadata, "spec": whole}

    def creation(self) -> Figures:
        """From `kubectl apply` to Ready: six endpoints, and a bucket that waits for one of them."""
        additional = [{"service": service} for service in ADDITIONAL]
        manifest = self.manifest(
            ONE,
            {"additional": additional},
            storage={"buckets": [{"name": "artifacts", "vpcEndpointOnly": True}]},
            models=[{"name": "fast", "bedrock": {"modelId": "amazon.nova-lite-v1:0"}}],
        )
        # The API server holds back the first object of a kind for two seconds: not to be counted.
        text = json.dumps(manifest)
        self.stage.kubectl("create", "--dry-run=server", "-f", "-", stdin=text)
        first_call = self.stage.call_count()
        took = self.until_ready([manifest])
        calls = calls_of_operator(self.stage, first_call)
        made = sum(call["operation"] == "CreateVpcEndpoint" for call in calls)
        if made != ENDPOINTS:
            raise StageError(f"{made} endpoints were made, and not {ENDPOINTS}")
        return {
            "endpoints": made,
            "wait_s": CREATE_S,
            "ready_s": took,
            "bound_s": bound(CREATE_S),
            **tally(calls),
        }

    def until_ready(self, manifests: list[Object]) -> float:
        """Give platforms to the API server; how long it took until all were Ready."""
        watch = self.stage.watch("-n", NAMESPACE)
        wanted = {manifest["metadata"]["name"] for manifest in manifests}
        ready: set[str] = set()
        began = time.monotonic()
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
        self.stage.kubectl("apply", "-f", "-", stdin=text)

        def done() -> bool:
            for event in watch.events(0.05):
                if is_ready(event["object"]):
                    ready.add(event["object"]["metadata"]["name"])
            return wanted <= ready

        self.stage.wait("the platforms to be Ready", done, DEADLINE_S)
        took = round(time.monotonic() - began, 1)
        watch.stop()
        return took

    def resync(self) -> Figures:
        """The pass that nothing but time causes, with the most calls of EC2."""
        first_call = self.stage.call_count()

        def whole_ones() -> list[list[Call]]:
            found = clusters(calls_of_operator(self.stage, first_call), RESYNC_S / 3)
            return found[1:-1] if len(found) > 4 else []

        # The first may have begun before and the last may not have ended.
        passes = self.stage.wait("some resyncs", whole_ones, DEADLINE_S)
        return tally(max(passes, key=lambda calls: len(of_ec2(calls))))

    def many(self) -> Figures:
        """Ten platforms of the same VPC and account, and a pass over all of them."""
        self.stage.control("timings", {"ec2.endpoint.create": 1000})
        manifests = [
            self.manifest(f"many-{n}", {"auto": False, "additional": [{"service": service}]})
            for n, service in enumerate(EACH)
        ]
        self.until_ready(manifests)
        first_call = self.when_quiet()
        names = [manifest["metadata"]["name"] for manifest in manifests]
        asked = f"aiplatform.dev/reconcile-at={time.time()}"
        before = self.passes()
        self.stage.kubectl("annotate", "--overwrite", "aip", *names, "-n", NAMESPACE, asked)
        self.stage.wait("the passes", lambda: self.passes() >= before + len(names), DEADLINE_S)
        self.when_quiet()
        return {"platforms": len(names), **tally(calls_of_operator(self.stage, first_call))}

    def passes(self) -> float:
        """How many passes have ended."""
        return self.stage.metrics().get("aiplatform_reconcile_duration_seconds_count", 0)

    def when_quiet(self) -> int:
        """How many calls there were, once none is made any more."""

        def is_quiet() -> bool:
            return time.time() - calls_of_operator(self.stage)[-1]["time"] > 1

        self.stage.wait("quiet", is_quiet, DEADLINE_S)
        return self.stage.call_count()


def of_ec2(calls: list[Call]) -> list[Call]:
    """The calls of EC2 among these."""
    return [call for call in calls if call["service"] == "ec2"]


def measure(stage: Stage) -> Figures:
    """One platform, from its creation to its resyncs."""
    private = Private(stage)
    return {"creation": private.creation(), "resync": private.resync()}


def measure_many(stage: Stage) -> Figures:
    """Ten platforms, without resyncs among their passes."""
    return Private(stage).many()

"""The sixth act: an endpoint is scaled by others, gets a new revision, and survives a bad one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from process import StageError

if TYPE_CHECKING:
    from live import Object

    from demo import Demo

MANIFEST = "examples/assistant.yaml"
ARTIFACT = "models/rank/1.4.0/model.tar.gz"
TIMINGS_MS = {"create": 4000, "update": 4000, "rollback": 2000, "scale": 500, "delete": 2000}
MODEL = "rank"


def prepare(demo: Demo) -> None:
    """What takes time in SageMaker takes some here; the artifact is where a pipeline puts it."""
    timings = {f"sagemaker.endpoint.{name}": ms for name, ms in TIMINGS_MS.items()}
    demo.stage.control("timings", timings)
    demo.cloud.s3.put_object(Bucket=demo.artifacts, Key=ARTIFACT, Body=b"content")


def play(demo: Demo) -> None:
    """From one revision to the next, and back."""
    terminal = demo.terminal
    terminal.title("6. Serving")
    endpoint = model(demo.live.thing)["endpoint"]
    show(demo)

    terminal.say("Load comes, and Application Auto Scaling adds instances.")
    scale = {"endpoint": endpoint, "variant": "AllTraffic", "count": 5}
    demo.stage.control("scale", scale)
    demo.stage.wait("five instances", lambda: capacity(demo, endpoint) == (5, "InService"))
    terminal.line((f"  {endpoint}: 5 instances", "dim"))

    terminal.say("A new image. What would happen?")
    demo.type(f"sed -i 's/rank:1.4.0/rank:1.5.0/' {MANIFEST}")
    changes = "sed '/ steps$/,$d' | grep -E '^  [+~-]|image:|config:'"
    demo.type(f"aiplatform diff -f {MANIFEST} | {changes}")
    demo.type_and_watch(f"kubectl apply -f {MANIFEST}", "Ready")
    show(demo)
    if capacity(demo, endpoint) != (5, "InService"):
        raise StageError(f"{endpoint} is not as it was: {capacity(demo, endpoint)}")
    terminal.say("It runs the new revision, with the instances it had.")

    terminal.say("The next image is broken.")
    reason = "The primary container did not pass the ping health check"
    demo.stage.control("fail-next-update", {"endpoint": endpoint, "reason": reason})
    demo.type(f"sed -i 's/rank:1.5.0/rank:1.6.0/' {MANIFEST}")
    demo.type_and_watch(f"kubectl apply -f {MANIFEST}", "Rolled back", is_rolled_back)
    demo.type("kubectl get aip -n support")
    show(demo)
    if capacity(demo, endpoint) != (5, "InService"):
        raise StageError(f"{endpoint} is not as it was: {capacity(demo, endpoint)}")
    message = '{.status.conditions[?(@.type=="Stalled")].message}{"\\n"}'
    demo.type(f"kubectl get aip assistant -n support -o jsonpath='{message}'")
    terminal.say("Traffic never left the good revision. The bad one is not tried again by itself.")

    terminal.say("Back to the image before: nothing has to move.")
    demo.type(f"sed -i 's/rank:1.6.0/rank:1.5.0/' {MANIFEST}")
    demo.type_and_watch(f"kubectl apply -f {MANIFEST}", "Ready")
    show(demo)


def model(thing: Object | None) -> dict[str, Any]:
    """What the object says of the model."""
    models = thing["status"]["models"] if thing else []
    return next(each for each in models if each["name"] == MODEL)


def show(demo: Demo) -> None:
    """One line for the model."""
    index = [each["name"] for each in (demo.live.thing or {})["status"]["models"]].index(MODEL)
    path = f"{{.status.models[{index}]}}" + '{"\\n"}'
    demo.type(f"kubectl get aip assistant -n support -o jsonpath='{path}'")


def is_rolled_back(thing: Object | None) -> bool:
    """Whether SageMaker took the endpoint back to where it was."""
    if not thing:
        return False
    status = thing["status"]
    reasons = [c["reason"] for c in status["conditions"] if c["type"] == "Stalled"]
    return status["observedGeneration"] == thing["metadata"]["generation"] and (
        reasons == ["RolledBack"]
    )


def capacity(demo: Demo, endpoint: str) -> tuple[int, str]:
    """How many instances SageMaker says there are, and how the endpoint is."""
    found = demo.cloud.sagemaker.describe_endpoint(EndpointName=endpoint)
    return found["ProductionVariants"][0]["CurrentInstanceCount"], found["EndpointStatus"]

"""The last act: a model in the cluster, called by the client that most programs have."""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from live import Live
from process import StageError, reap, spawn
from stage import ROOT, SIMULATOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from live import Object

    from demo import Demo

MANIFEST = "examples/in-cluster.yaml"
NAMESPACE, NAME, MODEL = "support", "desk", "chat"
DEPLOYMENT = f"{NAME}-{MODEL}"
KEY = "a-key-of-the-demo"
SERVER = ROOT / "tests" / "engines" / "vllm_server.py"
REQUIREMENTS = ROOT / "tests" / "engines" / "requirements.txt"
ASK = """\
import os
from openai import OpenAI

client = OpenAI(base_url=os.environ["URL"], api_key=os.environ["KEY"])
print("models:", [model.id for model in client.models.list()])
question = [{"role": "user", "content": "My parcel has not arrived."}]
for part in client.chat.completions.create(model="qwen3-8b", messages=question, stream=True):
    print(part.choices[0].delta.content or "", end="", flush=True)
print()
"""


def play(demo: Demo) -> None:
    """From one YAML to an answer, through a revision that does not come up."""
    terminal, stage = demo.terminal, demo.stage
    terminal.title("8. In the cluster")
    # KEDA is not here, which the autoscaling of the example needs.
    (stage.work / MANIFEST).write_text(without_autoscaling((ROOT / MANIFEST).read_text()))
    secrets = {"chat-api-key": ("key", KEY), "hugging-face": ("token", "hf_demo")}
    for name, (key, value) in secrets.items():
        literal = f"--from-literal={key}={value}"
        stage.kubectl("create", "secret", "generic", name, "-n", NAMESPACE, literal)
    demo.live.watch.stop()
    demo.live = Live(stage, terminal, NAMESPACE, NAME)

    terminal.say("Models that pods serve, from the same kind of object. What would be made:")
    demo.type(f"aiplatform plan -f {MANIFEST} | sed -n '/ steps$/,$p'")
    demo.type_and_watch(f"kubectl apply -f {MANIFEST}", "Ready")
    demo.type(f"kubectl get deploy,svc,pdb,netpol -n {NAMESPACE} -o name")
    terminal.say(
        "Call it as any program would. kwok plays the nodes, so a server of the tests that the "
        "pod's own command line starts stands for vLLM."
    )
    with served(demo) as url:
        (stage.work / "ask.py").write_text(ASK)
        (stage.bin / "ask").write_text(f'#!/bin/sh\nexec "{client()}" ask.py "$@"\n')
        (stage.bin / "ask").chmod(0o755)
        demo.type(f"URL={url}/v1 KEY={KEY} ask")

    terminal.say("An edit asks for GPUs that no node has.")
    demo.type(f"sed -i 's/gpus: 1$/gpus: 8/' {MANIFEST}")
    demo.type_and_watch(f"kubectl apply -f {MANIFEST}", "Told why", is_unschedulable)
    path = "{.status.models[0].message}" + '{"\\n"}'
    demo.type(f"kubectl get aip {NAME} -n {NAMESPACE} -o jsonpath='{path}'")
    terminal.say("The old revision serves meanwhile. Back to what works:")
    demo.type(f"sed -i 's/gpus: 8$/gpus: 1/' {MANIFEST}")
    demo.type_and_watch(f"kubectl apply -f {MANIFEST}", "Ready")


def without_autoscaling(text: str) -> str:
    """The manifest with a number of pods in the place of what scales them."""
    before, _, rest = text.partition("      autoscaling:")
    return before + "      replicas: 2\n" + rest[rest.index("  - name: embed\n") :]


def is_unschedulable(thing: Object | None) -> bool:
    """Whether the object says in the scheduler's words what is missing."""
    models: list[dict[str, Any]] = thing["status"].get("models", []) if thing else []
    return any("nvidia.com/gpu" in model.get("message", "") for model in models)


def client() -> str:
    """The Python that has OpenAI's client; made at its first use."""
    made = subprocess.run(
        [sys.executable, SIMULATOR, "--venv", "--requirements", REQUIREMENTS],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise StageError(f"OpenAI's client could not be installed:\n{made.stderr}")
    return made.stdout.strip()


@contextmanager
def served(demo: Demo) -> Iterator[str]:
    """A server that is started as the pod's container says; its URL."""
    stage = demo.stage
    listed = stage.kubectl(
        *("get", "pods", "-n", NAMESPACE, "-o", "json"),
        *("-l", f"app.kubernetes.io/instance={DEPLOYMENT}"),
    )
    container = json.loads(listed)["items"][0]["spec"]["containers"][0]
    env = {"FAKE_LISTEN": "127.0.0.1:0"}
    for variable in container["env"]:
        env[variable["name"]] = variable.get("value") or secret(demo, variable["valueFrom"])
    with stage.log("engine").open("wb") as log:
        process = spawn(
            [sys.executable, SERVER, *container["args"]],
            log,
            stdout=subprocess.PIPE,
            env={**os.environ, **env},
        )
    try:
        assert process.stdout is not None
        if not select.select([process.stdout], [], [], 30)[0]:
            raise StageError(f"the server does not listen\n{stage.tail('engine')}")
        line = process.stdout.readline()
        if not line:
            raise StageError(f"the server ended\n{stage.tail('engine')}")
        yield json.loads(line)["url"]
    finally:
        process.terminate()
        reap(process)


def secret(demo: Demo, source: dict[str, Any]) -> str:
    """The value of a variable that a secret holds."""
    reference = source["secretKeyRef"]
    path = f"jsonpath={{.data.{reference['key']}}}"
    found = demo.stage.kubectl("get", "secret", reference["name"], "-n", NAMESPACE, "-o", path)
    return base64.b64decode(found).decode()

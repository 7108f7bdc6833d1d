"""The stand-in for vLLM: the containers' own arguments start it, and OpenAI's client asks it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from containers import containers

SERVER = Path(__file__).resolve().parent / "vllm_server.py"
DEADLINE_S = 30


class Running:
    """A server that was started."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url

    def client(self, key: str = "none") -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0)

    def get(self, path: str, data: bytes | None = None) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.url + path, data, timeout=DEADLINE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@contextlib.contextmanager
def started(args: list[str], **env: str) -> Iterator[Running]:
    variables = {**os.environ, "FAKE_LISTEN": "127.0.0.1:0", **env}
    process = subprocess.Popen(
        [sys.executable, SERVER, *args], env=variables, stdout=subprocess.PIPE, text=True
    )
    try:
        yield Running(process, json.loads(process.stdout.readline())["url"])
    finally:
        process.kill()
        process.wait(DEADLINE_S)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with started(containers("vllm")["users"]["args"]) as running:
        yield running


def values(server: Running) -> dict[str, float]:
    _, text = server.get("/metrics")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {line.partition("{")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_the_probes_paths_and_the_served_name_are_those_of_the_container(server):
    container = containers("vllm")["users"]
    for probe in ("startup", "readiness", "liveness"):
        assert server.get(container[probe]["path"])[0] == 200
    assert server.get(container["metrics"]["path"])[0] == 200
    assert [model.id for model in server.client().models.list()] == ["qwen3-8b"]


def test_openais_client_gets_a_completion(server):
    before = values(server)
    answer = server.client().chat.completions.create(
        model="qwen3-8b", messages=[{"role": "user", "content": "one two three"}]
    )
    assert answer.choices[0].message.content == "one two three"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == 6
    assert (
        values(server)["vllm:generation_tokens_total"] == before["vllm:generation_tokens_total"] + 3
    )


def test_openais_client_gets_a_stream(server):
    chunks = list(
        server.client().chat.completions.create(
            model="qwen3-8b",
            messages=[{"role": "user", "content": "one two three"}],
            max_tokens=2,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert "".join(c.choices[0].delta.content for c in chunks if c.choices) == "one two"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "length"
    assert chunks[-1].usage.completion_tokens == 2


def test_a_name_that_is_not_served_is_refused_as_vllm_refuses_it(server):
    with pytest.raises(openai.NotFoundError, match="`other` does not exist"):
        server.client().chat.completions.create(
            model="other", messages=[{"role": "user", "content": "x"}]
        )


def test_the_key_guards_the_api_and_not_the_probes():
    with started(["m"], VLLM_API_KEY="secret") as server:
        with pytest.raises(openai.AuthenticationError):
            server.client("wrong").models.list()
        assert [model.id for model in server.client("secret").models.list()] == ["m"]
        assert server.get("/health")[0] == 200
        assert server.get("/metrics")[0] == 200


def test_metrics_show_what_a_test_says(server):
    said = {"vllm:num_requests_waiting": 7}
    assert server.get("/fake/metrics", json.dumps(said).encode())[0] == 204
    assert values(server)["vllm:num_requests_waiting"] == 7
    assert server.get("/fake/metrics", b'{"vllm:num_requests_asleep": 7}')[0] == 400


@pytest.mark.parametrize("name", containers("vllm"))
def test_it_starts_with_the_arguments_of_every_container(name):
    container = containers("vllm")[name]
    with started(container["args"]) as server:
        assert server.get("/health")[0] == 200


@pytest.mark.parametrize(
    "args",
    [
        ["m", "--disable-log-requests"],
        ["m", "--swap-space", "4"],
        ["m", "--task", "generate"],
        ["m", "--port", "many"],
        ["m", "--dtype", "float128"],
        ["m", "n"],
    ],
)
def test_it_refuses_arguments_that_the_release_does_not_know(args):
    done = subprocess.run([sys.executable, SERVER, *args], capture_output=True, timeout=DEADLINE_S)
    assert done.returncode == 2, done


def test_requests_that_are_under_way_end_before_it_does():
    with started(["m", "--shutdown-timeout", "20"]) as server:
        text = "word " * 20_000
        answered: list[int] = []

        def ask() -> None:
            stream = server.client().chat.completions.create(
                model="m", messages=[{"role": "user", "content": text}], stream=True
            )
            first = next(iter(stream))
            assert first.choices
            server.process.send_signal(signal.SIGTERM)
            answered.append(sum(1 for _ in stream))

        asking = threading.Thread(target=ask)
        asking.start()
        asking.join(DEADLINE_S)
        assert answered == [20_001]
        assert server.process.wait(DEADLINE_S) == 0

"""TorchServe's own release, started with the containers' own commands.

PyTorch is not there: the model needs none, and the worker only asks whether a value is a tensor.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import containers

DEADLINE_S = 60

HANDLER = """
def handle(data, context):
    return None if data is None else ["hello" for _ in data]
"""


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]


class Server:
    """A container, with other ports and folders, as a process."""

    def __init__(self, name: str, folder: Path) -> None:
        self.container = containers("torchserve")[name]
        inference, management, metrics, grpc, grpc_management = free_ports(5)
        self.replaced = {
            ":8080": f":{inference}",
            ":8081": f":{management}",
            ":8082": f":{metrics}",
            "/mnt/models": str(folder / "store"),
            "/cache": str(folder),
            "/tmp": str(folder / "tmp"),
        }
        self.ports = {"api": inference, "management": management, "metrics": metrics}
        self.env = {v["name"]: self.here(v["value"]) for v in self.container["env"]}
        self.env["TORCHSERVE_CONFIGURATION"] += (
            f"\ngrpc_inference_port={grpc}\ngrpc_management_port={grpc_management}"
        )
        self.env |= {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(folder / "packages"),
            "TMPDIR": str(folder / "tmp"),
        }
        for made in ("store", "tmp", "packages"):
            (folder / made).mkdir()
        (folder / "packages" / "torch.py").write_text("class Tensor:\n    pass\n")
        self.folder = folder

    def here(self, text: str) -> str:
        pattern = "|".join(map(re.escape, self.replaced))
        return re.sub(pattern, lambda found: self.replaced[found[0]], text)

    def add_model(self, file: str) -> None:
        manifest = {
            "runtime": "python",
            "model": {"modelName": "any", "handler": "handler.py:handle", "modelVersion": "1.0"},
        }
        with zipfile.ZipFile(self.folder / "store" / file, "w") as archive:
            archive.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest))
            archive.writestr("handler.py", HANDLER)

    @contextlib.contextmanager
    def started(self) -> Iterator[subprocess.Popen[bytes]]:
        command = [*self.container["command"], *map(self.here, self.container["args"])]
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen(
                command,
                env=self.env,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def succeeds(self, probe: str) -> bool:
        """Whether a probe succeeds."""
        check = self.container[probe]
        if "path" in check:
            return self.get("api", check["path"])[0] == 200
        command = [self.here(word) for word in check["command"]]
        done = subprocess.run(command, env=self.env, capture_output=True, timeout=60)
        return done.returncode == 0

    def get(self, port: str, path: str, data: bytes | None = None) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.ports[port]}{path}"
        try:
            with urllib.request.urlopen(url, data, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def until(self, is_so) -> None:
        """Wait until something is so."""
        end = time.monotonic() + DEADLINE_S
        while not is_so():
            log = (self.folder / "log").read_text()
            assert time.monotonic() < end, log[-4000:]
            time.sleep(0.2)


@pytest.fixture
def server(tmp_path) -> Server:
    return Server("pvc-0", tmp_path)


def test_torchserve_serves_the_archive_under_the_served_name(server):
    server.add_model("chat.mar")
    assert not server.succeeds("startup")
    with server.started() as process:
        server.until(lambda: server.succeeds("startup"))
        assert server.succeeds("readiness")
        assert server.succeeds("liveness")
        assert server.get("api", server.container["apiPath"], b"x") == (200, "hello")
        status, metrics = server.get("metrics", server.container["metrics"]["path"])
        assert status == 200
        assert 'ts_inference_requests_total{model_name="chat"' in metrics
        (model,) = json.loads(server.get("management", "/models/chat")[1])
        assert len(model["workers"]) == 1, "one worker, however many processors there are"
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) is not None
        server.until(lambda: server.get("api", "/ping")[0] == 0)


def test_only_the_container_itself_reaches_the_management_api(server):
    server.add_model("chat.mar")
    with server.started():
        server.until(lambda: server.succeeds("startup"))
        for port, is_open in (("api", True), ("metrics", True), ("management", False)):
            with socket.socket() as another_address:
                refused = another_address.connect_ex(("127.0.0.2", server.ports[port])) != 0
                assert refused != is_open, port


def test_a_server_without_its_archive_is_not_ready_although_it_says_that_it_is_healthy(server):
    server.add_model("another.mar")
    with server.started():
        server.until(lambda: server.get("api", "/ping")[0] == 200)
        assert not server.succeeds("startup")
        assert not server.succeeds("readiness")


def test_variables_of_the_user_go_before_the_configuration(tmp_path):
    server = Server("users", tmp_path)
    server.add_model("ranker.mar")
    log = """<Configuration><Appenders><Console name="out"/></Appenders>
        <Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers></Configuration>"""
    (tmp_path / "store" / "log4j2.xml").write_text(log)
    with server.started():
        server.until(lambda: server.succeeds("startup"))
        (model,) = json.loads(server.get("management", "/models/ranker")[1])
        assert model["jobQueueStatus"]["remainingCapacity"] == 500
        assert model["startupTimeout"] == 300


def test_the_container_ends_when_the_server_does(server):
    server.add_model("chat.mar")
    (server.folder / "store" / "chat.mar").unlink()
    (server.folder / "store").rmdir()
    with server.started() as process:
        assert process.wait(DEADLINE_S) != 0, "there is no folder with models"

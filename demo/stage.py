"""What the demo and the bench play on: an API server, the AWS simulator and the operator.

Everything lives in one temporary folder and ends with the `with` block of `open_stage`, also on a
signal. If this process is killed outright, the kernel tells the others to end.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from process import StageError, Watch, processor_seconds, reap, spawn

ROOT = Path(__file__).resolve().parent.parent
CONTROL_PLANE = ROOT / "tests" / "cluster" / "control_plane.py"
SIMULATOR = ROOT / "tests" / "aws" / "serve.py"

REGION = "eu-west-1"
START_DEADLINE_S = 120.0
LOG_LINES = 20
CALLS_PER_PAGE = 5000

# Neither the API server nor the simulator is behind a proxy, whatever the environment says.
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Stage:
    """The servers and the operator, and how to talk to them."""

    def __init__(self, folder: Path, binary: Path) -> None:
        """Prepare the folder: the commands in it are those that people would type."""
        self.folder = folder
        self.bin = folder / "bin"
        self.work = folder / "work"
        self.operator: subprocess.Popen[bytes] | None = None
        self.operator_url = ""
        self._servers: dict[str, subprocess.Popen[bytes]] = {}
        self._watches: list[Watch] = []
        for made in (self.bin, self.work):
            made.mkdir()
        (self.bin / "aiplatform").symlink_to(binary.resolve())

    def start_servers(self, nodes: int = 2) -> None:
        """Start both, side by side, and wait until they accept requests."""
        # Says what it does where it has something to build, which takes minutes the first time.
        build = subprocess.run(
            [sys.executable, CONTROL_PLANE, "build", "--all"],
            stdout=subprocess.DEVNULL,
            check=False,
        )
        if build.returncode:
            raise StageError("the API server could not be built")
        for name, command in {
            "cluster": [sys.executable, CONTROL_PLANE, "start", "--nodes", str(nodes)],
            "aws": [sys.executable, SIMULATOR],
        }.items():
            with self.log(name).open("wb") as log:
                self._servers[name] = spawn(command, log, stdout=subprocess.PIPE)
        self.aws_url = self._description("aws")["url"]
        cluster = self._description("cluster")
        self.kubeconfig = cluster["kubeconfig"]
        self.cluster_url = cluster["server"]
        (self.bin / "kubectl").symlink_to(cluster["kubectl"])
        self.exports = {
            "KUBECONFIG": self.kubeconfig,
            "KUBECACHEDIR": str(self.folder / "kubectl-cache"),
            "KUBERC": "off",
            "AWS_ENDPOINT_URL": self.aws_url,
            "AWS_ACCESS_KEY_ID": "demo",
            "AWS_SECRET_ACCESS_KEY": "demo",
            "AWS_REGION": REGION,
            "AIPLATFORM_S3_PATH_STYLE": "true",
            "AIPLATFORM_CLUSTER_NAME": "demo",
        }
        nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        path = {"PATH": f"{self.bin}:{os.environ['PATH']}"}
        outside = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        self.environment = {**outside, **self.exports, **nowhere, **path}

    def _description(self, name: str) -> dict[str, Any]:
        """The line of JSON that a server prints when it is ready."""
        process = self._servers[name]
        assert process.stdout is not None
        deadline = time.monotonic() + START_DEADLINE_S
        line = b""
        while not line.endswith(b"\n"):
            left = max(0.0, deadline - time.monotonic())
            if not select.select([process.stdout], [], [], left)[0]:
                raise StageError(f"{name}: not ready after {START_DEADLINE_S:.0f} s")
            block = os.read(process.stdout.fileno(), 4096)
            if not block:
                raise StageError(f"{name}: ended early\n{self.tail(name)}")
            line += block
        return json.loads(line)

    def start_operator(self, *flags: str) -> None:
        """Start the operator and wait until it says that it is ready."""
        with self.log("operator").open("wb") as log:
            self.operator = spawn(
                [self.bin / "aiplatform", "run", "--http-addr", "127.0.0.1:0", *flags],
                log,
                stdout=log,
                env=self.environment,
                cwd=self.work,
            )
        address = re.compile(r"address=(\S+)")

        def listening() -> str | None:
            found = address.search(self.log("operator").read_text(errors="replace"))
            return found and found.group(1)

        self.operator_url = f"http://{self.wait('the operator to listen', listening)}"
        self.wait("the operator to be ready", self._operator_is_ready)

    def _operator_is_ready(self) -> bool:
        with suppress(urllib.error.HTTPError):
            return bool(self._http(f"{self.operator_url}/readyz"))
        return False

    def stop_operator(self) -> None:
        """End the operator as Kubernetes does, and wait until it has."""
        if self.operator:
            self.operator.terminate()
            reap(self.operator)
            self.operator = None

    def watch(self, *arguments: str) -> Watch:
        """Watch AIPlatform objects."""
        command = ["get", "aip", *arguments, "--watch", "--output-watch-events", "--output=json"]
        with self.log("watch").open("ab") as log:
            process = spawn(
                [self.bin / "kubectl", *command],
                log,
                stdout=subprocess.PIPE,
                env=self.environment,
            )
        self._watches.append(Watch(process))
        return self._watches[-1]

    @contextmanager
    def shell(self, command: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
        """Run a command line as a person would type it, in the working folder."""
        process = subprocess.Popen(
            ["sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment,
            cwd=self.work,
            # A group of its own, so that all of a pipe can be ended.
            start_new_session=True,
            **options,
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stdout:
                process.stdout.close()

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What a kubectl command prints; it has to succeed."""
        done = subprocess.run(
            [self.bin / "kubectl", *arguments],
            input=stdin or "",
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=START_DEADLINE_S,
            check=False,
        )
        if done.returncode:
            raise StageError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def set_latency(self, milliseconds: int) -> None:
        """Make every AWS call take this long."""
        self.control("latency", {"ms": milliseconds})

    def control(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Tell the simulator something that AWS itself would not be told, or ask it."""
        return json.loads(self._http(f"{self.aws_url}/_sim/{path}", json.dumps(body).encode()))

    def calls(self, since: int = 0, fields: Iterable[str] = ()) -> list[dict[str, Any]]:
        """The AWS calls from this number on, whoever made them; of each these fields, or all."""
        found: list[dict[str, Any]] = []
        query = f"fields={','.join(fields)}&limit={CALLS_PER_PAGE}"
        while True:
            answer = self._http(f"{self.aws_url}/_sim/calls?since={since + len(found)}&{query}")
            page = json.loads(answer)
            found += page
            if len(page) < CALLS_PER_PAGE:
                return found

    def call_count(self) -> int:
        """How many AWS calls there were so far."""
        return json.loads(self._http(f"{self.aws_url}/_sim/calls/count"))["count"]

    def processor_seconds(self, server: str) -> float:
        """The processor time that a server has used: `aws`, or `cluster` with all its parts."""
        return processor_seconds(self._servers[server].pid)

    def metrics(self) -> dict[str, float]:
        """The operator's metrics by name and labels."""
        text = self._http(f"{self.operator_url}/metrics").decode()
        lines = [line.rsplit(" ", 1) for line in text.splitlines() if line[:1] != "#"]
        return {name: float(value) for name, value in lines}

    def _http(self, url: str, body: bytes | None = None) -> bytes:
        try:
            with HTTP.open(url, data=body, timeout=30) as answer:
                return answer.read()
        except urllib.error.HTTPError:
            raise
        except OSError as error:
            # What does not answer has most likely ended, and then its log says why.
            self.check()
            raise StageError(f"{url}: {error}") from error

    def wait(
        self, what: str, done: Callable[[], Any], deadline_s: float = 30.0, pause_s: float = 0.05
    ) -> Any:
        """Ask until the answer is true, and return it."""
        deadline = time.monotonic() + deadline_s
        while not (answer := done()):
            self.check()
            if time.monotonic() > deadline:
                raise StageError(f"waited {deadline_s:.0f} s for {what}")
            time.sleep(pause_s)
        return answer

    def check(self) -> None:
        """Fail if something ended that should be running."""
        processes = {**self._servers, "operator": self.operator}
        for name, process in processes.items():
            if process and (code := process.poll()) is not None:
                raise StageError(f"{name} ended with {code}\n{self.tail(name)}")

    def log(self, name: str) -> Path:
        """The log file of one process."""
        return self.folder / f"{name}.log"

    def tail(self, name: str) -> str:
        """The end of that log."""
        with suppress(FileNotFoundError):
            lines = self.log(name).read_text(errors="replace").splitlines()[-LOG_LINES:]
            return "\n".join([f"the log of {name} ends:", *(f"  {line}" for line in lines)])
        return f"{name} has no log"

    def stop(self) -> None:
        """Stop everything, what depends on others first."""
        for watch in self._watches:
            watch.stop()
        self.stop_operator()
        for process in self._servers.values():
            if process.stdin:
                process.stdin.close()
        for process in self._servers.values():
            reap(process)


def executable(path: str) -> Path:
    """A program that is there."""
    if not os.access(path, os.X_OK):
        raise StageError(f"{path} is not there: cargo build makes it")
    return Path(path).resolve()


@contextmanager
def open_stage(binary: Path, nodes: int = 2) -> Iterator[Stage]:
    """A stage with both servers running; what went wrong is told with the operator's log."""
    with TemporaryDirectory(prefix="aiplatform-stage-") as folder:
        stage = Stage(Path(folder), binary)
        try:
            stage.start_servers(nodes)
            yield stage
        except Exception as error:
            tail = stage.tail("operator")
            if stage.operator and tail not in str(error):
                error.add_note(tail)
            raise
        finally:
            # A second signal must not cut short what the first one asked for.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            stage.stop()

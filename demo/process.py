"""Starting processes, and making sure that they end."""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NoReturn

STOP_DEADLINE_S = 15.0
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class StageError(Exception):
    """Something did not go as it should; shown without a traceback."""


class Stopped(BaseException):
    """SIGINT, SIGTERM or SIGHUP; BaseException so that no handler eats it."""


def forget_settings() -> None:
    """Make the run independent of the settings of whoever starts it.

    A profile, an endpoint or a kubeconfig in the environment would lead to a real account or
    cluster. Where the servers keep what they build is left as it is.
    """
    kept = {"AIPLATFORM_CACHE", "KUBEBUILDER_ASSETS"}
    for name in os.environ.keys() - kept:
        if name.startswith(("AWS_", "AIPLATFORM_", "KUBE", "RUST_LOG")):
            del os.environ[name]


def stop_on_signals() -> None:
    """Turn the signals that mean "stop" into an exception, so that every `finally` runs."""

    def stop(_signal: int, _frame: object) -> NoReturn:
        raise Stopped

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)


def spawn(command: list[str | Path], log: IO[bytes], **options: Any) -> subprocess.Popen[bytes]:
    """Start a process that outlives Ctrl-C, so that it can be stopped in order, but not this one.

    Its standard input is a pipe: the servers end when it is closed.
    """
    parent = os.getpid()

    def die_with_parent() -> None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stderr=log,
        start_new_session=True,
        # Unsafe only beside other threads, of which there are none while processes start.
        preexec_fn=die_with_parent,
        **options,
    )


def reap(process: subprocess.Popen[bytes]) -> None:
    """Wait until a process that was asked to end has ended; kill it if it does not."""
    try:
        process.wait(STOP_DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()


def processor_seconds(pid: int) -> float:
    """The processor time that a process and those that it started have used."""
    used, parents = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        # One that has just ended is not there any more.
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            number = int(path.parent.name)
            parents[number] = int(fields[1])
            used[number] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def of_tree(root: int) -> float:
        started = [child for child, parent in parents.items() if parent == root]
        return used.get(root, 0.0) + sum(map(of_tree, started))

    return of_tree(pid)


class Watch:
    """`kubectl get --watch`: the objects as they change."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """Read from a process that prints one event of JSON per line."""
        self.process = process
        self._rest = b""

    def events(self, timeout_s: float) -> list[dict[str, Any]]:
        """The events that are there, after waiting at most this long for the first."""
        assert self.process.stdout is not None
        pipe = self.process.stdout.fileno()
        found: list[dict[str, Any]] = []
        while select.select([pipe], [], [], 0 if found else timeout_s)[0]:
            block = os.read(pipe, 1 << 20)
            if not block:
                raise StageError("kubectl get --watch ended")
            *lines, self._rest = (self._rest + block).split(b"\n")
            found += [json.loads(line) for line in lines if line]
        return found

    def stop(self) -> None:
        """End the watch."""
        self.process.kill()
        self.process.communicate()

"""The process: how it starts, what it prints, how it ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import SERVE


def end_input(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()


def terminate(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)


def interrupt(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)


@pytest.mark.parametrize("stop", [end_input, terminate, interrupt])
def test_start_and_end(stop: Callable[[subprocess.Popen[str]], None]) -> None:
    command = [sys.executable, str(SERVE), "--port", "0"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        assert line["pid"] == process.pid
        assert line["url"].startswith("http://127.0.0.1:")
        stop(process)
        assert process.wait(timeout=5) == 0
        assert process.stdout.read() == ""


def test_environment_is_found_again() -> None:
    found = subprocess.run(
        [sys.executable, str(SERVE), "--venv"], capture_output=True, text=True, check=True
    )
    assert os.access(found.stdout.strip(), os.X_OK)
    assert found.stderr == ""
    assert (Path(found.stdout.strip()).parent.parent / ".complete").exists()

"""The process: how it starts, what it prints, how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import SERVE, Simulator


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


def test_copies_are_apart_and_end_with_their_connections() -> None:
    command = [sys.executable, str(SERVE), "--copies"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        host, _, port = json.loads(process.stdout.readline())["copies"].partition(":")
        connections = [socket.create_connection((host, int(port))) for _ in range(2)]
        copies = [json.loads(connection.makefile().readline()) for connection in connections]
        first, second = (Simulator(copy["url"]) for copy in copies)
        made = [each.client("ec2").create_vpc(CidrBlock="10.0.0.0/16") for each in (first, second)]
        ids = {answer["Vpc"]["VpcId"] for answer in made}
        assert len(ids) == 2
        assert first.client("iam").list_roles()["Roles"] == []
        listed = [[call["operation"] for call in each.calls()] for each in (first, second)]
        assert listed == [["CreateVpc", "ListRoles"], ["CreateVpc"]]
        connections[0].shutdown(socket.SHUT_RDWR)
        assert is_gone_in(5, copies[0]["url"])
        assert second.calls("CreateVpc")
        # A copy lasts as long as its connection, and not as long as what it is a copy of.
        end_input(process)
        assert process.wait(timeout=5) == 0
        assert second.calls("CreateVpc")
        connections[1].shutdown(socket.SHUT_RDWR)
        assert is_gone_in(5, copies[1]["url"])


def is_gone_in(seconds: float, url: str) -> bool:
    """Wait until nobody listens there any more."""
    host, _, port = url.removeprefix("http://").partition(":")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, int(port)), timeout=seconds).close()
        except OSError:
            return True
        time.sleep(0.02)
    return False

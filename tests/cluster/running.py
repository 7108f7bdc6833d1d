"""A control plane of a test's own, that ends with the block it is used in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCRIPT = Path(__file__).with_name("control_plane.py")
DEADLINE_S = 60


class Cluster:
    """A running control plane."""

    def __init__(self, process: subprocess.Popen[str], description: dict[str, str]) -> None:
        """`description` is the line that the script printed."""
        self.process = process
        self.server = description["server"]
        self.ca = description["ca"]
        self.user_token = description["user_token"]
        self.directory = Path(description["directory"])
        self.kubeconfig = description["kubeconfig"]
        self.kubectl_path = description["kubectl"]
        self.etcd_pid = int(description["etcd_pid"])
        self.apiserver_pid = int(description["apiserver_pid"])

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl as the administrator; its cache goes with the control plane's folder."""
        return subprocess.run(
            [self.kubectl_path, f"--kubeconfig={self.kubeconfig}", *arguments],
            env=os.environ | {"KUBECACHEDIR": str(self.directory / "kubectl")},
            input=stdin,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=DEADLINE_S,
        ).stdout

    def children(self) -> list[int]:
        """File descriptors that become readable when the processes end."""
        return [os.pidfd_open(pid) for pid in (self.etcd_pid, self.apiserver_pid)]


@contextmanager
def cluster(*arguments: str) -> Iterator[Cluster]:
    """Start a control plane; leaving the block closes its standard input, if that is still open."""
    process = subprocess.Popen(
        [sys.executable, SCRIPT, "start", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        assert line, f"no answer; exit status {process.wait(DEADLINE_S)}"
        yield Cluster(process, json.loads(line))
    finally:
        process.communicate(timeout=DEADLINE_S)

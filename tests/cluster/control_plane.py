#!/usr/bin/env python3
"""Builds a Kubernetes control plane from source, once, and runs it on this machine for tests.

`build` fills a cache folder with the binaries that go.mod pins; `start` runs etcd and
kube-apiserver (and with `--nodes` all that it takes for Deployments to become Available)
until its standard input ends. README.md says how to use both.
"""

from __future__ import annotations

import argparse
import ctypes
import http.client
import json
import os
import re
import secrets
import select
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NoReturn

import go_tools

HERE = Path(__file__).resolve().parent

# The binaries by name: the first three are all that most tests need.
ESSENTIAL = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
}
FOR_NODES = {
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
}
PACKAGES = ESSENTIAL | FOR_NODES

READY_DEADLINE_S = 60.0
STOP_DEADLINE_S = 10.0
POLL_S = 0.05
LOG_LINES = 20
# Requests a second that a controller may make: by default they are so few that a hundred
# Deployments wait for a minute.
CONTROLLER_QPS = 1000

# Memory there is plenty of, and of the processors the collection of garbage takes a fifth.
GARBAGE_PERCENT = "400"

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class ControlPlaneError(Exception):
    """Something the user has to know; shown without a traceback."""


class StopRequested(BaseException):
    """SIGTERM, SIGINT or the end of standard input; BaseException so that no handler eats it."""


def raise_stop(_signal: int, _frame: object) -> NoReturn:
    """Signal handler: unwinds, so that every `with` and `finally` on the way cleans up."""
    raise StopRequested


def kubernetes_version() -> str:
    """The version of k8s.io/kubernetes that go.mod requires, such as v1.36.3."""
    found = re.search(r"^\s*k8s\.io/kubernetes (v\S+)", (HERE / "go.mod").read_text(), re.MULTILINE)
    if not found:
        raise ControlPlaneError("tests/cluster/go.mod does not require k8s.io/kubernetes")
    return found.group(1)


def build_flags() -> list[str]:
    """Flags of `go install`: small binaries that know their version, the same in any folder."""
    version = kubernetes_version()
    major, minor = version.removeprefix("v").split(".")[:2]
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    stamp = " ".join(f"-X k8s.io/component-base/version.{k}={v}" for k, v in stamps.items())
    return ["-mod=readonly", "-trimpath", f"-ldflags=-s -w {stamp}"]


def provide(packages: dict[str, str]) -> dict[str, Path]:
    """The path of each binary, after building those that are missing."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    given = {name: Path(assets).absolute() / name for name in ESSENTIAL} if assets else {}
    for path in given.values():
        if not path.is_file():
            raise ControlPlaneError(f"KUBEBUILDER_ASSETS lacks {path.name}: {path}")
    missing = {name: package for name, package in packages.items() if name not in given}
    module = go_tools.Module(
        HERE, "cluster", build_flags(), otherwise="; or set KUBEBUILDER_ASSETS"
    )
    built = go_tools.provide(module, missing)
    return {name: path for name, path in (given | built).items() if name in packages}


def reserve_port() -> socket.socket:
    """Hold a free port for a child that binds it too, with SO_REUSEPORT.

    A port that is merely looked up can be taken by someone else before the child binds it. One
    that stays bound cannot, and a socket that does not listen gets no connections.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind(("127.0.0.1", 0))
    return held


def listening(port: int) -> bool:
    """Whether something accepts connections on this port."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


class Children:
    """The processes this one started, in the order it started them."""

    def __init__(self, directory: Path) -> None:
        """`directory` takes the logs."""
        self.directory = directory
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, path: Path, name: str, *flags: str) -> None:
        """Start a process that logs into a file and dies with this one."""
        parent = os.getpid()

        def die_with_parent() -> None:
            # Covers a parent that is killed and so cannot stop its children.
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

        with self.log(name).open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [path, *flags],
                cwd=self.directory,
                env={"GOGC": GARBAGE_PERCENT, **os.environ},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Unsafe only beside other threads, of which this process has none.
                preexec_fn=die_with_parent,  # noqa: PLW1509
                # Ctrl-C is for this process, which then stops them in the right order.
                start_new_session=True,
            )

    def log(self, name: str) -> Path:
        """The log file of one process."""
        return self.directory / f"{name}.log"

    def check(self) -> None:
        """Fail, with the end of its log, if a process is gone."""
        for name, process in self.processes.items():
            if (code := process.poll()) is not None:
                lines = self.log(name).read_text(errors="replace").splitlines()[-LOG_LINES:]
                told = [f"{name} ended early with {code}; its log ends:", *lines]
                raise ControlPlaneError("\n".join(told))

    def watch(self, timeout_s: float | None) -> None:
        """Wait; raise as soon as standard input ends or a process does."""
        poll = select.poll()
        poll.register(0, select.POLLIN)
        pidfds = [os.pidfd_open(process.pid) for process in self.processes.values()]
        try:
            for pidfd in pidfds:
                poll.register(pidfd, select.POLLIN)
            ready = {fd for fd, _ in poll.poll(None if timeout_s is None else timeout_s * 1000)}
        finally:
            for pidfd in pidfds:
                os.close(pidfd)
        if 0 in ready and not os.read(0, 4096):
            raise StopRequested
        self.check()

    def wait_until(self, what: str, done: Callable[[], bool]) -> None:
        """Poll a condition until it holds, the deadline passes, or there is no point any more."""
        deadline = time.monotonic() + READY_DEADLINE_S
        while not done():
            if time.monotonic() > deadline:
                raise ControlPlaneError(f"{what} took longer than {READY_DEADLINE_S:.0f} s")
            self.watch(POLL_S)

    def stop(self) -> None:
        """Stop the processes, last started first, because each needs those before it.

        Where one is gone already, the others could not stop in order: they are killed at once.
        """
        whole = all(process.poll() is None for process in self.processes.values())
        for process in reversed(self.processes.values()):
            process.terminate()
            try:
                process.wait(STOP_DEADLINE_S if whole else 0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Api:
    """Just enough of a client to tell whether the API server is ready and to add nodes."""

    def __init__(self, port: int, ca: Path, token: str) -> None:
        """The server on `port` of this machine, trusted through `ca`."""
        self.port = port
        self.tls = ssl.create_default_context(cafile=ca)
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """One request on a connection of its own."""
        data = None if body is None else json.dumps(body)
        connect = http.client.HTTPSConnection
        with closing(connect("127.0.0.1", self.port, timeout=5, context=self.tls)) as connection:
            connection.request(method, path, data, self.headers)
            response = connection.getresponse()
            return response.status, response.read()

    def ready(self) -> bool:
        """Whether the API server answers and says that it is ready."""
        with suppress(OSError, http.client.HTTPException):
            return self.call("GET", "/readyz") == (200, b"ok")
        return False

    def get(self, path: str) -> dict[str, Any] | None:
        """An object, or None where there is none yet."""
        status, body = self.call("GET", path)
        return json.loads(body) if status == 200 else None

    def create(self, path: str, body: object) -> None:
        """Create an object."""
        status, answer = self.call("POST", path, body)
        if status != 201:
            raise ControlPlaneError(f"POST {path}: {status} {answer.decode(errors='replace')}")


def write_kubeconfig(path: Path, server: str, ca: Path, token: str) -> None:
    """A kubeconfig of one user; JSON is YAML too."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "test", "cluster": {"server": server, "certificate-authority": str(ca)}}
        ],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
    path.write_text(json.dumps(config, indent=2) + "\n")


def start_etcd(children: Children, path: Path, client_port: int, peer_port: int) -> None:
    """Start an etcd of one member that does not care for what a power cut would lose."""
    client, peer = f"http://127.0.0.1:{client_port}", f"http://127.0.0.1:{peer_port}"
    children.start(
        path,
        "etcd",
        f"--data-dir={children.directory / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--socket-reuse-port",
        "--unsafe-no-fsync",
        "--log-level=warn",
    )


def start_api_server(
    children: Children, path: Path, port: int, etcd_port: int, with_nodes: bool
) -> Path:
    """Start kube-apiserver and return the folder of the certificate and key that it makes."""
    certificates = children.directory / "apiserver"
    key = certificates / "apiserver.key"
    flags = [
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        "--permit-port-sharing",
        f"--cert-dir={certificates}",
        f"--token-auth-file={children.directory / 'tokens.csv'}",
        "--authorization-mode=Node,RBAC",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--endpoint-reconciler-type=none",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        # The server makes its serving key before it reads this one, so one key serves as both
        # and nothing outside it has to generate any.
        f"--service-account-signing-key-file={key}",
        f"--service-account-key-file={key}",
        "--allow-privileged",
        "--profiling=false",
    ]
    if not with_nodes:
        # Without the controller manager no namespace gets the service account it would demand.
        flags.append("--disable-admission-plugins=ServiceAccount")
    children.start(path, "kube-apiserver", *flags)
    return certificates


def last_certificate(bundle: Path) -> str:
    """The CA: the API server writes its own certificate first and the one that signed it last."""
    begin = "-----BEGIN CERTIFICATE-----"
    return begin + bundle.read_text().rpartition(begin)[2]


def start_nodes(
    children: Children, paths: dict[str, Path], api: Api, kubeconfig: Path, key: Path, count: int
) -> None:
    """Start what runs Deployments, with kwok for kubelets, and wait until all nodes are ready."""
    cluster = f"--kubeconfig={kubeconfig}"
    # One of each is all there is: no election, no port for anyone to look at, and nobody whom
    # many requests at once would be in the way of.
    common = ["--leader-elect=false", "--secure-port=0"]
    common += [f"--kube-api-qps={CONTROLLER_QPS}", f"--kube-api-burst={CONTROLLER_QPS}"]
    children.start(
        paths["kube-controller-manager"],
        "kube-controller-manager",
        cluster,
        *common,
        f"--service-account-private-key-file={key}",
        f"--root-ca-file={children.directory / 'ca.crt'}",
        # By default it makes a folder below /usr, if it may.
        f"--flex-volume-plugin-dir={children.directory / 'flexvolume'}",
    )
    children.start(paths["kube-scheduler"], "kube-scheduler", cluster, *common)
    children.start(
        paths["kwok"],
        "kwok",
        cluster,
        f"--config={HERE / 'kwok.yaml'}",
        "--manage-all-nodes",
        "--node-lease-duration-seconds=40",
    )

    capacity = {"cpu": "64", "memory": "256Gi", "pods": "110", "nvidia.com/gpu": "4"}
    names = [f"node-{number}" for number in range(count)]
    for name in names:
        node = {
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
            "status": {"capacity": capacity, "allocatable": capacity},
        }
        api.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", **node})

    def schedulable(name: str) -> bool:
        node = api.get(f"/api/v1/nodes/{name}") or {}
        conditions = node.get("status", {}).get("conditions", [])
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
        return ready and not node.get("spec", {}).get("taints")

    children.wait_until("making the nodes ready", lambda: all(map(schedulable, names)))
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    children.wait_until("the default service account", lambda: api.get(account) is not None)


def start(nodes: int) -> None:
    """Run a control plane, describe it in one line of JSON, and keep it until told to stop."""
    paths = provide(PACKAGES if nodes else ESSENTIAL)
    with tempfile.TemporaryDirectory(prefix="aiplatform-cluster-") as name:
        directory = Path(name)
        children = Children(directory)
        sockets = [reserve_port() for _ in range(3)]
        port, etcd_port, peer_port = (held.getsockname()[1] for held in sockets)
        try:
            token, user_token = secrets.token_hex(16), secrets.token_hex(16)
            (directory / "tokens.csv").write_text(
                f'{token},admin,admin,"system:masters"\n{user_token},user,user\n'
            )
            began = time.monotonic()
            start_etcd(children, paths["etcd"], etcd_port, peer_port)
            # The API server backs off for a second from an etcd that does not listen yet.
            children.wait_until("starting etcd", lambda: listening(etcd_port))
            certificates = start_api_server(
                children, paths["kube-apiserver"], port, etcd_port, with_nodes=nodes > 0
            )
            key = certificates / "apiserver.key"
            # The key is written after the certificate, so where it is, both are.
            children.wait_until("making a certificate", key.exists)
            ca = directory / "ca.crt"
            ca.write_text(last_certificate(certificates / "apiserver.crt"))
            api = Api(port, ca, token)
            children.wait_until("starting the API server", api.ready)
            go_tools.progress(f"API server ready in {time.monotonic() - began:.1f} s")

            server = f"https://127.0.0.1:{port}"
            kubeconfig = directory / "kubeconfig"
            write_kubeconfig(kubeconfig, server, ca, token)
            if nodes:
                start_nodes(children, paths, api, kubeconfig, key, nodes)
                go_tools.progress(f"{nodes} nodes ready in {time.monotonic() - began:.1f} s")

            description = {
                "kubeconfig": str(kubeconfig),
                "server": server,
                "ca": str(ca),
                "token": token,
                "user_token": user_token,
                "kubectl": str(paths["kubectl"]),
                "etcd_pid": children.processes["etcd"].pid,
                "apiserver_pid": children.processes["kube-apiserver"].pid,
                "directory": str(directory),
            }
            print(json.dumps(description), flush=True)
            while True:
                children.watch(None)
        finally:
            # A second signal must not cut short what the first one asked for.
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            children.stop()
            for held in sockets:
                held.close()


def build(everything: bool) -> None:
    """Build what is missing and print the folder of the binaries."""
    paths = provide(PACKAGES if everything else ESSENTIAL)
    for folder in dict.fromkeys(path.parent for path in paths.values()):
        print(folder)


def main() -> int:
    """Parse the arguments and do what they say; the return value is the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("build", help="build what is missing, print its folder")
    command.add_argument("--all", action="store_true", help="also what --nodes needs")
    command = commands.add_parser("start", help="run a control plane until standard input ends")
    command.add_argument("--nodes", type=int, default=0, help="how many fake nodes to add")
    arguments = parser.parse_args()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, raise_stop)
    try:
        if arguments.command == "build":
            build(arguments.all)
        else:
            start(arguments.nodes)
    except (ControlPlaneError, go_tools.ToolError) as failure:
        go_tools.progress(f"control_plane.py: {failure}")
        return 1
    except StopRequested:
        # Being stopped is how `start` ends; a build that was stopped is not built.
        return 0 if arguments.command == "start" else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

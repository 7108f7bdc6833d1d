"""The control plane really works, and nothing of it stays behind.

The first run builds the binaries, which takes minutes; later ones find them in the cache.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from running import DEADLINE_S, SCRIPT, Cluster, cluster

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [
                    {
                        "name": "web",
                        "image": "example.invalid/web:1",
                        "resources": {"limits": {"nvidia.com/gpu": 2}},
                    }
                ]
            },
        },
    },
}


def all_end(children: list[int]) -> bool:
    """Wait for the processes to end; False if that takes too long."""
    return all(select.select([pidfd], [], [], DEADLINE_S)[0] for pidfd in children)


def exists(pid: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_serves_the_kubernetes_api() -> None:
    with cluster() as one:
        assert one.kubectl("get", "--raw", "/readyz") == "ok"
        assert json.loads(one.kubectl("get", "--raw", "/version"))["minor"] == "36"
        one.kubectl("create", "namespace", "team")
        phase = one.kubectl("get", "namespace", "team", "--output=jsonpath={.status.phase}")
        assert phase == "Active"


def test_service_accounts_get_tokens_that_the_server_accepts() -> None:
    with cluster() as one:
        one.kubectl("create", "serviceaccount", "robot", "--namespace=default")
        token = one.kubectl("create", "token", "robot", "--namespace=default").strip()
        assert get_status(one, "/apis", token) == 200


def test_the_other_user_may_do_nothing_that_was_not_granted() -> None:
    with cluster() as one:
        pods = "/api/v1/namespaces/default/pods"
        assert get_status(one, pods, one.user_token) == 403
        assert get_status(one, pods, "wrong") == 401
        # Not one of the roles there are: `view` is empty until a controller has put it together.
        one.kubectl("create", "clusterrole", "pods", "--verb=list", "--resource=pods")
        one.kubectl("create", "clusterrolebinding", "pods", "--clusterrole=pods", "--user=user")
        # The API server learns of its own roles by a watch, so not at once.
        deadline = time.monotonic() + DEADLINE_S
        while (status := get_status(one, pods, one.user_token)) == 403:
            assert time.monotonic() < deadline
        assert status == 200


def get_status(one: Cluster, path: str, token: str) -> int:
    """The HTTP status of a GET with this token, the server's certificate checked."""
    request = urllib.request.Request(
        one.server + path, headers={"Authorization": f"Bearer {token}"}
    )
    context = ssl.create_default_context(cafile=one.ca)
    try:
        with urllib.request.urlopen(request, context=context, timeout=DEADLINE_S) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("how", ["end of input", "SIGTERM", "SIGINT"])
def test_stopping_leaves_nothing_behind(how: str) -> None:
    with cluster() as one:
        assert exists(one.etcd_pid)
        assert exists(one.apiserver_pid)
        assert one.directory.is_dir()
        if how.startswith("SIG"):
            one.process.send_signal(signal.Signals[how])
            assert one.process.wait(DEADLINE_S) == 0
    assert one.process.returncode == 0
    assert not exists(one.etcd_pid)
    assert not exists(one.apiserver_pid)
    assert not one.directory.exists()


def test_a_killed_parent_takes_the_processes_with_it() -> None:
    with cluster() as one:
        children = one.children()
        one.process.kill()
        assert all_end(children)
    # A killed process cannot remove its folder.
    shutil.rmtree(one.directory)


def test_a_process_that_dies_ends_it_with_the_log() -> None:
    process = subprocess.Popen(
        [sys.executable, SCRIPT, "start"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    one = Cluster(process, json.loads(process.stdout.readline()))
    os.kill(one.etcd_pid, signal.SIGKILL)
    # Standard input stays open meanwhile: it is not what ends it.
    assert process.wait(DEADLINE_S) == 1
    _, stderr = process.communicate()
    assert "etcd ended early with -9; its log ends:" in stderr
    assert not exists(one.apiserver_pid)
    assert not one.directory.exists()


def test_two_at_once_are_two() -> None:
    with cluster() as one, cluster() as other:
        assert one.server != other.server
        assert one.directory != other.directory
        one.kubectl("create", "namespace", "only-here")
        assert "only-here" in one.kubectl("get", "namespaces", "--output=name")
        assert "only-here" not in other.kubectl("get", "namespaces", "--output=name")


@pytest.mark.slow
@pytest.mark.skipif(
    os.environ.get("AIPLATFORM_TEST_NODES") != "1",
    reason="builds and runs three more processes: AIPLATFORM_TEST_NODES=1 asks for it",
)
def test_a_deployment_becomes_available_on_a_fake_node() -> None:
    with cluster("--nodes", "1") as one:
        one.kubectl("apply", "--filename=-", stdin=json.dumps(DEPLOYMENT))
        timeout = f"--timeout={DEADLINE_S - 5}s"
        one.kubectl("wait", "deployment/web", "--for=condition=Available", timeout)
        # The node has four GPUs, so a third pod of two waits.
        one.kubectl("scale", "deployment/web", "--replicas=3")
        one.kubectl(
            "wait", "deployment/web", "--for=jsonpath={.status.unavailableReplicas}=1", timeout
        )
        one.kubectl("delete", "deployment/web", "--cascade=foreground", timeout)
        assert one.kubectl("get", "pods", "--namespace=default", "--output=name") == ""

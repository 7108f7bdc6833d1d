"""Copies of a simulator that begins once.

What moto imports and parses at the first call of each service takes seconds of processor time. Here
one process has done so, and whoever connects to it gets a process of their own that has as well.
"""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.config import Config
from moto.moto_api._internal import mock_random
from werkzeug.datastructures import Headers

from simulator.server import Server
from simulator.simulator import Simulator
from simulator.wire import Request

# A call of each service that changes nothing, and those that parse further files of moto.
FIRST_CALLS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("application-autoscaling", "describe_scalable_targets", {"ServiceNamespace": "sagemaker"}),
    ("ec2", "describe_vpcs", {}),
    ("ec2", "describe_security_groups", {}),
    ("ec2", "describe_vpc_endpoint_services", {}),
    ("eks", "list_clusters", {}),
    ("events", "list_rules", {}),
    ("iam", "get_account_authorization_details", {"Filter": ["Role"]}),
    ("logs", "describe_log_groups", {}),
    ("s3", "list_buckets", {}),
    ("sagemaker", "list_endpoints", {}),
    ("sqs", "list_queues", {}),
    ("sts", "get_caller_identity", {}),
)


class AnsweredError(Exception):
    """A call has been answered, and nobody needs the answer."""


def serve_copies(simulator: Simulator, port: int) -> None:
    """Serve a copy for each connection, as long as it lasts, until standard input ends."""
    begin(simulator)
    # What is there by now is never freed, so that copies share its memory.
    gc.freeze()
    with socket.create_server(("127.0.0.1", port)) as listener:
        number = listener.getsockname()[1]
        print(json.dumps({"copies": f"127.0.0.1:{number}", "pid": os.getpid()}), flush=True)
        # Nobody reads on after that line, and moto prints now and then.
        sys.stdout = sys.stderr
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        for connection in connections(listener):
            if os.fork() == 0:
                try:
                    listener.close()
                    serve_copy(simulator, connection)
                finally:
                    os._exit(1)
            connection.close()


def connections(listener: socket.socket) -> Iterator[socket.socket]:
    """Accept connections until standard input ends."""
    while True:
        ready, _, _ = select.select([listener, 0], [], [])
        if 0 in ready and not os.read(0, 4096):
            return
        if listener in ready:
            yield listener.accept()[0]


def serve_copy(simulator: Simulator, connection: socket.socket) -> None:
    """Say where the copy listens, and serve until the connection ends."""
    # Copies that drew the same numbers would give out the same ids.
    mock_random.seed()
    server = Server(0, simulator.answer)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    connection.sendall(json.dumps({"url": url, "pid": os.getpid()}).encode() + b"\n")
    threading.Thread(target=exit_with, args=(connection,), daemon=True).start()
    server.serve_forever()


def exit_with(connection: socket.socket) -> None:
    """End the process when the connection ends: when whoever asked for it is gone."""
    with contextlib.suppress(OSError):
        while connection.recv(4096):
            pass
    os._exit(0)


def begin(simulator: Simulator) -> None:
    """Answer a call of each service, and forget everything but what was parsed for it."""

    def answer(request: Any, **_: Any) -> None:
        body = request.body or b""
        body = body if isinstance(body, bytes) else body.encode()
        headers = Headers([(name, as_text(value)) for name, value in request.headers.items()])
        headers["Host"] = "127.0.0.1"
        target = "/" + request.url.split("/", 3)[3]
        response = simulator.answer(Request(request.method, target, headers, body))
        if response is None or response.status != 200:
            raise ValueError(f"the first call of {service} got {response}")
        raise AnsweredError

    for service, operation, parameters in FIRST_CALLS:
        client = boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url="http://127.0.0.1",
            aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
            aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}),
        )
        client.meta.events.register("before-send", answer)
        with contextlib.suppress(AnsweredError):
            getattr(client, operation)(**parameters)
    simulator.reset()


def as_text(value: str | bytes) -> str:
    """A header's value."""
    return value if isinstance(value, str) else value.decode()

"""One simulator for the whole run, emptied before each test."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from networking import Network
from serving import Serving

SERVE = Path(__file__).parent / "serve.py"
REGION = "eu-west-1"
ACCOUNT = "123456789012"


class Simulator:
    """The simulator as a test sees it: its address and its control surface."""

    def __init__(self, url: str) -> None:
        """`url` is where it listens."""
        self.url = url

    def post(self, path: str, **body: Any) -> Any:
        """POST to the control surface."""
        return self.control("POST", path, body)

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call the control surface."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_sim/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def calls(self, operation: str | None = None) -> list[dict[str, Any]]:
        """The log of calls, or of those of one operation."""
        calls = self.control("GET", "calls")
        return [call for call in calls if operation in (None, call["operation"])]

    def client(self, service: str, region: str = REGION, **options: Any) -> Any:
        """A boto3 client that does not retry."""
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=options.pop("access_key", "AKIAIOSFODNN7EXAMPLE"),
            aws_secret_access_key=options.pop("secret_key", "secret"),
            aws_session_token=options.pop("token", None),
            config=Config(
                retries={"total_max_attempts": 1},
                max_pool_connections=60,
                s3={"addressing_style": "path"},
                **options,
            ),
        )

    def raw(
        self,
        method: str,
        target: str,
        *,
        service: str = "s3",
        region: str | None = REGION,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """A signed request as it is, without an SDK's help; unsigned without a region."""
        headers = {"Content-Type": "application/octet-stream", **(headers or {})}
        request = AWSRequest(method, self.url + target, data=body, headers=headers)
        if region is not None:
            credentials = Credentials("AKIAIOSFODNN7EXAMPLE", "secret")
            SigV4Auth(credentials, service, region).add_auth(request)
        prepared = urllib.request.Request(
            request.url, data=body or None, headers=dict(request.headers), method=method
        )
        opener = urllib.request.build_opener(NoRedirects)
        try:
            with opener.open(prepared, timeout=30) as answer:
                return answer.status, lower(answer.headers), answer.read()
        except urllib.error.HTTPError as answer:
            return answer.code, lower(answer.headers), answer.read()


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """Takes a redirect for an answer."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing."""


def lower(headers: Any) -> dict[str, str]:
    """Headers by their lower-case name."""
    return {name.lower(): value for name, value in headers.items()}


@pytest.fixture(scope="session")
def server() -> Iterator[Simulator]:
    """The process that all tests share."""
    with subprocess.Popen(
        [sys.executable, str(SERVE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield Simulator(json.loads(process.stdout.readline())["url"])
        process.stdin.close()
        assert process.wait(timeout=5) == 0


@pytest.fixture
def simulator(server: Simulator) -> Simulator:
    """The simulator, as if it had just started."""
    server.post("reset")
    return server


@pytest.fixture
def s3(simulator: Simulator) -> Any:
    """An S3 client in eu-west-1."""
    return simulator.client("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    """A new bucket in eu-west-1."""
    s3.create_bucket(Bucket="a-bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    return "a-bucket"


@pytest.fixture
def serving(simulator: Simulator) -> Serving:
    """What endpoints need."""
    return Serving(simulator)


@pytest.fixture
def network(simulator: Simulator) -> Network:
    """A VPC to put endpoints into."""
    return Network(simulator)

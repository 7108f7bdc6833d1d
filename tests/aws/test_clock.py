"""Signatures from another time are refused in each service's words."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from conftest import Simulator
from failures import refused

CALLS = [
    ("sts", "get_caller_identity", {}, "SignatureDoesNotMatch", 403),
    ("iam", "get_role", {"RoleName": "none"}, "SignatureDoesNotMatch", 403),
    ("s3", "list_buckets", {}, "RequestTimeTooSkewed", 403),
    ("sagemaker", "list_models", {}, "InvalidSignatureException", 403),
    ("eks", "list_clusters", {}, "InvalidSignatureException", 403),
]


@pytest.mark.parametrize(("service", "operation", "given", "code", "status"), CALLS)
def test_a_signature_of_an_hour_ago(
    simulator: Simulator,
    service: str,
    operation: str,
    given: dict[str, Any],
    code: str,
    status: int,
) -> None:
    call = getattr(simulator.client(service), operation)
    for ahead in (3600, -3600):
        simulator.post("clock", aheadSeconds=ahead)
        assert refused(call, **given)[:2] == (status, code)


def test_what_ec2_says(simulator: Simulator) -> None:
    describe = simulator.client("ec2").describe_vpcs
    simulator.post("clock", aheadSeconds=3600)
    assert refused(describe) == (400, "RequestExpired", "Request has expired.")
    simulator.post("clock", aheadSeconds=-3600)
    assert refused(describe)[:2] == (401, "AuthFailure")


def test_the_message_has_both_times(simulator: Simulator) -> None:
    call = simulator.client("sts").get_caller_identity
    simulator.post("clock", aheadSeconds=3600)
    message = refused(call)[2]
    assert message.startswith("Signature expired: 2")
    assert "is now earlier than" in message
    assert message.endswith("- 15 min.)")


def test_a_few_minutes_do_not_matter(simulator: Simulator) -> None:
    call = simulator.client("sts").get_caller_identity
    simulator.post("clock", aheadSeconds=600)
    assert call()["Account"]
    simulator.post("clock", aheadSeconds=0)
    assert call()["Account"]


def test_answers_carry_the_time(simulator: Simulator) -> None:
    simulator.post("clock", aheadSeconds=7200)
    _, headers, _ = simulator.raw("GET", "/")
    ahead = parsedate_to_datetime(headers["date"]) - datetime.now(UTC)
    assert timedelta(seconds=7190) < ahead < timedelta(seconds=7210)
    simulator.post("reset")
    _, headers, _ = simulator.raw("GET", "/")
    assert abs(parsedate_to_datetime(headers["date"]) - datetime.now(UTC)) < timedelta(seconds=10)

"""The control surface: log, faults, denials, latency, reset."""

import threading
import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from conftest import ACCOUNT, REGION, Simulator
from failures import refused

HERE = {"LocationConstraint": REGION}


def test_log(simulator: Simulator, s3: Any, bucket: str) -> None:
    start = time.time()
    s3.put_object(Bucket=bucket, Key="k", Body=b"12345")
    refused(s3.get_bucket_tagging, Bucket=bucket)
    created, put, tagging = simulator.calls()
    assert [created["index"], put["index"], tagging["index"]] == [0, 1, 2]
    assert (created["service"], created["operation"]) == ("s3", "CreateBucket")
    assert created["parameters"] == {"Bucket": bucket, "CreateBucketConfiguration": HERE}
    assert created["result"] == {"status": 200, "code": None}
    assert (created["region"], created["account"]) == (REGION, ACCOUNT)
    assert created["userAgent"].startswith("Boto3/")
    assert abs(put["time"] - start) < 5
    assert put["parameters"]["Body"] == "<5 bytes>"
    assert put["permissions"] == [["s3:PutObject", f"arn:aws:s3:::{bucket}/k"]]
    assert tagging["result"] == {"status": 404, "code": "NoSuchTagSet"}
    assert simulator.control("GET", "calls?since=2") == [tagging]
    assert simulator.control("GET", "calls?since=3") == []


def test_log_by_pages_and_fields(simulator: Simulator, s3: Any, bucket: str) -> None:
    for key in "abc":
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    assert simulator.control("GET", "calls/count") == {"count": 4}
    names = [
        [call["operation"] for call in simulator.control("GET", f"calls?since={first}&limit=3")]
        for first in (0, 3, 6)
    ]
    assert names == [["CreateBucket", "PutObject", "PutObject"], ["PutObject"], []]
    brief = simulator.control("GET", "calls?since=3&fields=index,operation")
    assert brief == [{"index": 3, "operation": "PutObject"}]


def test_codes_in_every_protocol(simulator: Simulator) -> None:
    missing = "arn:aws:iam::123456789012:role/none"
    refused(simulator.client("iam").get_role, RoleName="none")
    refused(simulator.client("sagemaker").describe_endpoint, EndpointName="none")
    refused(simulator.client("eks").describe_cluster, name="none")
    refused(simulator.client("ec2").describe_vpcs, VpcIds=["vpc-0"])
    assert missing
    assert [(call["operation"], call["result"]["code"]) for call in simulator.calls()] == [
        ("GetRole", "NoSuchEntity"),
        ("DescribeEndpoint", "ValidationException"),
        ("DescribeCluster", "ResourceNotFoundException"),
        ("DescribeVpcs", "InvalidVpcID.NotFound"),
    ]


def test_fault_before(simulator: Simulator, s3: Any) -> None:
    error = {"code": "SlowDown", "status": 503, "message": "Please reduce your request rate."}
    simulator.post(
        "faults", service="s3", operation="CreateBucket", when="before", times=2, error=error
    )
    for _ in range(2):
        answer = refused(s3.create_bucket, Bucket="abc", CreateBucketConfiguration=HERE)
        assert answer == (503, "SlowDown", "Please reduce your request rate.")
        assert s3.list_buckets()["Buckets"] == []
    s3.create_bucket(Bucket="abc", CreateBucketConfiguration=HERE)
    codes = [call["result"]["code"] for call in simulator.calls("CreateBucket")]
    assert codes == ["SlowDown", "SlowDown", None]


def test_fault_after(simulator: Simulator, s3: Any) -> None:
    error = {"code": "InternalError", "status": 500}
    simulator.post("faults", service="s3", operation="CreateBucket", when="after", error=error)
    answer = refused(s3.create_bucket, Bucket="abc", CreateBucketConfiguration=HERE)
    assert answer[:2] == (500, "InternalError")
    s3.head_bucket(Bucket="abc")


@pytest.mark.parametrize("when", ["before", "after"])
def test_fault_reset(simulator: Simulator, s3: Any, when: str) -> None:
    simulator.post("faults", service="s3", operation="CreateBucket", when=when, error="reset")
    with pytest.raises(ConnectionClosedError):
        s3.create_bucket(Bucket="abc", CreateBucketConfiguration=HERE)
    assert simulator.calls()[0]["result"] == {"status": None, "code": "ConnectionReset"}
    assert len(s3.list_buckets()["Buckets"]) == (when == "after")


def test_fault_hang_ends_with_a_reset(simulator: Simulator) -> None:
    impatient = simulator.client("s3", read_timeout=0.2)
    simulator.post("faults", service="s3", operation="*", when="after", error="hang", times=2)
    with pytest.raises(ReadTimeoutError):
        impatient.create_bucket(Bucket="abc", CreateBucketConfiguration=HERE)
    wait_for_hanging(simulator, 1)
    assert simulator.calls()[0]["result"] is None
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(simulator.client("s3").list_buckets)
        wait_for_hanging(simulator, 2)
        simulator.post("reset")
        with pytest.raises(ConnectionClosedError):
            waiting.result(timeout=5)


def wait_for_hanging(simulator: Simulator, count: int) -> None:
    """Return when a fault holds this many calls: a call is noted before a fault strikes it."""
    deadline = time.monotonic() + 20
    while sum(call["hangs"] for call in simulator.calls()) < count:
        assert time.monotonic() < deadline, f"fewer than {count} calls hang"


def test_lifted_faults_strike_no_more_and_what_hangs_wakes(simulator: Simulator) -> None:
    simulator.client("s3").create_bucket(Bucket="abc", CreateBucketConfiguration=HERE)
    simulator.post("faults", service="s3", operation="*", error="hang", times=None)
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(simulator.client("s3").list_buckets)
        wait_for_hanging(simulator, 1)
        simulator.control("DELETE", "faults")
        with pytest.raises(ConnectionClosedError):
            waiting.result(timeout=5)
    assert len(simulator.client("s3").list_buckets()["Buckets"]) == 1


@pytest.mark.parametrize(
    ("service", "operation", "call"),
    [
        ("sts", "get_caller_identity", {}),
        ("sagemaker", "list_endpoints", {}),
        ("ec2", "describe_vpcs", {}),
        ("eks", "list_clusters", {}),
        ("application-autoscaling", "describe_scalable_targets", {"ServiceNamespace": "sagemaker"}),
    ],
)
def test_faults_in_every_protocol(
    simulator: Simulator, service: str, operation: str, call: dict[str, Any]
) -> None:
    error = {"code": "ThrottlingException", "status": 400, "message": "Rate exceeded"}
    simulator.post("faults", service=service, operation="*", times=None, error=error)
    client = simulator.client(service)
    for _ in range(2):
        answer = refused(getattr(client, operation), **call)
        assert answer == (400, "ThrottlingException", "Rate exceeded")


def test_bad_faults_are_refused(simulator: Simulator) -> None:
    for wrong in ({"when": "never"}, {"times": 0}, {"error": "boom"}, {"error": {}}):
        fault = {"service": "s3", "operation": "*", "error": "reset", **wrong}
        with pytest.raises(urllib.error.HTTPError) as caught:
            simulator.post("faults", **fault)
        assert caught.value.code == 400


def test_deny(simulator: Simulator, s3: Any, bucket: str) -> None:
    simulator.post("deny", action="s3:PutLifecycleConfiguration", resource="arn:aws:s3:::a-*")
    message = (
        f"User: arn:aws:iam::{ACCOUNT}:user/operator is not authorized to perform: "
        's3:PutLifecycleConfiguration on resource: "arn:aws:s3:::a-bucket" because no '
        "identity-based policy allows the s3:PutLifecycleConfiguration action"
    )
    rules = [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]
    put = {"Bucket": bucket, "LifecycleConfiguration": {"Rules": rules}}
    answer = refused(s3.put_bucket_lifecycle_configuration, **put)
    assert answer == (403, "AccessDenied", message)
    assert refused(s3.delete_bucket_lifecycle, Bucket=bucket) == answer
    simulator.post("deny", action="s3:putlifecycleconfiguration", remove=True)
    s3.put_bucket_lifecycle_configuration(**put)
    simulator.post("deny", action="s3:PutLifecycleConfiguration", resource="arn:aws:s3:::b-*")
    s3.put_bucket_lifecycle_configuration(**put)
    simulator.control("DELETE", "deny", {"action": "s3:PutLifecycleConfiguration"})
    s3.put_bucket_lifecycle_configuration(**put)


@pytest.mark.parametrize(
    ("action", "operation", "parameters"),
    [
        ("s3:ListBucket", "list_objects_v2", {}),
        ("s3:ListBucket", "head_bucket", {}),
        ("s3:GetBucketPublicAccessBlock", "get_public_access_block", {}),
        ("s3:GetEncryptionConfiguration", "get_bucket_encryption", {}),
        ("s3:PutBucketTagging", "delete_bucket_tagging", {}),
        ("s3:ListBucketVersions", "list_object_versions", {}),
        ("s3:GetBucketOwnershipControls", "get_bucket_ownership_controls", {}),
        ("s3:DeleteObjectVersion", "delete_object", {"Key": "k", "VersionId": "null"}),
        ("s3:DeleteObject", "delete_object", {"Key": "k"}),
        ("s3:Delete*", "delete_bucket", {}),
    ],
)
def test_s3_actions_are_not_operations(
    simulator: Simulator, s3: Any, bucket: str, action: str, operation: str, parameters: Any
) -> None:
    simulator.post("deny", action=action)
    assert refused(getattr(s3, operation), Bucket=bucket, **parameters)[0] == 403
    s3.get_bucket_versioning(Bucket=bucket)


def test_creating_with_tags_needs_two_actions(simulator: Simulator, s3: Any) -> None:
    simulator.post("deny", action="s3:TagResource")
    tagged = {**HERE, "Tags": [{"Key": "a", "Value": "b"}]}
    answer = refused(s3.create_bucket, Bucket="abc", CreateBucketConfiguration=tagged)
    assert answer[:2] == (403, "AccessDenied")
    s3.create_bucket(Bucket="abc", CreateBucketConfiguration=HERE)


def test_deny_in_every_protocol(simulator: Simulator) -> None:
    for action in ("ec2:DescribeVpcs", "iam:ListRoles", "sagemaker:*", "eks:ListClusters"):
        simulator.post("deny", action=action)
    simulator.post("deny", action="cloudwatch:DescribeAlarms")
    simulator.post("deny", action="sts:GetCallerIdentity")
    denied = {
        ("ec2", "describe_vpcs"): (403, "UnauthorizedOperation"),
        ("iam", "list_roles"): (403, "AccessDenied"),
        ("sagemaker", "list_endpoints"): (400, "AccessDeniedException"),
        ("eks", "list_clusters"): (403, "AccessDeniedException"),
        ("cloudwatch", "describe_alarms"): (400, "AccessDeniedException"),
    }
    for (service, operation), expected in denied.items():
        answer = refused(getattr(simulator.client(service), operation))
        assert answer[:2] == expected, service
        assert "is not authorized to perform" in answer[2]
    assert simulator.client("sts").get_caller_identity()["Account"] == ACCOUNT


def test_latency(simulator: Simulator, s3: Any) -> None:
    simulator.post("latency", ms=150)
    start = time.monotonic()
    with ThreadPoolExecutor(10) as threads:
        list(threads.map(lambda _: s3.list_buckets(), range(10)))
    assert 0.15 < time.monotonic() - start < 1.4
    assert all(call["durationMs"] >= 150 for call in simulator.calls())


def test_reset_forgets_everything(simulator: Simulator, s3: Any, bucket: str) -> None:
    simulator.post("latency", ms=5)
    simulator.post("timings", **{"sagemaker.endpoint.create": 50})
    simulator.post("deny", action="s3:*")
    simulator.post("faults", service="*", operation="*", times=None, error="reset")
    simulator.post("reset")
    assert simulator.calls() == []
    assert s3.list_buckets()["Buckets"] == []
    assert refused(s3.head_bucket, Bucket=bucket)[0] == 404


def test_faults_end_when_a_test_says_so(simulator: Simulator, s3: Any, bucket: str) -> None:
    error = {"code": "SlowDown", "status": 503}
    simulator.post("faults", service="s3", operation="HeadBucket", times=None, error=error)
    assert refused(s3.head_bucket, Bucket=bucket)[0] == 503
    assert refused(s3.head_bucket, Bucket=bucket)[0] == 503
    simulator.control("DELETE", "faults", {})
    s3.head_bucket(Bucket=bucket)


def test_unknown_paths_name_the_known(simulator: Simulator) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        simulator.post("nonsense")
    assert caught.value.code == 404
    assert b"POST /_sim/faults" in caught.value.read()


def test_parallel_calls(simulator: Simulator, s3: Any) -> None:
    barrier = threading.Barrier(50)

    def work(number: int) -> int:
        barrier.wait()
        name = f"bucket-{number}"
        s3.create_bucket(Bucket=name, CreateBucketConfiguration=HERE)
        s3.put_object(Bucket=name, Key="k", Body=b"x" * 10000)
        return len(s3.get_object(Bucket=name, Key="k")["Body"].read())

    with ThreadPoolExecutor(50) as threads:
        assert list(threads.map(work, range(50))) == [10000] * 50
    assert len(s3.list_buckets()["Buckets"]) == 50
    assert len(simulator.calls()) == 151

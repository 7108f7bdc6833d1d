"""Which operation a request is taken for, and what is refused before it is looked at."""

import http.client
import json
import socket
import zlib
from base64 import b64encode
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Simulator
from failures import refused

CALLS = [
    ("s3", "list_buckets", {}),
    ("s3", "list_objects", {"Bucket": "b-1"}),
    ("s3", "list_objects_v2", {"Bucket": "b-1"}),
    ("s3", "get_bucket_lifecycle_configuration", {"Bucket": "b-1"}),
    ("s3", "put_bucket_tagging", {"Bucket": "b-1", "Tagging": {"TagSet": []}}),
    ("s3", "delete_bucket_policy", {"Bucket": "b-1"}),
    ("s3", "head_object", {"Bucket": "b-1", "Key": "a/b?c"}),
    ("s3", "put_object", {"Bucket": "b-1", "Key": "lifecycle", "Body": b""}),
    ("s3", "upload_part", {"Bucket": "b-1", "Key": "k", "UploadId": "u", "PartNumber": 1}),
    ("s3", "copy_object", {"Bucket": "b-1", "Key": "k", "CopySource": "b-1/a"}),
    ("s3", "get_bucket_policy_status", {"Bucket": "b-1"}),
    ("sts", "get_caller_identity", {}),
    ("iam", "get_role", {"RoleName": "r"}),
    ("ec2", "describe_vpc_endpoints", {"VpcEndpointIds": ["vpce-1"]}),
    ("sagemaker", "describe_endpoint", {"EndpointName": "e"}),
    ("sagemaker-runtime", "invoke_endpoint", {"EndpointName": "e", "Body": b""}),
    ("application-autoscaling", "describe_scaling_policies", {"ServiceNamespace": "sagemaker"}),
    ("eks", "list_pod_identity_associations", {"clusterName": "c"}),
    ("eks", "describe_pod_identity_association", {"clusterName": "c", "associationId": "a"}),
    ("elb", "describe_load_balancers", {}),
    ("elbv2", "describe_load_balancers", {}),
    ("bedrock", "list_foundation_models", {}),
    ("bedrock-runtime", "invoke_model", {"modelId": "a.b:0", "body": b"{}"}),
    ("bedrock-agent", "list_agents", {}),
    ("cloudwatch", "describe_alarms", {"AlarmNames": ["a"]}),
    ("logs", "describe_log_groups", {}),
    ("resourcegroupstaggingapi", "get_resources", {}),
    ("dynamodb", "list_tables", {}),
    ("lambda", "list_functions", {}),
]


@pytest.mark.parametrize(("service", "method", "parameters"), CALLS)
def test_identified(
    simulator: Simulator, service: str, method: str, parameters: dict[str, Any]
) -> None:
    client = simulator.client(service)
    simulator.post("faults", service="*", operation="*", error={"code": "Enough", "status": 400})
    with pytest.raises(ClientError):
        getattr(client, method)(**parameters)
    call = simulator.calls()[0]
    expected = client.meta.method_to_api_mapping[method]
    assert (call["service"], call["operation"]) == (service, expected)
    for name, value in parameters.items():
        if not isinstance(value, bytes) and service != "cloudwatch":
            assert call["parameters"][name] == value


def test_what_the_rust_sdk_sends(simulator: Simulator, bucket: str) -> None:
    """Streamed bodies in chunks with the checksum behind them, and `x-id` in the query."""
    data = b"hello"
    checksum = b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
    framed = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:" + checksum.encode() + b"\r\n\r\n"
    headers = {
        "Content-Encoding": "aws-chunked",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "5",
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    target = f"/{bucket}/k?x-id=PutObject"
    assert simulator.raw("PUT", target, body=framed, headers=headers)[0] == 200
    status, answered, body = simulator.raw("GET", f"/{bucket}/k?x-id=GetObject")
    assert (status, body) == (200, data)
    assert "content-encoding" not in answered
    bad = framed.replace(b"hello", b"hullo")
    status, _, body = simulator.raw("PUT", target, body=bad, headers=headers)
    assert (status, b"BadDigest" in body) == (400, True)
    status, _, body = simulator.raw("PUT", target, body=framed[:8], headers=headers)
    assert (status, b"IncompleteBody" in body) == (400, True)


def test_connections_are_kept(simulator: Simulator, bucket: str) -> None:
    address = urlsplit(simulator.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    authorization = "AWS4-HMAC-SHA256 Credential=AK/20260101/{}/s3/aws4_request, SignedHeaders=host"
    headers = {"Authorization": authorization.format(REGION)}
    connection.connect()
    first = connection.sock
    for method in ("GET", "HEAD", "PUT", "GET", "DELETE", "GET"):
        connection.request(method, f"/{bucket}/key", body=b"x" * 10, headers=headers)
        connection.getresponse().read()
        assert connection.sock is first
    chunks = iter([b"abc", b"def"])
    connection.request("PUT", f"/{bucket}/key", body=chunks, headers=headers, encode_chunked=True)
    assert connection.getresponse().read() == b""
    connection.request("GET", f"/{bucket}/key", headers=headers)
    assert connection.getresponse().read() == b"abcdef"
    connection.close()


def test_continue_is_said_once(simulator: Simulator, bucket: str) -> None:
    address = urlsplit(simulator.url)
    with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
        scope = f"AK/20260101/{REGION}/s3/aws4_request"
        head = (
            f"PUT /{bucket}/k HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: 2\r\n"
            f"Authorization: AWS4-HMAC-SHA256 Credential={scope}\r\nExpect: 100-continue\r\n\r\n"
        )
        connection.sendall(head.encode())
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"ok")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")


def test_caller(simulator: Simulator) -> None:
    identity = simulator.client("sts", access_key="anything").get_caller_identity()
    assert identity["Account"] == ACCOUNT
    assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/operator"
    china = simulator.client("sts", "cn-north-1").get_caller_identity()
    assert china["Arn"] == f"arn:aws-cn:iam::{ACCOUNT}:user/operator"


def test_roles_of_other_accounts(simulator: Simulator) -> None:
    sts = simulator.client("sts")
    role = "arn:aws:iam::999999999999:role/operator"
    simulator.post("sts/assumable", roleArn=role)
    given = sts.assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    keys = {
        "access_key": given["AccessKeyId"],
        "secret_key": given["SecretAccessKey"],
        "token": given["SessionToken"],
    }
    identity = simulator.client("sts", **keys).get_caller_identity()
    assert identity["Account"] == "999999999999"
    assert identity["Arn"] == "arn:aws:sts::999999999999:assumed-role/operator/session"
    place = {"LocationConstraint": REGION}
    simulator.client("s3", **keys).create_bucket(Bucket="abc", CreateBucketConfiguration=place)
    assert refused(simulator.client("s3").list_objects_v2, Bucket="abc")[:2] == (
        403,
        "AccessDenied",
    )
    assert simulator.calls("CreateBucket")[0]["account"] == "999999999999"


def test_web_identity_needs_no_signature(simulator: Simulator) -> None:
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.example.org"
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    simulator.client("iam").create_role(RoleName="operator", AssumeRolePolicyDocument=trust)
    body = (
        b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=session&WebIdentityToken="
        b"token&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Foperator"
    )
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _, answer = simulator.raw(
        "POST", "/", service="sts", region=None, body=body, headers=headers
    )
    assert status == 200
    assert b"<AccessKeyId>" in answer


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({}, b"", 403, "AccessDenied"),
        (
            {"Content-Type": "application/x-www-form-urlencoded"},
            b"Action=GetCallerIdentity&Version=2011-06-15",
            403,
            "MissingAuthenticationToken",
        ),
        (
            {
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": "SageMaker.ListEndpoints",
            },
            b"{}",
            400,
            "MissingAuthenticationTokenException",
        ),
    ],
)
def test_unsigned(
    simulator: Simulator, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    method = "POST" if body else "GET"
    got, _, answer = simulator.raw(method, "/", region=None, body=body, headers=headers)
    assert got == status
    assert code in answer.decode()
    assert simulator.calls()[0]["result"] == {"status": status, "code": code}


def test_regions_that_do_not_exist(simulator: Simulator) -> None:
    nowhere = "eu-nowhere-1"
    assert refused(simulator.client("sts", nowhere).get_caller_identity) == (
        403,
        "SignatureDoesNotMatch",
        "Credential should be scoped to a valid region.",
    )
    answer = refused(simulator.client("s3", nowhere).list_buckets)
    assert answer[:2] == (400, "AuthorizationHeaderMalformed")
    assert "the region 'eu-nowhere-1' is wrong; expecting 'us-east-1'" in answer[2]
    answer = refused(simulator.client("sagemaker", nowhere).list_endpoints)
    assert answer[:2] == (403, "InvalidSignatureException")


def test_what_is_not_simulated_is_not_retried(simulator: Simulator) -> None:
    answer = refused(simulator.client("bedrock").list_guardrails)
    assert answer[:2] == (501, "NotImplemented")


def test_malformed_json(simulator: Simulator) -> None:
    status, _, body = simulator.raw(
        "POST",
        "/",
        service="sts",
        body=b"Action=AssumeRole&Version=2011-06-15&DurationSeconds=soon",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert (status, b"MalformedInput" in body) == (400, True)


def test_parameters_are_validated_by_the_model(simulator: Simulator) -> None:
    sts = simulator.client("sts", parameter_validation=False)
    answer = refused(sts.assume_role, RoleArn="short", RoleSessionName="a b")
    assert answer == (
        400,
        "ValidationError",
        "2 validation errors detected: Value 'short' at 'roleArn' failed to satisfy constraint: "
        "Member must have length greater than or equal to 20; Value 'a b' at 'roleSessionName' "
        "failed to satisfy constraint: Member must satisfy regular expression pattern: "
        r"[\w+=,.@-]*",
    )
    assert json.dumps(simulator.calls())

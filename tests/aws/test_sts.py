"""STS: which roles can be assumed, by whom, and whose calls the credentials then make."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from conftest import ACCOUNT, REGION, Simulator
from failures import refused
from policies import ROOT, allowing, trusting

OTHER = "999999999999"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.example.org"
OPERATOR = f"arn:aws:iam::{ACCOUNT}:user/operator"


@pytest.fixture
def sts(simulator: Simulator) -> Any:
    return simulator.client("sts")


def keys(answer: dict[str, Any]) -> dict[str, str]:
    """What a client needs to act under the credentials in an answer."""
    given = answer["Credentials"]
    return {
        "access_key": given["AccessKeyId"],
        "secret_key": given["SecretAccessKey"],
        "token": given["SessionToken"],
    }


def assume(sts: Any, arn: str, **parameters: Any) -> dict[str, Any]:
    return sts.assume_role(RoleArn=arn, RoleSessionName="session", **parameters)


def denied(arn: str, principal: str = OPERATOR) -> tuple[int, str, str]:
    message = f"User: {principal} is not authorized to perform: sts:AssumeRole on resource: {arn}"
    return 403, "AccessDenied", message


def make(simulator: Simulator, trust: str | None = None, name: str = "r", **more: Any) -> str:
    iam = simulator.client("iam")
    given = {"RoleName": name, "Path": "/aiplatform/", **more}
    given["AssumeRolePolicyDocument"] = trust or trusting()
    return iam.create_role(**given)["Role"]["Arn"]


def test_a_role_of_the_account(simulator: Simulator, sts: Any) -> None:
    arn = make(simulator)
    answer = assume(sts, arn, DurationSeconds=900)
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/r/session"
    number = simulator.client("iam").get_role(RoleName="r")["Role"]["RoleId"]
    user = {"Arn": session, "AssumedRoleId": f"{number}:session"}
    assert answer["AssumedRoleUser"] == user
    left = answer["Credentials"]["Expiration"] - datetime.now(UTC)
    assert 800 < left.total_seconds() <= 900
    identity = simulator.client("sts", **keys(answer)).get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == (ACCOUNT, session)
    assert identity["UserId"] == f"{number}:session"
    assert "LastUsedDate" in simulator.client("iam").get_role(RoleName="r")["Role"]["RoleLastUsed"]


@pytest.mark.parametrize(
    ("principal", "allowed"),
    [
        ({"AWS": ROOT}, True),
        ({"AWS": ACCOUNT}, True),
        ({"AWS": OPERATOR}, True),
        ({"AWS": "*"}, True),
        ("*", True),
        ({"AWS": OTHER}, False),
        ({"Service": "sagemaker.amazonaws.com"}, False),
        ({"Federated": PROVIDER}, False),
    ],
)
def test_trust(simulator: Simulator, sts: Any, principal: Any, allowed: bool) -> None:
    arn = make(simulator, trusting(Principal=principal))
    if allowed:
        assume(sts, arn)
    else:
        assert refused(assume, sts=sts, arn=arn) == denied(arn)


@pytest.mark.parametrize(
    "trust",
    [
        trusting(Action="sts:TagSession"),
        trusting(Action=None, NotAction="sts:AssumeRole"),
        trusting(Effect="Deny"),
    ],
)
def test_trust_in_something_else(simulator: Simulator, sts: Any, trust: str) -> None:
    arn = make(simulator, trust)
    assert refused(assume, sts=sts, arn=arn) == denied(arn)


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:iam::{ACCOUNT}:role/none",
        f"arn:aws:iam::{ACCOUNT}:role/r",
        f"arn:aws:iam::{OTHER}:role/aiplatform/r",
        f"arn:aws-cn:iam::{ACCOUNT}:role/aiplatform/r",
        f"arn:aws-mars:iam::{ACCOUNT}:role/aiplatform/r",
        f"arn:aws:iam::{ACCOUNT}:user/operator",
    ],
)
def test_roles_that_do_not_exist(simulator: Simulator, sts: Any, arn: str) -> None:
    make(simulator)
    assert refused(assume, sts=sts, arn=arn) == denied(arn)


def test_what_is_no_arn(sts: Any) -> None:
    answer = refused(assume, sts=sts, arn="the-role-that-I-mean")
    assert answer == (400, "ValidationError", "Request ARN is invalid")


def test_duration(simulator: Simulator, sts: Any) -> None:
    arn = make(simulator, MaxSessionDuration=7200)
    assume(sts, arn, DurationSeconds=7200)
    answer = refused(assume, sts=sts, arn=arn, DurationSeconds=7201)
    message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    assert answer == (400, "ValidationError", message)
    chained = simulator.client("sts", **keys(assume(sts, arn)))
    answer = refused(assume, sts=chained, arn=arn, DurationSeconds=3601)
    assert answer[:2] == (400, "ValidationError")
    assert "role chaining" in answer[2]


def test_another_partition(simulator: Simulator, sts: Any) -> None:
    iam = simulator.client("iam", "cn-north-1")
    trust = trusting(Principal={"AWS": ACCOUNT})
    arn = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    assert refused(assume, sts=sts, arn=arn) == denied(arn)
    assume(simulator.client("sts", "cn-north-1"), arn)


def test_chains(simulator: Simulator, sts: Any) -> None:
    first = make(simulator, name="first")
    second = make(simulator, trusting(Principal={"AWS": first}), name="second")
    assert refused(assume, sts=sts, arn=second) == denied(second)
    chained = simulator.client("sts", **keys(assume(sts, first)))
    assume(chained, second)
    last = make(simulator, trusting(Principal={"AWS": OPERATOR}), name="last")
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/first/session"
    assert refused(assume, sts=chained, arn=last) == denied(last, session)


def test_another_account(simulator: Simulator, sts: Any) -> None:
    planted = f"arn:aws:iam::{OTHER}:role/aiplatform/operator"
    assert refused(assume, sts=sts, arn=planted) == denied(planted)
    simulator.post("sts/assumable", roleArn=planted)
    there = keys(assume(sts, planted))
    identity = simulator.client("sts", **there).get_caller_identity()
    assert identity["Account"] == OTHER
    assert identity["Arn"] == f"arn:aws:sts::{OTHER}:assumed-role/operator/session"
    iam = simulator.client("iam", **there)
    made = iam.create_role(
        RoleName="r", AssumeRolePolicyDocument=trusting(Principal={"AWS": ACCOUNT})
    )["Role"]["Arn"]
    assert made == f"arn:aws:iam::{OTHER}:role/r"
    assert simulator.client("iam").list_roles()["Roles"] == []
    assume(sts, made)
    simulator.client("s3", **there).create_bucket(
        Bucket="theirs", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    assert refused(simulator.client("s3").list_objects_v2, Bucket="theirs")[0] == 403
    assert {call["account"] for call in simulator.calls("CreateRole")} == {OTHER}
    simulator.post("reset")
    assert refused(assume, sts=sts, arn=planted) == denied(planted)


def test_external_ids(simulator: Simulator, sts: Any) -> None:
    arn = f"arn:aws:iam::{OTHER}:role/operator"
    simulator.post("sts/assumable", roleArn=arn, externalId="secret")
    assert refused(assume, sts=sts, arn=arn) == denied(arn)
    assert refused(assume, sts=sts, arn=arn, ExternalId="guess") == denied(arn)
    assume(sts, arn, ExternalId="secret")


def web_identity(simulator: Simulator, arn: str) -> tuple[int, bytes]:
    """The status and body of an unsigned call."""
    body = (
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=session"
        f"&WebIdentityToken=token&RoleArn={arn}"
    )
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _, answer = simulator.raw(
        "POST", "/", service="sts", region=None, body=body.encode(), headers=headers
    )
    return status, answer


@pytest.mark.parametrize("partition", ["aws", "aws-cn"])
def test_web_identity(simulator: Simulator, partition: str) -> None:
    region = {"aws": "us-east-1", "aws-cn": "cn-north-1"}[partition]
    provider = PROVIDER.replace("arn:aws:", f"arn:{partition}:")
    trust = trusting(Principal={"Federated": provider}, Action="sts:AssumeRoleWithWebIdentity")
    iam = simulator.client("iam", region)
    arn = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    status, answer = web_identity(simulator, arn)
    assert status == 200
    assert b"<AssumeRoleWithWebIdentityResponse" in answer
    session = f"arn:{partition}:sts::{ACCOUNT}:assumed-role/r/session"
    assert f"<Arn>{session}</Arn>".encode() in answer
    key = answer.partition(b"<AccessKeyId>")[2].partition(b"<")[0].decode()
    identity = simulator.client("sts", region, access_key=key).get_caller_identity()
    assert identity["Arn"] == session


def test_web_identity_is_refused(simulator: Simulator) -> None:
    for arn in (make(simulator), f"arn:aws:iam::{ACCOUNT}:role/none"):
        status, answer = web_identity(simulator, arn)
        assert status == 403
        assert b"<Code>AccessDenied</Code>" in answer
        assert b"Not authorized to perform sts:AssumeRoleWithWebIdentity" in answer


def test_permissions(simulator: Simulator, sts: Any) -> None:
    arn = make(simulator)
    simulator.post("deny", action="sts:AssumeRole", resource="arn:aws:iam::*:role/other/*")
    assume(sts, arn)
    simulator.post("deny", action="sts:AssumeRole", resource="arn:aws:iam::*:role/aiplatform/*")
    assert refused(assume, sts=sts, arn=arn)[:2] == (403, "AccessDenied")


def test_the_wire(simulator: Simulator) -> None:
    """Elements that clients other than boto3 insist on, in answers with and without a result."""
    iam_version, sts_version = "2010-05-08", "2011-06-15"
    make(simulator)
    document = allowing().replace(" ", "").replace("+", "%2B")
    asked = [
        ("iam", iam_version, "ListRoles"),
        ("iam", iam_version, "ListRolePolicies&RoleName=r"),
        ("iam", iam_version, f"PutRolePolicy&RoleName=r&PolicyName=p&PolicyDocument={document}"),
        ("iam", iam_version, "DeleteRolePolicy&RoleName=r&PolicyName=p"),
        ("sts", sts_version, "GetCallerIdentity"),
    ]
    for service, version, action in asked:
        operation = action.partition("&")[0]
        status, _, answer = simulator.raw(
            "POST",
            "/",
            service=service,
            body=f"Action={action}&Version={version}".encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        assert status == 200, answer
        text = answer.decode()
        assert f"<{operation}Response xmlns=" in text
        assert f"</{operation}Response>" in text
        assert "<ResponseMetadata><RequestId>" in text
        assert (f"<{operation}Result>" in text) == (not operation.endswith("RolePolicy")), text
    assert json.dumps(simulator.calls())

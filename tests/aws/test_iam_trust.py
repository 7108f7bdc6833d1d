"""Trust policies: grammar, principals, and how long a new role stays unknown."""

import json
from typing import Any

import pytest
from conftest import ACCOUNT, Simulator
from failures import refused
from policies import ROOT, document, trusting

PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/A1"
HOUR = 3_600_000
STATEMENT = json.loads(trusting())["Statement"][0]


@pytest.fixture
def iam(simulator: Simulator) -> Any:
    return simulator.client("iam", "us-east-1")


def web_identity(**condition: Any) -> str:
    return trusting(
        Principal={"Federated": PROVIDER},
        Action="sts:AssumeRoleWithWebIdentity",
        Condition=condition,
    )


GOOD = {
    "no version": document(STATEMENT, version=None),
    "old version": document(STATEMENT, version="2008-10-17"),
    "one statement": json.dumps({"Version": "2012-10-17", "Id": "x", "Statement": STATEMENT}),
    "irsa": web_identity(
        StringEquals={
            "oidc.eks.eu-west-1.amazonaws.com/id/A1:sub": "system:serviceaccount:n:s",
            "oidc.eks.eu-west-1.amazonaws.com/id/A1:aud": "sts.amazonaws.com",
        }
    ),
    "pod identity": trusting(
        Principal={"Service": "pods.eks.amazonaws.com"},
        Action=["sts:AssumeRole", "sts:TagSession"],
        Condition={
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnEquals": {"aws:SourceArn": f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/c"},
        },
    ),
    "everyone": trusting(Principal="*"),
    "every account": trusting(Principal={"AWS": "*"}),
    "another account": trusting(Principal={"AWS": ["999999999999", ROOT]}),
    "another account's role": trusting(Principal={"AWS": "arn:aws:iam::999999999999:role/x"}),
    "the caller": trusting(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/operator"}),
    "all of sts": trusting(Action="sts:*"),
    "sid": trusting(Sid="Who2"),
    "deny": document(STATEMENT, {**STATEMENT, "Effect": "Deny", "Sid": "No"}),
    "not principal": trusting(Effect="Deny", Principal=None, NotPrincipal={"AWS": ROOT}),
    "not action": trusting(Action=None, NotAction="sts:TagSession"),
    "set operator": trusting(Condition={"ForAnyValue:StringLikeIfExists": {"aws:a": ["b"]}}),
    "null": trusting(Condition={"Null": {"aws:TokenIssueTime": "true"}}),
    **{
        f"service {name}": trusting(Principal={"Service": f"{name}.amazonaws.com"})
        for name in (
            *("sagemaker", "bedrock", "ec2", "lambda", "apigateway", "budgets", "ecs-tasks"),
            *("sagemaker.application-autoscaling", "logs.eu-west-1", "eks-fargate-pods"),
            *("delivery.logs", "events", "states", "firehose", "monitoring"),
        )
    },
}


@pytest.mark.parametrize("case", GOOD)
def test_good_trust_policy(iam: Any, case: str) -> None:
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=GOOD[case])
    got = iam.get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"]
    assert got == json.loads(GOOD[case])
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=GOOD[case])


MISSING = f"arn:aws:iam::{ACCOUNT}:role/none"
JSON = "This policy contains invalid Json"
ACTIONS = "AssumeRole policy may only specify STS AssumeRole actions."
BAD = {
    "no json": ("nonsense", JSON),
    "half json": ('{"Version":', JSON),
    "a list": ("[]", JSON),
    "twice the same": ('{"Version":"2012-10-17","Statement":{},"Statement":{}}', JSON),
    "version": (document(STATEMENT, version="2020-01-01"), "valid version string"),
    "no statement": ('{"Version":"2012-10-17"}', "Missing required field Statement"),
    "empty": (document(), "Could not parse the policy: Statement is empty!"),
    "unknown field": (trusting(Foo=1), "Unknown field Foo"),
    "unknown top field": ('{"Foo":1,"Statement":[]}', "Unknown field Foo"),
    "no effect": (trusting(Effect=None), "Missing required field Effect"),
    "effect": (trusting(Effect="Maybe"), "Invalid effect: Maybe"),
    "small effect": (trusting(Effect="allow"), "Invalid effect: allow"),
    "no principal": (trusting(Principal=None), "Missing required field Principal"),
    "empty principal": (
        trusting(Principal={}),
        "Missing required field Principal cannot be empty!",
    ),
    "resource": (trusting(Resource="*"), "Has prohibited field Resource"),
    "not resource": (trusting(NotResource="*"), "Has prohibited field NotResource"),
    "no action": (trusting(Action=None), "Missing required field Action"),
    "any action": (trusting(Action="*"), ACTIONS),
    "other service": (trusting(Action="s3:GetObject"), ACTIONS),
    "one of two": (trusting(Action=["sts:AssumeRole", "s3:GetObject"]), ACTIONS),
    "unknown action": (trusting(Action="sts:Assume"), ACTIONS),
    "missing role": (
        trusting(Principal={"AWS": MISSING}),
        f'Invalid principal in policy: "AWS":"{MISSING}"',
    ),
    "missing user": (
        trusting(Principal={"AWS": [ROOT, f"arn:aws:iam::{ACCOUNT}:user/none"]}),
        f'Invalid principal in policy: "AWS":"arn:aws:iam::{ACCOUNT}:user/none"',
    ),
    "wildcard": (
        trusting(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/*"}),
        "Invalid principal",
    ),
    "missing id": (trusting(Principal={"AWS": "AROAQQQQQQQQQQQQQQQQQ"}), "Invalid principal"),
    "no arn": (trusting(Principal={"AWS": "somebody"}), "Invalid principal"),
    "partition": (
        trusting(Principal={"AWS": "arn:aws-cn:iam::999999999999:root"}),
        "Invalid principal",
    ),
    "no service": (
        trusting(Principal={"Service": "sagemaker.amazonaw.com"}),
        'Invalid principal in policy: "SERVICE":"sagemaker.amazonaw.com"',
    ),
    "unknown service": (
        trusting(Principal={"Service": "sagemakr.amazonaws.com"}),
        'Invalid principal in policy: "SERVICE":"sagemakr.amazonaws.com"',
    ),
    "provider": (
        trusting(Principal={"Federated": "arn:aws:iam::1:oidc-provider/x"}),
        'Invalid principal in policy: "FEDERATED"',
    ),
    "kind": (trusting(Principal={"Aws": ROOT}), "Unknown field Aws"),
    "not principal": (
        trusting(Principal=None, NotPrincipal={"AWS": ROOT}),
        "Allow with NotPrincipal is not allowed.",
    ),
    "sid": (trusting(Sid="a-b"), "Statement IDs (SID) must be alpha-numeric."),
    "sids": (
        document({**STATEMENT, "Sid": "a"}, {**STATEMENT, "Sid": "a"}),
        "Duplicate statement ids are not allowed in a policy",
    ),
    "operator": (
        web_identity(StringEqual={"aws:a": "b"}),
        "Invalid Condition type : StringEqual",
    ),
    "no key": (web_identity(StringEquals={"sub": "b"}), "Actions/Conditions must be prefaced by"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_trust_policy(iam: Any, case: str) -> None:
    text, message = BAD[case]
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trusting())
    answers = [
        refused(iam.create_role, RoleName="s", AssumeRolePolicyDocument=text),
        refused(iam.update_assume_role_policy, RoleName="r", PolicyDocument=text),
    ]
    for status, code, got in answers:
        assert (status, code) == (400, "MalformedPolicyDocument")
        assert message in got
    assert [role["RoleName"] for role in iam.list_roles()["Roles"]] == ["r"]
    got = iam.get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"]
    assert got == json.loads(trusting())


def test_size(iam: Any) -> None:
    bare = json.dumps(json.loads(trusting(Sid="")), separators=(",", ":"))
    exact = bare.replace('"Sid":""', f'"Sid":"{"s" * (2048 - len(bare))}"')
    iam.create_role(RoleName="a", AssumeRolePolicyDocument=exact)
    spaced = json.dumps(json.loads(exact), indent=8)
    iam.create_role(RoleName="b", AssumeRolePolicyDocument=spaced)
    larger = exact.replace('"Sid":"', '"Sid":"s')
    for answer in (
        refused(iam.create_role, RoleName="c", AssumeRolePolicyDocument=larger),
        refused(iam.update_assume_role_policy, RoleName="a", PolicyDocument=larger),
    ):
        assert answer == (409, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048")


def test_a_new_role_is_unknown_for_a_while(simulator: Simulator, iam: Any) -> None:
    simulator.post("timings", **{"iam.role.visible": HOUR})
    arn = iam.create_role(RoleName="new", AssumeRolePolicyDocument=trusting())["Role"]["Arn"]
    assert iam.get_role(RoleName="new")["Role"]["Arn"] == arn
    named = trusting(Principal={"AWS": arn})
    expected = (
        400,
        "MalformedPolicyDocument",
        f'Invalid principal in policy: "AWS":"{arn}"',
    )
    sts = simulator.client("sts")
    assume = {"RoleArn": arn, "RoleSessionName": "session"}
    assert refused(iam.create_role, RoleName="r", AssumeRolePolicyDocument=named) == expected
    assert refused(sts.assume_role, **assume)[:2] == (403, "AccessDenied")
    simulator.post("timings", **{"iam.role.visible": 0})
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=named)
    sts.assume_role(**assume)
    simulator.post("timings", **{"iam.role.visible": HOUR})
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=trusting())
    assert refused(sts.assume_role, **assume)[:2] == (403, "AccessDenied")
    iam.delete_role(RoleName="new")
    simulator.post("reset")
    iam.create_role(RoleName="new", AssumeRolePolicyDocument=trusting())
    sts.assume_role(**assume)


def test_deleted_principals_show_as_ids(simulator: Simulator, iam: Any) -> None:
    made = iam.create_role(RoleName="p", AssumeRolePolicyDocument=trusting())["Role"]
    trust = trusting(Principal={"AWS": [made["Arn"], ROOT]})
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)

    def principals() -> Any:
        got = iam.get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"]
        return got["Statement"][0]["Principal"]["AWS"]

    assert principals() == [made["Arn"], ROOT]
    iam.delete_role(RoleName="p")
    assert principals() == [made["RoleId"], ROOT]
    iam.create_role(RoleName="p", AssumeRolePolicyDocument=trusting())
    assert principals() == [made["RoleId"], ROOT]
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=trust)
    assert principals() == [made["Arn"], ROOT]


def test_bucket_policies_know_roles_as_late(simulator: Simulator, iam: Any, bucket: str) -> None:
    simulator.post("timings", **{"iam.role.visible": HOUR})
    arn = iam.create_role(RoleName="new", AssumeRolePolicyDocument=trusting())["Role"]["Arn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": arn},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    s3 = simulator.client("s3")
    put = {"Bucket": bucket, "Policy": document(statement)}
    assert refused(s3.put_bucket_policy, **put)[:2] == (400, "MalformedPolicy")
    simulator.post("timings", **{"iam.role.visible": 0})
    s3.put_bucket_policy(**put)

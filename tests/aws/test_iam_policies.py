"""Identity policies: grammar and sizes, inline and managed."""

import json
from typing import Any

import pytest
from conftest import ACCOUNT, Simulator
from failures import refused
from policies import allowing, document, trusting

PREFIX = f"arn:aws:iam::{ACCOUNT}:"
STATEMENT = json.loads(allowing())["Statement"][0]


@pytest.fixture
def iam(simulator: Simulator) -> Any:
    """A client, and a role called `r`."""
    client = simulator.client("iam", "us-east-1")
    client.create_role(RoleName="r", AssumeRolePolicyDocument=trusting())
    return client


def put(iam: Any, text: str, name: str = "p") -> None:
    iam.put_role_policy(RoleName="r", PolicyName=name, PolicyDocument=text)


RESOURCES = [
    "*",
    "arn:aws:s3:::bucket",
    "arn:aws:s3:::bucket/${aws:PrincipalTag/team}/*",
    "arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-v2:1",
    "arn:aws:bedrock:*::foundation-model/*",
    "arn:aws:bedrock:::foundation-model/x",
    f"arn:aws:bedrock:eu-*:{ACCOUNT}:inference-profile/eu.x",
    f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}:endpoint/e",
    f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/aws/sagemaker/Endpoints/e*:*",
    f"arn:aws:iam::{ACCOUNT}:role/aiplatform/*",
    "arn:aws:iam::*:role/*",
    "arn:aws:iam::aws:policy/ReadOnlyAccess",
    "arn:aws-cn:s3:::bucket",
    "arn:*:s3:::bucket",
    "arn:aws:s3:eu-west-1:123456789012:accesspoint/a",
    f"arn:aws:ec2:eu-west-1:{ACCOUNT}:vpc-endpoint/vpce-1",
]
GOOD = {
    "no version": document(STATEMENT, version=None),
    "old version": document(STATEMENT, version="2008-10-17"),
    "one statement": json.dumps({"Version": "2012-10-17", "Statement": STATEMENT}),
    "all": allowing(Action="*", Resource="*"),
    "not action": allowing(Action=None, NotAction="iam:*", Resource="*"),
    "not resource": allowing(Resource=None, NotResource=["arn:aws:s3:::b"]),
    "letters that only escapes can say": allowing(
        Resource="arn:aws:s3:::b/\u65e5\u672c/\U0001f600/*"
    ),
    "globs": allowing(Action=["s3:Get*", "ec2:?escribe*"]),
    "sids": document({**STATEMENT, "Sid": "A1"}, {**STATEMENT, "Sid": "A2"}, STATEMENT),
    "conditions": allowing(
        Condition={
            "StringEquals": {"aws:SourceVpce": ["vpce-1", "vpce-2"]},
            "Bool": {"aws:SecureTransport": True},
            "NumericLessThanEquals": {"s3:max-keys": 10},
            "ForAllValues:StringLike": {"aws:TagKeys": "a*"},
            "stringequalsifexists": {"iam:PassedToService": "sagemaker.amazonaws.com"},
            "Null": {"aws:MultiFactorAuthAge": "false"},
        }
    ),
    **{resource: allowing(Resource=resource) for resource in RESOURCES},
}


@pytest.mark.parametrize("case", GOOD)
def test_good_policy(iam: Any, case: str) -> None:
    put(iam, GOOD[case])
    got = iam.get_role_policy(RoleName="r", PolicyName="p")
    assert (got["RoleName"], got["PolicyName"]) == ("r", "p")
    assert got["PolicyDocument"] == json.loads(GOOD[case])


SYNTAX = "Syntax errors in policy."
BAD = {
    "no json": ("nonsense", SYNTAX),
    "half json": ('{"Version":', SYNTAX),
    "twice the same": ('{"Statement":[],"Statement":[]}', SYNTAX),
    "version": (document(STATEMENT, version="2020-01-01"), SYNTAX),
    "no statement": ('{"Version":"2012-10-17"}', SYNTAX),
    "empty": (document(), SYNTAX),
    "unknown field": (allowing(Foo=1), SYNTAX),
    "no effect": (allowing(Effect=None), SYNTAX),
    "effect": (allowing(Effect="allow"), SYNTAX),
    "principal": (allowing(Principal="*"), "Policy document should not specify a principal."),
    "no action": (allowing(Action=None), "Policy statement must contain actions."),
    "empty action": (allowing(Action=[]), "Policy statement must contain actions."),
    "both actions": (allowing(NotAction="s3:*"), SYNTAX),
    "no resource": (allowing(Resource=None), "Policy statement must contain resources."),
    "empty resource": (allowing(Resource=[]), "Policy statement must contain resources."),
    "both resources": (allowing(NotResource="*"), SYNTAX),
    "no vendor": (
        allowing(Action="GetObject"),
        "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
    ),
    "two colons": (allowing(Action="s3:Get:x"), "Actions/Condition can contain only one colon."),
    "vendor": (allowing(Action="a.b:c"), "Vendor a.b is not valid"),
    "sid": (
        allowing(Sid="a-b"),
        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular "
        "expression [0-9A-Za-z]*",
    ),
    "same sids": (
        document({**STATEMENT, "Sid": "A"}, {**STATEMENT, "Sid": "A"}),
        "Statement IDs (SID) in a single policy must be unique.",
    ),
    "operator": (
        allowing(Condition={"StringEqual": {"aws:a": "b"}}),
        "Invalid Condition type : StringEqual",
    ),
    "null operator": (
        allowing(Condition={"NullIfExists": {"aws:a": "true"}}),
        "Invalid Condition type : NullIfExists",
    ),
    "no vendor of a key": (
        allowing(Condition={"StringEquals": {"sub": "x"}}),
        "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
    ),
    "condition value": (allowing(Condition={"StringEquals": {"aws:a": {}}}), SYNTAX),
    "no arn": (allowing(Resource="bucket"), 'Resource bucket must be in ARN format or "*".'),
    "short arn": (allowing(Resource="arn:aws:s3"), "The policy failed legacy parsing"),
    "account": (
        allowing(Resource="arn:aws:ec2:eu-west-1:1234:vpc/x"),
        "The policy failed legacy parsing",
    ),
    "partition": (
        allowing(Resource="arn:amazon:s3:::b"),
        'Partition "amazon" is not valid for resource "arn:amazon:s3:::b".',
    ),
    "vendor of arn": (
        allowing(Resource="arn:aws:s*:::b"),
        "Resource vendor must be fully qualified and cannot contain regexes.",
    ),
    "region of iam": (
        allowing(Resource=f"arn:aws:iam:eu-west-1:{ACCOUNT}:role/r"),
        f"IAM resource arn:aws:iam:eu-west-1:{ACCOUNT}:role/r cannot contain region information.",
    ),
    "region of s3": (
        allowing(Resource="arn:aws:s3:eu-west-1::b"),
        "Resource arn:aws:s3:eu-west-1::b can not contain region information.",
    ),
    "path of iam": (
        allowing(Resource=f"arn:aws:iam::{ACCOUNT}:roles/r"),
        'IAM resource path must either be "*" or start with user/',
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_policy(iam: Any, case: str) -> None:
    text, message = BAD[case]
    for status, code, got in (
        refused(iam.put_role_policy, RoleName="r", PolicyName="p", PolicyDocument=text),
        refused(iam.create_policy, PolicyName="p", PolicyDocument=text),
    ):
        assert (status, code) == (400, "MalformedPolicyDocument")
        assert message in got or ("version" in case and "2012-10-17 or greater" in got)
    assert iam.list_role_policies(RoleName="r")["PolicyNames"] == []


def sized(size: int) -> str:
    """A policy of so many characters without white space."""
    bare = json.dumps(json.loads(allowing(Sid="")), separators=(",", ":"))
    return bare.replace('"Sid":""', f'"Sid":"{"s" * (size - len(bare))}"')


def test_inline_policies_are_limited_together(iam: Any) -> None:
    put(iam, json.dumps(json.loads(sized(10_000)), indent=40), "a")
    put(iam, sized(240), "b")
    expected = (409, "LimitExceeded", "Maximum policy size of 10240 bytes exceeded for role r")
    more = {"RoleName": "r", "PolicyName": "b", "PolicyDocument": sized(241)}
    assert refused(iam.put_role_policy, **more) == expected
    assert refused(iam.put_role_policy, **{**more, "PolicyName": "c"}) == expected
    put(iam, sized(9_000), "a")
    put(iam, sized(1_240), "b")


def test_inline_policies(iam: Any) -> None:
    names = [f"p{number}" for number in range(5)]
    for name in reversed(names):
        put(iam, allowing(), name)
    put(iam, allowing(Effect="Deny"), "p0")
    got = iam.get_role_policy(RoleName="r", PolicyName="p0")["PolicyDocument"]
    assert got["Statement"][0]["Effect"] == "Deny"
    first = iam.list_role_policies(RoleName="r", MaxItems=2)
    assert (first["PolicyNames"], first["IsTruncated"]) == (names[:2], True)
    rest = iam.list_role_policies(RoleName="r", Marker=first["Marker"])
    assert (rest["PolicyNames"], rest["IsTruncated"]) == (names[2:], False)
    iam.delete_role_policy(RoleName="r", PolicyName="p0")
    message = "The role policy with name p0 cannot be found."
    for operation in (iam.delete_role_policy, iam.get_role_policy):
        assert refused(operation, RoleName="r", PolicyName="p0") == (404, "NoSuchEntity", message)
    answer = refused(iam.put_role_policy, RoleName="r", PolicyName="a b", PolicyDocument=allowing())
    assert answer[:2] == (400, "ValidationError")


def test_managed_policies_and_their_versions(iam: Any) -> None:
    text = allowing(Resource="arn:aws:s3:::b/x y")
    made = iam.create_policy(PolicyName="m", Path="/aiplatform/", PolicyDocument=text)["Policy"]
    arn = made["Arn"]
    assert arn == f"{PREFIX}policy/aiplatform/m"
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v1"
    got = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]
    assert got["Document"] == json.loads(text)
    for number in range(2, 6):
        version = iam.create_policy_version(
            PolicyArn=arn, PolicyDocument=allowing(), SetAsDefault=number == 3
        )["PolicyVersion"]
        assert version["VersionId"] == f"v{number}"
    sixth = refused(iam.create_policy_version, PolicyArn=arn, PolicyDocument=allowing())
    assert sixth[:2] == (409, "LimitExceeded")
    assert sixth[2].startswith("A managed policy can have up to 5 versions.")
    listed = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [each["VersionId"] for each in listed if each["IsDefaultVersion"]] == ["v3"]
    answer = refused(iam.delete_policy_version, PolicyArn=arn, VersionId="v3")
    message = "Cannot delete the default version of a policy."
    assert answer == (409, "DeleteConflict", message)
    for version in ("v3", "v5"):
        iam.set_default_policy_version(PolicyArn=arn, VersionId=version)
        assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == version
        listed = iam.list_policy_versions(PolicyArn=arn)["Versions"]
        assert [each["VersionId"] for each in listed if each["IsDefaultVersion"]] == [version]
    answer = refused(iam.delete_policy, PolicyArn=arn)
    assert answer[:2] == (409, "DeleteConflict")
    assert answer[2].startswith("This policy has more than one version.")
    for number in range(1, 5):
        iam.delete_policy_version(PolicyArn=arn, VersionId=f"v{number}")
    iam.delete_policy(PolicyArn=arn)
    expected = (404, "NoSuchEntity", f"Policy {arn} was not found.")
    assert refused(iam.get_policy, PolicyArn=arn) == expected
    assert refused(iam.delete_policy, PolicyArn=arn) == expected
    assert refused(iam.get_policy_version, PolicyArn=arn, VersionId="v1") == expected


def test_managed_policy_sizes(iam: Any) -> None:
    arn = iam.create_policy(PolicyName="m", PolicyDocument=sized(6144))["Policy"]["Arn"]
    expected = (409, "LimitExceeded", "Cannot exceed quota for PolicySize: 6144")
    larger = sized(6145)
    assert refused(iam.create_policy, PolicyName="n", PolicyDocument=larger) == expected
    answer = refused(iam.create_policy_version, PolicyArn=arn, PolicyDocument=larger)
    assert answer == expected


def test_managed_policy_names_and_versions(iam: Any) -> None:
    iam.create_policy(PolicyName="Mine", PolicyDocument=allowing())
    answer = refused(iam.create_policy, PolicyName="mine", Path="/x/", PolicyDocument=allowing())
    assert answer[:2] == (409, "EntityAlreadyExists")
    for version in (None, "2008-10-17"):
        text = document(STATEMENT, version=version)
        assert refused(iam.create_policy, PolicyName="old", PolicyDocument=text) == (
            400,
            "MalformedPolicyDocument",
            "Policy document must be version 2012-10-17 or greater.",
        )
    bad = refused(iam.get_policy, PolicyArn="arn:aws:s3:::a-bucket-of-mine")
    assert bad == (400, "InvalidInput", "ARN arn:aws:s3:::a-bucket-of-mine is not valid.")


def test_attachments(iam: Any) -> None:
    arns = [
        iam.create_policy(PolicyName=f"m{n:02}", PolicyDocument=allowing())["Policy"]["Arn"]
        for n in range(11)
    ]
    for arn in (*arns[:10], arns[0]):
        iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    assert iam.get_policy(PolicyArn=arns[0])["Policy"]["AttachmentCount"] == 1
    answer = refused(iam.attach_role_policy, RoleName="r", PolicyArn=arns[10])
    assert answer == (409, "LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10")
    pages = iam.get_paginator("list_attached_role_policies").paginate(
        RoleName="r", PaginationConfig={"PageSize": 5}
    )
    told = [[each["PolicyArn"] for each in page["AttachedPolicies"]] for page in pages]
    assert told == [arns[:5], arns[5:10]]
    answer = refused(iam.delete_policy, PolicyArn=arns[0])
    message = "Cannot delete a policy attached to entities."
    assert answer == (409, "DeleteConflict", message)
    iam.detach_role_policy(RoleName="r", PolicyArn=arns[0])
    answer = refused(iam.detach_role_policy, RoleName="r", PolicyArn=arns[0])
    assert answer == (404, "NoSuchEntity", f"Policy {arns[0]} was not found.")
    iam.delete_policy(PolicyArn=arns[0])
    answer = refused(iam.attach_role_policy, RoleName="r", PolicyArn=arns[0])
    message = f"Policy {arns[0]} does not exist or is not attachable."
    assert answer == (404, "NoSuchEntity", message)


def test_a_boundary_is_in_use(iam: Any) -> None:
    arn = iam.create_policy(PolicyName="b", PolicyDocument=allowing())["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="r", PermissionsBoundary=arn)
    assert refused(iam.delete_policy, PolicyArn=arn)[:2] == (409, "DeleteConflict")


def test_policies_of_aws(iam: Any) -> None:
    """A budget action attaches such a policy when the budget is used up."""
    arn = "arn:aws:iam::aws:policy/AWSDenyAll"
    iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    attached = iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"]
    assert attached == [{"PolicyName": "AWSDenyAll", "PolicyArn": arn}]
    assert refused(iam.delete_policy, PolicyArn=arn)[:2] == (403, "AccessDenied")
    missing = "arn:aws:iam::aws:policy/NoSuchPolicy"
    assert refused(iam.attach_role_policy, RoleName="r", PolicyArn=missing)[0] == 404
    iam.create_policy(PolicyName="AWSDenyAll", PolicyDocument=allowing())


def test_letters_above_latin_1_are_refused_as_they_are(iam: Any) -> None:
    document = json.dumps(
        json.loads(allowing(Resource="arn:aws:s3:::b/\u65e5/*")), ensure_ascii=False
    )
    status, code, message = refused(
        iam.put_role_policy, RoleName="r", PolicyName="p", PolicyDocument=document
    )
    assert (status, code) == (400, "ValidationError")
    assert "must satisfy regular expression pattern" in message

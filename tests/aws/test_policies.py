"""The evaluator of policies, case by case."""

from typing import Any

import pytest
from simulator.policies.conditions import InvalidConditionError, hold
from simulator.policies.decision import Decision, EndpointPolicy, Policies, decide
from simulator.policies.patterns import arn_matches, filled, matches
from simulator.policies.requests import Principal, Request
from simulator.policies.statements import names_anybody

ACCOUNT, OTHER = "123456789012", "210987654321"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/aip/app"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/app/pod"
USER = f"arn:aws:iam::{ACCOUNT}:user/u"
OBJECT = "arn:aws:s3:::b/k"
VERSION = "2012-10-17"


def document(*statements: dict[str, Any], version: str | None = VERSION) -> dict[str, Any]:
    head = {"Version": version} if version else {}
    return {**head, "Statement": list(statements)}


def allow(**changes: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": OBJECT, **changes}


def deny(**changes: Any) -> dict[str, Any]:
    return {**allow(**changes), "Effect": "Deny"}


def request(principal: Principal | None = None, owner: str = ACCOUNT, **context: Any) -> Request:
    keys = {name.replace("__", ":").lower(): [str(value)] for name, value in context.items()}
    return Request(
        principal or Principal(ROLE, ACCOUNT, SESSION), "s3:GetObject", OBJECT, owner, keys
    )


def decided(policies: Policies, asked: Request | None = None) -> Decision:
    return decide(asked or request(), policies)


def by_identity(*statements: dict[str, Any]) -> Policies:
    return Policies(identity={"p": document(*statements)})


EVERYONE = {"Principal": "*"}


@pytest.mark.parametrize(
    ("statements", "is_allowed"),
    [
        ([], False),
        ([allow()], True),
        ([allow(Action="S3:getobject")], True),
        ([allow(Action="s3:Get*")], True),
        ([allow(Action="s3:Get?bject")], True),
        ([allow(Action=["s3:PutObject", "s3:*"])], True),
        ([allow(Action="*")], True),
        ([allow(Action="s3:GetObjectAcl")], False),
        ([allow(Action="s3:Get")], False),
        ([{"Effect": "Allow", "NotAction": "s3:Put*", "Resource": "*"}], True),
        ([{"Effect": "Allow", "NotAction": "s3:Get*", "Resource": "*"}], False),
        ([allow(Resource="*")], True),
        ([allow(Resource="arn:aws:s3:::b/*")], True),
        ([allow(Resource="arn:aws:s3:::*")], True),
        ([allow(Resource=["arn:aws:s3:::c/*", "arn:aws:s3:::b/?"])], True),
        ([allow(Resource="arn:aws:s3:::b")], False),
        ([allow(Resource="arn:aws:s3:::B/k")], False),
        ([{"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::c/*"}], True),
        ([{"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::b/*"}], False),
        ([{"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::${aws:A}"}], False),
        ([allow(Resource=["arn:aws:s3:::${aws:A}", OBJECT])], True),
        ([allow(), deny(Action="s3:*")], False),
        ([deny(Resource="arn:aws:s3:::c/*"), allow()], True),
        ([allow(Condition={"StringEquals": {"aws:A": "x"}})], False),
        ([allow(), deny(Condition={"StringEquals": {"aws:A": "x"}})], True),
    ],
)
def test_identity_policies(statements: list[dict[str, Any]], is_allowed: bool) -> None:
    assert decided(by_identity(*statements)).is_allowed == is_allowed


CONTEXT = {
    "aws:sourcevpce": ["vpce-1"],
    "aws:sourceip": ["10.1.2.3"],
    "aws:principalarn": [ROLE],
    "aws:principaltag/team": ["a*b"],
    "aws:viaawsservice": ["false"],
    "aws:securetransport": ["true"],
    "aws:currenttime": ["2026-05-01T12:00:00Z"],
    "aws:epochtime": ["1777636800"],
    "s3:max-keys": ["10"],
    "aws:tagkeys": ["a", "b"],
    "aws:none": [],
    "s3:data": ["AQI="],
}


@pytest.mark.parametrize(
    ("operator", "key", "values", "holds"),
    [
        ("StringEquals", "aws:SourceVpce", "vpce-1", True),
        ("StringEquals", "AWS:sourcevpce", ["vpce-2", "vpce-1"], True),
        ("StringEquals", "aws:SourceVpce", "VPCE-1", False),
        ("StringEquals", "aws:SourceVpce", "vpce-*", False),
        ("StringEquals", "aws:Missing", "x", False),
        ("StringEqualsIfExists", "aws:Missing", "x", True),
        ("StringEqualsIfExists", "aws:SourceVpce", "x", False),
        ("StringNotEquals", "aws:SourceVpce", "vpce-2", True),
        ("StringNotEquals", "aws:SourceVpce", ["vpce-2", "vpce-1"], False),
        ("StringNotEquals", "aws:Missing", "x", True),
        ("StringNotEqualsIfExists", "aws:Missing", "x", True),
        ("StringEqualsIgnoreCase", "aws:SourceVpce", "VPCE-1", True),
        ("StringNotEqualsIgnoreCase", "aws:SourceVpce", "VPCE-1", False),
        ("StringLike", "aws:SourceVpce", "vpce-*", True),
        ("StringLike", "aws:SourceVpce", "VPCE-*", False),
        ("StringNotLike", "aws:SourceVpce", "vpce-?", False),
        ("StringNotLike", "aws:PrincipalArn", "arn:aws:iam::*:role/other", True),
        ("StringNotLike", "aws:Missing", "x", True),
        ("Bool", "aws:ViaAWSService", "false", True),
        ("Bool", "aws:ViaAWSService", False, True),
        ("Bool", "aws:SecureTransport", "false", False),
        ("Bool", "aws:Missing", "false", False),
        ("BoolIfExists", "aws:Missing", "false", True),
        ("Null", "aws:Missing", "true", True),
        ("Null", "aws:Missing", True, True),
        ("Null", "aws:SourceVpce", "true", False),
        ("Null", "aws:SourceVpce", "false", True),
        ("IpAddress", "aws:SourceIp", "10.0.0.0/8", True),
        ("IpAddress", "aws:SourceIp", "10.1.2.3", True),
        ("IpAddress", "aws:SourceIp", ["192.0.2.0/24", "10.1.2.9/24"], True),
        ("IpAddress", "aws:SourceIp", "2001:db8::/32", False),
        ("IpAddress", "aws:Missing", "10.0.0.0/8", False),
        ("NotIpAddress", "aws:SourceIp", "10.0.0.0/8", False),
        ("NotIpAddress", "aws:Missing", "10.0.0.0/8", True),
        ("NumericEquals", "s3:max-keys", "10.0", True),
        ("NumericNotEquals", "s3:max-keys", 10, False),
        ("NumericLessThan", "s3:max-keys", "10", False),
        ("NumericLessThanEquals", "s3:max-keys", "10", True),
        ("NumericGreaterThan", "s3:max-keys", "9", True),
        ("NumericGreaterThanEquals", "s3:max-keys", "11", False),
        ("NumericEquals", "aws:SourceVpce", "1", False),
        ("DateGreaterThan", "aws:CurrentTime", "2026-05-01T00:00:00Z", True),
        ("DateLessThan", "aws:CurrentTime", "2026-05-01", False),
        ("DateEquals", "aws:EpochTime", "2026-05-01T12:00:00Z", True),
        ("DateNotEquals", "aws:EpochTime", "2026-05-01T12:00:00Z", False),
        ("DateLessThanEquals", "aws:CurrentTime", "1777636800", True),
        ("DateGreaterThanEquals", "aws:CurrentTime", "1777636801", False),
        ("ArnEquals", "aws:PrincipalArn", ROLE, True),
        ("ArnLike", "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:role/*", True),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/aip/app", True),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam*app", False),
        ("ArnNotLike", "aws:PrincipalArn", "arn:*:iam::*:role/aip/*", False),
        ("ArnNotEquals", "aws:Missing", ROLE, True),
        ("BinaryEquals", "s3:data", "AQI=", True),
        ("BinaryEquals", "s3:data", "AQM=", False),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["b", "c"], True),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["c"], False),
        ("ForAnyValue:StringNotEquals", "aws:TagKeys", ["a"], True),
        ("ForAnyValue:StringNotEquals", "aws:TagKeys", ["a", "b"], False),
        ("ForAnyValue:StringEquals", "aws:Missing", ["a"], False),
        ("ForAnyValue:StringNotEquals", "aws:Missing", ["a"], False),
        ("ForAnyValue:StringEqualsIfExists", "aws:Missing", ["a"], True),
        ("ForAnyValue:StringEquals", "aws:None", ["a"], False),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b", "c"], True),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["a"], False),
        ("ForAllValues:StringLike", "aws:TagKeys", "?", True),
        ("ForAllValues:StringNotEquals", "aws:TagKeys", ["c"], True),
        ("ForAllValues:StringNotEquals", "aws:TagKeys", ["b"], False),
        ("ForAllValues:StringEquals", "aws:Missing", ["a"], True),
        ("ForAllValues:StringEquals", "aws:None", ["a"], True),
        ("StringEquals", "aws:PrincipalTag/team", "${aws:PrincipalTag/team}", True),
        ("StringEquals", "aws:SourceVpce", "${aws:Missing}", False),
        ("StringEquals", "aws:SourceVpce", "${aws:Missing, 'vpce-1'}", True),
        ("StringEquals", "aws:SourceVpce", ["${aws:Missing}", "vpce-1"], True),
        ("StringNotEquals", "aws:SourceVpce", "${aws:Missing}", False),
    ],
)
def test_conditions(operator: str, key: str, values: Any, holds: bool) -> None:
    assert hold({operator: {key: values}}, CONTEXT, VERSION) == holds
    other = {"StringEquals": {"aws:SourceVpce": "vpce-1"}}
    assert hold({**other, **{operator: {key: values}}}, CONTEXT, VERSION) == holds


def test_all_conditions_must_hold() -> None:
    conditions = {"StringEquals": {"aws:SourceVpce": "vpce-1", "aws:TagKeys": "c"}}
    assert not hold(conditions, CONTEXT, VERSION)
    with pytest.raises(InvalidConditionError):
        hold({"StringAlmostEquals": {"aws:SourceVpce": "vpce-1"}}, CONTEXT, VERSION)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("${aws:SourceVpce}/*", "vpce-1/k", True),
        ("${aws:PrincipalTag/team}", "a*b", True),
        ("${aws:PrincipalTag/team}", "axb", False),
        ("a${*}b", "a*b", True),
        ("a${*}b", "axb", False),
        ("a${?}b", "axb", False),
        ("${$}{x}", "${x}", True),
    ],
)
def test_variables(pattern: str, text: str, expected: bool) -> None:
    assert matches(filled(pattern, CONTEXT, VERSION), text) == expected


def test_the_older_version_has_no_variables() -> None:
    assert filled("${aws:SourceVpce}", CONTEXT, "2008-10-17") == "${aws:SourceVpce}"
    assert filled("${aws:SourceVpce}", CONTEXT, None) == "${aws:SourceVpce}"


def test_wildcards_of_arns_end_at_colons() -> None:
    assert arn_matches("arn:aws:s3:::b/*", "arn:aws:s3:::b/k:v")
    assert not arn_matches("arn:aws:iam::*", f"arn:aws:iam::{ACCOUNT}:role/r")
    assert not arn_matches("*", ROLE)


@pytest.mark.parametrize(
    ("given", "principal", "is_named"),
    [
        ({"Principal": "*"}, None, True),
        ({"Principal": {"AWS": "*"}}, None, True),
        ({"Principal": {"AWS": ROLE}}, None, True),
        ({"Principal": {"AWS": SESSION}}, None, True),
        ({"Principal": {"AWS": SESSION + "2"}}, None, False),
        ({"Principal": {"AWS": "AROAEXAMPLEEXAMPLE"}}, None, False),
        ({"Principal": {"AWS": f"arn:aws:iam::{OTHER}:role/aip/app"}}, None, False),
        ({"Principal": {"Service": "sagemaker.amazonaws.com"}}, None, False),
        (
            {"Principal": {"Service": "sagemaker.amazonaws.com"}},
            Principal("sagemaker.amazonaws.com", None),
            True,
        ),
        ({"Principal": {"AWS": ACCOUNT}}, Principal("sagemaker.amazonaws.com", None), False),
        ({"NotPrincipal": {"AWS": ROLE}}, None, True),
        ({"NotPrincipal": {"AWS": [ROLE, SESSION, ACCOUNT]}}, None, False),
    ],
)
def test_principals_of_denials(
    given: dict[str, Any], principal: Principal | None, is_named: bool
) -> None:
    everything = document(allow(**EVERYONE), {**deny(), **given})
    decision = decided(Policies(resource=everything), request(principal))
    assert decision.is_explicit == is_named
    assert decision.is_allowed != is_named


def resource(*statements: dict[str, Any]) -> dict[str, Any]:
    return document(*statements)


@pytest.mark.parametrize(
    ("principal", "identity", "is_allowed"),
    [
        # Named itself: no identity policy is needed within an account.
        ({"AWS": ROLE}, [], True),
        ({"AWS": SESSION}, [], True),
        ("*", [], True),
        # Its account is named: the decision is the identity policies'.
        ({"AWS": ACCOUNT}, [], False),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, [], False),
        ({"AWS": ACCOUNT}, [allow()], True),
        ({"AWS": USER}, [], False),
        ({"AWS": ROLE}, [deny()], False),
    ],
)
def test_resource_policies_within_an_account(
    principal: Any, identity: list[dict[str, Any]], is_allowed: bool
) -> None:
    policies = Policies(
        identity={"p": document(*identity)}, resource=resource(allow(Principal=principal))
    )
    assert decided(policies).is_allowed == is_allowed


@pytest.mark.parametrize(
    ("principal", "identity", "is_allowed"),
    [
        ({"AWS": ROLE}, [], False),
        ({"AWS": ROLE}, [allow()], True),
        ({"AWS": ACCOUNT}, [allow()], True),
        ("*", [allow()], True),
        ({"AWS": USER}, [allow()], False),
    ],
)
def test_resource_policies_of_another_account(
    principal: Any, identity: list[dict[str, Any]], is_allowed: bool
) -> None:
    policies = Policies(
        identity={"p": document(*identity)}, resource=resource(allow(Principal=principal))
    )
    assert decided(policies, request(owner=OTHER)).is_allowed == is_allowed


def test_without_a_resource_policy_another_account_gets_nothing() -> None:
    decision = decided(by_identity(allow()), request(owner=OTHER))
    assert not decision.is_allowed
    assert "another account" in decision.reason


@pytest.mark.parametrize(
    ("boundary", "principal", "identity", "is_allowed"),
    [
        ([allow()], None, [allow()], True),
        ([], None, [allow()], False),
        ([allow(), deny()], None, [allow()], False),
        ([allow()], None, [], False),
        # What a role is given by a resource, the boundary limits; what a session or everybody is
        # given, it does not.
        ([], {"AWS": ROLE}, [], False),
        ([], {"AWS": SESSION}, [], True),
        ([], {"AWS": "*"}, [], True),
        ([deny()], {"AWS": SESSION}, [], False),
    ],
)
def test_boundaries(
    boundary: list[dict[str, Any]],
    principal: Any,
    identity: list[dict[str, Any]],
    is_allowed: bool,
) -> None:
    policies = Policies(
        identity={"p": document(*identity)},
        boundary=document(*boundary),
        resource=resource(allow(Principal=principal)) if principal else None,
    )
    assert decided(policies).is_allowed == is_allowed


@pytest.mark.parametrize(
    ("endpoint", "is_allowed"),
    [
        ([allow(**EVERYONE)], True),
        ([], False),
        ([allow(**EVERYONE, Resource="arn:aws:s3:::c/*")], False),
        ([allow(Principal={"AWS": ROLE})], True),
        ([allow(Principal={"AWS": USER})], False),
        ([allow(**EVERYONE), deny(**EVERYONE)], False),
        (
            [allow(**EVERYONE, Condition={"StringEquals": {"aws:PrincipalAccount": OTHER}})],
            False,
        ),
    ],
)
def test_endpoint_policies_only_limit(endpoint: list[dict[str, Any]], is_allowed: bool) -> None:
    through = EndpointPolicy(document(*endpoint))
    policies = Policies(identity={"p": document(allow())}, endpoint=through)
    assert decided(policies).is_allowed == is_allowed
    assert not decided(Policies(endpoint=through)).is_allowed


def test_gateways_know_only_everybody() -> None:
    for principal, is_allowed in (("*", True), ({"AWS": "*"}, True), ({"AWS": ROLE}, False)):
        through = EndpointPolicy(document(allow(Principal=principal)), names_anybody)
        policies = Policies(identity={"p": document(allow())}, endpoint=through)
        assert decided(policies).is_allowed == is_allowed


ONLY_THROUGH = deny(
    **EVERYONE,
    Sid="OnlyThroughTheEndpoint",
    Condition={
        "StringNotEquals": {"aws:SourceVpce": "vpce-1"},
        "ArnNotLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/operator"},
        "BoolIfExists": {"aws:ViaAWSService": "false", "aws:PrincipalIsAWSService": "false"},
    },
)


@pytest.mark.parametrize(
    ("context", "is_allowed"),
    [
        ({"aws__SourceVpce": "vpce-1"}, True),
        ({"aws__SourceVpce": "vpce-2"}, False),
        ({}, False),
        ({"aws__ViaAWSService": "true"}, True),
        ({"aws__PrincipalIsAWSService": "true"}, True),
        ({"aws__PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/operator"}, True),
    ],
)
def test_a_bucket_for_one_endpoint_only(context: dict[str, str], is_allowed: bool) -> None:
    policies = Policies(identity={"p": document(allow())}, resource=document(ONLY_THROUGH))
    keys = {"aws__ViaAWSService": "false", "aws__PrincipalIsAWSService": "false", **context}
    decision = decided(policies, request(**keys))
    assert decision.is_allowed == is_allowed
    if not is_allowed:
        assert decision.is_explicit
        assert "OnlyThroughTheEndpoint" in decision.reason


def test_reasons_name_the_policy() -> None:
    assert (
        decided(by_identity(allow(Sid="Read"))).reason == "the identity policy allows it: p, Read"
    )
    assert decided(by_identity()).reason == "no statement of the identity policy allows it"
    assert decided(by_identity(deny())).reason == "the identity policy denies it: p, statement 1"


def test_services_have_what_a_resource_gives_them() -> None:
    asked = request(Principal("logging.s3.amazonaws.com", None))
    given = allow(Principal={"Service": "logging.s3.amazonaws.com"})
    assert decided(Policies(resource=resource(given)), asked).is_allowed
    assert not decided(Policies(), asked).is_allowed

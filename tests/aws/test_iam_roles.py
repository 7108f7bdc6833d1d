"""Roles: names, tags, boundaries, what is told of them, their end."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from conftest import ACCOUNT, Simulator
from failures import refused
from policies import allowing, trusting

PREFIX = f"arn:aws:iam::{ACCOUNT}:"
Maker = Callable[..., dict[str, Any]]


@pytest.fixture
def iam(simulator: Simulator) -> Any:
    return simulator.client("iam", "us-east-1", parameter_validation=False)


@pytest.fixture
def make(iam: Any) -> Maker:
    """Makes a role; called `r` unless told otherwise."""

    def create(**parameters: Any) -> dict[str, Any]:
        given = {"RoleName": "r", "AssumeRolePolicyDocument": trusting(), **parameters}
        return iam.create_role(**given)["Role"]

    return create


def tags(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in pairs]


def test_a_role_is_told_as_it_was_made(iam: Any, make: Maker) -> None:
    boundary = iam.create_policy(PolicyName="b", PolicyDocument=allowing())["Policy"]["Arn"]
    given = {
        "Path": "/aiplatform/",
        "Description": "reads",
        "MaxSessionDuration": 7200,
        "PermissionsBoundary": boundary,
        "Tags": tags(("Team", "x"), ("empty", "")),
    }
    created = make(**given)
    assert created["Arn"] == f"{PREFIX}role/aiplatform/r"
    got = iam.get_role(RoleName="r")["Role"]
    assert got["AssumeRolePolicyDocument"] == json.loads(trusting())
    assert got["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    for name in ("Path", "Description", "MaxSessionDuration", "Tags"):
        assert got[name] == given[name], name
    assert got["RoleLastUsed"] == {}
    assert got["RoleId"].startswith("AROA")
    assert {**created, "MaxSessionDuration": 7200, "RoleLastUsed": {}} == got
    (listed,) = iam.list_roles(PathPrefix="/aiplatform/")["Roles"]
    assert got.keys() - listed.keys() == {"Tags", "PermissionsBoundary", "RoleLastUsed"}
    assert iam.list_roles(PathPrefix="/other/")["Roles"] == []


def test_defaults(iam: Any, make: Maker) -> None:
    make()
    got = iam.get_role(RoleName="r")["Role"]
    assert (got["Path"], got["MaxSessionDuration"]) == ("/", 3600)
    assert not {"Tags", "PermissionsBoundary", "Description"} & got.keys()


def test_documents_are_encoded_on_the_wire(simulator: Simulator, iam: Any, make: Maker) -> None:
    text = allowing(Resource="arn:aws:s3:::b/k y*")
    make(AssumeRolePolicyDocument=trusting())
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=text)
    iam.create_policy(PolicyName="m", PolicyDocument=text)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    asked = {
        "GetRole&RoleName=r": "GetRole",
        "ListRoles": "ListRoles",
        "GetRolePolicy&RoleName=r&PolicyName=p": "GetRolePolicy",
        f"GetPolicyVersion&PolicyArn={PREFIX}policy/m&VersionId=v1": "GetPolicyVersion",
    }
    for action, operation in asked.items():
        body = f"Action={action}&Version=2010-05-08".encode()
        status, _, answer = simulator.raw("POST", "/", service="iam", body=body, headers=form)
        assert status == 200, operation
        assert f"<{operation}Response".encode() in answer
        assert f"<{operation}Result>".encode() in answer
        assert b"%7B%22Version%22%3A%20%222012-10-17%22" in answer
        if "Policy" in operation:
            assert b"b%2Fk%20y%2A" in answer
    got = iam.get_role_policy(RoleName="r", PolicyName="p")
    assert got["PolicyDocument"] == json.loads(text)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"RoleName": "a b"}, "Member must satisfy regular expression pattern: [\\w+=,.@-]+"),
        ({"RoleName": "é"}, "Member must satisfy regular expression pattern: [\\w+=,.@-]+"),
        ({"RoleName": "a" * 65}, "Member must have length less than or equal to 64"),
        ({"RoleName": ""}, "Member must have length greater than or equal to 1"),
        ({"Path": "/a"}, "Member must satisfy regular expression pattern"),
        ({"Path": "a/"}, "Member must satisfy regular expression pattern"),
        ({"Path": "/a//b/"}, "It must begin and end with /"),
        ({"Path": f"/{'a' * 511}/"}, "Member must have length less than or equal to 512"),
        ({"MaxSessionDuration": 3599}, "Member must have value greater than or equal to 3600"),
        ({"MaxSessionDuration": 43201}, "Member must have value less than or equal to 43200"),
        ({"Description": "d" * 1001}, "Member must have length less than or equal to 1000"),
        ({"Description": "→"}, "Member must satisfy regular expression pattern"),
        ({"Tags": tags(*((f"k{n}", "") for n in range(51)))}, "length less than or equal to 50"),
        ({"Tags": tags(("k" * 129, ""))}, "Member must have length less than or equal to 128"),
        ({"Tags": tags(("k", "v" * 257))}, "Member must have length less than or equal to 256"),
        ({"Tags": tags(("a?", ""))}, "Member must satisfy regular expression pattern"),
        ({"Tags": tags(("a", "!"))}, "Member must satisfy regular expression pattern"),
    ],
)
def test_bad_parameters(make: Maker, given: dict[str, Any], message: str) -> None:
    status, code, got = refused(make, **given)
    assert (status, code) == (400, "ValidationError")
    assert message in got


@pytest.mark.parametrize(
    "given",
    [
        {"RoleName": "a+b=c,d.e@f-g_h"},
        {"RoleName": "a" * 64, "Path": f"/{'a' * 510}/", "MaxSessionDuration": 43200},
        {"Tags": tags(*((f"k{n}", "") for n in range(50)))},
        {"Tags": tags(("ключ/a:b=c+d@e-f.g h", "v" * 256))},
    ],
)
def test_extremes(make: Maker, given: dict[str, Any]) -> None:
    make(**given)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("a", "1"), ("A", "2")], "Duplicate tag keys found"),
        ([("aws:a", "1")], "begins with aws:"),
    ],
)
def test_bad_tags(iam: Any, make: Maker, pairs: Any, message: str) -> None:
    given = tags(*pairs)
    status, code, got = refused(make, RoleName="s", Tags=given)
    assert (status, code) == (400, "InvalidInput")
    assert message in got
    make()
    assert refused(iam.tag_role, RoleName="r", Tags=given)[:2] == (400, "InvalidInput")


def test_reserved_paths(make: Maker) -> None:
    assert refused(make, Path="/aws-service-role/x/")[:2] == (400, "InvalidInput")


@pytest.mark.parametrize("name", ["reader", "READER"])
@pytest.mark.parametrize("path", ["/", "/other/"])
def test_names_are_taken_in_any_case_and_path(make: Maker, name: str, path: str) -> None:
    make(RoleName="Reader", Path="/aiplatform/")
    assert refused(make, RoleName=name, Path=path) == (
        409,
        "EntityAlreadyExists",
        f"Role with name {name} already exists.",
    )


def test_boundaries(iam: Any, make: Maker) -> None:
    missing = f"{PREFIX}policy/none"
    expected = (
        404,
        "NoSuchEntity",
        f"Scope ARN: {missing} does not exist or is not attachable.",
    )
    put = iam.put_role_permissions_boundary
    assert refused(make, PermissionsBoundary=missing) == expected
    make()
    assert refused(put, RoleName="r", PermissionsBoundary=missing) == expected
    answer = refused(put, RoleName="r", PermissionsBoundary="x" * 20)
    assert answer == (400, "InvalidInput", f"ARN {'x' * 20} is not valid.")
    arn = iam.create_policy(PolicyName="b", PolicyDocument=allowing())["Policy"]["Arn"]
    for boundary in (arn, "arn:aws:iam::aws:policy/ReadOnlyAccess"):
        put(RoleName="r", PermissionsBoundary=boundary)
        got = iam.get_role(RoleName="r")["Role"]["PermissionsBoundary"]
        assert got["PermissionsBoundaryArn"] == boundary
    iam.delete_role_permissions_boundary(RoleName="r")
    assert "PermissionsBoundary" not in iam.get_role(RoleName="r")["Role"]
    assert refused(iam.delete_role_permissions_boundary, RoleName="r")[:2] == (404, "NoSuchEntity")


def test_update_changes_what_is_given(iam: Any, make: Maker) -> None:
    make(Description="a", MaxSessionDuration=7200)
    iam.update_role(RoleName="r", Description="b")
    got = iam.get_role(RoleName="r")["Role"]
    assert (got["Description"], got["MaxSessionDuration"]) == ("b", 7200)
    iam.update_role(RoleName="r", MaxSessionDuration=3600)
    got = iam.get_role(RoleName="r")["Role"]
    assert (got["Description"], got["MaxSessionDuration"]) == ("b", 3600)
    assert iam.update_role_description(RoleName="r", Description="c")["Role"]["Description"] == "c"
    trust = trusting(Principal={"Service": "sagemaker.amazonaws.com"})
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=trust)
    got = iam.get_role(RoleName="r")["Role"]
    assert got["AssumeRolePolicyDocument"] == json.loads(trust)


def test_tags(iam: Any, make: Maker) -> None:
    make(Tags=tags(("Team", "x"), ("b", "1")))
    iam.tag_role(RoleName="r", Tags=tags(("team", "y"), ("c", "2")))
    expected = tags(("b", "1"), ("team", "y"), ("c", "2"))
    assert iam.get_role(RoleName="r")["Role"]["Tags"] == expected
    iam.untag_role(RoleName="r", TagKeys=["TEAM", "none"])
    first = iam.list_role_tags(RoleName="r", MaxItems=1)
    assert (first["Tags"], first["IsTruncated"]) == (tags(("b", "1")), True)
    rest = iam.list_role_tags(RoleName="r", Marker=first["Marker"])
    assert (rest["Tags"], rest["IsTruncated"]) == (tags(("c", "2")), False)
    iam.tag_role(RoleName="r", Tags=tags(*((f"k{n}", "v") for n in range(48))))
    answer = refused(iam.tag_role, RoleName="r", Tags=tags(("more", "")))
    assert answer[:2] == (409, "LimitExceeded")
    iam.tag_role(RoleName="r", Tags=tags(("k0", "w")))


@pytest.mark.parametrize(
    ("operation", "given"),
    [
        ("get_role", {}),
        ("delete_role", {}),
        ("update_role", {"Description": "d"}),
        ("update_role_description", {"Description": "d"}),
        ("update_assume_role_policy", {"PolicyDocument": trusting()}),
        ("tag_role", {"Tags": tags(("a", "b"))}),
        ("untag_role", {"TagKeys": ["a"]}),
        ("list_role_tags", {}),
        ("put_role_policy", {"PolicyName": "p", "PolicyDocument": allowing()}),
        ("get_role_policy", {"PolicyName": "p"}),
        ("delete_role_policy", {"PolicyName": "p"}),
        ("list_role_policies", {}),
        ("list_attached_role_policies", {}),
        ("attach_role_policy", {"PolicyArn": f"{PREFIX}policy/none"}),
        ("detach_role_policy", {"PolicyArn": f"{PREFIX}policy/none"}),
        ("put_role_permissions_boundary", {"PermissionsBoundary": f"{PREFIX}policy/none"}),
        ("delete_role_permissions_boundary", {}),
    ],
)
def test_roles_that_do_not_exist(iam: Any, operation: str, given: dict[str, Any]) -> None:
    assert refused(getattr(iam, operation), RoleName="none", **given) == (
        404,
        "NoSuchEntity",
        "The role with name none cannot be found.",
    )


def test_a_role_is_deleted_empty(iam: Any, make: Maker) -> None:
    make()
    arn = iam.create_policy(PolicyName="m", PolicyDocument=allowing())["Policy"]["Arn"]
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=allowing())
    iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    iam.create_instance_profile(InstanceProfileName="i")
    iam.add_role_to_instance_profile(InstanceProfileName="i", RoleName="r")

    def message() -> str:
        status, code, told = refused(iam.delete_role, RoleName="r")
        assert (status, code) == (409, "DeleteConflict")
        return told

    assert message() == "Cannot delete entity, must remove roles from instance profile first."
    iam.remove_role_from_instance_profile(InstanceProfileName="i", RoleName="r")
    assert message() == "Cannot delete entity, must detach all policies first."
    iam.detach_role_policy(RoleName="r", PolicyArn=arn)
    assert message() == "Cannot delete entity, must delete policies first."
    iam.delete_role_policy(RoleName="r", PolicyName="p")
    iam.delete_role(RoleName="r")
    assert refused(iam.get_role, RoleName="r")[1] == "NoSuchEntity"
    make(RoleName="R")


def test_pages_of_roles(iam: Any, make: Maker) -> None:
    names = [f"role-{number}" for number in range(7)]
    for name in reversed(names):
        make(RoleName=name)
    pages = iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 3})
    told = [[role["RoleName"] for role in page["Roles"]] for page in pages]
    assert told == [names[:3], names[3:6], names[6:]]
    first = iam.list_roles(MaxItems=3)
    iam.delete_role(RoleName="role-2")
    rest = iam.list_roles(Marker=first["Marker"])
    assert [role["RoleName"] for role in rest["Roles"]] == names[3:]
    assert refused(iam.list_roles, Marker="?")[:2] == (400, "ValidationError")


def test_service_linked_roles(iam: Any) -> None:
    name = "sagemaker.application-autoscaling.amazonaws.com"
    role = iam.create_service_linked_role(AWSServiceName=name)["Role"]
    called = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
    assert role["RoleName"] == called
    assert role["Arn"] == f"{PREFIX}role/aws-service-role/{name}/{called}"
    assert iam.get_role(RoleName=called)["Role"]["Arn"] == role["Arn"]
    again = refused(iam.create_service_linked_role, AWSServiceName=name)
    assert again[:2] == (400, "InvalidInput")
    assert "has been taken in this account" in again[2]
    put = refused(iam.put_role_policy, RoleName=called, PolicyName="p", PolicyDocument=allowing())
    assert put[:2] == (400, "UnmodifiableEntity")


@pytest.mark.parametrize(
    ("region", "partition", "elsewhere"),
    [
        ("us-east-1", "aws", "cn-north-1"),
        ("eu-west-1", "aws", "us-gov-west-1"),
        ("cn-north-1", "aws-cn", "us-east-1"),
        ("us-gov-west-1", "aws-us-gov", "us-east-1"),
    ],
)
def test_partitions(simulator: Simulator, region: str, partition: str, elsewhere: str) -> None:
    iam = simulator.client("iam", region)
    trust = trusting(Principal={"AWS": f"arn:{partition}:iam::{ACCOUNT}:root"})
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)["Role"]
    assert role["Arn"] == f"arn:{partition}:iam::{ACCOUNT}:role/r"
    other = simulator.client("iam", elsewhere)
    assert other.list_roles()["Roles"] == []
    answer = refused(other.create_role, RoleName="r", AssumeRolePolicyDocument=trust)
    assert answer[1] == "MalformedPolicyDocument"


def test_roles_are_the_same_in_every_region(simulator: Simulator, make: Maker) -> None:
    make()
    assert simulator.client("iam", "eu-west-1").get_role(RoleName="r")["Role"]["RoleName"] == "r"

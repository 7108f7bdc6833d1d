"""GetAccountAuthorizationDetails: everything about all roles, by page."""

import json
from typing import Any

import pytest
from conftest import ACCOUNT, Simulator
from failures import refused
from policies import allowing, trusting


@pytest.fixture
def iam(simulator: Simulator) -> Any:
    return simulator.client("iam", "us-east-1")


def make(iam: Any, name: str, **parameters: Any) -> None:
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting(), **parameters)


def details(iam: Any, **parameters: Any) -> dict[str, Any]:
    answer: dict[str, Any] = iam.get_account_authorization_details(Filter=["Role"], **parameters)
    return answer


def test_a_role_is_told_with_all_its_parts(iam: Any) -> None:
    boundary = iam.create_policy(PolicyName="b", PolicyDocument=allowing())["Policy"]["Arn"]
    attached = iam.create_policy(PolicyName="m", PolicyDocument=allowing())["Policy"]["Arn"]
    tags = [{"Key": "team", "Value": "x"}]
    make(iam, "r", Path="/aiplatform/", PermissionsBoundary=boundary, Tags=tags, Description="d")
    text = allowing(Resource="arn:aws:s3:::b/k y*")
    for name in ("second", "first"):
        iam.put_role_policy(RoleName="r", PolicyName=name, PolicyDocument=text)
    iam.attach_role_policy(RoleName="r", PolicyArn=attached)
    answer = details(iam)
    assert not answer["IsTruncated"]
    (told,) = answer["RoleDetailList"]
    got = iam.get_role(RoleName="r")["Role"]
    for name in ("Path", "RoleName", "RoleId", "Arn", "CreateDate", "AssumeRolePolicyDocument"):
        assert told[name] == got[name], name
    for name in ("Tags", "PermissionsBoundary", "RoleLastUsed"):
        assert told[name] == got[name], name
    document = json.loads(text)
    assert told["RolePolicyList"] == [
        {"PolicyName": "first", "PolicyDocument": document},
        {"PolicyName": "second", "PolicyDocument": document},
    ]
    assert told["AttachedManagedPolicies"] == [{"PolicyName": "m", "PolicyArn": attached}]
    assert told["InstanceProfileList"] == []
    assert not {"Description", "MaxSessionDuration"} & told.keys()
    for name in ("UserDetailList", "GroupDetailList", "Policies"):
        assert answer[name] == [], name


def test_documents_are_encoded_on_the_wire(simulator: Simulator, iam: Any) -> None:
    make(iam, "r")
    iam.put_role_policy(
        RoleName="r", PolicyName="p", PolicyDocument=allowing(Resource="arn:aws:s3:::b/k y")
    )
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = b"Action=GetAccountAuthorizationDetails&Version=2010-05-08&Filter.member.1=Role"
    status, _, answer = simulator.raw("POST", "/", service="iam", body=body, headers=form)
    assert status == 200
    assert answer.count(b"%7B%22Version%22%3A") == 2
    assert b"k%20y" in answer


def test_roles_come_by_page(iam: Any) -> None:
    for number in range(5):
        make(iam, f"r{number}")
    found, marker = [], {}
    for more in (True, True, False):
        answer = details(iam, MaxItems=2, **marker)
        assert answer["IsTruncated"] == more
        found += [role["RoleName"] for role in answer["RoleDetailList"]]
        marker = {"Marker": answer["Marker"]} if more else {}
    assert found == [f"r{number}" for number in range(5)]
    assert "Marker" not in details(iam)
    assert refused(details, iam=iam, Marker="%") == (400, "ValidationError", "Invalid Marker.")


def test_what_a_write_changed_is_listed(iam: Any) -> None:
    make(iam, "r")
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=allowing())
    iam.delete_role_policy(RoleName="r", PolicyName="p")
    iam.tag_role(RoleName="r", Tags=[{"Key": "team", "Value": "y"}])
    (told,) = details(iam)["RoleDetailList"]
    assert told["RolePolicyList"] == []
    assert told["Tags"] == [{"Key": "team", "Value": "y"}]
    iam.delete_role(RoleName="r")
    assert details(iam)["RoleDetailList"] == []


def test_what_the_simulator_does_not_know_is_refused(iam: Any) -> None:
    for given in ({}, {"Filter": ["Role", "User"]}):
        assert refused(iam.get_account_authorization_details, **given)[1] == "ValidationError"


def test_the_list_needs_a_permission_of_its_own(simulator: Simulator, iam: Any) -> None:
    simulator.post("deny", action="iam:GetAccountAuthorizationDetails")
    make(iam, "r")
    status, code, message = refused(details, iam=iam)
    assert (status, code) == (403, "AccessDenied")
    assert "perform: iam:GetAccountAuthorizationDetails on resource: " in message
    assert iam.get_role(RoleName="r")["Role"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/r"

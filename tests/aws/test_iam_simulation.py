"""`SimulatePrincipalPolicy`: what policies say of calls that nobody makes."""

from typing import Any

import pytest
from conftest import ACCOUNT, Simulator
from failures import refused
from policies import document, trusting

ROLE = f"arn:aws:iam::{ACCOUNT}:role/aip/r"
BUCKET = "arn:aws:s3:::data"
TAG = "aws:ResourceTag/owner"
READ = {"Effect": "Allow", "Action": "s3:Get*", "Resource": BUCKET}
DENY = {"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"}
OWN = {
    "Effect": "Allow",
    "Action": "iam:DeleteRole",
    "Resource": "*",
    "Condition": {"StringEquals": {TAG: "us"}},
}
MINE = {
    "Effect": "Allow",
    "Action": "s3:PutObject",
    "Resource": "arn:aws:s3:::${aws:PrincipalTag/a}/*",
}


@pytest.fixture
def iam(simulator: Simulator) -> Any:
    """A client, and a role that may read a bucket."""
    client = simulator.client("iam", "us-east-1")
    client.create_role(RoleName="r", Path="/aip/", AssumeRolePolicyDocument=trusting())
    client.put_role_policy(
        RoleName="r", PolicyName="inline", PolicyDocument=document(READ, DENY, OWN, MINE)
    )
    return client


def simulated(iam: Any, *actions: str, **given: Any) -> list[dict[str, Any]]:
    parameters = {"PolicySourceArn": ROLE, "ActionNames": list(actions), **given}
    return iam.simulate_principal_policy(**parameters)["EvaluationResults"]


def decisions(results: list[dict[str, Any]]) -> list[str]:
    return [result["EvalDecision"] for result in results]


def test_three_decisions(iam: Any) -> None:
    results = simulated(
        iam, "s3:GetBucketTagging", "s3:DeleteBucket", "s3:CreateBucket", ResourceArns=[BUCKET]
    )
    assert decisions(results) == ["allowed", "explicitDeny", "implicitDeny"]
    allowed, denied, unsaid = results
    assert allowed["MatchedStatements"][0]["SourcePolicyId"] == "inline"
    assert denied["MatchedStatements"][0]["SourcePolicyId"] == "inline"
    assert unsaid["MatchedStatements"] == []
    assert [result["EvalActionName"] for result in results][0] == "s3:GetBucketTagging"


def test_one_result_for_an_action_whatever_the_resources(iam: Any) -> None:
    (result,) = simulated(iam, "s3:GetBucketTagging", ResourceArns=[BUCKET, "arn:aws:s3:::others"])
    assert result["EvalDecision"] == "implicitDeny", "the most restrictive of all"
    assert result["EvalResourceName"] == "*", "a template, not a resource"
    each = result["ResourceSpecificResults"]
    told = [(one["EvalResourceName"], one["EvalResourceDecision"]) for one in each]
    assert told == [(BUCKET, "allowed"), ("arn:aws:s3:::others", "implicitDeny")]


def test_without_resources_it_is_about_all(iam: Any) -> None:
    results = simulated(iam, "s3:GetBucketTagging", "s3:DeleteBucket")
    assert decisions(results) == ["implicitDeny", "explicitDeny"]
    assert "ResourceSpecificResults" not in results[0]


def test_context(iam: Any) -> None:
    (unknown,) = simulated(iam, "iam:DeleteRole", ResourceArns=[ROLE])
    assert unknown["EvalDecision"] == "implicitDeny"
    (each,) = unknown["ResourceSpecificResults"]
    assert each["MissingContextValues"] == [TAG]
    assert unknown["MissingContextValues"] == []
    (about_all,) = simulated(iam, "iam:DeleteRole")
    assert about_all["MissingContextValues"] == [TAG]
    for value, decision in (("us", "allowed"), ("them", "implicitDeny")):
        entry = {"ContextKeyName": TAG, "ContextKeyValues": [value], "ContextKeyType": "string"}
        (known,) = simulated(iam, "iam:DeleteRole", ResourceArns=[ROLE], ContextEntries=[entry])
        assert known["EvalDecision"] == decision
        assert known["ResourceSpecificResults"][0]["MissingContextValues"] == []


def test_variables_are_context(iam: Any) -> None:
    put = {"ResourceArns": ["arn:aws:s3:::x/k"]}
    (unknown,) = simulated(iam, "s3:PutObject", **put)
    assert unknown["ResourceSpecificResults"][0]["MissingContextValues"] == ["aws:PrincipalTag/a"]
    entry = {
        "ContextKeyName": "aws:PrincipalTag/a",
        "ContextKeyValues": ["x"],
        "ContextKeyType": "string",
    }
    assert decisions(simulated(iam, "s3:PutObject", ContextEntries=[entry], **put)) == ["allowed"]


def test_attached_policies_and_a_boundary(iam: Any) -> None:
    everything = {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}
    made = iam.create_policy(PolicyName="attached", PolicyDocument=document(everything))
    iam.attach_role_policy(RoleName="r", PolicyArn=made["Policy"]["Arn"])
    assert decisions(simulated(iam, "ec2:CreateVpc")) == ["allowed"]
    boundary = iam.create_policy(PolicyName="boundary", PolicyDocument=document(READ))
    arn = boundary["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="r", PermissionsBoundary=arn)
    (result,) = simulated(iam, "ec2:CreateVpc")
    assert result["EvalDecision"] == "implicitDeny"
    detail = result["PermissionsBoundaryDecisionDetail"]
    assert detail == {"AllowedByPermissionsBoundary": False}


def test_pages(iam: Any) -> None:
    actions = [f"s3:Get{number}" for number in range(1, 6)]
    paginator = iam.get_paginator("simulate_principal_policy")
    pages = list(
        paginator.paginate(
            PolicySourceArn=ROLE,
            ActionNames=actions,
            ResourceArns=[BUCKET],
            PaginationConfig={"PageSize": 2},
        )
    )
    assert [len(page["EvaluationResults"]) for page in pages] == [2, 2, 1]
    assert [page["IsTruncated"] for page in pages] == [True, True, False]
    told = [result["EvalActionName"] for page in pages for result in page["EvaluationResults"]]
    assert told == actions


def test_the_operators_user_may_do_everything(iam: Any) -> None:
    user = f"arn:aws:iam::{ACCOUNT}:user/operator"
    assert decisions(simulated(iam, "ec2:CreateVpc", PolicySourceArn=user)) == ["allowed"]


def test_refusals(iam: Any) -> None:
    simulate = iam.simulate_principal_policy
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/r/session"
    status, code, message = refused(simulate, PolicySourceArn=session, ActionNames=["s3:GetObject"])
    assert (status, code) == (400, "InvalidInput")
    assert message == (
        f"Invalid Entity Arn: {session} does not clearly define entity type and name."
    )
    pathless = f"arn:aws:iam::{ACCOUNT}:role/r"
    assert refused(simulate, PolicySourceArn=pathless, ActionNames=["s3:GetObject"])[1] == (
        "NoSuchEntity"
    )
    given = {"PolicySourceArn": ROLE, "ActionNames": ["s3:GetObject"], "ResourceArns": ["data"]}
    _, code, message = refused(simulate, **given)
    assert (code, message) == ("InvalidInput", "ResourceNames are not in a valid ARN format: data.")
    elsewhere = "arn:aws:iam::210987654321:role/r"
    assert refused(simulate, PolicySourceArn=elsewhere, ActionNames=["s3:GetObject"])[1] == (
        "AccessDenied"
    )


def test_it_needs_a_permission_on_whom_it_is_about(simulator: Simulator, iam: Any) -> None:
    simulator.post("deny", action="iam:SimulatePrincipalPolicy", resource=ROLE)
    status, code, message = refused(
        iam.simulate_principal_policy, PolicySourceArn=ROLE, ActionNames=["s3:GetObject"]
    )
    assert (status, code) == (403, "AccessDenied")
    assert f'iam:SimulatePrincipalPolicy on resource: "{ROLE}"' in message

"""What the operator itself may do: its work, and nothing that makes it an administrator.

Where a permissions boundary is known, no role is made or widened without it; with a cluster's name,
nothing is touched that carries another cluster's tag. What is left is in docs/security.md.
"""

import json
import re
import warnings
from typing import Any

import pytest
from cloudsplaining.scan.policy_document import PolicyDocument
from evaluator import ANYTHING, Call
from operator_policies import ACCOUNT, BOUNDARIES, GUARDED, NARROWED, OPEN, OPERATORS, Operator

with warnings.catch_warnings():
    # It looks for its own data by way of pkg_resources, which warns that it will go away.
    warnings.simplefilter("ignore")
    import parliament

STRANGER = "210987654321"
OWNER = "aiplatform.dev/owner"
OURS, THEIRS = "prod/ml-search/assistant", "dev/ml-search/assistant"
LIMIT = 6144

PREFIX = "ml-search-assistant"
IAM = f"arn:aws:iam::{ACCOUNT}"
SAGEMAKER = f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}"
TARGET = f"arn:aws:application-autoscaling:eu-west-1:{ACCOUNT}:scalable-target/1a2b"
ASSOCIATION = f"arn:aws:eks:eu-west-1:{ACCOUNT}:podidentityassociation/prod/a-1"
CLUSTER = f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/prod"

OPENS = "aws:ResourceAccount"
BOUNDARY = "iam:PermissionsBoundary"
SCALED = {"application-autoscaling:service-namespace": "sagemaker"}


def requested(owner: str) -> dict[str, str]:
    """The request sets this owner tag."""
    return {f"aws:RequestTag/{OWNER}": owner}


def tagged(owner: str) -> dict[str, str]:
    """The resource carries this owner tag."""
    return {f"aws:ResourceTag/{OWNER}": owner}


def bucket(account: str = ACCOUNT) -> dict[str, str]:
    """The bucket belongs to this account, and the caller to the operator's."""
    return {OPENS: account, "aws:PrincipalAccount": ACCOUNT}


def role(operator: Operator) -> str:
    """A role that the operator makes."""
    roles = operator.documents["aiplatform-operator-iam"]["Statement"]
    made = next(statement for statement in roles if statement["Sid"] == "MakeRoles")["Resource"]
    first = made if isinstance(made, str) else made[0]
    return first.replace("::*:", f"::{ACCOUNT}:").replace("/*", f"/{PREFIX}-api-0a1b2c3d")


def bounds(operator: Operator) -> list[dict[str, str]]:
    """What IAM may know of the boundary of a role that the operator works on."""
    return [{BOUNDARY: arn} for arn in operator.boundaries] or [{}]


def of_roles(operator: Operator) -> list[Call]:
    """Roles: made, filled, mended and taken away."""
    ours = role(operator)
    calls = []
    for bound in bounds(operator):
        calls += [
            Call("iam:CreateRole", ours, "made", {**requested(OURS), **bound}),
            Call("iam:PutRolePolicy", ours, "filled before its tags are known", bound),
            Call("iam:PutRolePolicy", ours, "filled", {**tagged(OURS), **bound}),
            Call("iam:PutRolePermissionsBoundary", ours, "bound", {**tagged(OURS), **bound}),
        ]
    return [
        *calls,
        Call("iam:TagRole", ours, "tagged in the call that makes it", requested(OURS)),
        Call("iam:TagRole", ours, "another tag is put back", tagged(OURS)),
        Call("iam:TagRole", ours, "tagged anew", {**requested(OURS), **tagged(OURS)}),
        Call("iam:UpdateAssumeRolePolicy", ours, "trust is put back", tagged(OURS)),
        # A role from before there was a boundary can go too.
        *(
            Call(f"iam:{action}", ours, "taken away", tagged(OURS))
            for action in ("UntagRole", "DeleteRolePolicy", "DetachRolePolicy", "DeleteRole")
        ),
    ]


def of_others(operator: Operator) -> list[Call]:
    """Buckets, associations, models and what scales them."""
    endpoint = next(
        statement["Resource"]
        for statement in operator.documents["aiplatform-operator-sagemaker"]["Statement"]
        if statement["Sid"] == "ChangeOwnEndpoints"
    )
    endpoint = endpoint.replace(
        "sagemaker:*:*:endpoint/*", f"sagemaker:eu-west-1:{ACCOUNT}:endpoint/e"
    )
    return [
        Call("s3:CreateBucket", "arn:aws:s3:::acme-scratch", "made", bucket()),
        Call("s3:PutBucketPolicy", "arn:aws:s3:::acme-scratch", "set up", bucket()),
        Call("s3:DeleteObjectVersion", "arn:aws:s3:::acme-scratch/k", "emptied", bucket()),
        Call("eks:CreatePodIdentityAssociation", CLUSTER, "made", requested(OURS)),
        Call("eks:TagResource", f"{ASSOCIATION[:-3]}*", "tagged while made", requested(OURS)),
        Call("eks:TagResource", ASSOCIATION, "a tag is put back", tagged(OURS)),
        Call("eks:UpdatePodIdentityAssociation", ASSOCIATION, "mended", tagged(OURS)),
        Call("sagemaker:DeleteEndpoint", endpoint, "taken away", tagged(OURS)),
        Call("application-autoscaling:RegisterScalableTarget", TARGET, "registered", SCALED),
        Call(
            "application-autoscaling:PutScalingPolicy", TARGET, "ours", {**SCALED, **tagged(OURS)}
        ),
        Call("application-autoscaling:TagResource", TARGET, "tagged", requested(OURS)),
    ]


def of_other_clusters(operator: Operator) -> list[Call]:
    """Whatever carries the tag of another cluster, whatever the request says."""
    ours = role(operator)
    calls = []
    for bound in bounds(operator):
        known = {**tagged(THEIRS), **bound}
        calls += [
            Call("iam:PutRolePolicy", ours, "theirs", known),
            Call("iam:PutRolePermissionsBoundary", ours, "theirs", known),
        ]
    for action in ("TagRole", "UntagRole", "UpdateAssumeRolePolicy", "DeleteRole"):
        calls.append(Call(f"iam:{action}", ours, "theirs", tagged(THEIRS)))
    calls += [
        Call("iam:TagRole", ours, "made ours", {**tagged(THEIRS), **requested(OURS)}),
        Call("iam:TagRole", ours, "given away", {**tagged(OURS), **requested(THEIRS)}),
        Call("iam:CreateRole", ours, "made for them", {**requested(THEIRS), **bounds(operator)[0]}),
    ]
    for action in ("TagResource", "UntagResource", "UpdatePodIdentityAssociation"):
        calls.append(Call(f"eks:{action}", ASSOCIATION, "theirs", tagged(THEIRS)))
    made_ours = {**tagged(THEIRS), **requested(OURS)}
    calls += [
        Call("eks:TagResource", ASSOCIATION, "made ours", made_ours),
        Call("eks:TagResource", CLUSTER, "a cluster", requested(OURS)),
        Call("eks:UpdatePodIdentityAssociation", ASSOCIATION, "nobody's", {}),
        Call("application-autoscaling:TagResource", TARGET, "made ours", made_ours),
    ]
    for action in ("RegisterScalableTarget", "DeregisterScalableTarget", "DeleteScalingPolicy"):
        context = {**SCALED, **tagged(THEIRS)}
        calls.append(Call(f"application-autoscaling:{action}", TARGET, "theirs", context))
    for kind in ("model", "endpoint-config", "endpoint"):
        arn = f"{SAGEMAKER}:{kind}/{PREFIX}-rank-0a1b2c3d"
        calls.append(Call("sagemaker:AddTags", arn, "made ours", made_ours))
    return calls


def beyond(operator: Operator) -> list[Call]:
    """What no operator may do."""
    admin = f"{IAM}:role/admin"
    ours = role(operator)
    return [
        Call("iam:PutRolePolicy", admin, "a role elsewhere", {BOUNDARY: BOUNDARIES[0]}),
        Call("iam:CreateRole", admin, "elsewhere", {**requested(OURS), BOUNDARY: BOUNDARIES[0]}),
        Call("iam:CreateRole", ours, "of nobody", {BOUNDARY: BOUNDARIES[0]}),
        Call("iam:AttachRolePolicy", ours, "a managed policy", tagged(OURS)),
        Call("iam:PassRole", ours, "to EC2", {"iam:PassedToService": "ec2.amazonaws.com"}),
        Call("s3:PutBucketPolicy", "arn:aws:s3:::acme-scratch", "another's", bucket(STRANGER)),
        Call(
            "s3:DeleteObjectVersion", "arn:aws:s3:::acme-scratch/k", "another's", bucket(STRANGER)
        ),
        Call("s3:GetObject", "arn:aws:s3:::acme-scratch/k", "what is in it", bucket()),
    ]


def unbounded(operator: Operator) -> list[Call]:
    """Roles made or widened with another boundary than the known ones, or with none."""
    ours = role(operator)
    calls = []
    for bound in ({}, {BOUNDARY: f"{IAM}:policy/wide"}):
        calls += [
            Call("iam:CreateRole", ours, "unbounded", {**requested(OURS), **bound}),
            Call("iam:PutRolePolicy", ours, "unbounded", {**tagged(OURS), **bound}),
            Call("iam:PutRolePolicy", ours, "unbounded and new", bound),
            Call("iam:PutRolePermissionsBoundary", ours, "unbounded", {**tagged(OURS), **bound}),
        ]
    known = {**tagged(OURS), **bounds(operator)[0]}
    return [*calls, Call("iam:DeleteRolePermissionsBoundary", ours, "the boundary goes", known)]


def other_buckets() -> list[Call]:
    """Buckets of the account that no platform can name."""
    names = ("payroll-prod", "ml", "acme", "lab-x-0a1b2c3", "legacy2")
    return [
        Call(action, f"arn:aws:s3:::{name}{below}", "not a platform's", bucket())
        for name in names
        for action, below in (("s3:PutBucketPolicy", ""), ("s3:DeleteObjectVersion", "/k"))
    ]


@pytest.fixture(params=OPERATORS, ids=lambda operator: operator.name)
def operator(request: pytest.FixtureRequest) -> Operator:
    """Each of the operators."""
    return request.param


@pytest.fixture(params=[GUARDED, NARROWED], ids=lambda operator: operator.name)
def bounded(request: pytest.FixtureRequest) -> Operator:
    """The operators of which the boundary is known."""
    return request.param


def judged(judge: Any, operator: Operator, calls: list[Call]) -> list[tuple[str, bool]]:
    """Each call with what is said of it."""
    documents = list(operator.documents.values())
    answers = judge.allowed(operator.caller, documents, calls)
    return [(str(call), allowed) for call, allowed in zip(calls, answers, strict=True)]


def granted(judge: Any, operator: Operator, calls: list[Call]) -> list[str]:
    """The calls that are allowed. Each of them would be, if the policies allowed it."""
    assert all(judge.allowed(operator.caller, [ANYTHING], calls))
    return [call for call, allowed in judged(judge, operator, calls) if allowed]


def test_its_work_is_allowed(judge, operator):
    calls = [*of_roles(operator), *of_others(operator)]
    refused = [call for call, allowed in judged(judge, operator, calls) if not allowed]
    assert not refused, "denied:\n" + "\n".join(refused)


def test_what_carries_the_tag_of_another_cluster_is_denied(judge, operator):
    assert granted(judge, operator, of_other_clusters(operator)) == []


def test_what_is_not_its_work_is_denied(judge, operator):
    assert granted(judge, operator, beyond(operator)) == []


def test_where_the_boundary_is_known_no_role_is_without_it(judge, bounded):
    assert granted(judge, bounded, unbounded(bounded)) == []
    # Without it, all of that is allowed: that is why the command says so.
    anything = unbounded(OPEN)
    assert granted(judge, OPEN, anything) == [str(call) for call in anything]


def test_where_names_are_known_other_buckets_are_denied(judge, bounded):
    assert granted(judge, bounded, other_buckets()) == []
    assert len(granted(judge, OPEN, other_buckets())) == len(other_buckets())


def test_a_role_goes_to_sagemaker_only_within_the_globs_of_the_guardrails(judge):
    to_sagemaker = {"iam:PassedToService": "sagemaker.amazonaws.com"}
    passed = [
        Call("iam:PassRole", f"{IAM}:role/{name}", "to SageMaker", to_sagemaker)
        for name in ("lab/rank-1", "models/theirs", "admin", "lab/admin", "rank-1")
    ]
    assert granted(judge, GUARDED, passed) == [str(call) for call in passed[:2]]


def test_what_is_left_open_is_told(operator):
    said = operator.printed.stderr
    assert ("worth the account" in said) == (operator is OPEN)
    assert ("every bucket of the account" in said) == (operator is OPEN)


def test_policies_are_small_and_name_every_action(operator):
    for name, document in operator.documents.items():
        written = json.dumps(document, separators=(",", ":"))
        assert len(written) < LIMIT, name
        for statement in document["Statement"]:
            assert not re.search("[*?]", json.dumps(statement["Action"])), statement["Sid"]


# parliament knows buckets alone: who may put a bucket's policy can let themselves in, and who may
# put its lifecycle can let its objects expire. That is what setting up buckets means.
BUCKETS = re.compile(
    r"Possible resource policy privilege escalation on (?P<bucket>\S+) due to s3:\w+ not being "
    "allowed"
)
# String operators compare ARNs too, and IAM's own documentation uses them for boundaries.
AS_TEXT = (
    "MISMATCHED_TYPE_BUT_USABLE",
    "Type mismatch: StringEquals requires a value of type String but given Arn",
)


# A group or an endpoint is made and changed in a VPC, for which IAM asks too: one statement is for
# what is made, another for the VPC, and parliament wants both in each.
MADE_IN_A_VPC = {"ec2:CreateSecurityGroup", "ec2:CreateVpcEndpoint", "ec2:ModifyVpcEndpoint"}


def is_split(found: parliament.finding.Finding) -> bool:
    """Whether it says no more than that the permission for a call is in two statements."""
    if found.issue != "RESOURCE_MISMATCH":
        return False
    return {each["action"] for each in found.detail} <= MADE_IN_A_VPC


def findings(document: dict[str, Any]) -> list[parliament.finding.Finding]:
    """What parliament says, escalations by way of IAM among it."""
    text = json.dumps(document)
    found = parliament.analyze_policy_string(text, include_community_auditors=True).findings
    # Every action that manages permissions is named by this one, whatever limits it.
    return [each for each in found if each.issue != "PERMISSIONS_MANAGEMENT_ACTIONS"]


def test_parliament_finds_what_buckets_mean_and_nothing_else(operator):
    named = set()
    for document in operator.documents.values():
        for found in findings(document):
            if (found.issue, found.detail) == AS_TEXT or is_split(found):
                continue
            assert found.issue == "RESOURCE_POLICY_PRIVILEGE_ESCALATION", found
            match = BUCKETS.match(found.detail)
            assert match, found
            named.add(match["bucket"].removeprefix("arn:aws:s3:::"))
    expected = {
        OPEN: {"*"},
        GUARDED: {"acme-*", "legacy", "ml-*-????????", "lab-*-????????"},
        NARROWED: {"acme-scratch"},
    }
    assert named == expected[operator]


def escalations(statements: list[dict[str, Any]]) -> set[str]:
    """The ways to more permissions that cloudsplaining knows, ARNs and conditions left out."""
    document = {"Version": "2012-10-17", "Statement": statements}
    strict = {"flag_resource_arn_statements": True, "flag_conditional_statements": True}
    found = PolicyDocument(document, **strict).allows_privilege_escalation
    return {escalation["type"] for escalation in found}


def test_cloudsplaining_finds_nothing_that_is_not_limited(operator):
    statements = [it for each in operator.documents.values() for it in each["Statement"]]
    document = PolicyDocument({"Version": "2012-10-17", "Statement": statements})
    assert document.allows_privilege_escalation == []
    assert document.allows_data_exfiltration_actions == []
    assert document.credentials_exposure == []
    assert document.service_wildcard == []


def test_cloudsplaining_finds_no_way_around_the_boundary(operator):
    """However ARNs and tags limit it: what is left is whom a role of ours trusts."""
    statements = [it for each in operator.documents.values() for it in each["Statement"]]
    unbound = [it for it in statements if BOUNDARY not in json.dumps(it)]
    expected = {"UpdateRolePolicyToAssumeIt"}
    if operator is OPEN:
        expected |= {"PutRolePolicy", "PutRolePolicyThenUpdateAssumeRolePolicy"}
    assert escalations(unbound) == expected
    assert "PutRolePolicy" in escalations(statements), "it would find it"

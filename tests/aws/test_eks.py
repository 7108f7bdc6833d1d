"""EKS: planted clusters, and pod identity associations."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from conftest import ACCOUNT, REGION, Simulator
from failures import refused

ROLE = f"arn:aws:iam::{ACCOUNT}:role/aiplatform/workload"
OTHER_ROLE = f"arn:aws:iam::{ACCOUNT}:role/other"
PREFIX = f"arn:aws:eks:{REGION}:{ACCOUNT}:"
Maker = Callable[..., dict[str, Any]]
MISSING = f"{PREFIX}podidentityassociation/c/a-00000000000000000"


@pytest.fixture
def eks(simulator: Simulator) -> Any:
    """A client, and a cluster called `c`."""
    simulator.post("eks/cluster", name="c", region=REGION)
    return simulator.client("eks", parameter_validation=False)


@pytest.fixture
def make(eks: Any) -> Maker:
    """Makes an association, of service account `s` in namespace `n` unless told otherwise."""

    def create(**parameters: Any) -> dict[str, Any]:
        given = {"clusterName": "c", "namespace": "n", "serviceAccount": "s", "roleArn": ROLE}
        return eks.create_pod_identity_association(**{**given, **parameters})["association"]

    return create


def described(eks: Any, association: dict[str, Any]) -> dict[str, Any]:
    number = association["associationId"]
    return eks.describe_pod_identity_association(clusterName="c", associationId=number)[
        "association"
    ]


def test_clusters(simulator: Simulator, eks: Any) -> None:
    issuer = "https://oidc.example.org/id/A1"
    told = simulator.post("eks/cluster", name="d", region=REGION, oidcIssuer=issuer)
    assert told == {"arn": f"{PREFIX}cluster/d", "oidcIssuer": issuer}
    got = eks.describe_cluster(name="d")["cluster"]
    assert (got["name"], got["arn"], got["status"]) == ("d", f"{PREFIX}cluster/d", "ACTIVE")
    assert got["identity"]["oidc"]["issuer"] == issuer
    assert abs((datetime.now(UTC) - got["createdAt"]).total_seconds()) < 60
    assert eks.describe_cluster(name="c")["cluster"]["identity"]["oidc"]["issuer"]
    assert eks.list_clusters()["clusters"] == ["c", "d"]
    assert refused(eks.describe_cluster, name="e") == (
        404,
        "ResourceNotFoundException",
        "No cluster found for name: e.",
    )
    elsewhere = simulator.client("eks", "us-east-1")
    assert refused(elsewhere.describe_cluster, name="c")[0] == 404


def test_an_association_is_told_as_it_was_made(eks: Any, make: Maker) -> None:
    made = make(tags={"a": "b", "empty": ""})
    assert re.fullmatch(r"a-[a-z0-9]{17}", made["associationId"])
    expected = {
        "clusterName": "c",
        "namespace": "n",
        "serviceAccount": "s",
        "roleArn": ROLE,
        "tags": {"a": "b", "empty": ""},
        "disableSessionTags": False,
        "associationArn": f"{PREFIX}podidentityassociation/c/{made['associationId']}",
    }
    assert expected.items() <= made.items()
    assert abs((datetime.now(UTC) - made["createdAt"]).total_seconds()) < 60
    assert described(eks, made) == made
    summary = {name: made[name] for name in expected if name in SUMMARY}
    summary["associationId"] = made["associationId"]
    answer = eks.list_pod_identity_associations(clusterName="c")
    assert answer["associations"] == [summary]
    assert "nextToken" not in answer


SUMMARY = {"clusterName", "namespace", "serviceAccount", "associationArn"}


def test_target_roles(eks: Any, make: Maker) -> None:
    target = "arn:aws:iam::999999999999:role/there"
    made = make(targetRoleArn=target, disableSessionTags=True)
    assert made["targetRoleArn"] == target
    assert made["externalId"] == f"{REGION}/{ACCOUNT}/c/n/s"
    number = made["associationId"]
    changed = eks.update_pod_identity_association(
        clusterName="c", associationId=number, targetRoleArn=""
    )["association"]
    assert not {"targetRoleArn", "externalId"} & changed.keys()
    assert changed["disableSessionTags"] is True


def test_one_association_for_one_service_account(eks: Any, make: Maker) -> None:
    made = make()
    number = made["associationId"]
    expected = (409, "ResourceInUseException", f"Association already exists: {number}")
    assert refused(make) == expected
    assert refused(make, roleArn=OTHER_ROLE) == expected
    make(namespace="m")
    make(serviceAccount="t")
    eks.delete_pod_identity_association(clusterName="c", associationId=number)
    assert make()["associationId"] != number


def test_tokens(eks: Any, make: Maker) -> None:
    made = make(clientRequestToken="once", tags={"a": "b"})
    assert make(clientRequestToken="once", tags={"a": "b"}) == made
    for other in ({}, {"tags": {"a": "c"}}, {"tags": {"a": "b"}, "namespace": "m"}):
        answer = refused(make, clientRequestToken="once", **other)
        assert answer[:2] == (400, "InvalidParameterException")
        assert "client request token" in answer[2]
    assert refused(make, clientRequestToken="twice", tags={"a": "b"})[0] == 409
    assert len(eks.list_pod_identity_associations(clusterName="c")["associations"]) == 1


def test_a_token_makes_nothing_twice_even_when_it_is_gone(eks: Any, make: Maker) -> None:
    made = make(clientRequestToken="once")
    number = made["associationId"]
    eks.delete_pod_identity_association(clusterName="c", associationId=number)
    assert make(clientRequestToken="once")["associationId"] == number, "the answer of then"
    assert eks.list_pod_identity_associations(clusterName="c")["associations"] == []
    assert make(clientRequestToken="again")["associationId"] != number


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"roleArn": "workload"}, "Invalid Role Arn: 'workload'"),
        ({"roleArn": ""}, "Invalid Role Arn: ''"),
        ({"roleArn": f"arn:aws:iam::{ACCOUNT}:user/u"}, "Invalid Role Arn"),
        ({"roleArn": f"arn:aws-cn:iam::{ACCOUNT}:role/r"}, "Invalid Role Arn"),
        ({"targetRoleArn": "there"}, "Invalid Role Arn"),
        ({"namespace": "N"}, "Invalid namespace"),
        ({"namespace": "n" * 64}, "Invalid namespace"),
        ({"serviceAccount": "s_"}, "Invalid service account"),
        ({"serviceAccount": "s" * 254}, "Invalid service account"),
        ({"tags": {f"k{n}": "v" for n in range(51)}}, "length less than or equal to 50"),
        ({"tags": {"k" * 129: "v"}}, "Member must have length less than or equal to 128"),
        ({"tags": {"k": "v" * 257}}, "Member must have length less than or equal to 256"),
        ({"tags": {"aws:k": "v"}}, "begins with aws:"),
        ({"policy": "{}"}, "session tags"),
        ({"roleArn": None}, "Member must not be null"),
        ({"namespace": None}, "Member must not be null"),
    ],
)
def test_bad_parameters(eks: Any, make: Maker, given: dict[str, Any], message: str) -> None:
    status, code, got = refused(make, **given)
    assert (status, code) == (400, "InvalidParameterException")
    assert message in got
    assert eks.list_pod_identity_associations(clusterName="c")["associations"] == []


def test_roles_of_other_accounts(make: Maker) -> None:
    answer = refused(make, roleArn="arn:aws:iam::999999999999:role/r")
    assert answer == (403, "AccessDeniedException", "Cross-account pass role is not allowed.")


@pytest.mark.parametrize(
    ("operation", "given"),
    [
        (
            "create_pod_identity_association",
            {"namespace": "n", "serviceAccount": "s", "roleArn": ROLE},
        ),
        ("describe_pod_identity_association", {"associationId": "a-1"}),
        ("update_pod_identity_association", {"associationId": "a-1", "roleArn": ROLE}),
        ("delete_pod_identity_association", {"associationId": "a-1"}),
        ("list_pod_identity_associations", {}),
    ],
)
def test_what_does_not_exist(eks: Any, operation: str, given: dict[str, Any]) -> None:
    answer = refused(getattr(eks, operation), clusterName="none", **given)
    message = "No cluster found for name: none."
    assert answer == (404, "ResourceNotFoundException", message)
    if "associationId" in given:
        answer = refused(getattr(eks, operation), clusterName="c", **given)
        assert answer[:2] == (404, "ResourceNotFoundException")


def test_update_and_delete(eks: Any, make: Maker) -> None:
    made = make(tags={"a": "b"})
    number = {"clusterName": "c", "associationId": made["associationId"]}
    changed = eks.update_pod_identity_association(**number, roleArn=OTHER_ROLE)["association"]
    assert changed["roleArn"] == OTHER_ROLE
    assert changed["modifiedAt"] >= made["modifiedAt"]
    same = {"roleArn": None, "modifiedAt": None}
    assert {**changed, **same} == {**made, **same}
    assert described(eks, made) == changed
    answer = refused(eks.update_pod_identity_association, **number, roleArn="x")
    assert answer[:2] == (400, "InvalidParameterException")
    assert eks.delete_pod_identity_association(**number)["association"] == changed
    assert refused(eks.delete_pod_identity_association, **number)[0] == 404
    assert refused(eks.describe_pod_identity_association, **number)[0] == 404


def test_lists_and_pages(simulator: Simulator, eks: Any, make: Maker) -> None:
    simulator.post("eks/cluster", name="d", region=REGION)
    numbers = {}
    for namespace in ("n", "m"):
        for account in ("s", "t", "u"):
            made = make(namespace=namespace, serviceAccount=account)
            numbers[namespace, account] = made["associationId"]
    make(clusterName="d")

    def listed(**parameters: Any) -> list[str]:
        answer = eks.list_pod_identity_associations(clusterName="c", **parameters)
        return [each["associationId"] for each in answer["associations"]]

    assert listed() == list(numbers.values())
    assert listed(namespace="m") == [numbers["m", each] for each in "stu"]
    assert listed(serviceAccount="t") == [numbers["n", "t"], numbers["m", "t"]]
    assert listed(namespace="m", serviceAccount="u") == [numbers["m", "u"]]
    assert listed(namespace="x") == []
    pages = eks.get_paginator("list_pod_identity_associations").paginate(
        clusterName="c", PaginationConfig={"PageSize": 4}
    )
    told = [[each["associationId"] for each in page["associations"]] for page in pages]
    assert told == [list(numbers.values())[:4], list(numbers.values())[4:]]
    for bad in ({"maxResults": 0}, {"maxResults": 101}, {"nextToken": "x"}):
        answer = refused(eks.list_pod_identity_associations, clusterName="c", **bad)
        assert answer[:2] == (400, "InvalidParameterException"), bad


def test_tags(eks: Any, make: Maker) -> None:
    made = make(tags={"a": "1"})
    arn = {"resourceArn": made["associationArn"]}
    eks.tag_resource(**arn, tags={"a": "2", "b": "3"})
    assert eks.list_tags_for_resource(**arn)["tags"] == {"a": "2", "b": "3"}
    eks.untag_resource(**arn, tagKeys=["a", "none"])
    assert eks.list_tags_for_resource(**arn)["tags"] == {"b": "3"}
    assert described(eks, made)["tags"] == {"b": "3"}
    more = {f"k{n}": "v" for n in range(50)}
    assert refused(eks.tag_resource, **arn, tags=more)[:2] == (400, "BadRequestException")
    for operation, given in (
        (eks.tag_resource, {"tags": {"a": "b"}}),
        (eks.untag_resource, {"tagKeys": ["a"]}),
        (eks.list_tags_for_resource, {}),
    ):
        answer = refused(operation, resourceArn=MISSING, **given)
        assert answer[:2] == (404, "NotFoundException")
    cluster = {"resourceArn": f"{PREFIX}cluster/c"}
    eks.tag_resource(**cluster, tags={"x": "y"})
    assert eks.list_tags_for_resource(**cluster)["tags"] == {"x": "y"}


def test_accounts_and_regions_are_apart(simulator: Simulator, make: Maker) -> None:
    made = make()
    role = "arn:aws:iam::999999999999:role/operator"
    simulator.post("sts/assumable", roleArn=role)
    given = simulator.client("sts").assume_role(RoleArn=role, RoleSessionName="session")
    key = given["Credentials"]["AccessKeyId"]
    there = simulator.client("eks", access_key=key)
    elsewhere = simulator.client("eks", "us-east-1")
    simulator.post("eks/cluster", name="c", region="us-east-1")
    number = {"clusterName": "c", "associationId": made["associationId"]}
    for client in (there, elsewhere):
        assert refused(client.describe_pod_identity_association, **number)[0] == 404
        answer = refused(client.list_tags_for_resource, resourceArn=made["associationArn"])
        assert answer[:2] == (404, "NotFoundException")
    simulator.post("eks/cluster", name="c", region=REGION, account="999999999999")
    assert there.list_pod_identity_associations(clusterName="c")["associations"] == []


def test_associations_end_with_their_cluster(simulator: Simulator, eks: Any, make: Maker) -> None:
    make()
    eks.delete_cluster(name="c")
    simulator.post("eks/cluster", name="c", region=REGION)
    assert eks.list_pod_identity_associations(clusterName="c")["associations"] == []


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("eks:CreatePodIdentityAssociation", f"{PREFIX}cluster/c"),
        ("eks:TagResource", f"{PREFIX}podidentityassociation/c/*"),
        ("iam:PassRole", ROLE),
        ("iam:GetRole", ROLE),
    ],
)
def test_permissions_to_create(
    simulator: Simulator, make: Maker, action: str, resource: str
) -> None:
    simulator.post("deny", action=action, resource=f"{resource}x")
    make(tags={"a": "b"}, namespace="m")
    simulator.post("deny", action=action, resource=resource)
    status, code, message = refused(make, tags={"a": "b"})
    assert (status, code) == (403, "AccessDeniedException")
    assert f"is not authorized to perform: {action} on resource" in message


def test_permissions_on_what_is_there(simulator: Simulator, eks: Any, make: Maker) -> None:
    made = make()
    number = {"clusterName": "c", "associationId": made["associationId"]}
    for action in ("Describe", "Update", "Delete"):
        name = f"eks:{action}PodIdentityAssociation"
        simulator.post("deny", action=name, resource=made["associationArn"])
        operation = getattr(eks, f"{action.lower()}_pod_identity_association")
        assert refused(operation, **number)[:2] == (403, "AccessDeniedException")
    simulator.post("deny", action="eks:ListTagsForResource", resource=made["associationArn"])
    answer = refused(eks.list_tags_for_resource, resourceArn=made["associationArn"])
    assert answer[:2] == (403, "AccessDeniedException")
    simulator.post("deny", action="eks:DescribeCluster", resource=f"{PREFIX}cluster/*")
    assert refused(eks.describe_cluster, name="c")[:2] == (403, "AccessDeniedException")


def test_the_wire(simulator: Simulator, make: Maker) -> None:
    """What clients other than boto3 see: numbers for times, names as in the model, no nulls."""
    made = make(tags={"a": "b"})
    form = {"Content-Type": "application/json"}
    base = "/clusters/c/pod-identity-associations"
    arn = quote(made["associationArn"], safe="")
    paths = {
        f"{base}/{made['associationId']}": {"association"},
        base: {"associations"},
        f"/tags/{arn}": {"tags"},
        f"/tags/{made['associationArn']}": {"tags"},
        "/clusters/c": {"cluster"},
    }
    for path, members in paths.items():
        status, headers, body = simulator.raw("GET", path, service="eks", headers=form)
        assert status == 200, path
        assert headers["content-type"].startswith("application/json")
        answer = json.loads(body)
        assert answer.keys() == members
        assert "null" not in body.decode()
        for shape in answer.values():
            if isinstance(shape, dict) and "createdAt" in shape:
                assert isinstance(shape["createdAt"], (int, float))
    status, headers, body = simulator.raw("GET", f"{base}/a-1", service="eks", headers=form)
    assert (status, headers["x-amzn-errortype"]) == (404, "ResourceNotFoundException")
    assert json.loads(body)["message"]


def test_faults_and_log(simulator: Simulator, eks: Any, make: Maker) -> None:
    simulator.post(
        "faults",
        service="eks",
        operation="CreatePodIdentityAssociation",
        when="after",
        error={"code": "ServerException", "status": 500},
    )
    assert refused(make)[0] == 500
    assert refused(make)[1] == "ResourceInUseException"
    codes = [call["result"]["code"] for call in simulator.calls("CreatePodIdentityAssociation")]
    assert codes == ["ServerException", "ResourceInUseException"]
    assert len(eks.list_pod_identity_associations(clusterName="c")["associations"]) == 1

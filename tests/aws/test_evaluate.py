"""`evaluate`: what AWS would say to a call, by the policies that are there."""

import json
import urllib.error
from typing import Any

import pytest
from conftest import ACCOUNT, REGION, Simulator
from networking import FOREVER, Network
from policies import document, trusting

ROLE = f"arn:aws:iam::{ACCOUNT}:role/aip/app"
READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/*"}
INVOKE = {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": "*"}
MODEL = f"arn:aws:bedrock:{REGION}::foundation-model/m"
OBJECT = "arn:aws:s3:::data/k"


@pytest.fixture
def world(network: Network) -> Network:
    """A network, a role that reads a bucket and invokes models, and the bucket."""
    simulator = network.simulator
    iam, s3 = simulator.client("iam", "us-east-1"), simulator.client("s3")
    iam.create_role(RoleName="app", Path="/aip/", AssumeRolePolicyDocument=trusting())
    iam.put_role_policy(RoleName="app", PolicyName="p", PolicyDocument=document(READ, INVOKE))
    s3.create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": REGION})
    return network


def evaluate(world: Network, **changes: Any) -> dict[str, Any]:
    given = {"principal": ROLE, "action": "s3:GetObject", "resource": OBJECT, **changes}
    return world.simulator.post("evaluate", **given)


def put_policy(world: Network, *statements: dict[str, Any]) -> None:
    s3 = world.simulator.client("s3")
    s3.put_bucket_policy(Bucket="data", Policy=document(*statements))


def only_through(endpoint: str) -> dict[str, Any]:
    return {
        "Sid": "OnlyThroughTheEndpoint",
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": "arn:aws:s3:::data/*",
        "Condition": {
            "StringNotEquals": {"aws:SourceVpce": endpoint},
            "BoolIfExists": {"aws:ViaAWSService": "false", "aws:PrincipalIsAWSService": "false"},
        },
    }


def test_identity_policies(world: Network) -> None:
    answer = evaluate(world)
    assert answer == {
        "allowed": True,
        "explicitDeny": False,
        "reason": "the identity policy allows it: p, statement 1",
    }
    assert evaluate(world, action="s3:PutObject")["allowed"] is False
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/app/pod"
    assert evaluate(world, principal=session)["allowed"] is True
    operator = f"arn:aws:iam::{ACCOUNT}:user/operator"
    assert evaluate(world, principal=operator, action="s3:PutObject")["allowed"] is True


def test_a_bucket_that_wants_its_endpoint(world: Network) -> None:
    gateway = world.gateway()["VpcEndpointId"]
    put_policy(world, only_through(gateway))
    assert evaluate(world, endpointId=gateway)["allowed"] is True
    outside = evaluate(world)
    assert (outside["allowed"], outside["explicitDeny"]) == (False, True)
    assert "OnlyThroughTheEndpoint" in outside["reason"]
    assert evaluate(world, viaService="athena.amazonaws.com")["allowed"] is True
    other = world.endpoint("s3")["VpcEndpointId"]
    assert evaluate(world, endpointId=other)["explicitDeny"] is True
    service = evaluate(world, principal="logging.s3.amazonaws.com")
    assert (service["allowed"], service["explicitDeny"]) == (False, False)


def test_policies_of_endpoints(world: Network) -> None:
    scoped = {"Principal": "*", "Effect": "Allow", "Action": "bedrock:InvokeModel"}
    endpoint = world.endpoint(
        "bedrock-runtime", PolicyDocument=document({**scoped, "Resource": MODEL})
    )["VpcEndpointId"]
    asked = {"action": "bedrock:InvokeModel", "endpointId": endpoint}
    assert evaluate(world, **asked, resource=MODEL)["allowed"] is True
    answer = evaluate(world, **asked, resource=f"{MODEL}-2")
    assert answer["allowed"] is False
    assert answer["reason"] == "no statement of the endpoint's policy allows it"
    assert evaluate(world, **{**asked, "endpointId": None}, resource=f"{MODEL}-2")["allowed"]
    world.ec2.modify_vpc_endpoint(
        VpcEndpointId=endpoint,
        PolicyDocument=document(
            {
                **scoped,
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:PrincipalAccount": "210987654321"}},
            }
        ),
    )
    assert evaluate(world, **asked, resource=MODEL)["allowed"] is False


def test_principals_in_the_policy_of_a_gateway(world: Network) -> None:
    named = {**READ, "Principal": {"AWS": ROLE}}
    gateway = world.gateway(PolicyDocument=document(named))["VpcEndpointId"]
    assert evaluate(world, endpointId=gateway)["allowed"] is False
    condition = {"ArnEquals": {"aws:PrincipalArn": ROLE}}
    world.ec2.modify_vpc_endpoint(
        VpcEndpointId=gateway,
        PolicyDocument=document({**named, "Principal": "*", "Condition": condition}),
    )
    assert evaluate(world, endpointId=gateway)["allowed"] is True


def test_boundaries_and_managed_policies(world: Network) -> None:
    iam = world.simulator.client("iam", "us-east-1")
    put = {**READ, "Action": "s3:PutObject"}
    managed = iam.create_policy(PolicyName="m", PolicyDocument=document(put))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="app", PolicyArn=managed)
    assert evaluate(world, action="s3:PutObject")["allowed"] is True
    iam.create_policy_version(PolicyArn=managed, PolicyDocument=document(READ), SetAsDefault=True)
    assert evaluate(world, action="s3:PutObject")["allowed"] is False
    boundary = iam.create_policy(PolicyName="b", PolicyDocument=document(put))["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="app", PermissionsBoundary=boundary)
    answer = evaluate(world)
    assert answer["reason"] == "no statement of the permissions boundary allows it"


def test_buckets_of_other_accounts(world: Network) -> None:
    world.simulator.post("s3/foreign-bucket", name="theirs", account="210987654321", region=REGION)
    everything = [{"Version": "2012-10-17", "Statement": {**READ, "Resource": "*"}}]
    answer = evaluate(world, resource="arn:aws:s3:::theirs/k", identityPolicies=everything)
    assert answer["allowed"] is False
    theirs = {"principal": "arn:aws:iam::210987654321:role/r", "identityPolicies": everything}
    assert evaluate(world, **theirs)["allowed"] is False
    # Principals of other accounts are taken to exist.
    put_policy(world, {**READ, "Principal": {"AWS": theirs["principal"]}})
    assert evaluate(world, **theirs)["allowed"] is True


def test_keys_that_aws_sets(world: Network) -> None:
    gateway = world.gateway()["VpcEndpointId"]
    iam = world.simulator.client("iam", "us-east-1")
    iam.tag_role(RoleName="app", Tags=[{"Key": "team", "Value": "a"}])
    conditions = {
        "StringEquals": {
            "aws:SourceVpce": gateway,
            "aws:SourceVpc": world.vpc,
            "aws:PrincipalAccount": ACCOUNT,
            "aws:ResourceAccount": ACCOUNT,
            "aws:PrincipalTag/team": "a",
            "aws:PrincipalType": "AssumedRole",
            "aws:RequestedRegion": REGION,
            "s3:prefix": "p/",
        },
        "ArnEquals": {"aws:PrincipalArn": ROLE},
        "Bool": {"aws:SecureTransport": "true", "aws:ViaAWSService": "false"},
        "Null": {"aws:SourceIp": "true"},
        "DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"},
    }
    policies = [{"Version": "2012-10-17", "Statement": {**READ, "Condition": conditions}}]
    asked = {"identityPolicies": policies, "context": {"s3:prefix": "p/"}}
    assert evaluate(world, **asked, endpointId=gateway)["allowed"] is True
    assert evaluate(world, **asked)["allowed"] is False
    outside = {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}, "Null": {"aws:SourceVpce": "true"}}
    policies = [{"Version": "2012-10-17", "Statement": {**READ, "Condition": outside}}]
    assert evaluate(world, identityPolicies=policies)["allowed"] is True
    assert evaluate(world, identityPolicies=policies, endpointId=gateway)["allowed"] is False


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"principal": "me"}, "principal: the ARN"),
        ({"principal": f"arn:aws:iam::{ACCOUNT}:role/none"}, "there is no"),
        ({"principal": f"arn:aws:sts::{ACCOUNT}:assumed-role/none/s"}, "there is no role none"),
        ({"action": "GetObject"}, "action: <service>:<name>"),
        ({"endpointId": "vpce-none"}, "there is no vpce-none"),
    ],
)
def test_bad_questions(world: Network, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        evaluate(world, **changes)
    assert caught.value.code == 400
    assert problem in json.load(caught.value)["error"]


def test_endpoints_that_lead_elsewhere_or_nowhere(world: Network, simulator: Simulator) -> None:
    sts = world.endpoint("sts")["VpcEndpointId"]
    world.take(endpoint_create=FOREVER)
    pending = world.endpoint("s3")["VpcEndpointId"]
    for number, problem in ((sts, "leads to"), (pending, "is pending")):
        with pytest.raises(urllib.error.HTTPError) as caught:
            evaluate(world, endpointId=number)
        assert problem in json.load(caught.value)["error"]
    with pytest.raises(urllib.error.HTTPError):
        evaluate(world, endpointId=sts, viaService="athena.amazonaws.com")
    assert simulator is world.simulator

"""The denial of object access that does not come through the platform's VPC endpoints."""

import json
from pathlib import Path

import generated
import pytest
from evaluator import ANYTHING, Call, Caller
from test_grammar import findings

ACCOUNT = "123456789012"
BUCKET = "judged-closed"
OBJECT = f"arn:aws:s3:::{BUCKET}/key"
ENDPOINT = "vpce-0a1b2c3d"
OPERATOR = [
    f"arn:aws:iam::{ACCOUNT}:role/operator",
    f"arn:aws:iam::{ACCOUNT}:role/*/operator",
]
PLATFORM = f"""
apiVersion: aiplatform.dev/v1alpha1
kind: AIPlatform
metadata: {{name: closed, namespace: policies}}
spec:
  region: eu-west-1
  accountId: "{ACCOUNT}"
  ownership: {{team: judge, contact: judge@example.com, environment: test}}
  network: {{vpcId: vpc-0a, subnetIds: [subnet-0a, subnet-0b], routeTableIds: [rtb-0a]}}
  storage: {{buckets: [{{name: closed, bucketName: {BUCKET}, vpcEndpointOnly: true}}]}}
"""


@pytest.fixture
def policy(tmp_path: Path) -> dict:
    """The bucket's policy, with ids that are known by then."""
    path = tmp_path / "closed.yaml"
    path.write_text(PLATFORM)
    document = generated.bucket_policies(generated.audit(path)["policies", "closed"])[BUCKET]
    document = json.loads(json.dumps(document))
    conditions = document["Statement"][1]["Condition"]
    assert conditions["StringNotEquals"]["aws:SourceVpce"] == "(known after apply)"
    assert conditions["ArnNotLike"]["aws:PrincipalArn"] == "(known after apply)"
    conditions["StringNotEquals"]["aws:SourceVpce"] = ENDPOINT
    conditions["ArnNotLike"]["aws:PrincipalArn"] = OPERATOR
    return document


def caller(policy: dict, role: str) -> Caller:
    return Caller(f"arn:aws:iam::{ACCOUNT}:role/{role}", ACCOUNT, {BUCKET: policy})


def context(**keys: str) -> dict[str, str]:
    given = {
        "aws:SecureTransport": "true",
        "aws:PrincipalIsAWSService": "false",
        "aws:ViaAWSService": "false",
    }
    return given | {f"aws:{name}": value for name, value in keys.items()}


def test_objects_are_reached_through_the_endpoint_alone(policy, judge):
    def allowed(role: str, action: str, resource: str = OBJECT, **keys: str) -> bool:
        asking = caller(policy, role)
        keys["PrincipalArn"] = asking.principal
        call = Call(action, resource, "of a closed bucket", context(**keys))
        return judge.allowed(asking, [ANYTHING], [call])[0]

    for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObjectVersion", "s3:PutObjectAcl"):
        assert not allowed("app", action), action
        assert not allowed("app", action, SourceVpce="vpce-0f"), action
        assert allowed("app", action, SourceVpce=ENDPOINT), action
        assert allowed("app", action, ViaAWSService="true"), action
        for operator in ("operator", "teams/ml/operator"):
            assert allowed(operator, action), f"{action} of {operator}"
        assert not allowed("operator-2", action), action
    for action in ("s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:ListBucketVersions"):
        assert allowed("app", action, f"arn:aws:s3:::{BUCKET}"), action


def test_no_other_action_on_objects_is_left_open(policy, judge):
    """Of all actions that AWS has."""
    call = Call("s3:GetObject", OBJECT, "from elsewhere", context())
    allowed, judged = judge.sweep(caller(policy, "app"), [ANYTHING], call, "s3")
    assert judged > 20
    assert not allowed
    inside = Call("s3:GetObject", OBJECT, "from the VPC", context(SourceVpce=ENDPOINT))
    allowed, _ = judge.sweep(caller(policy, "app"), [ANYTHING], inside, "s3")
    assert len(allowed) > 20


def test_parliament_finds_nothing_in_it(policy):
    # Its data are older than the condition key.
    unknown = "Unknown condition aws:ViaAWSService"
    found = [finding for finding in findings(policy) if unknown not in finding]
    assert not found

"""What the log says that IAM knows of a call: tags of the request and the resource, boundaries."""

import contextlib
from typing import Any

from conftest import ACCOUNT, REGION, Simulator
from policies import allowing, trusting

OWNER = "aiplatform.dev/owner"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"


def known(simulator: Simulator, operation: str) -> dict[tuple[str, str], dict[str, str]]:
    """The condition keys of the last call of an operation, by action and resource."""
    call = simulator.calls(operation)[-1]
    needed = [tuple(each) for each in call["permissions"]]
    return dict(zip(needed, call["conditions"], strict=True))


def tags(owner: str) -> list[dict[str, str]]:
    return [{"Key": OWNER, "Value": owner}]


def test_a_role(simulator: Simulator) -> None:
    iam = simulator.client("iam", "us-east-1")
    policy = iam.create_policy(PolicyName="b", PolicyDocument=allowing())["Policy"]["Arn"]
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trusting(), Tags=tags("a"))
    new = known(simulator, "CreateRole")
    assert new["iam:CreateRole", ROLE] == {f"aws:RequestTag/{OWNER}": "a"}
    assert new["iam:TagRole", ROLE] == {f"aws:RequestTag/{OWNER}": "a"}

    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=allowing())
    put = ("iam:PutRolePolicy", ROLE)
    tagged = {f"aws:ResourceTag/{OWNER}": "a"}
    assert known(simulator, "PutRolePolicy")[put] == tagged
    iam.put_role_permissions_boundary(RoleName="r", PermissionsBoundary=policy)
    bound = {"iam:PermissionsBoundary": policy}
    bind = ("iam:PutRolePermissionsBoundary", ROLE)
    assert known(simulator, "PutRolePermissionsBoundary")[bind] == {**tagged, **bound}
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=allowing())
    assert known(simulator, "PutRolePolicy")[put] == {**tagged, **bound}
    iam.tag_role(RoleName="r", Tags=tags("b"))
    retagged = known(simulator, "TagRole")["iam:TagRole", ROLE]
    assert retagged == {**tagged, **bound, f"aws:RequestTag/{OWNER}": "b"}


def test_an_association(simulator: Simulator) -> None:
    simulator.post("eks/cluster", name="c", region=REGION)
    eks = simulator.client("eks")
    made = eks.create_pod_identity_association(
        clusterName="c", namespace="n", serviceAccount="s", roleArn=ROLE, tags={OWNER: "a"}
    )["association"]
    new = f"arn:aws:eks:{REGION}:{ACCOUNT}:podidentityassociation/c/*"
    asked = {f"aws:RequestTag/{OWNER}": "a"}
    assert known(simulator, "CreatePodIdentityAssociation")["eks:TagResource", new] == asked
    eks.tag_resource(resourceArn=made["associationArn"], tags={OWNER: "b"})
    retagged = known(simulator, "TagResource")["eks:TagResource", made["associationArn"]]
    assert retagged == {f"aws:ResourceTag/{OWNER}": "a", f"aws:RequestTag/{OWNER}": "b"}


def test_a_bucket(simulator: Simulator, s3: Any, bucket: str) -> None:
    simulator.post("s3/foreign-bucket", name="theirs", account="210987654321", region=REGION)
    for name, account in [(bucket, ACCOUNT), ("theirs", "210987654321"), ("none", ACCOUNT)]:
        with contextlib.suppress(s3.exceptions.ClientError):
            s3.get_bucket_policy(Bucket=name)
        need = ("s3:GetBucketPolicy", f"arn:aws:s3:::{name}")
        assert known(simulator, "GetBucketPolicy")[need] == {"aws:ResourceAccount": account}
    created = known(simulator, "CreateBucket")["s3:CreateBucket", f"arn:aws:s3:::{bucket}"]
    assert created == {"aws:ResourceAccount": ACCOUNT}


def test_a_model(simulator: Simulator) -> None:
    iam = simulator.client("iam", "us-east-1")
    trust = trusting(Principal={"Service": "sagemaker.amazonaws.com"})
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)
    sagemaker = simulator.client("sagemaker")
    image = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/i:1"
    sagemaker.create_model(
        ModelName="m", PrimaryContainer={"Image": image}, ExecutionRoleArn=ROLE, Tags=tags("a")
    )
    model = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model/m"
    made = known(simulator, "CreateModel")["sagemaker:AddTags", model]
    assert made == {f"aws:RequestTag/{OWNER}": "a"}
    sagemaker.delete_model(ModelName="m")
    gone = known(simulator, "DeleteModel")["sagemaker:DeleteModel", model]
    assert gone == {f"aws:ResourceTag/{OWNER}": "a"}

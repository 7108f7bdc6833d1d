"""The fifth act: the product grows, its roles are derived, and one widened by hand is narrowed."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import serving
from process import StageError
from stage import ROOT

if TYPE_CHECKING:
    from demo import Demo

MANIFEST = "examples/assistant.yaml"
ACCOUNT = "123456789012"
BOUNDARY = "ml-boundary"
ANALYST = "support-analyst"


def play(demo: Demo) -> None:
    """From consumers in a YAML to roles that can do exactly that."""
    terminal = demo.terminal
    terminal.title("5. Access")
    shutil.copy(ROOT / MANIFEST, demo.stage.work / MANIFEST)
    prepare_account(demo.cloud.iam)
    serving.prepare(demo)
    terminal.say("The product comes back, with three models and three consumers.")
    demo.type(f"aiplatform plan -f {MANIFEST} | grep create")
    terminal.say("One model is the product's own: SageMaker makes an endpoint for it.")
    demo.type_and_watch(f"kubectl apply -f {MANIFEST}", "Ready")
    demo.type("kubectl get aip -n support -o wide")
    terminal.say("The retained bucket was taken back. Nobody wrote a policy; these follow from it:")
    roles = {
        resource["name"]: resource
        for resource in (demo.live.thing or {})["status"]["resources"]
        if resource["kind"] == "Role"
    }
    role = next(name for name in roles if "-api-" in name)
    before = policy(demo.cloud.iam, role)
    for statement in before["Statement"]:
        terminal.line((f"  {statement['Sid']:<28}{actions(statement)}", ""))

    terminal.say("Somebody in a hurry widens one of them.")
    wide = json.loads(json.dumps(before))
    wide["Statement"][0]["Resource"] = "*"
    terminal.command(f"aws iam put-role-policy --role-name {role} \\")
    terminal.line(("    --policy-name access --policy-document file://everything.json", "bold"))
    demo.cloud.iam.put_role_policy(
        RoleName=role, PolicyName="access", PolicyDocument=json.dumps(wide)
    )
    demo.type(f"aiplatform diff -f {MANIFEST} | grep -v keep")
    demo.look_again("Narrowed")
    if policy(demo.cloud.iam, role) != before:
        raise StageError(f"the policy of role {role} is not what it was")
    terminal.say("It can do again what the platform declares, and nothing else.")
    demo.type("kubectl events -n support --for aip/assistant | grep -e REASON -e 'Role.*access'")

    terminal.say("Who may do what, and why:")
    demo.type(f"aiplatform audit -f {MANIFEST}")


def prepare_account(iam: Any) -> None:
    """What the account has before the platform comes: a boundary and an analyst's role."""
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    }
    iam.create_policy(PolicyName=BOUNDARY, PolicyDocument=document(everything))
    iam.create_role(RoleName=ANALYST, AssumeRolePolicyDocument=document(trust))


def document(*statements: dict[str, Any]) -> str:
    """A policy document of these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def policy(iam: Any, role: str) -> dict[str, Any]:
    """The role's inline policy."""
    return iam.get_role_policy(RoleName=role, PolicyName="access")["PolicyDocument"]


def actions(statement: dict[str, Any]) -> str:
    """What a statement says, on one line."""
    several = statement["Action"]
    names = [several] if isinstance(several, str) else several
    return f"{statement['Effect'].lower()} {', '.join(name.partition(':')[2] for name in names)}"

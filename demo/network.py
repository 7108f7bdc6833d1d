"""The seventh act: private paths to models and objects, and calls from here and there judged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from access import ACCOUNT, BOUNDARY, document
from live import Live
from process import StageError
from stage import REGION, ROOT

if TYPE_CHECKING:
    from demo import Demo

MANIFEST = "examples/private.yaml"
NAMESPACE, NAME = "claims", "private"
VPC = "vpc-0a1b2c3d4e5f60718"
SUBNETS = {"subnet-0a1b2c3d4e5f60711": "a", "subnet-0a1b2c3d4e5f60712": "b"}
TABLE = "rtb-0a1b2c3d4e5f60718"
CLIENTS = "sg-0a1b2c3d4e5f60718"
FOUNDATION = f"arn:aws:bedrock:{REGION}::foundation-model/"
DECLARED = f"{FOUNDATION}anthropic.claude-haiku-4-5-20251001-v1:0"
ANOTHER = f"{FOUNDATION}amazon.nova-pro-v1:0"
GUARDRAIL = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:guardrail/gr1abc:3"
ADMIN = f"arn:aws:iam::{ACCOUNT}:user/admin"
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
ENDPOINT_MS = 3000
CALLER_WIDTH, CALL_WIDTH, PATH_WIDTH = 7, 41, 31


class Network:
    """The platform in its network, and calls that are judged."""

    def __init__(self, demo: Demo) -> None:
        """Put in place what the platform takes for granted, and what it is called from."""
        self.demo = demo
        self.terminal = demo.terminal
        self.ec2 = demo.cloud.ec2
        self.bucket = ""
        control = demo.stage.control
        control("timings", {"ec2.endpoint.create": ENDPOINT_MS, "ec2.endpoint.modify": 500})
        control("ec2/vpc", {"region": REGION, "vpcId": VPC})
        for subnet, zone in SUBNETS.items():
            place = {"region": REGION, "vpcId": VPC, "zone": f"{REGION}{zone}"}
            control("ec2/subnet", {**place, "subnetId": subnet})
        table = {"region": REGION, "vpcId": VPC, "routeTableId": TABLE}
        control("ec2/route-table", {**table, "subnetIds": list(SUBNETS)})
        clients = self.ec2.create_security_group(
            GroupName="clients", Description="Nodes of the cluster", VpcId=VPC
        )
        text = (ROOT / MANIFEST).read_text().replace(CLIENTS, clients["GroupId"])
        (demo.stage.work / MANIFEST).write_text(without_sagemaker(text))

    def endpoint(self, service: str) -> str:
        """The id of the platform's endpoint for a service."""
        return self.status("VpcEndpoint", service)["id"]

    def role(self) -> str:
        """The ARN of the consumer's role."""
        return self.status("Role", "-api-")["arn"]

    def status(self, kind: str, name: str) -> dict[str, Any]:
        """What the object says of one of its resources."""
        resources = (self.demo.live.thing or {})["status"]["resources"]
        return next(r for r in resources if r["kind"] == kind and name in r["name"])

    def judge(self, caller: str, call: str, path: str | None, *, expect: bool) -> None:
        """Show what becomes of a call by the policies that now are in the account."""
        action, resource, shown = {
            "read": ("s3:GetObject", f"arn:aws:s3:::{self.bucket}/prompts/a.txt", "prompts/a.txt"),
            "declared": ("bedrock:InvokeModel", DECLARED, "claude-haiku-4-5"),
            "another": ("bedrock:InvokeModel", ANOTHER, "nova-pro"),
        }[call]
        body: dict[str, Any] = {"principal": self.role(), "action": action, "resource": resource}
        if caller == "admin":
            body |= {"principal": ADMIN, "identityPolicies": [json.loads(document(EVERYTHING))]}
        if action.startswith("bedrock"):
            body["context"] = {"bedrock:GuardrailIdentifier": GUARDRAIL}
        if path:
            body["endpointId"] = self.endpoint(path)
        answer = self.demo.stage.control("evaluate", body)
        if answer["allowed"] != expect:
            raise StageError(f"{action} by {caller} through {path}: {answer['reason']}")
        place = f"VPC endpoint {path}" if path else "the internet"
        self.terminal.line(
            (f"  {caller:<{CALLER_WIDTH}}{f'{action} {shown}':<{CALL_WIDTH}}", ""),
            (f"{place:<{PATH_WIDTH}}", "dim"),
            ("allowed", "green") if expect else ("refused", "red"),
            ("" if expect else f"  {answer['reason']}", "dim"),
        )


def from_vpc_alone() -> dict[str, Any]:
    """What the boundary says of models."""
    return {
        "Sid": "ModelsFromTheVpcAlone",
        "Effect": "Deny",
        "Action": ["bedrock:InvokeModel*", "sagemaker:InvokeEndpoint*"],
        "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:SourceVpc": VPC}},
    }


def without_sagemaker(text: str) -> str:
    """The manifest without its model on SageMaker, which had an act of its own."""
    before, _, rest = text.partition("  - name: triage\n")
    after = rest[rest.index("  access:\n") :]
    return before + after.replace("[draft, triage]", "[draft]")


def play(demo: Demo) -> None:
    """From a network in a YAML to paths that let exactly that through."""
    terminal = demo.terminal
    terminal.title("7. Network")
    network = Network(demo)
    terminal.say(
        "Another product, in a VPC that is there. Its models are called over private paths."
    )
    overview = "sed -n '/ steps$/,$p' | grep -e SecurityGroup -e VpcEndpoint -e billed"
    demo.type(f"aiplatform plan -f {MANIFEST} | {overview}")
    demo.stage.kubectl("create", "namespace", NAMESPACE)
    demo.live.watch.stop()
    demo.live = Live(demo.stage, terminal, NAMESPACE, NAME)
    demo.type_and_watch(f"kubectl apply -f {MANIFEST}", "Ready")
    network.bucket = network.status("Bucket", "-artifacts-")["name"]

    terminal.say("Who gets through? By the policies in the account, evaluated as AWS does:")
    network.judge("api", "read", "s3", expect=True)
    network.judge("api", "read", None, expect=True)
    network.judge("api", "declared", "bedrock-runtime", expect=True)
    network.judge("api", "declared", None, expect=True)
    network.judge("admin", "another", "bedrock-runtime", expect=False)
    terminal.say("What is not declared does not pass, not even for an administrator.")
    terminal.say(
        "Credentials that leak still work from outside. A line in the spec closes the bucket;"
    )
    demo.type(f"sed -i 's/^      encryption:/      vpcEndpointOnly: true\\n&/' {MANIFEST}")
    demo.type_and_watch(f"kubectl apply -f {MANIFEST}", "Ready")
    terminal.say("and a boundary of the platform team, the path to models.")
    terminal.command(
        f"aws iam create-policy-version --set-as-default --policy-arn .../{BOUNDARY} \\"
    )
    terminal.line(("    --policy-document file://models-from-the-vpc-alone.json", "bold"))
    demo.cloud.iam.create_policy_version(
        PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/{BOUNDARY}",
        PolicyDocument=document(EVERYTHING, from_vpc_alone()),
        SetAsDefault=True,
    )
    terminal.say("The same calls once more:")
    network.judge("api", "read", "s3", expect=True)
    network.judge("api", "read", None, expect=False)
    network.judge("api", "declared", "bedrock-runtime", expect=True)
    network.judge("api", "declared", None, expect=False)

    terminal.say("Somebody opens the endpoint, to try another model.")
    terminal.command(
        f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {network.endpoint('bedrock')} \\"
    )
    terminal.line(("    --policy-document file://everything.json", "bold"))
    network.ec2.modify_vpc_endpoint(
        VpcEndpointId=network.endpoint("bedrock"),
        PolicyDocument=document({**EVERYTHING, "Principal": "*"}),
    )
    network.judge("admin", "another", "bedrock-runtime", expect=True)
    demo.look_again("Closed", NAMESPACE, NAME)
    network.judge("admin", "another", "bedrock-runtime", expect=False)

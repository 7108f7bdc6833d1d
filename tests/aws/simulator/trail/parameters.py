"""Parameters of calls as CloudTrail spells them.

Most services write each member with a small first letter. S3 names the bucket and little else;
EC2 nests newer calls in an element named after the request, and writes lists as sets of items.
"""

from typing import Any

from simulator.call import Call
from simulator.journal import plain

# Calls of EC2 that stand in an element of their own. Members keep their case in it.
NESTED = frozenset(
    {
        *("CreateVpcEndpoint", "ModifyVpcEndpoint", "DeleteVpcEndpoints"),
        *("ModifySecurityGroupRules", "UpdateSecurityGroupRuleDescriptionsIngress"),
        "UpdateSecurityGroupRuleDescriptionsEgress",
    }
)


def request_parameters(call: Call) -> Any:
    """The parameters of a call."""
    given = plain(call.parameters)
    if call.service == "s3":
        return _of_s3(given)
    if call.service == "ec2":
        return _of_ec2(call.operation or "", given)
    return lowered(given)


def _of_s3(given: dict[str, Any]) -> dict[str, Any]:
    named = {"bucketName": given.get("Bucket"), "key": given.get("Key")}
    return {name: value for name, value in named.items() if value is not None}


def _of_ec2(operation: str, given: dict[str, Any]) -> dict[str, Any]:
    if operation in NESTED:
        members = {_singular(name): _numbered(value) for name, value in given.items()}
        return {f"{operation}Request": members}
    if operation in ("CreateTags", "DeleteTags"):
        return {
            "resourcesSet": {
                "items": [{"resourceId": each} for each in given.get("Resources", [])]
            },
            "tagSet": {"items": lowered(given.get("Tags", []))},
        }
    return _items(lowered(given))


def _singular(name: str) -> str:
    return name.removesuffix("s") if name.endswith("Ids") else name


def _numbered(value: Any) -> Any:
    """A list as the XML of the request has it; of one member, the member alone."""
    if not isinstance(value, list):
        return value
    numbered = [{"tag": index + 1, "content": each} for index, each in enumerate(value)]
    return numbered[0] if len(numbered) == 1 else numbered


def _items(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _items(member) for name, member in value.items()}
    if isinstance(value, list):
        return {"items": [_items(member) for member in value]}
    return value


def lowered(value: Any) -> Any:
    """The same with every member's first letter small."""
    if isinstance(value, dict):
        return {name[:1].lower() + name[1:]: lowered(member) for name, member in value.items()}
    if isinstance(value, list):
        return [lowered(member) for member in value]
    return value

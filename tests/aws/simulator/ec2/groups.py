"""Security groups: making, describing and deleting them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from simulator.call import Call
from simulator.ec2.endpoint import endpoints_in
from simulator.ec2.interfaces import interfaces_with
from simulator.ec2.items import Item, answer_with
from simulator.ec2.listing import Listing, page_of
from simulator.ec2.quotas import quota
from simulator.ec2.rules import (
    IPV4,
    IPV6,
    PEER,
    PREFIX_LIST,
    Rule,
    all_rules,
    drop_rules,
    groups_in,
    permissions,
    rules_of,
)
from simulator.ec2.service import (
    GROUP,
    LOOKUPS,
    VPC,
    arn_of,
    backend_of,
    find,
    forget_tags,
    invalid_value,
    missing_parameter,
    service,
    tags_of,
)
from simulator.ec2.tagging import tags_in_creation
from simulator.errors import AwsError
from simulator.phases import Delay
from simulator.wire import Response

if TYPE_CHECKING:
    from moto.ec2.models.security_groups import SecurityGroup

VISIBLE = "ec2.securityGroup.visible"
LONGEST = 255
TEXT = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]*")
CHARACTERS = "a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"

# By group: until when only those who made it know of it.
_hidden: dict[str, Delay] = {}


@service.on_reset
def forget_creations() -> None:
    """Drop when groups were made."""
    _hidden.clear()


def visible_groups(call: Call) -> list[SecurityGroup]:
    """The caller's groups that can be found by now."""
    groups = groups_in(backend_of(call))
    return [group for group in groups if group.id not in _hidden or _hidden[group.id].is_over]


LOOKUPS[GROUP] = lambda call, number: next(
    (group for group in visible_groups(call) if group.id == number), None
)


@service.before("CreateSecurityGroup")
def create_security_group(call: Call) -> dict[str, Any]:
    """Make a group that lets everything out and nothing in."""
    given, backend = call.parameters, backend_of(call)
    name = given["GroupName"]
    _check_name(name)
    _check_text(given["Description"])
    vpc_id = _vpc_of(call)
    tags = tags_in_creation(call, GROUP)
    held = backend.groups[vpc_id].values()
    if any(group.name.lower() == name.lower() for group in held):
        message = f"The security group '{name}' already exists for VPC '{vpc_id}'"
        raise AwsError("InvalidGroup.Duplicate", message)
    if len(groups_in(backend)) >= quota("securityGroupsPerRegion"):
        message = f"The maximum number of security groups for VPC '{vpc_id}' has been reached."
        raise AwsError("SecurityGroupLimitExceeded", message)
    group = backend.create_security_group(name, given["Description"], vpc_id=vpc_id, tags=tags)
    _hidden[group.id] = Delay(VISIBLE)
    return {
        "GroupId": group.id,
        "SecurityGroupArn": arn_of(call, GROUP, group.id),
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }


def _check_name(name: str) -> None:
    if name.lower() == "default":
        message = f"Cannot use reserved security group name: {name}"
        raise AwsError("InvalidGroup.Reserved", message)
    if name.startswith("sg-"):
        raise invalid_value(
            f"Value ({name}) for parameter GroupName is invalid. Group names may not be in the "
            "format sg-*."
        )
    if not 0 < len(name) <= LONGEST or not TEXT.fullmatch(name):
        raise invalid_value(
            f"Value ({name}) for parameter GroupName is invalid. Group names are strings of up to "
            f"{LONGEST} characters from the following set:  {CHARACTERS}"
        )


def _check_text(description: str) -> None:
    if not description:
        raise missing_parameter("GroupDescription")
    if len(description) > LONGEST or not TEXT.fullmatch(description):
        raise invalid_value(
            "Invalid security group description. Valid descriptions are strings less than 256 "
            f"characters from the following set:  {CHARACTERS}"
        )


def _vpc_of(call: Call) -> str:
    number = call.parameters.get("VpcId")
    if number is not None:
        return find(call, VPC, number).id
    default = backend_of(call).get_default_vpc()
    if default is None:
        raise AwsError("VPCIdNotSpecified", "No default VPC for this user")
    return default.id


def group_named_in(call: Call) -> SecurityGroup:
    """The group that a call names: by its id, or by its name in the default VPC."""
    number, name = call.parameters.get("GroupId"), call.parameters.get("GroupName")
    if number is not None:
        return find(call, GROUP, number)
    if name is None:
        raise missing_parameter("groupId")
    vpc = backend_of(call).get_default_vpc()
    for group in visible_groups(call):
        if vpc is not None and group.vpc_id == vpc.id and group.name == name:
            return group
    raise AwsError(GROUP.not_found, f"The security group '{name}' does not exist")


@service.before("DeleteSecurityGroup")
def delete_security_group(call: Call) -> dict[str, Any]:
    """Delete a group that nothing uses, with its rules."""
    group, backend = group_named_in(call), backend_of(call)
    if group.name == "default":
        raise AwsError(
            "CannotDelete",
            f'the specified group: "{group.id}" name: "default" cannot be deleted by a user',
        )
    is_referenced = any(
        rule.traffic.kind == PEER and rule.traffic.target == group.id
        for rule in all_rules(backend)
        if rule.group_id != group.id
    )
    is_on_endpoint = any(
        group.id in endpoint.group_ids for endpoint in endpoints_in((call.account, call.region))
    )
    if is_referenced or is_on_endpoint or interfaces_with(backend, group.id):
        raise AwsError("DependencyViolation", f"resource {group.id} has a dependent object")
    backend.groups[group.vpc_id].pop(group.id)
    for rule in drop_rules(group.id):
        forget_tags(backend, rule.id)
    forget_tags(backend, group.id)
    _hidden.pop(group.id, None)
    return {"Return": True, "GroupId": group.id}


def _rule_filters(prefix: str, is_egress: bool) -> dict[str, Any]:
    """The filters by what the rules of one direction hold."""

    def each(of: Any) -> Any:
        return lambda group: [of(rule) for rule in rules_of(group) if rule.is_egress == is_egress]

    def target(kind: str) -> Any:
        return each(lambda rule: rule.traffic.target if rule.traffic.kind == kind else None)

    return {
        f"{prefix}.cidr": target(IPV4),
        f"{prefix}.ipv6-cidr": target(IPV6),
        f"{prefix}.prefix-list-id": target(PREFIX_LIST),
        f"{prefix}.group-id": target(PEER),
        f"{prefix}.protocol": each(lambda rule: rule.traffic.protocol),
        f"{prefix}.from-port": each(lambda rule: rule.traffic.first_port),
        f"{prefix}.to-port": each(lambda rule: rule.traffic.last_port),
        f"{prefix}.user-id": each(lambda rule: rule.peer_account),
    }


GROUPS = Listing(
    {
        "group-id": lambda group: group.id,
        "group-name": lambda group: group.name,
        "description": lambda group: group.description,
        "owner-id": lambda group: group.owner_id,
        "vpc-id": lambda group: group.vpc_id,
        **_rule_filters("ip-permission", False),
        **_rule_filters("egress.ip-permission", True),
    },
    GROUP,
    "GroupIds",
)


@service.before("DescribeSecurityGroups")
def describe_security_groups(call: Call) -> Response:
    """Groups with their rules, by page."""
    groups = visible_groups(call)
    for name in call.parameters.get("GroupNames") or []:
        if not any(group.name == name for group in groups):
            raise AwsError(GROUP.not_found, f"The security group '{name}' does not exist")
    if names := call.parameters.get("GroupNames"):
        groups = [group for group in groups if group.name in names]
    page, more = page_of(call, GROUPS, groups)
    items = [_item(call, group) for group in page]
    return answer_with(call, "SecurityGroups", items, more)


def _item(call: Call, group: SecurityGroup) -> Item:
    rules = [
        (rule.id, rule.traffic, rule.is_egress, rule.description, rule.peer_account)
        for rule in rules_of(group)
    ]
    state = (group.name, group.description, rules, dict(group.ec2_backend.tags.get(group.id, {})))
    return Item(group.id, state, lambda: _description(call, group))


def _description(call: Call, group: SecurityGroup) -> dict[str, Any]:
    def of_direction(is_egress: bool) -> list[Rule]:
        return [rule for rule in rules_of(group) if rule.is_egress == is_egress]

    tags = tags_of(backend_of(call), group.id)
    return {
        "GroupId": group.id,
        "GroupName": group.name,
        "Description": group.description,
        "OwnerId": group.owner_id,
        "VpcId": group.vpc_id,
        "SecurityGroupArn": arn_of(call, GROUP, group.id),
        "IpPermissions": permissions(of_direction(is_egress=False)),
        "IpPermissionsEgress": permissions(of_direction(is_egress=True)),
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }

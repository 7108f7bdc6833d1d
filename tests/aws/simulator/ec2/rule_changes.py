"""Authorize, revoke and modify: the rules of security groups change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from simulator.call import Call
from simulator.ec2.groups import group_named_in
from simulator.ec2.listing import Listing, page_of
from simulator.ec2.quotas import quota
from simulator.ec2.rule_requests import (
    Request,
    check_peer,
    checked_ports,
    known_prefix_list,
    normal_cidr,
    normal_protocol,
    requested,
)
from simulator.ec2.rules import (
    IPV4,
    IPV6,
    PEER,
    PREFIX_LIST,
    Rule,
    Traffic,
    all_rules,
    permissions,
    rules_of,
)
from simulator.ec2.service import (
    RULE,
    backend_of,
    check_ids,
    forget_tags,
    invalid_value,
    missing_parameter,
    not_found,
    service,
)
from simulator.ec2.tagging import tags_in_creation
from simulator.errors import AwsError

if TYPE_CHECKING:
    from moto.ec2.models.security_groups import SecurityGroup

NO_SUCH_RULE = "The specified rule does not exist in this security group."
RULES = Listing(
    {"group-id": lambda rule: rule.group_id, "security-group-rule-id": lambda rule: rule.id},
    RULE,
    "SecurityGroupRuleIds",
)


@service.before("AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress")
def authorize(call: Call) -> dict[str, Any]:
    """Add rules: all of them, or none."""
    group, is_egress = group_named_in(call), _is_egress(call)
    requests = requested(call, group)
    tags = tags_in_creation(call, RULE)
    held = rules_of(group)
    for request in requests:
        if any(rule.traffic == request.traffic for rule in _of_direction(held, is_egress)):
            raise duplicate(request.traffic)
    made = [_made(group, is_egress, request) for request in requests]
    _check_quota([*_of_direction(held, is_egress), *made], call)
    held += made
    backend = backend_of(call)
    for rule in made:
        backend.tags[rule.id].update(tags)
    return {"Return": True, "SecurityGroupRules": [rule.summary(backend) for rule in made]}


def _made(group: SecurityGroup, is_egress: bool, request: Request) -> Rule:
    return Rule(
        request.traffic,
        is_egress,
        group.id,
        group.owner_id,
        request.description,
        request.peer_account,
    )


def _is_egress(call: Call) -> bool:
    return (call.operation or "").endswith("Egress")


def _of_direction(rules: Iterable[Rule], is_egress: bool) -> list[Rule]:
    return [rule for rule in rules if rule.is_egress == is_egress]


def duplicate(traffic: Traffic) -> AwsError:
    """The answer to a rule that is there already."""
    return AwsError("InvalidPermission.Duplicate", f'the specified rule "{traffic}" already exists')


def _check_quota(rules: list[Rule], call: Call) -> None:
    """Count rules of one direction as EC2 does: for IPv4 and IPv6 apart."""
    for family, other in ((IPV4, IPV6), (IPV6, IPV4)):
        counted = sum(_weight(call, rule) for rule in rules if rule.traffic.kind != other)
        added = any(rule.traffic.kind in (family, PEER, PREFIX_LIST) for rule in rules)
        if added and counted > quota("rulesPerSecurityGroup"):
            raise AwsError(
                "RulesPerSecurityGroupLimitExceeded",
                "The maximum number of rules per security group has been reached.",
            )


def _weight(call: Call, rule: Rule) -> int:
    if rule.traffic.kind != PREFIX_LIST:
        return 1
    lists = backend_of(call).managed_prefix_lists
    return int(lists[rule.traffic.target].max_entries or 1)


@service.before("RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress")
def revoke(call: Call) -> dict[str, Any]:
    """Remove rules by id, or by all that they are; their descriptions do not count."""
    group, is_egress = group_named_in(call), _is_egress(call)
    held = rules_of(group)
    candidates = _of_direction(held, is_egress)
    unknown: list[Request] = []
    if ids := call.parameters.get("SecurityGroupRuleIds"):
        doomed = _by_id(candidates, ids)
    else:
        doomed = []
        for request in requested(call, group):
            match = next((each for each in candidates if each.traffic == request.traffic), None)
            if match is None:
                unknown.append(request)
            else:
                doomed.append(match)
    # In a default VPC, what does not match is told and not refused.
    if unknown and not backend_of(call).vpcs[group.vpc_id].is_default:
        raise AwsError("InvalidPermission.NotFound", NO_SUCH_RULE)
    held[:] = [rule for rule in held if rule not in doomed]
    answer = _revoked(call, doomed)
    if unknown:
        rules = [_made(group, is_egress, request) for request in unknown]
        answer["UnknownIpPermissions"] = permissions(rules)
    return answer


def _by_id(rules: list[Rule], ids: list[str]) -> list[Rule]:
    check_ids(RULE, ids)
    by_id = {rule.id: rule for rule in rules}
    for number in ids:
        if number not in by_id:
            raise not_found(RULE, number)
    return [by_id[number] for number in dict.fromkeys(ids)]


def _revoked(call: Call, rules: list[Rule]) -> dict[str, Any]:
    backend = backend_of(call)
    told = []
    for rule in rules:
        summary = rule.summary(backend)
        if rule.traffic.kind == PEER:
            summary["ReferencedGroupId"] = summary.pop("ReferencedGroupInfo")["GroupId"]
        for name in ("GroupOwnerId", "Tags"):
            summary.pop(name)
        told.append(summary)
        forget_tags(backend, rule.id)
    return {"Return": True, "RevokedSecurityGroupRules": told}


@service.before("ModifySecurityGroupRules")
def modify(call: Call) -> dict[str, Any]:
    """Give rules other contents: all of them, or none. What kind of peer one has stays."""
    group = group_named_in(call)
    held = rules_of(group)
    updates = call.parameters["SecurityGroupRules"]
    rules = _by_id(held, [update["SecurityGroupRuleId"] for update in updates])
    changed: dict[str, Rule] = {}
    for update in updates:
        rule = next(each for each in rules if each.id == update["SecurityGroupRuleId"])
        if rule.id in changed:
            raise invalid_value(f"The security group rule ID '{rule.id}' is used more than once.")
        changed[rule.id] = _modified(call, group, rule, update.get("SecurityGroupRule") or {})
    result = [changed.get(rule.id, rule) for rule in held]
    seen = set()
    for rule in result:
        if (rule.is_egress, rule.traffic) in seen:
            raise duplicate(rule.traffic)
        seen.add((rule.is_egress, rule.traffic))
    held[:] = result
    return {"Return": True}


def _modified(call: Call, group: SecurityGroup, rule: Rule, given: dict[str, Any]) -> Rule:
    names = {IPV4: IPV4, IPV6: IPV6, PREFIX_LIST: PREFIX_LIST, PEER: "ReferencedGroupId"}
    targets = {kind: given[name] for kind, name in names.items() if given.get(name) is not None}
    if len(targets) != 1:
        raise missing_parameter("cidrIpv4, cidrIpv6, prefixListId or referencedGroupId")
    (kind, target), *_ = targets.items()
    if kind != rule.traffic.kind:
        raise invalid_value(
            f"The source or destination type of security group rule {rule.id} cannot be changed."
        )
    if kind in (IPV4, IPV6):
        target = normal_cidr(target, 4 if kind == IPV4 else 6)
    elif kind == PREFIX_LIST:
        target = known_prefix_list(call, target)
    else:
        check_peer(call, group, target)
    protocol = normal_protocol(given.get("IpProtocol"))
    first, last = checked_ports(protocol, given.get("FromPort"), given.get("ToPort"))
    traffic = Traffic(protocol, first, last, kind, target)
    return replace(rule, traffic=traffic, description=given.get("Description"))


@service.before("DescribeSecurityGroupRules")
def describe(call: Call) -> dict[str, Any]:
    """Rules of all groups, by page."""
    backend = backend_of(call)
    page, more = page_of(call, RULES, all_rules(backend))
    return {"SecurityGroupRules": [rule.summary(backend) for rule in page], **more}

"""EC2: the rules of security groups."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from conftest import ACCOUNT, Simulator
from failures import refused
from networking import NOWHERE, Network, filters, permission, tags

Group = tuple[Network, str]


@pytest.fixture
def group(network: Network) -> Group:
    """A group, and the network that it is in."""
    return network, network.group()


def authorize(group: Group, *permissions: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    network, number = group
    return network.ec2.authorize_security_group_ingress(
        GroupId=number, IpPermissions=list(permissions) or [permission()], **more
    )["SecurityGroupRules"]


def ingress(group: Group) -> list[dict[str, Any]]:
    network, number = group
    told = network.ec2.describe_security_groups(GroupIds=[number])["SecurityGroups"][0]
    return told["IpPermissions"]


def rules(group: Group, egress: bool = False) -> list[dict[str, Any]]:
    network, number = group
    told = network.ec2.describe_security_group_rules(Filters=filters(group_id=number))
    return [rule for rule in told["SecurityGroupRules"] if rule["IsEgress"] == egress]


def test_rules_are_told_one_by_one_and_by_group(group: Group) -> None:
    network, number = group
    made = authorize(
        group,
        permission(
            IpRanges=[{"CidrIp": "10.0.0.0/16", "Description": "the VPC"}],
            UserIdGroupPairs=[{"GroupId": network.default_group}],
        ),
        permission(FromPort=80, ToPort=81, Ipv6Ranges=[{"CidrIpv6": "2001:db8::/32"}]),
        TagSpecifications=tags("security-group-rule", a="b"),
    )
    assert len(made) == 4
    assert re.fullmatch(r"sgr-[0-9a-f]{17}", made[0]["SecurityGroupRuleId"])
    assert made[0] == {
        "SecurityGroupRuleId": made[0]["SecurityGroupRuleId"],
        "GroupId": number,
        "GroupOwnerId": ACCOUNT,
        "IsEgress": False,
        "IpProtocol": "tcp",
        "FromPort": 443,
        "ToPort": 443,
        "CidrIpv4": "10.0.0.0/16",
        "Description": "the VPC",
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    assert made[1]["ReferencedGroupInfo"] == {"GroupId": network.default_group, "UserId": ACCOUNT}
    assert rules(group) == made
    empty: dict[str, Any] = {"Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}
    assert ingress(group) == [
        {
            **empty,
            "IpProtocol": "tcp",
            "FromPort": 443,
            "ToPort": 443,
            "IpRanges": [{"CidrIp": "10.0.0.0/16", "Description": "the VPC"}],
            "UserIdGroupPairs": [{"GroupId": network.default_group, "UserId": ACCOUNT}],
        },
        {
            **empty,
            "IpProtocol": "tcp",
            "FromPort": 80,
            "ToPort": 81,
            "IpRanges": [{"CidrIp": "10.0.0.0/16"}],
            "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}],
        },
    ]


def test_rules_out(group: Group) -> None:
    network, number = group
    (everything,) = rules(group, egress=True)
    assert (everything["IpProtocol"], everything["FromPort"], everything["CidrIpv4"]) == (
        "-1",
        -1,
        "0.0.0.0/0",
    )
    prefix_list = network.ec2.describe_managed_prefix_lists()["PrefixLists"][0]["PrefixListId"]
    network.ec2.authorize_security_group_egress(
        GroupId=number,
        IpPermissions=[permission(IpRanges=None, PrefixListIds=[{"PrefixListId": prefix_list}])],
    )
    network.ec2.revoke_security_group_egress(
        GroupId=number, SecurityGroupRuleIds=[everything["SecurityGroupRuleId"]]
    )
    (rule,) = rules(group, egress=True)
    assert rule["PrefixListId"] == prefix_list
    assert ingress(group) == []


@pytest.mark.parametrize(
    ("given", "peer"),
    [
        ({}, "10.0.0.0/16, TCP, from port: 443, to port: 443"),
        ({"IpProtocol": "6"}, "10.0.0.0/16, TCP, from port: 443, to port: 443"),
        ({"IpRanges": [{"CidrIp": "10.0.7.7/16"}]}, "10.0.0.0/16, TCP, from port: 443"),
    ],
)
def test_what_is_there_already(group: Group, given: dict[str, Any], peer: str) -> None:
    authorize(group)
    network, number = group
    status, code, message = refused(
        network.ec2.authorize_security_group_ingress,
        GroupId=number,
        IpPermissions=[permission(FromPort=1, ToPort=2), permission(**given)],
    )
    assert (status, code) == (400, "InvalidPermission.Duplicate")
    assert message.startswith(f'the specified rule "peer: {peer}')
    assert message.endswith(', ALLOW" already exists')
    assert len(rules(group)) == 1


def test_everything_from_a_group_that_is_there_already(group: Group) -> None:
    network, number = group
    pair = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": network.default_group}]}
    authorize(group, pair)
    answer = refused(
        network.ec2.authorize_security_group_ingress, GroupId=number, IpPermissions=[pair]
    )
    assert answer == (
        400,
        "InvalidPermission.Duplicate",
        f'the specified rule "peer: {network.default_group}, ALL, ALLOW" already exists',
    )


@pytest.mark.parametrize(
    ("given", "protocol", "ports"),
    [
        ({"IpProtocol": "TCP"}, "tcp", (443, 443)),
        ({"IpProtocol": "17"}, "udp", (443, 443)),
        ({"IpProtocol": "-1"}, "-1", (-1, -1)),
        ({"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1}, "icmp", (8, -1)),
        ({"IpProtocol": "1", "FromPort": None, "ToPort": None}, "icmp", (-1, -1)),
        ({"IpProtocol": "50"}, "50", (-1, -1)),
    ],
)
def test_protocols(
    group: Group, given: dict[str, Any], protocol: str, ports: tuple[int, int]
) -> None:
    (rule,) = authorize(group, permission(**given))
    assert (rule["IpProtocol"], (rule["FromPort"], rule["ToPort"])) == (protocol, ports)
    assert rule["CidrIpv4"] == "10.0.0.0/16"


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        (
            {"IpProtocol": "all"},
            "InvalidParameterValue",
            "Invalid value 'all' for IP protocol. Unknown protocol.",
        ),
        ({"IpProtocol": "256"}, "InvalidParameterValue", "Unknown protocol."),
        ({"IpProtocol": None}, "MissingParameter", "ipProtocol"),
        (
            {"ToPort": None},
            "InvalidParameterValue",
            "Invalid value for portRange. Must specify both from and to ports with TCP/UDP.",
        ),
        ({"ToPort": 442}, "InvalidParameterValue", "Invalid TCP/UDP port range (443:442)"),
        ({"ToPort": 65536}, "InvalidParameterValue", "Invalid TCP/UDP port range (443:65536)"),
        ({"IpRanges": None}, "MissingParameter", "ipRanges"),
        (
            {"IpRanges": [{"CidrIp": "10.0.0.0/33"}]},
            "InvalidParameterValue",
            "CIDR block 10.0.0.0/33 is malformed",
        ),
        (
            {"IpRanges": [{"CidrIp": "10.0.0.1"}]},
            "InvalidParameterValue",
            "CIDR block 10.0.0.1 is malformed",
        ),
        (
            {"IpRanges": [{"CidrIp": "2001:db8::/32"}]},
            "InvalidParameterValue",
            "CIDR block 2001:db8::/32 is malformed",
        ),
        (
            {"IpRanges": [{"CidrIp": "10.0.0.0/16", "Description": "it's"}]},
            "InvalidParameterValue",
            "Invalid rule description.",
        ),
        (
            {"IpRanges": [{"CidrIp": "10.0.0.0/16"}, {"CidrIp": "10.0.1.0/16"}]},
            "InvalidParameterValue",
            "The same permission must not appear multiple times",
        ),
        (
            {"UserIdGroupPairs": [{"GroupId": f"sg-{NOWHERE}"}]},
            "InvalidGroup.NotFound",
            f"The security group 'sg-{NOWHERE}' does not exist",
        ),
        (
            {"UserIdGroupPairs": [{"GroupId": "g"}]},
            "InvalidGroupId.Malformed",
            'Invalid id: "g" (expecting "sg-...")',
        ),
        (
            {"PrefixListIds": [{"PrefixListId": f"pl-{NOWHERE}"}]},
            "InvalidPrefixListID.NotFound",
            f"The prefix list ID 'pl-{NOWHERE}' does not exist",
        ),
    ],
)
def test_bad_rules(group: Group, given: dict[str, Any], code: str, message: str) -> None:
    network, number = group
    for call in (
        network.ec2.authorize_security_group_ingress,
        network.ec2.authorize_security_group_egress,
    ):
        answer = refused(call, GroupId=number, IpPermissions=[permission(**given)])
        assert answer[:2] == (400, code)
        assert message in answer[2]
    assert rules(group) == []


def test_groups_of_another_vpc_are_no_peers(group: Group) -> None:
    network, number = group
    other = network.group("other", VpcId=network.other_vpc())
    pair = permission(IpRanges=None, UserIdGroupPairs=[{"GroupId": other}])
    assert refused(
        network.ec2.authorize_security_group_ingress, GroupId=number, IpPermissions=[pair]
    ) == (
        400,
        "InvalidGroup.NotFound",
        "You have specified two resources that belong to different networks.",
    )


def test_rules_in_the_old_form(group: Group) -> None:
    network, number = group
    given = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "10.0.0.0/8"}
    network.ec2.authorize_security_group_ingress(GroupId=number, **given)
    (rule,) = rules(group)
    assert (rule["FromPort"], rule["CidrIpv4"]) == (22, "10.0.0.0/8")
    network.ec2.revoke_security_group_ingress(GroupId=number, **given)
    assert rules(group) == []
    assert refused(network.ec2.authorize_security_group_ingress, GroupId=number)[1] == (
        "MissingParameter"
    )


@pytest.mark.parametrize("by_id", [True, False])
def test_revoking(group: Group, by_id: bool) -> None:
    network, number = group
    described = permission(IpRanges=[{"CidrIp": "10.0.0.0/16", "Description": "d"}])
    kept, gone = authorize(group, permission(FromPort=80, ToPort=80), described)
    named: dict[str, Any] = {"IpPermissions": [permission()]}
    if by_id:
        named = {"SecurityGroupRuleIds": [gone["SecurityGroupRuleId"]]}
    answer = network.ec2.revoke_security_group_ingress(GroupId=number, **named)
    assert answer["Return"] is True
    assert [rule["SecurityGroupRuleId"] for rule in answer["RevokedSecurityGroupRules"]] == [
        gone["SecurityGroupRuleId"]
    ]
    assert rules(group) == [kept]


@pytest.mark.parametrize(
    ("named", "code", "message"),
    [
        (
            {"IpPermissions": [permission(), permission(FromPort=80)]},
            "InvalidPermission.NotFound",
            "The specified rule does not exist in this security group.",
        ),
        (
            {"SecurityGroupRuleIds": [f"sgr-{NOWHERE}"]},
            "InvalidSecurityGroupRuleId.NotFound",
            f"The security group rule ID 'sgr-{NOWHERE}' does not exist",
        ),
        (
            {"SecurityGroupRuleIds": ["r"]},
            "InvalidSecurityGroupRuleId.Malformed",
            'Invalid id: "r" (expecting "sgr-...")',
        ),
    ],
)
def test_nothing_is_revoked_unless_all_of_it_is_there(
    group: Group, named: dict[str, Any], code: str, message: str
) -> None:
    network, number = group
    made = authorize(group)
    answer = refused(network.ec2.revoke_security_group_ingress, GroupId=number, **named)
    assert answer == (400, code, message)
    assert rules(group) == made
    answer = refused(network.ec2.revoke_security_group_egress, GroupId=number, **named)
    assert answer[:2] == (400, code)


def test_in_a_default_vpc_what_is_not_there_is_told(network: Network) -> None:
    number = network.ec2.create_security_group(GroupName="g", Description="d")["GroupId"]
    answer = network.ec2.revoke_security_group_ingress(GroupId=number, IpPermissions=[permission()])
    (unknown,) = answer["UnknownIpPermissions"]
    assert unknown["IpRanges"] == [{"CidrIp": "10.0.0.0/16"}]


def modify(group: Group, rule: dict[str, Any], **fields: Any) -> dict[str, Any]:
    network, number = group
    given = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **fields}
    update = {"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "SecurityGroupRule": given}
    return {"GroupId": number, "SecurityGroupRules": [update]}


def test_modifying(group: Group) -> None:
    network, _ = group
    (rule,) = authorize(group, TagSpecifications=tags("security-group-rule", a="b"))
    network.ec2.modify_security_group_rules(
        **modify(group, rule, CidrIpv4="10.1.9.9/16", ToPort=444, Description="new")
    )
    (changed,) = rules(group)
    assert changed == rule | {
        "CidrIpv4": "10.1.0.0/16",
        "ToPort": 444,
        "Description": "new",
    }


def test_bad_modifications(group: Group) -> None:
    network, _ = group
    first, second = authorize(group, permission(), permission(FromPort=80, ToPort=80))
    call: Callable[..., Any] = network.ec2.modify_security_group_rules
    cases = [
        (modify(group, second, CidrIpv4="10.0.0.0/16"), "InvalidPermission.Duplicate"),
        (modify(group, second, CidrIpv6="2001:db8::/32"), "InvalidParameterValue"),
        (modify(group, second), "MissingParameter"),
        (
            modify(group, {"SecurityGroupRuleId": f"sgr-{NOWHERE}"}, CidrIpv4="10.0.0.0/8"),
            "InvalidSecurityGroupRuleId.NotFound",
        ),
    ]
    for parameters, code in cases:
        assert refused(call, **parameters)[:2] == (400, code)
    assert rules(group) == [first, second]


def test_descriptions(group: Group) -> None:
    network, number = group
    (rule,) = authorize(group)
    described = permission(IpRanges=[{"CidrIp": "10.0.0.0/16", "Description": "new"}])
    update = network.ec2.update_security_group_rule_descriptions_ingress
    update(GroupId=number, IpPermissions=[described])
    assert rules(group) == [rule | {"Description": "new"}]
    number_of_rule = {"SecurityGroupRuleId": rule["SecurityGroupRuleId"]}
    update(GroupId=number, SecurityGroupRuleDescriptions=[number_of_rule])
    assert rules(group) == [rule]
    answer = refused(update, GroupId=number, IpPermissions=[permission(ToPort=500)])
    assert answer[:2] == (400, "InvalidPermission.NotFound")


def test_rules_by_id_filter_and_page(group: Group) -> None:
    network, number = group
    made = authorize(
        group,
        *(permission(FromPort=port, ToPort=port) for port in range(1, 8)),
        TagSpecifications=tags("security-group-rule", a="b"),
    )
    ids = [rule["SecurityGroupRuleId"] for rule in made]
    describe = network.ec2.describe_security_group_rules
    told = describe(SecurityGroupRuleIds=ids[:1])["SecurityGroupRules"]
    assert told == made[:1]
    wanted = [{"Name": "tag:a", "Values": ["b"]}, {"Name": "group-id", "Values": [number]}]
    first = describe(Filters=wanted, MaxResults=5)
    second = describe(Filters=wanted, MaxResults=5, NextToken=first["NextToken"])
    assert first["SecurityGroupRules"] + second["SecurityGroupRules"] == made
    assert "NextToken" not in second
    assert describe(Filters=filters(group_id=f"sg-{NOWHERE}"))["SecurityGroupRules"] == []
    answer = refused(describe, SecurityGroupRuleIds=[f"sgr-{NOWHERE}"])
    assert answer[:2] == (400, "InvalidSecurityGroupRuleId.NotFound")


def test_quota(simulator: Simulator, group: Group) -> None:
    network, number = group
    simulator.post("ec2/quota", name="rulesPerSecurityGroup", value=2)
    authorize(group, permission(), permission(FromPort=80, ToPort=80))
    ipv6 = permission(IpRanges=None, Ipv6Ranges=[{"CidrIpv6": "2001:db8::/32"}])
    authorize(group, ipv6)
    assert refused(
        network.ec2.authorize_security_group_ingress,
        GroupId=number,
        IpPermissions=[permission(FromPort=81, ToPort=81)],
    ) == (
        400,
        "RulesPerSecurityGroupLimitExceeded",
        "The maximum number of rules per security group has been reached.",
    )
    network.ec2.authorize_security_group_egress(GroupId=number, IpPermissions=[permission()])

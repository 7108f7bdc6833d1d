"""Descriptions of rules, which change without the rules."""

from typing import Any

from simulator.call import Call
from simulator.ec2.groups import group_named_in
from simulator.ec2.rule_requests import requested
from simulator.ec2.rules import rules_of
from simulator.ec2.service import RULE, check_ids, not_found, service
from simulator.errors import AwsError


@service.before(
    "UpdateSecurityGroupRuleDescriptionsIngress", "UpdateSecurityGroupRuleDescriptionsEgress"
)
def update_descriptions(call: Call) -> dict[str, Any]:
    """Replace descriptions; a rule that comes without one loses its own."""
    group = group_named_in(call)
    is_egress = (call.operation or "").endswith("Egress")
    rules = [rule for rule in rules_of(group) if rule.is_egress == is_egress]
    if described := call.parameters.get("SecurityGroupRuleDescriptions"):
        check_ids(RULE, [each["SecurityGroupRuleId"] for each in described])
        by_id = {rule.id: rule for rule in rules}
        for each in described:
            if each["SecurityGroupRuleId"] not in by_id:
                raise not_found(RULE, each["SecurityGroupRuleId"])
        for each in described:
            by_id[each["SecurityGroupRuleId"]].description = each.get("Description")
        return {"Return": True}
    by_traffic = {rule.traffic: rule for rule in rules}
    requests = requested(call, group)
    for request in requests:
        if request.traffic not in by_traffic:
            message = "The specified rule does not exist in this security group."
            raise AwsError("InvalidPermission.NotFound", message)
    for request in requests:
        by_traffic[request.traffic].description = request.description
    return {"Return": True}

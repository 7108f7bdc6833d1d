"""What each consumer's role can do is what the spec declares, and nothing else."""

import dataclasses

import generated
import mutants
import pytest
from evaluator import ANYTHING, Call, Caller

SERVICES = ["bedrock", "ec2", "eks", "iam", "kms", "s3", "sagemaker", "sts"]
NO_RESOURCE = Call("*", "*", "an action without a resource")


def test_declared_calls_are_allowed(subject, judge):
    calls = subject.consumer.allowed
    assert calls, "the spec declares nothing for this consumer"
    answers = judge.allowed(subject.caller, subject.documents, calls)
    refused = [str(call) for call, allowed in zip(calls, answers, strict=True) if not allowed]
    assert not refused, "declared, and denied:\n" + "\n".join(refused)


def test_other_calls_are_denied(subject, judge):
    calls = subject.consumer.denied
    answers = judge.allowed(subject.caller, subject.documents, calls)
    granted = [str(call) for call, allowed in zip(calls, answers, strict=True) if allowed]
    assert not granted, "not declared, and allowed:\n" + "\n".join(granted)


def test_only_the_policies_deny(subject, judge):
    # A call that would be denied whatever the policies say (a misspelt action, an ARN of the wrong
    # form, a bucket policy) would prove nothing about them.
    calls = subject.consumer.denied
    answers = judge.allowed(subject.unrestrained, [ANYTHING], calls)
    denied = [str(call) for call, allowed in zip(calls, answers, strict=True) if not allowed]
    assert not denied, "denied by something else:\n" + "\n".join(denied)


def test_no_other_action_is_allowed_on_what_is_declared(subject, judge):
    """Of all actions that AWS has."""
    consumer = subject.consumer
    ways = {(c.resource, str(c.context)): c for c in consumer.allowed if not c.beside}
    for call in ways.values():
        service = call.action.split(":")[0]
        allowed, judged = judge.sweep(subject.caller, subject.documents, call, service)
        assert judged > 3, f"only {judged} actions were judged like {call}"
        assert call.action in allowed
        same = {action: dataclasses.replace(call, action=action) for action in allowed}
        undeclared = {action for action in allowed if not consumer.declares(same[action])}
        assert not undeclared, f"{undeclared} like {call}"


def test_no_action_is_allowed_that_knows_no_resource(subject, judge):
    for service in SERVICES:
        allowed, _ = judge.sweep(subject.caller, subject.documents, NO_RESOURCE, service)
        # Nobody can be denied this one.
        assert allowed <= {"sts:GetCallerIdentity"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_broad_policy_allows_actions_that_know_no_resource(judge, service):
    """So that their denial above means something."""
    caller = Caller("arn:aws:iam::123456789012:role/broad", "123456789012")
    allowed, judged = judge.sweep(caller, [ANYTHING], NO_RESOURCE, service)
    assert len(allowed) == judged > 0


def test_every_change_of_a_policy_is_noticed(subject, judge):
    # A judge that cannot say no is no judge. This also proves that each statement, action, resource
    # and condition is there for something.
    consumer = subject.consumer
    expected = [(call, True) for call in consumer.allowed]
    expected += [(call, False) for call in consumer.denied]
    for mutant in mutants.of(subject.documents):
        if mutant.takes_away and consumer.repeats_itself:
            # The other prefix still allows what this change takes away.
            continue
        calls = mutant.nearest_first(expected)
        noticed = judge.surprise(subject.caller, mutant.documents, calls)
        assert noticed is not None, f"not noticed: {mutant.change}"


def test_a_role_is_there_for_every_consumer_and_for_nobody_else(platform):
    audit = generated.audit(platform.path)[platform.namespace, platform.name]
    assert [role["arn"] for role in audit["roles"]] == [c.role_arn for c in platform.consumers]
    assert {role["purpose"] for role in audit["roles"]} <= {"Consumer"}


def test_the_boundary_is_on_every_role(platform):
    audit = generated.audit(platform.path)[platform.namespace, platform.name]
    for role in audit["roles"]:
        assert role["permissionsBoundary"] == platform.boundary


def test_policies_fit_into_what_iam_takes(subject):
    documents = [generated.written(document) for document in subject.documents]
    sizes = [sum(not character.isspace() for character in document) for document in documents]
    assert max(sizes) <= 6144
    assert sum(sizes) <= 10240


def test_every_statement_has_a_name_of_its_own_and_a_reason(subject):
    for policy in subject.role["policies"]:
        sids = [statement["Sid"] for statement in policy["document"]["Statement"]]
        assert len(sids) == len(set(sids)), f"IAM refuses a Sid that stands twice: {sids}"
        assert set(policy["reasons"]) == set(sids)
        assert all(policy["reasons"].values())

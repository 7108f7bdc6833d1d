"""What each role can do is what the spec declares, and nothing else."""

import dataclasses

import generated
import mutants
import pytest
from evaluator import ANYTHING, Call, Caller

SERVICES = [
    "bedrock",
    "cloudwatch",
    "ec2",
    "ecr",
    "eks",
    "iam",
    "kms",
    "logs",
    "s3",
    "sagemaker",
    "sts",
]
NO_RESOURCE = Call("*", "*", "an action without a resource")


def test_declared_calls_are_allowed(subject, judge):
    calls = subject.holder.allowed
    assert calls, "the spec declares nothing for this role"
    answers = judge.allowed(subject.caller, subject.documents, calls)
    refused = [str(call) for call, allowed in zip(calls, answers, strict=True) if not allowed]
    assert not refused, "declared, and denied:\n" + "\n".join(refused)


def test_other_calls_are_denied(subject, judge):
    calls = subject.holder.denied
    answers = judge.allowed(subject.caller, subject.documents, calls)
    granted = [str(call) for call, allowed in zip(calls, answers, strict=True) if allowed]
    assert not granted, "not declared, and allowed:\n" + "\n".join(granted)


def test_only_the_policies_deny(subject, judge):
    # A call that would be denied whatever the policies say (a misspelt action, an ARN of the wrong
    # form, a bucket policy) would prove nothing about them.
    calls = subject.holder.denied
    answers = judge.allowed(subject.unrestrained, [ANYTHING], calls)
    denied = [str(call) for call, allowed in zip(calls, answers, strict=True) if not allowed]
    assert not denied, "denied by something else:\n" + "\n".join(denied)


def test_no_other_action_is_allowed_on_what_is_declared(subject, judge):
    """Of all actions that AWS has."""
    holder = subject.holder
    named = [call for call in holder.allowed if not call.beside and call.resource != "*"]
    for call in {(call.resource, str(call.context)): call for call in named}.values():
        service = call.action.split(":")[0]
        allowed, judged = judge.sweep(subject.caller, subject.documents, call, service)
        assert judged > 3, f"only {judged} actions were judged like {call}"
        assert call.action in allowed
        same = {action: dataclasses.replace(call, action=action) for action in allowed}
        undeclared = {action for action in allowed if not holder.declares(same[action])}
        assert not undeclared, f"{undeclared} like {call}"


def test_no_action_is_allowed_that_knows_no_resource(subject, judge):
    for service in SERVICES:
        allowed, _ = judge.sweep(subject.caller, subject.documents, NO_RESOURCE, service)
        # Nobody can be denied this one.
        assert allowed <= {"sts:GetCallerIdentity", *subject.holder.without_resource}


@pytest.mark.parametrize("service", SERVICES)
def test_a_broad_policy_allows_actions_that_know_no_resource(judge, service):
    """So that their denial above means something."""
    caller = Caller("arn:aws:iam::123456789012:role/broad", "123456789012")
    allowed, judged = judge.sweep(caller, [ANYTHING], NO_RESOURCE, service)
    assert len(allowed) == judged > 0


def test_every_change_of_a_policy_is_noticed(subject, judge):
    # A judge that cannot say no is no judge. This also proves that each statement, action, resource
    # and condition is there for something.
    denied = [(call, False) for call in subject.holder.denied]
    for documents, allowed in subject.parts:
        expected = [*((call, True) for call in allowed), *denied]
        assert judge.surprise(subject.caller, documents, expected) is None
        for mutant in mutants.of(documents):
            if mutant.takes_away and subject.holder.repeats_itself:
                # The other prefix still allows what this change takes away.
                continue
            calls = mutant.nearest_first(expected)
            noticed = judge.surprise(subject.caller, mutant.documents, calls)
            assert noticed is not None, f"not noticed: {mutant.change}"


def test_a_role_is_there_for_every_consumer_and_model_and_for_nobody_else(platform):
    audit = generated.audit(platform.path)[platform.namespace, platform.name]
    consumers = [(consumer.role_arn, "Consumer") for consumer in platform.consumers]
    executions = [(execution.role_arn, "Execution") for execution in platform.executions]
    workloads = [(workload.role_arn, "Workload") for workload in platform.workloads]
    found = [(role["arn"], role["purpose"]) for role in audit["roles"]]
    assert found == consumers + executions + workloads


def test_what_a_revision_needs_is_in_a_policy_that_is_named_after_it(platform):
    revisions = generated.revisions(platform.path)[platform.namespace, platform.name]
    audit = generated.audit(platform.path)[platform.namespace, platform.name]
    roles = {role["arn"]: role for role in audit["roles"]}
    for execution in platform.executions:
        revision = revisions[execution.role_arn]
        assert len(revision) == 8
        names = [policy["name"] for policy in roles[execution.role_arn]["policies"]]
        assert names == ["access", f"revision-{revision}"]


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

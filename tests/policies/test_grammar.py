"""parliament finds nothing in any identity policy, but for what it is known to get wrong."""

import copy
import re
import warnings

import generated

with warnings.catch_warnings():
    # It looks for its own data by way of pkg_resources, which warns that it will go away.
    warnings.simplefilter("ignore")
    import parliament

INVOKE = re.compile("bedrock:InvokeModel(WithResponseStream)?")

# Its data are older than the condition key.
GUARDRAIL = re.compile(f"Unknown condition bedrock:GuardrailIdentifier for action {INVOKE.pattern}")

# Its own data have this key, for the resource and not for the action, and there it does not look.
ALIASES = re.compile(
    "Unknown condition kms:ResourceAliases for action kms:(Decrypt|GenerateDataKey)"
)

# String operators compare ARNs too, literally and with regard to case, as it says itself; Amazon
# Bedrock's documentation uses them for this key.
ARN_AS_TEXT = "Type mismatch: StringEquals requires a value of type String but given Arn"


def known_to_be_false(finding: parliament.finding.Finding) -> bool:
    """Whether this is one of parliament's mistakes."""
    issue, detail = finding.issue, finding.detail
    if issue == "RESOURCE_MISMATCH":
        # It wants an ARN of every type that the action knows, where AWS wants one of any.
        return all(INVOKE.fullmatch(mismatch["action"]) for mismatch in detail)
    if issue == "UNKNOWN_CONDITION_FOR_ACTION":
        return bool(GUARDRAIL.fullmatch(detail) or ALIASES.fullmatch(detail))
    return issue == "MISMATCHED_TYPE_BUT_USABLE" and detail == ARN_AS_TEXT


def findings(document: dict) -> list[str]:
    """What parliament says of a policy, less its known mistakes."""
    found = parliament.analyze_policy_string(generated.written(document)).findings
    return [str(finding) for finding in found if not known_to_be_false(finding)]


def test_parliament_finds_nothing(subject):
    assert subject.documents
    for document in subject.documents:
        assert not findings(document)


def test_parliament_would_find_something(subject):
    for document in subject.documents:
        for index in range(len(document["Statement"])):
            for change in (
                {"Action": "s3:GetObjekt"},
                {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket"},
                {"Condition": {"StringEquals": {"s3:prefixes": "x"}}},
            ):
                wrong = copy.deepcopy(document)
                wrong["Statement"][index].update(change)
                assert findings(wrong), change

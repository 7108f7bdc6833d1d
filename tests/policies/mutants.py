"""Policies that are wrong by one change, each of which the judge has to notice."""

import copy
import dataclasses
import re
from collections.abc import Iterator
from os.path import commonprefix
from typing import Any

from evaluator import Call

Document = dict[str, Any]
Statement = dict[str, Any]
GUARDED_BY = "bedrock:GuardrailIdentifier"
THROUGH = "bedrock:InferenceProfileArn"
NAMESPACE = "cloudwatch:namespace"


@dataclasses.dataclass(frozen=True)
class Mutant:
    """Policies with one change in one statement."""

    change: str
    statement: Statement
    documents: list[Document]
    takes_away: bool

    def nearest_first(self, expected: list[tuple[Call, bool]]) -> list[tuple[Call, bool]]:
        """The calls that the change can concern, most likely ones first, to find out soon."""
        service = many(self.statement["Action"])[0].split(":")[0]
        denies = self.statement["Effect"] == "Deny"
        resources = many(self.statement["Resource"])

        def distance(pair: tuple[Call, bool]) -> tuple[bool, bool, int]:
            call, allowed = pair
            shared = max(len(commonprefix([call.resource, each])) for each in resources)
            return allowed != self.takes_away, bool(call.beside) != denies, -shared

        concerned = [pair for pair in expected if pair[0].action.startswith(f"{service}:")]
        return sorted(concerned, key=distance)


def of(documents: list[Document]) -> Iterator[Mutant]:
    """Every change of every statement."""
    for number, document in enumerate(documents):
        for index, statement in enumerate(document["Statement"]):
            denies = statement["Effect"] == "Deny"
            # Less of a denial is more.
            changes = [(change, changed, not denies) for change, changed in less(statement)]
            if denies:
                always = {k: v for k, v in statement.items() if k != "Condition"}
                changes.append(("no condition", [always], True))
            else:
                changes += [(change, [changed], False) for change, changed in more(statement)]
            for change, changed, takes_away in changes:
                mutated = copy.deepcopy(documents)
                mutated[number]["Statement"][index : index + 1] = changed
                yield Mutant(f"{change} in {statement}", statement, mutated, takes_away)


def less(statement: Statement) -> Iterator[tuple[str, list[Statement]]]:
    """The statement without something, or turned around."""
    yield "no such statement", []
    effect = "Allow" if statement["Effect"] == "Deny" else "Deny"
    yield "the other effect", [{**statement, "Effect": effect}]
    for field in ("Action", "Resource"):
        values = many(statement[field])
        for value in values if len(values) > 1 else ():
            rest = [each for each in values if each != value]
            yield f"no {value}", [{**statement, field: rest}]
    for operator, conditions in statement.get("Condition", {}).items():
        for key, values in conditions.items():
            for value in many(values) if len(many(values)) > 1 else ():
                rest = {**conditions, key: [each for each in many(values) if each != value]}
                changed = {**statement["Condition"], operator: rest}
                yield f"no {value} as {key}", [{**statement, "Condition": changed}]


def more(statement: Statement) -> Iterator[tuple[str, Statement]]:
    """A statement that allows, with careless wildcards or without a condition."""
    service = many(statement["Action"])[0].split(":")[0]
    conditions = statement.get("Condition", {})
    keys = [(operator, key) for operator, values in conditions.items() for key in values]
    # Only calls of models and metrics have these keys, so that no other action would be allowed.
    if not {key for _, key in keys} & {GUARDED_BY, THROUGH, NAMESPACE}:
        yield "every action", {**statement, "Action": f"{service}:*"}
    named = [resource for resource in many(statement["Resource"]) if resource != "*"]
    if named:
        yield "every resource", {**statement, "Resource": "*"}
    for resource in named:
        for wider in wider_resources(resource):
            yield f"{wider} for {resource}", {**statement, "Resource": wider}
    for operator, key in keys:
        # The statement that denies calls without the guardrail says the same again.
        if key != GUARDED_BY:
            kept = {name: value for name, value in conditions[operator].items() if name != key}
            changed = {**conditions, operator: kept}
            yield f"no condition on {key}", {**statement, "Condition": changed}


def wider_resources(resource: str) -> Iterator[str]:
    """An ARN with a careless wildcard in each of its parts."""
    arn, partition, service, region, account, rest = resource.split(":", 5)
    if not rest.endswith("*"):
        yield f"{resource}*"
    if service == "s3":
        bucket, _, key = rest.partition("/")
        if key not in ("", "*"):
            yield f"arn:{partition}:s3:::{bucket}/*"
        yield f"arn:{partition}:s3:::{bucket}*/{key}" if key else f"{resource}*"
        return
    kind, separator, _ = re.split("([/:])", rest, maxsplit=1)
    if rest != f"{kind}{separator}*":
        yield ":".join([arn, partition, service, region, account, f"{kind}{separator}*"])
    yield ":".join([arn, partition, service, "*", account, rest])
    if account:
        yield ":".join([arn, partition, service, region, "*", rest])


def many(value: str | list[str]) -> list[str]:
    """A policy writes a list of one as that one."""
    return [value] if isinstance(value, str) else value

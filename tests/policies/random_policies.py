"""Random policies and calls, for two evaluators to disagree about."""

import random
from typing import Any

Document = dict[str, Any]

ACCOUNT, OTHER = "123456789012", "210987654321"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/aip/app"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/app/pod"
USER = f"arn:aws:iam::{ACCOUNT}:user/u"
ACTION, RESOURCE = "s3:GetObject", "arn:aws:s3:::b/k"
ACTIONS = ["s3:GetObject", "s3:Get*", "s3:*", "*", "s3:PutObject", "s3:GetObject?", "s3:getobject"]
RESOURCES = [
    *(RESOURCE, "arn:aws:s3:::b/*", "arn:aws:s3:::*", "arn:aws:s3:::c/*", "arn:aws:s3:::b/?"),
    *("arn:aws:s3:::${aws:PrincipalTag/team}/*", "arn:aws:s3:::b/${aws:PrincipalTag/proj}"),
]
PRINCIPALS = [
    *("*", {"AWS": "*"}, {"AWS": ROLE}, {"AWS": SESSION}, {"AWS": ACCOUNT}, {"AWS": USER}),
    *({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, {"AWS": [OTHER, ROLE]}),
    {"Service": "sagemaker.amazonaws.com"},
]
STRINGS = [f"String{name}" for name in ("Equals", "NotEquals", "Like", "NotLike")]
ORDERS = ["LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"]
TEXTS = ["vpce-1", "VPCE-1", "vpce-*", "b", ["vpce-1", "b"], "${aws:PrincipalTag/team}"]
# By key: what a call may have of it, which operators fit, and what a condition may want.
KEYS: dict[str, tuple[list[Any], list[str], list[Any]]] = {
    "aws:SourceVpce": (
        ["vpce-1", "vpce-2"],
        [*STRINGS, "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"],
        [*TEXTS, "${aws:PrincipalTag/proj, 'vpce-1'}"],
    ),
    "aws:PrincipalTag/team": (["b", "x"], STRINGS, TEXTS),
    "aws:PrincipalTag/proj": (["k", "z"], STRINGS, TEXTS),
    "aws:SourceIp": (
        ["10.1.2.3", "192.0.2.1"],
        ["IpAddress", "NotIpAddress"],
        ["10.0.0.0/8", "192.0.2.1/32", ["10.1.0.0/16", "192.0.2.0/24"]],
    ),
    "aws:ViaAWSService": (["true", "false"], ["Bool"], ["true", "false"]),
    "aws:PrincipalArn": (
        [],
        ["ArnLike", "ArnEquals", "ArnNotLike", "ArnNotEquals", *STRINGS],
        [ROLE, f"arn:aws:iam::{ACCOUNT}:role/*", "arn:aws:iam::*:role/aip/app"],
    ),
    "aws:TagKeys": (
        [["a"], ["a", "b"], ["c"]],
        [f"{each}:{name}" for each in ("ForAnyValue", "ForAllValues") for name in STRINGS],
        ["a", ["a", "b"], ["c"], "?"],
    ),
    "aws:CurrentTime": (
        ["2026-05-01T12:00:00Z", "2027-01-01T00:00:00Z"],
        [f"Date{name}" for name in ORDERS],
        ["2026-08-01T00:00:00Z"],
    ),
    "aws:MultiFactorAuthAge": (
        ["10", "20"],
        [f"Numeric{name}" for name in ("Equals", "NotEquals", *ORDERS)],
        ["10", "15", ["10", "20"]],
    ),
}


class Chance:
    """Makes policies and calls, the same ones from the same seed."""

    def __init__(self, seed: int) -> None:
        """Begin with a seed."""
        self.random = random.Random(seed)

    def happens(self, share: float) -> bool:
        """Whether something that happens this often happens now."""
        return self.random.random() < share

    def question(self) -> dict[str, Any]:
        """A call, and the policies that it is held against."""
        principal = self.random.choice([SESSION, ROLE, USER])
        context = {
            key: self.random.choice(values)
            for key, (values, _, _) in KEYS.items()
            if values and self.happens(0.6)
        }
        context["aws:PrincipalArn"] = USER if principal == USER else ROLE
        return {
            "principal": principal,
            "owner": self.random.choice([ACCOUNT, ACCOUNT, ACCOUNT, OTHER]),
            "context": context,
            "identity": [self.document() for _ in range(self.random.choice([0, 1, 2]))],
            "resourcePolicy": self.document(PRINCIPALS) if self.happens(0.6) else None,
            "boundary": self.document() if self.happens(0.3) else None,
            # The judge knows endpoints for everybody only.
            "endpoint": self.document(["*"]) if self.happens(0.3) else None,
        }

    def document(self, principals: list[Any] | None = None) -> Document:
        """A policy, with principals if it has any."""
        count = self.random.choice([1, 1, 2, 3])
        statements = [self.statement(principals) for _ in range(count)]
        return {"Version": "2012-10-17", "Statement": statements}

    def statement(self, principals: list[Any] | None) -> Document:
        """A statement."""
        made: Document = {"Effect": self.random.choice(["Allow", "Allow", "Deny"])}
        for name, values in (("Action", ACTIONS), ("Resource", RESOURCES)):
            some = self.random.sample(values, self.random.choice([1, 2]))
            made[f"Not{name}" if self.happens(0.15) else name] = some
        if condition := self.condition():
            made["Condition"] = condition
        if principals:
            made["Principal"] = self.random.choice(principals)
        return made

    def condition(self) -> Document:
        """Conditions, often none."""
        made: Document = {}
        for _ in range(self.random.choice([0, 0, 0, 1, 1, 2])):
            key = self.random.choice(list(KEYS))
            _, operators, values = KEYS[key]
            operator, value = self.random.choice(operators), self.random.choice(values)
            if self.happens(0.08):
                operator, value = "Null", self.random.choice(["true", "false"])
            # A key that is missing, of any value, if it exists: there the judge says no, and the
            # documentation says yes.
            elif self.happens(0.2) and not operator.startswith("ForAnyValue"):
                operator += "IfExists"
            made.setdefault(operator, {})[key] = value
        return made

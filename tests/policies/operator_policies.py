"""What `aiplatform operator-policy` prints, for three operators that know more and more."""

import dataclasses
import functools
import json
import subprocess
from pathlib import Path
from typing import Any

from evaluator import Caller
from generated import DEADLINE_S, binary

HERE = Path(__file__).resolve().parent
ACCOUNT = "123456789012"
BOUNDARIES = tuple(f"arn:aws:iam::{ACCOUNT}:policy/{name}" for name in ("ml-boundary", "lab"))
# A platform with a boundary, and guardrails that put one on every role.
PLATFORM = HERE / "operator" / "platform.yaml"
GUARDRAILS = HERE / "operator" / "guardrails.yaml"


@dataclasses.dataclass(frozen=True)
class Operator:
    """An operator of the cluster `prod`, and what was said when its policies were printed."""

    name: str
    arguments: tuple[str, ...]
    boundaries: tuple[str, ...]

    @functools.cached_property
    def printed(self) -> subprocess.CompletedProcess[str]:
        """The answer of the command."""
        command = [str(binary()), "operator-policy", "--cluster-name", "prod", *self.arguments]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=DEADLINE_S, check=True
        )

    @functools.cached_property
    def documents(self) -> dict[str, dict[str, Any]]:
        """The policies, by name."""
        policies = json.loads(self.printed.stdout)["policies"]
        return {policy["name"]: policy["document"] for policy in policies}

    @property
    def caller(self) -> Caller:
        """The operator's role."""
        return Caller(f"arn:aws:iam::{ACCOUNT}:role/operator", ACCOUNT)


OPEN = Operator("open", (), ())
GUARDED = Operator("guarded", ("--guardrails", str(GUARDRAILS)), BOUNDARIES)
NARROWED = Operator("narrowed", ("-f", str(PLATFORM)), BOUNDARIES[:1])
OPERATORS = [OPEN, GUARDED, NARROWED]

"""The platforms that are judged: every example, and the cases that examples do not show."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import declared
import generated
import pytest
from evaluator import Call, Caller, Evaluator

HERE = Path(__file__).resolve().parent
EXAMPLES = sorted((HERE.parent.parent / "examples").glob("*.yaml"))
CASES = sorted((HERE / "cases").glob("*.yaml"))
PLATFORMS = [platform for path in [*EXAMPLES, *CASES] for platform in declared.read(path)]


@dataclasses.dataclass(frozen=True)
class Judged:
    """Who holds a role, as it is declared, and the role that was generated."""

    holder: declared.Holder
    role: dict[str, Any]
    bucket_policies: dict[str, dict[str, Any]]

    @property
    def documents(self) -> list[dict[str, Any]]:
        """The identity policies."""
        return [policy["document"] for policy in self.role["policies"]]

    @property
    def parts(self) -> Iterator[tuple[list[dict[str, Any]], list[Call]]]:
        """Policies that are there for the same things, and those."""
        return self.holder.parts(self.role["policies"])

    @property
    def caller(self) -> Caller:
        """The holder with its role."""
        return Caller(self.role["arn"], self.holder.platform.account, self.bucket_policies)

    @property
    def unrestrained(self) -> Caller:
        """The same, where no bucket has a policy."""
        return Caller(self.role["arn"], self.holder.platform.account)


def judged(holder: declared.Holder) -> Judged:
    """The holder with its role, found by the ARN that the contract gives it."""
    platform = holder.platform
    audit = generated.audit(platform.path)[platform.namespace, platform.name]
    roles = {role["arn"]: role for role in audit["roles"]}
    assert holder.role_arn in roles, f"no {holder.role_arn} in {sorted(roles)}"
    return Judged(holder, roles[holder.role_arn], generated.bucket_policies(audit))


@pytest.fixture(scope="session")
def judge() -> Iterator[Evaluator]:
    """The evaluator, started once."""
    evaluator = Evaluator()
    yield evaluator
    evaluator.close()


@pytest.fixture
def subject(request: pytest.FixtureRequest) -> Judged:
    """What is judged: `request.param` is who holds a role."""
    return judged(request.param)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test of a role for every role, of a platform for every platform."""
    if "subject" in metafunc.fixturenames:
        holders = [holder for platform in PLATFORMS for holder in platform.holders]
        names = [f"{holder.platform.path.stem}-{holder.name}" for holder in holders]
        metafunc.parametrize("subject", holders, ids=names, indirect=True)
    if "platform" in metafunc.fixturenames:
        names = [f"{platform.path.stem}-{platform.name}" for platform in PLATFORMS]
        metafunc.parametrize("platform", PLATFORMS, ids=names)

"""The platforms that are judged: every example, and the cases that examples do not show."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import declared
import generated
import pytest
from evaluator import Caller, Evaluator

HERE = Path(__file__).resolve().parent
EXAMPLES = sorted((HERE.parent.parent / "examples").glob("*.yaml"))
CASES = sorted((HERE / "cases").glob("*.yaml"))
PLATFORMS = [platform for path in [*EXAMPLES, *CASES] for platform in declared.read(path)]


@dataclasses.dataclass(frozen=True)
class Judged:
    """A consumer as it is declared, and the role that was generated for it."""

    consumer: declared.Consumer
    role: dict[str, Any]
    bucket_policies: dict[str, dict[str, Any]]

    @property
    def documents(self) -> list[dict[str, Any]]:
        """The identity policies."""
        return [policy["document"] for policy in self.role["policies"]]

    @property
    def caller(self) -> Caller:
        """The consumer with its role."""
        return Caller(self.role["arn"], self.consumer.platform.account, self.bucket_policies)

    @property
    def unrestrained(self) -> Caller:
        """The same, where no bucket has a policy."""
        return Caller(self.role["arn"], self.consumer.platform.account)


def judged(consumer: declared.Consumer) -> Judged:
    """The consumer with its role, found by the ARN that the contract gives it."""
    platform = consumer.platform
    audit = generated.audit(platform.path)[platform.namespace, platform.name]
    roles = {role["arn"]: role for role in audit["roles"]}
    assert consumer.role_arn in roles, f"no {consumer.role_arn} in {sorted(roles)}"
    return Judged(consumer, roles[consumer.role_arn], generated.bucket_policies(audit))


@pytest.fixture(scope="session")
def judge() -> Iterator[Evaluator]:
    """The evaluator, started once."""
    evaluator = Evaluator()
    yield evaluator
    evaluator.close()


@pytest.fixture
def subject(request: pytest.FixtureRequest) -> Judged:
    """What is judged: `request.param` is a consumer."""
    return judged(request.param)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test of a consumer for every consumer, of a platform for every platform."""
    if "subject" in metafunc.fixturenames:
        consumers = [consumer for platform in PLATFORMS for consumer in platform.consumers]
        names = [f"{consumer.platform.path.stem}-{consumer.name}" for consumer in consumers]
        metafunc.parametrize("subject", consumers, ids=names, indirect=True)
    if "platform" in metafunc.fixturenames:
        names = [f"{platform.path.stem}-{platform.name}" for platform in PLATFORMS]
        metafunc.parametrize("platform", PLATFORMS, ids=names)

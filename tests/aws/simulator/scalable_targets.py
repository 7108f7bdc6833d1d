"""What is registered with Application Auto Scaling; SageMaker asks before it changes a variant."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

INSTANCES = "sagemaker:variant:DesiredInstanceCount"
CONCURRENCY = "sagemaker:variant:DesiredProvisionedConcurrency"
COPIES = "sagemaker:inference-component:DesiredCopyCount"

Key = tuple[str, str, str, str]


@dataclass
class ScalableTarget:
    """A registered resource, with its policies and scheduled actions by name."""

    key: Key
    arn: str
    least: int
    most: int
    role_arn: str
    suspended: dict[str, bool]
    tags: dict[str, str]
    policies: dict[str, dict[str, Any]] = field(default_factory=dict)
    actions: dict[str, dict[str, Any]] = field(default_factory=dict)
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def resource(self) -> str:
        """What is scaled, such as `endpoint/e/variant/v`."""
        return self.key[2]

    @property
    def dimension(self) -> str:
        """What of it is scaled."""
        return self.key[3]


# By account, region, resource and dimension, in the order in which they were registered.
_targets: dict[Key, ScalableTarget] = {}


def forget_targets() -> None:
    """Drop all targets."""
    _targets.clear()


def find_target(key: Key) -> ScalableTarget | None:
    """The target of this key."""
    return _targets.get(key)


def add_target(target: ScalableTarget) -> None:
    """Keep a new target."""
    _targets[target.key] = target


def remove_target(target: ScalableTarget) -> None:
    """Forget a target, its policies and its scheduled actions."""
    _targets.pop(target.key, None)


def targets_in(account: str, region: str) -> list[ScalableTarget]:
    """All targets of an account in a region."""
    return [target for key, target in _targets.items() if key[:2] == (account, region)]


def targets_of_endpoint(account: str, region: str, endpoint: str) -> list[ScalableTarget]:
    """The targets that are variants of an endpoint."""
    prefix = f"endpoint/{endpoint}/variant/"
    return [each for each in targets_in(account, region) if each.resource.startswith(prefix)]

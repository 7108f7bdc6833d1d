"""What exists: models, endpoint configurations and endpoints, by ARN."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from simulator.call import Call
from simulator.sagemaker.service import already_exists, arn_of, arn_prefix, not_found, service


@dataclass
class Resource:
    """Something with an ARN and tags, and the parameters it was made with."""

    arn: str
    name: str
    fields: dict[str, Any]
    tags: dict[str, str]
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    def is_there(self) -> bool:
        """Whether it exists now: what follows from the clock is found out when it is read."""
        return True


_resources: dict[str, Resource] = {}


@service.on_reset
def forget_resources() -> None:
    """Drop everything."""
    _resources.clear()


def look_up(arn: str) -> Resource | None:
    """What has this ARN."""
    resource = _resources.get(arn)
    if resource is None:
        return None
    if not resource.is_there():
        del _resources[arn]
        return None
    return resource


def find(call: Call, kind: str, name: str) -> Any:
    """What the caller has of this kind and exactly this name."""
    arn = arn_of(call, kind, name)
    resource = look_up(arn)
    if resource is None or resource.name != name:
        raise not_found(arn)
    return resource


def check_is_new(arn: str) -> None:
    """Refuse a second resource of one ARN: the case of its name does not count."""
    if look_up(arn) is not None:
        raise already_exists(arn)


def add(resource: Resource) -> None:
    """Keep a new resource."""
    _resources[resource.arn] = resource


def remove(resource: Resource) -> None:
    """Forget a resource."""
    _resources.pop(resource.arn, None)


def owned(call: Call, kind: str) -> list[Any]:
    """What the caller's account has of a kind in this region."""
    return everything(f"{arn_prefix(call)}{kind}/")


def everything(prefix: str = "", part: str = "") -> list[Any]:
    """What exists with an ARN that begins with a prefix and contains a part."""
    arns = [arn for arn in _resources if arn.startswith(prefix) and part in arn]
    return [resource for arn in arns if (resource := look_up(arn)) is not None]

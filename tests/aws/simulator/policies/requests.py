"""What is asked of policies: who does what, to what, under which circumstances."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SESSION = re.compile(
    r"arn:(?P<partition>[\w-]+):sts::(?P<account>\d{12}):assumed-role/(?P<role>.+)/.+"
)
IDENTITY = re.compile(
    r"arn:(?P<partition>[\w-]+):iam::(?P<account>\d{12}):(?P<kind>\w+)/?(?P<name>.*)"
)


@dataclass(frozen=True)
class Principal:
    """Who asks: a role (or a session of one), a user, the root of an account, or a service."""

    # The ARN of the role, the user or the root; the name of a service.
    name: str
    account: str | None
    # The ARN of the session, if a role's session asks.
    session: str | None = None

    @property
    def is_service(self) -> bool:
        """Whether an AWS service asks on its own behalf."""
        return self.account is None

    @property
    def is_root(self) -> bool:
        """Whether it is an account's root, for which identity policies say nothing."""
        return self.name.endswith(":root")


@dataclass(frozen=True)
class Request:
    """One call."""

    principal: Principal
    action: str
    resource: str
    # The account that the resource belongs to.
    owner: str | None
    # Keys in lower case.
    context: Mapping[str, Sequence[str]] = field(default_factory=dict)

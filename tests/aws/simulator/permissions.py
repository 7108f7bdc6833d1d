"""Denied permissions: a test takes one IAM action from the caller."""

import fnmatch
import threading
from dataclasses import dataclass
from typing import Any

from simulator.call import Call
from simulator.conditions import conditions
from simulator.enforcement import is_allowed
from simulator.errors import AwsError
from simulator.service import Requirement, Service

# IAM's prefix where it is not the name that requests are signed with.
PREFIXES = {"monitoring": "cloudwatch", "email": "ses"}
# What nobody can be denied.
ALWAYS_ALLOWED = frozenset({"sts:GetCallerIdentity"})


@dataclass(frozen=True)
class Denial:
    """An action that is denied on the resources that match a glob."""

    action: str
    resource: str

    def covers(self, action: str, resource: str) -> bool:
        """Whether this denies the action (case does not count, as in IAM) on the resource."""
        return fnmatch.fnmatchcase(action.lower(), self.action.lower()) and fnmatch.fnmatchcase(
            resource, self.resource
        )


class Permissions:
    """The denials in force."""

    def __init__(self) -> None:
        """Start with everything allowed."""
        self.is_enforced = False
        self._denials: list[Denial] = []
        self._lock = threading.Lock()

    def change(self, description: dict[str, Any]) -> None:
        """Add or remove a denial as `POST /_sim/deny` describes it."""
        denial = Denial(description["action"], description.get("resource", "*"))
        with self._lock:
            if description.get("remove"):
                self._denials = [
                    held
                    for held in self._denials
                    if held.action.lower() != denial.action.lower()
                    or ("resource" in description and held.resource != denial.resource)
                ]
            else:
                self._denials.append(denial)

    def clear(self) -> None:
        """Allow everything again."""
        self.is_enforced = False
        with self._lock:
            self._denials.clear()

    def check(self, call: Call, part: Service | None, parts: dict[str, Service]) -> None:
        """Raise AccessDenied if the call needs something that is denied."""
        if not self._denials and not self.is_enforced:
            return

        def is_denied(action: str, resource: str) -> bool:
            if action in ALWAYS_ALLOWED:
                return False
            if self.denies(action, resource):
                return True
            known = conditions(call, (action, resource), parts) if self.is_enforced else {}
            return self.is_enforced and not is_allowed(call, action, resource, known)

        if part is not None and call.operation in part.itemised:
            call.is_denied = is_denied
            return
        for action, resource in requirements(call, part):
            if is_denied(action, resource):
                raise access_denied(call, action, resource)

    def denies(self, action: str, resource: str) -> bool:
        """Whether an action is denied on a resource."""
        return any(denial.covers(action, resource) for denial in self._denials)


def requirements(call: Call, part: Service | None) -> list[Requirement]:
    """The (action, resource) pairs that a call needs."""
    if part and part.permissions:
        return part.permissions(call)
    if call.credential is None:
        return []
    prefix = PREFIXES.get(call.credential.signing_name, call.credential.signing_name)
    return [(f"{prefix}:{call.operation}", "*")]


def access_denied(call: Call, action: str, resource: str) -> AwsError:
    """The refusal, in the code that the service's protocol uses."""
    message = (
        f"User: {call.principal} is not authorized to perform: {action} on resource: "
        f'"{resource}" because no identity-based policy allows the {action} action'
    )
    if call.protocol == "ec2":
        return AwsError(
            "UnauthorizedOperation",
            f"You are not authorized to perform this operation. {message}",
            403,
        )
    if call.protocol == "json":
        return AwsError("AccessDeniedException", message, 400)
    if call.protocol == "rest-json":
        return AwsError("AccessDeniedException", message, 403)
    return AwsError("AccessDenied", message, 403)

"""The seam: how one AWS service is made stricter than moto, or added to it.

A part is one module that makes a `Service` and registers handlers with it:

    service = Service("eks")

    @service.before("CreatePodIdentityAssociation")
    def create(call: Call) -> dict:
        if ...:
            raise AwsError("ResourceInUseException", "...", 409)
        return {"association": {...}}

A handler that runs before moto may raise an `AwsError`, return the operation's output (a dict,
put on the wire as botocore's model says, or a finished `Response`), or return None and so pass
the call on. It may also call `call_moto(call)` itself and change what that returns. One that
runs after moto gets moto's response too and may replace it, raise, or return None.
Handlers run one at a time: no part needs locks.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from simulator.call import Call
from simulator.wire import Response

Answer = Response | dict[str, Any] | None
Before = Callable[[Call], Answer]
After = Callable[[Call, Response], Answer]
Control = Callable[[dict[str, Any]], Any]
Requirement = tuple[str, str]
# Condition keys of IAM with their values.
Conditions = dict[str, str]
AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])

EVERY = "*"


class Service:
    """What the simulator knows about one service, beyond moto."""

    def __init__(self, name: str, *, validation_code: str | None = None) -> None:
        """`name` is botocore's.

        With `validation_code`, parameters that break botocore's model (patterns, lengths,
        ranges, enums, required members) are answered with this error before anything else.
        """
        self.name = name
        self.validation_code = validation_code
        self.controls: dict[str, Control] = {}
        self.permissions: Callable[[Call], list[Requirement]] | None = None
        self.conditions: Callable[[Call, str, str], Conditions] | None = None
        self.resets: list[Callable[[], None]] = []
        # Operations that answer item by item what may not be done.
        self.itemised: set[str] = set()
        # Operations that wait for something: for how long, and whether an answer ends the wait.
        self.patience: dict[str, Callable[[Call], float]] = {}
        self.is_answered: dict[str, Callable[[Response], bool]] = {}
        self._before: dict[str, list[Before]] = {}
        self._after: dict[str, list[After]] = {}

    def before(self, *operations: str) -> Callable[[AnyFunction], AnyFunction]:
        """Register a handler that runs before moto; `*` stands for every operation."""
        return _register(self._before, operations)

    def after(self, *operations: str) -> Callable[[AnyFunction], AnyFunction]:
        """Register a handler that runs after moto answered without an error."""
        return _register(self._after, operations)

    def control(self, path: str) -> Callable[[AnyFunction], AnyFunction]:
        """Register `POST /_sim/<path>`; the function gets the JSON body."""

        def register(function: AnyFunction) -> AnyFunction:
            self.controls[path] = function
            return function

        return register

    def requires(self, function: AnyFunction) -> AnyFunction:
        """Register what says which (IAM action, resource ARN) pairs a call needs."""
        self.permissions = function
        return function

    def tells(self, function: AnyFunction) -> AnyFunction:
        """Register what says which condition keys IAM knows of a resource that a call is about.

        It gets the call, the action and the resource's ARN.
        """
        self.conditions = function
        return function

    def waits(self, operation: str) -> Callable[[AnyFunction], AnyFunction]:
        """Register what says for how many seconds a call waits for what it asks for."""

        def register(function: AnyFunction) -> AnyFunction:
            self.patience[operation] = function
            return function

        return register

    def has_waited(self, operation: str) -> Callable[[AnyFunction], AnyFunction]:
        """Register what says whether an answer is worth ending the wait for."""

        def register(function: AnyFunction) -> AnyFunction:
            self.is_answered[operation] = function
            return function

        return register

    def on_reset(self, function: AnyFunction) -> AnyFunction:
        """Register what forgets this part's own state."""
        self.resets.append(function)
        return function

    def handlers_before(self, operation: str) -> list[Before]:
        """Those for every operation first: they are the general checks."""
        return self._before.get(EVERY, []) + self._before.get(operation, [])

    def handlers_after(self, operation: str) -> list[After]:
        """The operation's own first."""
        return self._after.get(operation, []) + self._after.get(EVERY, [])


def _register(
    table: dict[str, list[Any]], operations: tuple[str, ...]
) -> Callable[[AnyFunction], AnyFunction]:
    def register(function: AnyFunction) -> AnyFunction:
        for operation in operations:
            table.setdefault(operation, []).append(function)
        return function

    return register

"""The control surface: what a test asks of the simulator itself, under /_sim/."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from simulator.wire import Request, Response

PREFIX = "/_sim/"
Handler = Callable[[dict[str, Any]], Any]


class Controls:
    """The control paths."""

    def __init__(self) -> None:
        """Start without any."""
        self._handlers: dict[tuple[str, str], Handler] = {}

    def add(self, method: str, path: str, handler: Handler) -> None:
        """Add a path; its handler gets the JSON body, or the query of a GET."""
        self._handlers[method, path] = handler

    def answer(self, request: Request) -> Response:
        """Answer a control request in JSON."""
        path = request.path.removeprefix(PREFIX)
        handler = self._handlers.get((request.method, path))
        if handler is None:
            known = [f"{method} {PREFIX}{name}" for method, name in sorted(self._handlers)]
            return _json(404, {"error": f"no {request.method} {request.path}", "known": known})
        try:
            result = handler(_arguments(request))
        except (KeyError, ValueError, TypeError) as error:
            return _json(400, {"error": f"{type(error).__name__}: {error}"})
        return _json(200, {} if result is None else result)


def _arguments(request: Request) -> dict[str, Any]:
    if request.method == "GET":
        return {name: values[-1] for name, values in parse_qs(request.query).items()}
    body = json.loads(request.body or b"{}")
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")
    return body


def _json(status: int, content: Any) -> Response:
    return Response(status, {"Content-Type": "application/json"}, json.dumps(content).encode())

"""The log of calls, for tests that count them."""

import re
import threading
import time
from datetime import date, datetime
from typing import Any

from simulator.call import Call
from simulator.service import Conditions, Requirement
from simulator.wire import Response

XML_CODE = re.compile(rb"<Code>([^<]+)</Code>")
JSON_CODE = re.compile(rb'"__type"\s*:\s*"([^"]+)"')


class Journal:
    """Every call to AWS since the last reset, in order of arrival."""

    def __init__(self) -> None:
        """Start empty."""
        self._entries: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def open(
        self, call: Call, permissions: list[Requirement], conditions: list[Conditions]
    ) -> dict[str, Any]:
        """Note a call that arrived, and what it needs; its result is null until it is answered."""
        entry: dict[str, Any] = {
            "service": call.service,
            "operation": call.operation,
            "parameters": plain(call.parameters),
            "userAgent": call.request.headers.get("User-Agent"),
            "time": time.time(),
            "region": call.credential.region if call.credential else None,
            "account": call.account,
            "method": call.request.method,
            "target": call.request.target,
            "permissions": [list(permission) for permission in permissions],
            "conditions": conditions,
            "result": None,
            "hangs": False,
        }
        with self._lock:
            entry["index"] = len(self._entries)
            self._entries.append(entry)
        return entry

    @staticmethod
    def close(entry: dict[str, Any], response: Response | None) -> None:
        """Note what was answered; no response is a connection that was cut."""
        if response is None:
            entry["result"] = {"status": None, "code": "ConnectionReset"}
        else:
            entry["result"] = {"status": response.status, "code": code_of(response)}
        entry["durationMs"] = round((time.time() - entry["time"]) * 1000, 1)

    def since(
        self, index: int, limit: int | None = None, fields: list[str] | None = None
    ) -> list[dict[str, Any]]:
        """The calls from this index on: so many at most, and of each these fields, or all."""
        with self._lock:
            entries = self._entries[index : None if limit is None else index + limit]
        if not fields:
            return entries
        return [{name: entry.get(name) for name in fields} for entry in entries]

    def count(self) -> int:
        """How many calls there are."""
        return len(self._entries)

    def clear(self) -> None:
        """Forget all calls."""
        with self._lock:
            self._entries.clear()


def code_of(response: Response) -> str | None:
    """The AWS error code in an answer."""
    if response.status < 300:
        return None
    if named := response.header("x-amzn-ErrorType"):
        return named.split(":")[0].split("#")[-1]
    match = XML_CODE.search(response.body) or JSON_CODE.search(response.body)
    return match.group(1).decode().split("#")[-1] if match else None


def plain(value: Any) -> Any:
    """A parameter as JSON can hold it; bytes (object data) only by their number."""
    if isinstance(value, dict):
        return {str(key): plain(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(member) for member in value]
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return value

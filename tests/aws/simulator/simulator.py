"""One simulator: every request goes through here, from arrival to answer."""

import sys
import threading
import time
import traceback
from typing import Any

from simulator.backend import call_moto, reset_moto, serialize
from simulator.call import Call, identify
from simulator.conditions import conditions
from simulator.control import PREFIX, Controls
from simulator.credentials import check_credentials
from simulator.errors import AwsError, render, request_id
from simulator.faults import Failure, Faults
from simulator.journal import Journal
from simulator.permissions import Permissions, requirements
from simulator.service import Answer, Conditions, Control, Requirement, Service
from simulator.settings import settings
from simulator.trail.delivery import record
from simulator.validation import check_parameters
from simulator.wire import MalformedBodyError, Request, Response, broken_checksum, unframed

HANG_SECONDS = 60
REQUEST_IDS = frozenset({"x-amz-request-id", "x-amzn-requestid"})
# How often a call that waits looks again, in seconds.
POLL = 0.02


class Simulator:
    """Answers requests to AWS and to the control surface."""

    def __init__(
        self, parts: tuple[Service, ...], controls: dict[str, Control] | None = None
    ) -> None:
        """`parts` are the services that are stricter than moto.

        `controls` are control paths that belong to several of them.
        """
        self.parts = {part.name: part for part in parts}
        self.journal = Journal()
        self.faults = Faults()
        self.permissions = Permissions()
        self.controls = Controls()
        # One call at a time: moto is not made for threads, and a part can check and then act.
        self._turn = threading.RLock()
        # Set by a reset, so that nothing from before it waits on.
        self._woken = threading.Event()
        self._add_controls()
        for path, handler in (controls or {}).items():
            self.controls.add("POST", path, self._in_turn(handler))

    def answer(self, request: Request) -> Response | None:
        """The answer to a request; None means that the connection is cut."""
        if request.path.startswith(PREFIX):
            return self.controls.answer(request)
        try:
            request = unframed(request)
        except MalformedBodyError:
            return render(AwsError("IncompleteBody", "The request body terminated early."), None)
        call = self._identify(request)
        needed = self._needed(call)
        entry = self.journal.open(call, needed, self._conditions(call, needed))
        response = None
        try:
            response = self._serve(call, entry)
        finally:
            self.journal.close(entry, response)
        return response

    def _needed(self, call: Call) -> list[Requirement]:
        """What a call needs, seen before it changes anything."""
        try:
            with self._turn:
                return requirements(call, self.parts.get(call.service or ""))
        except Exception:  # a call that is malformed says so in its answer
            return []

    def _conditions(self, call: Call, needed: list[Requirement]) -> list[Conditions]:
        """What IAM knows when a call asks for each of these, before it changes anything."""
        with self._turn:
            return [conditions(call, each, self.parts) for each in needed]

    @staticmethod
    def _identify(request: Request) -> Call:
        try:
            return identify(request)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            return Call(request)

    def _wake(self) -> None:
        woken, self._woken = self._woken, threading.Event()
        woken.set()

    def _lift_faults(self) -> None:
        self.faults.clear()
        self._wake()

    def reset(self) -> None:
        """Forget everything: AWS's state, the log, and what tests asked for."""
        self._wake()
        with self._turn:
            reset_moto()
            for part in self.parts.values():
                for forget in part.resets:
                    forget()
            self.faults.clear()
            self.permissions.clear()
            self.journal.clear()
            settings.clear()

    def _serve(self, call: Call, entry: dict[str, Any]) -> Response | None:
        woken = self._woken
        if settings.latency_ms:
            woken.wait(settings.latency_ms / 1000)
        failure = self.faults.take(call, "before")
        if failure is not None:
            return self._fail(call, entry, failure, woken)
        response = self._await(call, woken)
        with self._turn:
            record(call, response, _number_of(call, response))
        failure = self.faults.take(call, "after")
        return response if failure is None else self._fail(call, entry, failure, woken)

    def _await(self, call: Call, woken: threading.Event) -> Response:
        """The answer to a call; of one that waits for something, when it is there or time is up."""
        part = self.parts.get(call.service or "")
        waits = part.patience.get(call.operation or "") if part else None
        response = self._perform(call)
        if part is None or waits is None:
            return response
        with self._turn:
            until = time.monotonic() + waits(call)
        is_answered = part.is_answered[call.operation or ""]
        while time.monotonic() < until and not is_answered(response) and not woken.wait(POLL):
            response = self._perform(call)
        return response

    @staticmethod
    def _fail(
        call: Call, entry: dict[str, Any], failure: Failure, woken: threading.Event
    ) -> Response | None:
        if isinstance(failure, AwsError):
            return render(failure, call.protocol, call.request.method)
        if failure == "hang":
            entry["hangs"] = True
            woken.wait(HANG_SECONDS)
            entry["hangs"] = False
        return None

    def _perform(self, call: Call) -> Response:
        try:
            with self._turn:
                return self._answer(call)
        except AwsError as error:
            return render(error, call.protocol, call.request.method)
        except NotImplementedError as error:
            # 501: SDKs do not retry it, as they would a 500.
            missing = AwsError("NotImplemented", f"not simulated: {error}", 501)
            return render(missing, call.protocol, call.request.method)
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            broken = AwsError("InternalFailure", f"{type(error).__name__}: {error}", 500)
            return render(broken, call.protocol, call.request.method)

    def _answer(self, call: Call) -> Response:
        check_credentials(call)
        if call.operation is None:
            return call_moto(call)
        part = self.parts.get(call.service or "")
        self.permissions.check(call, part, self.parts)
        if header := broken_checksum(call.request):
            raise AwsError("BadDigest", f"The {header} you specified did not match.")
        if part is None:
            return call_moto(call)
        if call.malformed is not None:
            raise _malformed(call)
        if part.validation_code:
            check_parameters(call, part.validation_code)
        response = None
        for before in part.handlers_before(call.operation):
            response = _finished(call, before(call))
            if response is not None:
                break
        if response is None:
            response = call_moto(call)
        if response.status < 300:
            for after in part.handlers_after(call.operation):
                response = _finished(call, after(call, response)) or response
        return response

    def _add_controls(self) -> None:
        add = self.controls.add
        add("GET", "calls", self._calls)
        add("GET", "calls/count", lambda _: {"count": self.journal.count()})
        add("POST", "reset", lambda _: self.reset())
        add("POST", "latency", self._set_latency)
        add("POST", "timings", self._set_timings)
        add("POST", "clock", self._set_clock)
        add("POST", "faults", self.faults.add)
        add("DELETE", "faults", lambda _: self._lift_faults())
        add("POST", "deny", self.permissions.change)
        add("POST", "enforce", self._set_enforced)
        add("DELETE", "deny", lambda body: self.permissions.change({**body, "remove": True}))
        for part in self.parts.values():
            for path, handler in part.controls.items():
                add("POST", path, self._in_turn(handler))

    def _calls(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        limit = int(query["limit"]) if "limit" in query else None
        fields = [name for name in query.get("fields", "").split(",") if name]
        return self.journal.since(int(query.get("since", 0)), limit, fields)

    def _in_turn(self, handler: Any) -> Any:
        def handle(body: dict[str, Any]) -> Any:
            with self._turn:
                return handler(body)

        return handle

    @staticmethod
    def _set_latency(body: dict[str, Any]) -> None:
        settings.latency_ms = float(body["ms"])

    def _set_enforced(self, body: dict[str, Any]) -> None:
        self.permissions.is_enforced = bool(body["on"])

    @staticmethod
    def _set_clock(body: dict[str, Any]) -> None:
        settings.clock_ahead_seconds = float(body["aheadSeconds"])

    @staticmethod
    def _set_timings(body: dict[str, Any]) -> None:
        settings.timings_ms.update({name: float(ms) for name, ms in body.items()})


def _number_of(call: Call, response: Response) -> str:
    """The id of a request, which its answer tells; moto's answers do not always."""
    name = "x-amz-request-id" if call.service == "s3" else "x-amzn-RequestId"
    number = response.header(name) or request_id()
    # One header, so that every SDK finds the same.
    kept = {k: v for k, v in response.headers.items() if k.lower() not in REQUEST_IDS}
    response.headers = {**kept, name: number}
    return number


def _finished(call: Call, answer: Answer) -> Response | None:
    return serialize(call, answer) if isinstance(answer, dict) else answer


def _malformed(call: Call) -> AwsError:
    if call.protocol == "rest-xml":
        return AwsError(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our "
            "published schema",
        )
    if call.protocol in ("json", "rest-json"):
        return AwsError("SerializationException", call.malformed or "")
    return AwsError("MalformedInput", call.malformed or "")

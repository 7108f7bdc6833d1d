#!/usr/bin/env python3
"""A server that is started as vLLM is, and answers as vLLM does, without a model.

It takes the arguments of `vllm serve` and refuses those that the release in vllm.json does not
know. Nothing but Python 3.11 is needed. It speaks what aiplatform and its users rely on: /health,
/v1/models, /v1/chat/completions (streaming, too), /v1/completions and /metrics with vLLM's names.
A completion repeats the prompt.

`VLLM_API_KEY` is the key, as for vLLM. What vLLM does not know begins with `FAKE_`:
`FAKE_LISTEN=HOST:PORT` listens there and not where the arguments say (port 0: any free one), and
`FAKE_LOAD_SECONDS=N` takes that long to load the model; until then nobody listens.

`POST /fake/metrics` with `{"vllm:num_requests_waiting": 7}` says what a metric shows from then on.

When requests are accepted, one line of JSON goes to standard output: {"url": ..., "pid": ...}.
SIGTERM ends it when the requests that are under way have ended, or after --shutdown-timeout.
"""

import argparse
import hmac
import json
import os
import re
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

RELEASE = json.loads((Path(__file__).resolve().parent / "vllm.json").read_text())
WAITING = "vllm:num_requests_waiting"
RUNNING = "vllm:num_requests_running"


def parser() -> argparse.ArgumentParser:
    """A parser of the release's flags."""
    made = argparse.ArgumentParser(prog="vllm serve", add_help=False)
    made.add_argument("model_tag", nargs="?")
    types = {"int": int, "float": float}
    for flag in RELEASE["flags"]:
        options: dict[str, Any] = {}
        if flag.get("nargs") == 0:
            options["action"] = "store_true"
        else:
            options["nargs"] = flag.get("nargs")
            options["choices"] = flag.get("choices")
            options["type"] = types.get(flag.get("type"), str)
        made.add_argument(*flag["names"], **options)
    return made


def with_dashes(argument: str) -> str:
    """An argument as vLLM's parser takes it: names of flags may have underscores."""
    name, equals, value = argument.partition("=")
    if not name.startswith("--"):
        return argument
    flag, dot, keys = name.partition(".")
    return flag.replace("_", "-") + dot + keys + equals + value


class Model:
    """What is served, and how busy it is."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        """Serve what the arguments say."""
        path = arguments.model_tag or "Qwen/Qwen3-0.6B"
        self.path = path
        self.names = arguments.served_model_name or [path]
        self.max_model_len = int(arguments.max_model_len or 4096)
        self.key = os.environ.get("VLLM_API_KEY") or None
        self.lock = threading.Lock()
        self.values = dict.fromkeys(
            (
                WAITING,
                RUNNING,
                "vllm:kv_cache_usage_perc",
                "vllm:prompt_tokens_total",
                "vllm:generation_tokens_total",
                "vllm:request_success_total",
            ),
            0.0,
        )
        self.said: dict[str, float] = {}

    def add(self, name: str, value: float) -> None:
        """Add to a metric."""
        with self.lock:
            self.values[name] += value

    def say(self, values: dict[str, float]) -> None:
        """Show these values of metrics from now on."""
        if unknown := sorted(set(values) - set(RELEASE["metrics"])):
            raise KeyError(f"vLLM has no such metrics: {unknown}")
        with self.lock:
            self.said.update({name: float(value) for name, value in values.items()})

    def metrics(self) -> str:
        """The metrics, as Prometheus reads them."""
        with self.lock:
            shown = {**self.values, **self.said}
        lines = []
        for name, value in shown.items():
            kind = "counter" if name.endswith("_total") else "gauge"
            labels = f'engine="0",model_name="{self.names[0]}"'
            if name == "vllm:request_success_total":
                labels += ',finished_reason="stop"'
            lines += [f"# TYPE {name} {kind}", f"{name}{{{labels}}} {value}"]
        return "\n".join(lines) + "\n"


class RefusedError(Exception):
    """A request that is refused."""

    def __init__(self, status: int, kind: str, message: str, param: str | None = None) -> None:
        """Refuse a request in the words of vLLM."""
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": status}}


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:  # noqa: N802
        """Answer what is asked of the server."""
        self.answer(
            {
                "/health": lambda: self.send(200, b"", "text/plain"),
                "/metrics": lambda: self.send(
                    200, self.server.model.metrics().encode(), "text/plain"
                ),
                "/version": lambda: self.send_json(200, {"version": RELEASE["version"]}),
                "/v1/models": self.models,
            }
        )

    def do_POST(self) -> None:  # noqa: N802
        """Answer what is asked of the model."""
        length = int(self.headers.get("Content-Length", 0))
        self.text = self.rfile.read(length)
        self.answer(
            {
                "/v1/chat/completions": self.chat,
                "/v1/completions": self.completion,
                "/fake/metrics": self.say,
            }
        )

    def answer(self, routes: dict[str, Any]) -> None:
        """Answer by one of the routes."""
        path = self.path.partition("?")[0]
        try:
            if path.startswith(tuple(RELEASE["guarded"])) and not self.has_key():
                self.send_json(401, {"error": "Unauthorized"})
            elif path not in routes:
                self.send_json(404, {"detail": "Not Found"})
            else:
                routes[path]()
        except RefusedError as refused:
            self.send_json(refused.status, refused.body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def has_key(self) -> bool:
        """True when the request has the key, or there is none."""
        key = self.server.model.key
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        return key is None or (
            scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), key.encode())
        )

    def models(self) -> None:
        """List the names of the model."""
        model = self.server.model
        common = {"object": "model", "owned_by": "vllm", "created": self.server.started}
        more = {"root": model.path, "parent": None, "max_model_len": model.max_model_len}
        data = [{"id": name, **common, **more} for name in model.names]
        self.send_json(200, {"object": "list", "data": data})

    def say(self) -> None:
        """Take values of metrics."""
        try:
            self.server.model.say(json.loads(self.text))
        except (KeyError, TypeError, ValueError) as error:
            raise RefusedError(400, "BadRequestError", str(error)) from error
        self.send(204, b"", "application/json")

    def chat(self) -> None:
        """Complete a conversation."""
        request = self.request_of("messages")
        messages = request["messages"]
        if not isinstance(messages, list) or not messages:
            raise RefusedError(400, "BadRequestError", "messages is empty", "messages")
        prompt = text_of(messages[-1].get("content"))
        self.complete(request, prompt, "chat.completion", "chatcmpl")

    def completion(self) -> None:
        """Complete a text."""
        request = self.request_of("prompt")
        self.complete(request, text_of(request["prompt"]), "text_completion", "cmpl")

    def request_of(self, field: str) -> dict[str, Any]:
        """The request, with a field that it must have."""
        try:
            request = json.loads(self.text)
        except ValueError as error:
            raise RefusedError(400, "BadRequestError", f"not JSON: {error}") from error
        if field not in request:
            raise RefusedError(400, "BadRequestError", f"Field required: {field}", field)
        name = request.get("model")
        if name is not None and name not in self.server.model.names:
            message = f"The model `{name}` does not exist."
            raise RefusedError(404, "NotFoundError", message, "model")
        return request

    def complete(self, request: dict[str, Any], prompt: str, kind: str, prefix: str) -> None:
        """Repeat the prompt."""
        model = self.server.model
        model.add(RUNNING, 1)
        try:
            words = re.findall(r"\s*\S+", prompt)
            limit = request.get("max_completion_tokens") or request.get("max_tokens")
            reason = "length" if limit and limit < len(words) else "stop"
            words = words[:limit]
            counts = {"prompt_tokens": len(prompt.split()), "completion_tokens": len(words)}
            usage = {**counts, "total_tokens": sum(counts.values())}
            common = {
                "id": f"{prefix}-{uuid.uuid4().hex}",
                "created": int(time.time()),
                "model": request.get("model") or model.names[0],
            }
            if request.get("stream"):
                wants_usage = (request.get("stream_options") or {}).get("include_usage")
                self.stream(common, kind, words, reason, usage if wants_usage else None)
            else:
                text = "".join(words)
                choice: dict[str, Any] = {"index": 0, "logprobs": None, "finish_reason": reason}
                if kind == "chat.completion":
                    choice["message"] = {"role": "assistant", "content": text}
                else:
                    choice["text"] = text
                self.send_json(200, {**common, "object": kind, "choices": [choice], "usage": usage})
            model.add("vllm:prompt_tokens_total", usage["prompt_tokens"])
            model.add("vllm:generation_tokens_total", usage["completion_tokens"])
            model.add("vllm:request_success_total", 1)
        finally:
            model.add(RUNNING, -1)

    def stream(
        self,
        common: dict[str, Any],
        kind: str,
        words: list[str],
        reason: str,
        usage: dict[str, int] | None,
    ) -> None:
        """Send a completion word by word, as server-sent events."""
        is_chat = kind == "chat.completion"
        common = {**common, "object": "chat.completion.chunk" if is_chat else kind}

        def choices() -> Iterator[dict[str, Any]]:
            def choice(text: str, end: str | None, **more: str) -> dict[str, Any]:
                piece = {"delta": {**more, "content": text}} if is_chat else {"text": text}
                return {"index": 0, "logprobs": None, "finish_reason": end, **piece}

            if is_chat:
                yield choice("", None, role="assistant")
            for word in words:
                yield choice(word, None)
            yield choice("", reason)

        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for choice in choices():
            self.send_event(json.dumps({**common, "choices": [choice]}))
        if usage:
            self.send_event(json.dumps({**common, "choices": [], "usage": usage}))
        self.send_event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def send_event(self, data: str) -> None:
        """Send one event as one chunk."""
        event = f"data: {data}\n\n".encode()
        self.wfile.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
        self.wfile.flush()

    def send_json(self, status: int, body: Any) -> None:
        """Send an answer."""
        self.send(status, json.dumps(body).encode(), "application/json")

    def send(self, status: int, body: bytes, kind: str) -> None:
        """Send an answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Log requests but those of the paths that the arguments name."""
        if self.path.partition("?")[0] not in self.server.unlogged:
            print(f"{self.client_address[0]} {format % arguments}", file=sys.stderr, flush=True)


class Server(ThreadingHTTPServer):
    """The server: it ends when its requests have ended."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], arguments: argparse.Namespace) -> None:
        """Listen."""
        self.model = Model(arguments)
        self.started = int(time.time())
        self.unlogged = (arguments.disable_access_log_for_endpoints or "").split(",")
        self.drain_seconds = arguments.shutdown_timeout or 0
        super().__init__(address, Handler)

    def drain(self) -> None:
        """Wait for the requests that are under way, as long as the arguments say."""
        end = time.monotonic() + self.drain_seconds
        while self.model.values[RUNNING] > 0 and time.monotonic() < end:
            time.sleep(0.02)


def text_of(content: Any) -> str:
    """The text of a prompt or of a message."""
    if isinstance(content, list):
        return " ".join(
            part["text"] if isinstance(part, dict) and "text" in part else str(part)
            for part in content
        )
    return str(content or "")


def main() -> None:
    """Start as `vllm serve` does."""
    arguments = parser().parse_args([with_dashes(argument) for argument in sys.argv[1:]])
    host, _, port = os.environ.get("FAKE_LISTEN", "").rpartition(":")
    address = (host or arguments.host or "0.0.0.0", int(port or arguments.port or 8000))
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    if stopped.wait(float(os.environ.get("FAKE_LOAD_SECONDS", "0"))):
        return
    server = Server(address, arguments)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    shown = "127.0.0.1" if address[0] in ("0.0.0.0", "::") else address[0]
    print(
        json.dumps({"url": f"http://{shown}:{server.server_port}", "pid": os.getpid()}), flush=True
    )
    stopped.wait()
    server.shutdown()
    server.drain()


if __name__ == "__main__":
    main()

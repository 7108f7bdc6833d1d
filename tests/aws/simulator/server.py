"""The HTTP server: keep-alive, one thread per connection, and connections that can be cut.

Werkzeug's server closes the connection after every answer, which hides what a client does with
pooled connections; and a WSGI application cannot cut one.
"""

import os
import socket
import struct
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

from werkzeug.datastructures import Headers

from simulator.settings import settings
from simulator.wire import Request, Response

Application = Callable[[Request], Response | None]


class Server(ThreadingMixIn, TCPServer):
    """Listens on the loopback address and hands requests to an application."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, port: int, application: Application) -> None:
        """Bind the port; 0 picks a free one."""
        super().__init__(("127.0.0.1", port), Handler)
        self.application = application

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet when a client dies in the middle of a call: that is part of the tests."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # Head and body of an answer in one packet: two meet delayed acknowledgement, 40 ms a call.
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    server: Server

    def handle_one_request(self) -> None:
        """Read one request, answer it, and decide whether the connection stays."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline:
            self.close_connection = True
            return
        if not self.parse_request():
            self.wfile.flush()
            return
        body = self.read_body()
        headers = Headers(list(self.headers.items()))
        # The framing ends here.
        headers.remove("Transfer-Encoding")
        response = self.server.application(Request(self.command, self.path, headers, body))
        if response is None:
            self.cut()
        else:
            self.send(response)

    def handle_expect_100(self) -> bool:
        """Answer `Expect: 100-continue` at once instead of with the final answer."""
        proceed = super().handle_expect_100()
        self.wfile.flush()
        return proceed

    def read_body(self) -> bytes:
        """Read a body of a given length or a chunked one."""
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = bytearray()
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return bytes(body)

    def send(self, response: Response) -> None:
        """Write an answer."""
        self.send_response_only(response.status)
        for name, value in response.headers.items():
            if name.lower() not in ("connection", "content-length", "date", "transfer-encoding"):
                self.send_header(name, value)
        now = time.time() + settings.clock_ahead_seconds
        self.send_header("Date", self.date_time_string(now))
        # The answer to HEAD tells the length of what GET would answer.
        told = response.header("Content-Length") if self.command == "HEAD" else None
        if response.status != 204:
            self.send_header("Content-Length", told or str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD" and response.status not in (204, 304):
            self.wfile.write(response.body)
        self.wfile.flush()

    def cut(self) -> None:
        """Reset the connection instead of closing it in order."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())

"""What arrives and what is answered, before anything is known of AWS."""

import base64
import binascii
import hashlib
import io
import zlib
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote_to_bytes

from moto.core.request import (
    PRESERVED_HEADER_NAMES_ENVIRON_KEY,
    environ_key_for_header,
    should_preserve_original_header_name,
)
from werkzeug.datastructures import Headers

CHECKSUMS = {
    "x-amz-checksum-crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "x-amz-checksum-sha1": lambda body: hashlib.sha1(body).digest(),
    "x-amz-checksum-sha256": lambda body: hashlib.sha256(body).digest(),
    "content-md5": lambda body: hashlib.md5(body).digest(),
}


class MalformedBodyError(ValueError):
    """The framing of a body is broken."""


@dataclass(frozen=True)
class Request:
    """One HTTP request, its body read and free of any framing."""

    method: str
    target: str
    headers: Headers
    body: bytes

    @property
    def path(self) -> str:
        """The path as it was sent, still percent-encoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The query string as it was sent."""
        return self.target.partition("?")[2]

    def with_body(self, body: bytes) -> "Request":
        """The same request with another body."""
        return replace(self, body=body)

    def environ(self) -> dict[str, Any]:
        """The WSGI environment that moto reads."""
        host = self.headers.get("Host", "127.0.0.1")
        name, _, port = host.rpartition(":")
        environ: dict[str, Any] = {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(self.body),
            "wsgi.errors": None,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(self.path).decode("latin-1"),
            "QUERY_STRING": self.query,
            "REQUEST_URI": self.target,
            "RAW_URI": self.target,
            "SERVER_NAME": name or host,
            "SERVER_PORT": port or "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
        }
        names: dict[str, str] = {}
        for header, value in self.headers:
            # S3 metadata keys may hold underscores, which WSGI cannot tell from hyphens.
            key = environ_key_for_header(header)
            if should_preserve_original_header_name(header):
                names.setdefault(key, header)
            if header.lower() in ("content-type", "content-length"):
                key = key.removeprefix("HTTP_")
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        environ["CONTENT_LENGTH"] = str(len(self.body))
        environ[PRESERVED_HEADER_NAMES_ENVIRON_KEY] = names
        return environ


@dataclass
class Response:
    """One HTTP answer."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """A header's value, whatever the case of its name."""
        return next((v for k, v in self.headers.items() if k.lower() == name.lower()), None)


def unframed(request: Request) -> Request:
    """The request without the aws-chunked framing that SDKs use for streamed bodies.

    Trailing headers (checksums) become ordinary ones.
    """
    marker = request.headers.get("x-amz-content-sha256", "")
    if not marker.startswith("STREAMING-"):
        return request
    body, trailers = parse_chunks(request.body)
    headers = Headers(request.headers)
    headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD"
    encodings = [e.strip() for e in headers.get("Content-Encoding", "").split(",")]
    kept = ",".join(e for e in encodings if e and e != "aws-chunked")
    headers.remove("Content-Encoding")
    if kept:
        headers["Content-Encoding"] = kept
    headers.remove("x-amz-decoded-content-length")
    headers.remove("x-amz-trailer")
    for name, value in trailers.items():
        headers[name] = value
    headers["Content-Length"] = str(len(body))
    return replace(request, headers=headers, body=body)


def parse_chunks(framed: bytes) -> tuple[bytes, dict[str, str]]:
    """Take an aws-chunked body apart into its data and its trailing headers."""
    data = bytearray()
    source = io.BytesIO(framed)
    while True:
        size_line = source.readline()
        try:
            size = int(size_line.split(b";")[0].strip() or b"-", 16)
        except ValueError as error:
            raise MalformedBodyError("chunk without a size") from error
        if size == 0:
            break
        chunk = source.read(size)
        if len(chunk) != size or source.readline().strip():
            raise MalformedBodyError("chunk of another size than announced")
        data += chunk
    trailers = {}
    for line in source.read().decode("latin-1").splitlines():
        name, separator, value = line.partition(":")
        if separator and name.lower() != "x-amz-trailer-signature":
            trailers[name.strip().lower()] = value.strip()
    return bytes(data), trailers


def broken_checksum(request: Request) -> str | None:
    """The name of a checksum header that does not fit the body."""
    for header, digest in CHECKSUMS.items():
        given = request.headers.get(header)
        if given is None:
            continue
        try:
            right = base64.b64decode(given, validate=True) == digest(request.body)
        except (binascii.Error, ValueError):
            right = False
        if not right:
            return header
    return None

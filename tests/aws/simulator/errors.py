"""Errors as AWS words them on the wire, in each of its protocols."""

import json
import uuid
from xml.sax.saxutils import escape

from simulator.wire import Response

STATUS_OF_SERVER_FAULT = 500


class AwsError(Exception):
    """An error answer: raised by handlers, rendered in the protocol of the service."""

    def __init__(
        self,
        code: str,
        message: str = "",
        status: int = 400,
        headers: dict[str, str] | None = None,
        **fields: str,
    ) -> None:
        """`fields` are further elements of the answer, such as S3's `BucketName`."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.headers = headers or {}
        self.fields = fields


def request_id() -> str:
    """A new request id."""
    return str(uuid.uuid4())


def render(error: AwsError, protocol: str | None, method: str = "POST") -> Response:
    """The answer that tells a client of this protocol about the error."""
    number = request_id()
    if protocol in ("query", "query-json"):
        kind = "Receiver" if error.status >= STATUS_OF_SERVER_FAULT else "Sender"
        body = (
            f"<ErrorResponse><Error><Type>{kind}</Type>{_elements(error)}</Error>"
            f"<RequestId>{number}</RequestId></ErrorResponse>"
        )
        return _xml(error, body, {"x-amzn-RequestId": number})
    if protocol == "ec2":
        body = (
            f"<Response><Errors><Error>{_elements(error)}</Error></Errors>"
            f"<RequestID>{number}</RequestID></Response>"
        )
        return _xml(error, body, {"x-amzn-RequestId": number})
    if protocol in ("json", "rest-json"):
        return _json(error, protocol, number)
    body = f"<Error>{_elements(error)}<RequestId>{number}</RequestId><HostId>sim</HostId></Error>"
    headers = {"x-amz-request-id": number, "x-amz-id-2": "sim"}
    response = _xml(error, body, headers)
    # S3 has no body to say more in when the method is HEAD; the status is all there is.
    if method == "HEAD":
        response.body = b""
        response.headers["Content-Length"] = "0"
    return response


def _elements(error: AwsError) -> str:
    fields = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in error.fields.items())
    return f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>{fields}"


def _xml(error: AwsError, body: str, headers: dict[str, str]) -> Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'
    return Response(
        error.status, {"Content-Type": "application/xml", **headers, **error.headers}, text.encode()
    )


def _json(error: AwsError, protocol: str, number: str) -> Response:
    content: dict[str, str] = {"message": error.message, **error.fields}
    headers = {"x-amzn-RequestId": number, "x-amzn-ErrorType": error.code, **error.headers}
    if protocol == "json":
        content["__type"] = error.code
        headers["Content-Type"] = "application/x-amz-json-1.1"
    else:
        headers["Content-Type"] = "application/json"
    return Response(error.status, headers, json.dumps(content).encode())

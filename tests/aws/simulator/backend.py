"""moto, called in this process, and answers put on the wire with its serialisers."""

import re
from typing import Any

from moto import backends as moto_backends
from moto.core import serialize as moto_serialize
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.core.serialize import SerializationContext, get_serializer_class
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    create_backend_app,
)

from simulator.call import Call
from simulator.errors import request_id
from simulator.wire import Response
from simulator.xml import Writer

# What XML can write only as a reference to a character, which is what S3 does with such keys.
UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")

moto_serialize.xmltodict = Writer  # type: ignore[assignment]
# moto looks into its own folder at each call, which takes a third of it.
_modules = frozenset(moto_backends.list_of_moto_modules())
moto_backends.list_of_moto_modules = lambda: _modules
_application = DomainDispatcherApplication(create_backend_app)


def call_moto(call: Call) -> Response:
    """What moto answers to the call."""
    response = Response()

    def start(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        response.status = int(status.split()[0])
        response.headers = dict(headers)

    chunks = _application(call.request.environ(), start)
    try:
        response.body = b"".join(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    return response


def serialize(call: Call, output: dict[str, Any], picker: Any = None) -> Response:
    """An operation's output as its protocol writes it.

    `picker` finds the members of what is no dictionary (moto has one for its own objects).
    """
    assert call.model is not None
    assert call.service is not None
    assert call.protocol is not None
    number = request_id()
    serializer = get_serializer_class(call.service, call.protocol)
    context = SerializationContext(number)
    result = serializer(call.model, context=context, value_picker=picker).serialize(output)
    body = result["body"]
    if call.protocol == "rest-xml":
        text = body.decode() if isinstance(body, bytes) else body
        body = UNWRITABLE.sub(lambda character: f"&#x{ord(character[0]):X};", text)
    headers = {name: str(value) for name, value in result["headers"].items()}
    headers["x-amz-request-id" if call.service == "s3" else "x-amzn-RequestId"] = number
    return Response(
        result["status_code"], headers, body.encode() if isinstance(body, str) else body
    )


def reset_moto() -> None:
    """Forget everything moto holds, without importing services nobody called."""
    BackendDict.reset()
    reset_model_data()

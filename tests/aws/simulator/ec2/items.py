"""Answers that list many things: each is written once, for as long as it stays the same.

An account with hundreds of VPCs lists thousands of endpoints and groups, again and again.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from simulator.backend import serialize
from simulator.call import Call
from simulator.ec2.service import service
from simulator.wire import Response


@dataclass(frozen=True)
class Item:
    """Something in a list: its id, all that its description follows from, and that."""

    id: str
    state: Any
    describe: Callable[[], dict[str, Any]]


# By operation and id: the state, and the XML that was written of it.
_written: dict[tuple[str, str], tuple[Any, str]] = {}


@service.on_reset
def forget_items() -> None:
    """Drop what was written."""
    _written.clear()


def answer_with(call: Call, member: str, items: Iterable[Item], rest: dict[str, Any]) -> Response:
    """The answer with these items in one member of its output."""
    assert call.model is not None
    name = call.model.output_shape.members[member].serialization.get("name", member)
    pieces = [_piece(call, member, name, item) for item in items]
    response = serialize(call, {member: [], **rest})
    whole = f"<{name}>{''.join(pieces)}</{name}>" if pieces else f"<{name}/>"
    response.body = response.body.replace(f"<{name}/>".encode(), whole.encode(), 1)
    return response


def _piece(call: Call, member: str, name: str, item: Item) -> str:
    key = (call.operation or "", item.id)
    known = _written.get(key)
    if known is None or known[0] != item.state:
        text = serialize(call, {member: [item.describe()]}).body.decode()
        known = (item.state, text.partition(f"<{name}>")[2].rpartition(f"</{name}>")[0])
        _written[key] = known
    return known[1]

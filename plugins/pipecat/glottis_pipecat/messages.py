"""Messages of RTVI, which Pipecat's clients speak by their data channel."""

from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any, Final

import msgspec
from glottis import Malformed, ToAgent, ToClient

LABEL: Final = "rtvi-ai"
MAX_MESSAGE_BYTES: Final = 32 * 1024
MAX_ID_LENGTH: Final = 64
MAX_TYPED_BYTES: Final = 15 * 1024
MAX_TYPED_VALUES: Final = 2000
MAX_TYPED_DEPTH: Final = 60
"""Of what a page says to its agent: beyond a little more it were no typed message, but text (CONTRACT §4)."""


class Message(msgspec.Struct, frozen=True):
    """One of the client's. Without the label it is the transport's, and none of RTVI."""

    type: str
    id: str = ""
    label: str = ""
    data: Any = None


_DECODER: Final = msgspec.json.Decoder(Message)


def parse_message_untrusted(text: str) -> Message:
    """What a client says, but for its pings. Raises ``Malformed``."""
    if len(text) > MAX_MESSAGE_BYTES:
        raise Malformed(f"expected at most {MAX_MESSAGE_BYTES} bytes")
    try:
        message = _DECODER.decode(text)
        msgspec.json.encode(message)  # for parts of it are to be said again
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Malformed(str(error)) from None
    if len(message.id) > MAX_ID_LENGTH:
        raise Malformed(f"id: expected at most {MAX_ID_LENGTH} characters")
    return message


class Voice:
    """Makes messages for the client, each with an id of its own."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def say(self, kind: str, data: Mapping[str, Any] | None = None, message_id: str = "") -> ToClient:
        """A message of this type; with ``message_id`` it answers the client's of this id."""
        document: dict[str, Any] = {"label": LABEL, "type": kind, "id": message_id or f"g{next(self._numbers)}"}
        if data is not None:
            document["data"] = data
        return ToClient(msgspec.json.encode(document).decode())

    def refuse(self, message: Message, detail: str) -> ToClient:
        """Of a message of the client's."""
        return self.say("error-response", {"error": detail}, message.id)


def to_agent(kind: str, **members: Any) -> ToAgent:
    """A typed message."""
    return ToAgent(msgspec.json.encode({"type": kind, **members}).decode())


def misfit(message: ToAgent, content: Any) -> str:
    """Why agents were given this typed message as a text, for what the page has put into it; empty if it fits."""
    if len(message.text.encode()) > MAX_TYPED_BYTES:
        return f"data: expected at most {MAX_TYPED_BYTES} bytes."
    level, depth, count = [content], 0, 0
    while level := [inner for one in level for inner in _inside(one)]:
        depth, count = depth + 1, count + len(level)
        if count > MAX_TYPED_VALUES or depth > MAX_TYPED_DEPTH:
            return f"data: expected at most {MAX_TYPED_VALUES} values, and {MAX_TYPED_DEPTH} within each other."
    return ""


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()

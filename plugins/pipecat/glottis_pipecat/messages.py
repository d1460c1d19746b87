"""Messages of RTVI, which Pipecat's clients speak by their data channel."""

from collections.abc import Mapping
from itertools import count
from typing import Any, Final

import msgspec
from glottis import Malformed, Saying, ToAgent, ToClient

LABEL: Final = "rtvi-ai"
MAX_MESSAGE_BYTES: Final = 32 * 1024
MAX_ID_LENGTH: Final = 64


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


def to_agent(kind: str, **members: Any) -> Saying:
    """A typed message."""
    return ToAgent(msgspec.json.encode({"type": kind, **members}).decode())

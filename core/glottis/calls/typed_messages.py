"""Texts that are typed messages: JSON objects with a string ``type`` (CONTRACT §4)."""

from contextlib import suppress
from typing import Final

from glottis.contracts.call import Message, TextMessage, TypedMessage
from glottis.contracts.errors import Malformed
from glottis.signaling.json_input import decode_object_untrusted, decode_untrusted, split_object_untrusted

MAX_TYPED_SIZE: Final = 16 * 1024
"""Bytes of a typed message; longer JSON is text, and so is what nests too deeply or holds a number that no float is.

To decode as much takes two milliseconds at most, in which every call waits.
"""


def members_of(text: str) -> dict[str, bytes] | None:
    """The members of a JSON object, each as its own text; None for any other text, and for a long one."""
    if len(text) > MAX_TYPED_SIZE or text.lstrip()[:1] != "{":
        return None
    try:
        data = text.encode()
        return split_object_untrusted(data) if len(data) <= MAX_TYPED_SIZE else None
    except (Malformed, UnicodeEncodeError):
        return None


def type_of(members: dict[str, bytes]) -> str | None:
    """What the string ``type`` says, if there is one."""
    text = members.get("type", b"")
    return str(decode_untrusted(text)) if text.startswith(b'"') else None


def message_of(text: str, channel: str | None = None) -> Message:
    """What an agent is given for a text. It is decoded here, so not before the agent takes it."""
    members = members_of(text)
    if members is not None and (kind := type_of(members)) is not None:
        with suppress(Malformed):
            return TypedMessage(kind, decode_object_untrusted(text), text, channel)
    return TextMessage(text, channel)

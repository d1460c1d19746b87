"""Texts that are typed messages: JSON objects with a string ``type`` (CONTRACT §4)."""

from contextlib import suppress
from typing import Final

from glottis.contracts.call import Message, TextMessage, TypedMessage
from glottis.contracts.errors import Malformed
from glottis.signaling.json_input import MemberReader, decode_object_untrusted

_TYPE: Final = MemberReader("type")
MAX_TYPED_SIZE: Final = 16 * 1024
"""Bytes of a typed message; longer JSON is text, and so is what nests too deeply, has too many values, or a number that
no float is.

To decode as much takes two milliseconds at most, in which every call waits.
"""


def type_of(text: str) -> str | None:
    """The type of a typed message, whose other members are not looked at; None for any other text."""
    if len(text) > MAX_TYPED_SIZE or text.lstrip()[:1] != "{":
        return None
    try:
        data = text.encode()
        kind = _TYPE.read_untrusted(data).get("type") if len(data) <= MAX_TYPED_SIZE else None
    except (Malformed, UnicodeEncodeError):
        return None
    return kind if isinstance(kind, str) else None


def message_of(text: str, channel: str | None = None) -> Message:
    """What an agent is given for a text. It is decoded here, so not before the agent takes it."""
    kind = type_of(text)
    if kind is not None:
        with suppress(Malformed):
            return TypedMessage(kind, decode_object_untrusted(text), text, channel)
    return TextMessage(text, channel)

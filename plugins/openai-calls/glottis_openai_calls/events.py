"""Events of the Realtime API, and the ids in them."""

from collections.abc import Mapping
from itertools import count
from secrets import token_hex
from typing import Any, Final

import msgspec
from glottis import Malformed, ToClient

from glottis_openai_calls.bodies import parse_object_untrusted
from glottis_openai_calls.errors import error_of

MAX_EVENT_BYTES: Final = 32 * 1024
MAX_ID_LENGTH: Final = 64
"""Characters of an id that the client has made."""


class Events:
    """Those of one call: no two ids are the same, and none is that of another call's."""

    def __init__(self) -> None:
        self._call = token_hex(6)
        self._numbers = count(1)

    def new_id(self, kind: str) -> str:
        """Of an ``event``, ``item`` or ``resp``."""
        return f"{kind}_{self._call}{next(self._numbers):06}"

    def make(self, kind: str, **members: Any) -> ToClient:
        """An event of this type."""
        document = {"type": kind, "event_id": self.new_id("event"), **members}
        return ToClient(msgspec.json.encode(document).decode())

    def refusal(self, event: Mapping[str, Any], code: str, message: str, param: str | None = None) -> ToClient:
        """Of an event of the client's."""
        event_id = event.get("event_id")
        error = error_of("invalid_request_error", code, message, param)
        return self.make("error", error={**error, "event_id": event_id if is_id(event_id) else None})


def is_id(value: object) -> bool:
    """Whether it is one that a client may give to something."""
    return isinstance(value, str) and 0 < len(value) <= MAX_ID_LENGTH


def parse_event_untrusted(text: str) -> dict[str, Any]:
    """What a client says: a JSON object. Raises ``Malformed``."""
    if len(text) > MAX_EVENT_BYTES:
        raise Malformed(f"expected at most {MAX_EVENT_BYTES} bytes")
    return parse_object_untrusted(text)

"""A JSON object that stays its text until somebody looks."""

import json
from collections.abc import Iterator, Mapping
from typing import Any


class JsonObject(Mapping[str, Any]):
    """What a client has sent, and nobody may ever want: text takes a tenth of the memory, and no garbage collection.

    ``text`` is known to be an object. Anything that a mapping does decodes it, once.
    """

    __slots__ = ("_text", "_value")

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._value: dict[str, Any] | None = None

    def decoded(self) -> dict[str, Any]:
        """As a dict, which json.dumps takes too. It is not to be changed."""
        if self._value is None:
            self._value = json.loads(self._text)
        return self._value

    def __getitem__(self, name: str) -> Any:
        return self.decoded()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.decoded())

    def __len__(self) -> int:
        return len(self.decoded())

    def __repr__(self) -> str:
        return repr(self.decoded())


def decoded(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    """A mapping that is a dict, if it was one before it was JSON."""
    return mapping.decoded() if isinstance(mapping, JsonObject) else mapping

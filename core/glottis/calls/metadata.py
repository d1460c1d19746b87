"""The metadata of a call, to which the caller may add while it lasts."""

import logging
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from glottis.contracts.errors import Malformed
from glottis.contracts.json_object import decoded
from glottis.signaling.json_input import decode_untrusted

MAX_METADATA: Final = 64 * 1024
"""Bytes of JSON that metadata may grow to by messages of the caller: as much as creates a session."""
MEMBER_OVERHEAD: Final = 64
"""Bytes charged for each member besides its name and value, so that tiny ones cannot fill memory."""

logger = logging.getLogger(__name__)


class Metadata:
    """Members, by what each weighs as JSON. What comes is decoded when somebody looks; only the change is touched."""

    def __init__(self, initial: Mapping[str, Any]) -> None:
        self._values = initial
        self._undecoded: dict[str, bytes] = {}
        self._weights: dict[str, int] | None = None
        """None until something is added."""
        self._size = 0

    @property
    def has_changed(self) -> bool:
        """Whether ``values`` would be others than the last ones that it gave."""
        return bool(self._undecoded)

    def add(self, members: Mapping[str, bytes]) -> bool:
        """Add or replace members, each given as JSON; false, and nothing is, if that would be too much."""
        weights = self._weigh_initial()
        added = {name: _weight(name, value) for name, value in members.items()}
        size = self._size + sum(weight - weights.get(name, 0) for name, weight in added.items())
        if size > max(MAX_METADATA, self._size):
            return False
        self._size = size
        weights.update(added)
        self._undecoded.update(members)
        return True

    def values(self) -> Mapping[str, Any]:
        """A snapshot that stays as it is. A value that cannot be decoded is left out, and its old one with it."""
        if self._undecoded:
            values = dict(decoded(self._values))
            for name, text in self._undecoded.items():
                try:
                    values[name] = decode_untrusted(text)
                except Malformed:
                    logger.debug("a member of the metadata is no JSON that can be used")
                    values.pop(name, None)
            self._values = values
            self._undecoded = {}
        return decoded(self._values)

    def _weigh_initial(self) -> dict[str, int]:
        if self._weights is None:
            encode = msgspec.json.Encoder(enc_hook=repr).encode
            self._weights = {name: _weight(name, encode(value)) for name, value in self._values.items()}
            self._size = sum(self._weights.values())
        return self._weights


def _weight(name: str, value: bytes) -> int:
    return len(name.encode(errors="replace")) + len(value) + MEMBER_OVERHEAD

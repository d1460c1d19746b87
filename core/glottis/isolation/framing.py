"""Frames on the pipe: the length of a body, and the body."""

import struct
from typing import Final

from glottis.contracts.errors import Malformed

HEADER: Final = struct.Struct("<I")


def frame(body: bytes) -> bytes:
    """As it goes through the pipe."""
    return HEADER.pack(len(body)) + body


class Splitter:
    """Cuts what comes into bodies, none of which may have more than ``longest`` bytes."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._data = bytearray()
        self._taken = 0

    def feed(self, data: bytes) -> None:
        """What has come next."""
        if self._taken:
            del self._data[: self._taken]
            self._taken = 0
        self._data += data

    def next_body_untrusted(self) -> bytes | None:
        """The oldest that is whole, if any. Raises ``Malformed``."""
        start = self._taken + HEADER.size
        if len(self._data) < start:
            return None
        (length,) = HEADER.unpack_from(self._data, self._taken)
        if length > self._longest:
            raise Malformed(f"expected a frame of at most {self._longest} bytes, got one of {length}")
        if len(self._data) < start + length:
            return None
        self._taken = start + length
        return bytes(memoryview(self._data)[start : self._taken])

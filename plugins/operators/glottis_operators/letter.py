"""What one process tells another of its calls: JSON, compressed, and as many rows of it as there is room for.

It is made in small pieces in the event loop. A thread would take as much of the interpreter, and in larger ones.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec
import trio

MAX_LETTER: Final = 48 * 1024
"""Bytes that a process can tell another; see ``GatewayParts``."""
IN_A_ROW: Final = 20
"""Rows that are written before others have their turn."""
_FAST: Final = 1
_CLOSING: Final = 64
"""Bytes for brackets and checksum."""

ItemT = TypeVar("ItemT")


class Letter:
    """An object of JSON that begins with the members of ``head``; ``close`` ends it."""

    def __init__(self, head: Mapping[str, Any]) -> None:
        self._zip = zlib.compressobj(_FAST)
        self._written = self._pack(msgspec.json.encode(head)[:-1])

    async def add(self, name: str, items: Sequence[ItemT], row: Callable[[ItemT], Mapping[str, Any]]) -> None:
        """One more member: an array with a row for each item, or for the first ones."""
        self._written += self._pack(f',"{name}":['.encode())
        for at in range(0, len(items), IN_A_ROW):
            rows = msgspec.json.encode([row(item) for item in items[at : at + IN_A_ROW]])[1:-1]
            before = self._zip.copy()
            packed = self._pack(b"," + rows if at else rows)
            if len(self._written) + len(packed) > MAX_LETTER - _CLOSING:
                self._zip = before
                break
            self._written += packed
            await trio.lowlevel.checkpoint()
        self._written += self._pack(b"]")

    def close(self) -> bytes:
        """The whole."""
        return self._written + self._zip.compress(b"}") + self._zip.flush()

    def _pack(self, data: bytes) -> bytes:
        return self._zip.compress(data) + self._zip.flush(zlib.Z_SYNC_FLUSH)


def read(letter: bytes) -> bytes:
    """Its JSON."""
    return zlib.decompress(letter)

"""Server-sent events, as the HTML Living Standard §9.2 has them, of which only the data are wanted."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from glottis import Malformed

MAX_EVENT: Final = 1 << 20
"""Bytes of one event."""


class EventReader:
    """Finds the data of events in what comes, which may be split anywhere, also within a character."""

    def __init__(self) -> None:
        self._line = bytearray()
        """As far as it has come."""
        self._data: list[bytes] = []
        """Lines of the event that has begun."""
        self._size = 0
        """Of these, with their ends: there may be many of nothing."""

    def feed_untrusted(self, part: bytes) -> list[bytes]:
        """The data of each event that ends in this part. Raises ``Malformed`` for one that does not end."""
        *ends, rest = part.split(b"\n")
        found = []
        for end in ends:
            self._line += end
            if (data := self._end_line()) is not None:
                found.append(data)
        self._line += rest
        if len(self._line) + self._size > MAX_EVENT:
            raise Malformed(f"expected events of at most {MAX_EVENT} bytes")
        return found

    def rest(self) -> bytes | None:
        """The data of the last event, where a stream ends without an empty line."""
        self._end_line()
        return self._end_event()

    def _end_line(self) -> bytes | None:
        line = bytes(self._line.removesuffix(b"\r"))
        self._line.clear()
        if not line:
            return self._end_event()
        if line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
            self._size += len(line)
        return None

    def _end_event(self) -> bytes | None:
        data = b"\n".join(self._data) if self._data else None
        self._data, self._size = [], 0
        return data


async def event_data_untrusted(parts: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The data of each event. Raises ``Malformed`` for an event that does not end."""
    reader = EventReader()
    async for part in parts:
        for data in reader.feed_untrusted(part):
            yield data
    if (rest := reader.rest()) is not None:
        yield rest

"""Server-sent events, as the HTML Living Standard §9.2 has them, of which only the data are wanted."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

MAX_EVENT: Final = 1 << 20
"""Bytes of one event."""


async def event_data(parts: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The data of each event, which may be split anywhere, also within a character.

    Raises ``ValueError`` for an event that does not end.
    """
    waiting, data = b"", list[bytes]()
    async for part in parts:
        *lines, waiting = (waiting + part).split(b"\n")
        for line in lines:
            line = line.removesuffix(b"\r")
            if line.startswith(b"data:"):
                data.append(line[5:].removeprefix(b" "))
            elif not line and data:
                yield b"\n".join(data)
                data = []
        if len(waiting) + sum(map(len, data)) > MAX_EVENT:
            raise ValueError(f"expected events of at most {MAX_EVENT} bytes")
    if waiting.startswith(b"data:"):
        data.append(waiting[5:].strip())
    if data:  # some end without the empty line
        yield b"\n".join(data)

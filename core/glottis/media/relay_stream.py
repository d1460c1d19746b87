"""TURN messages over TCP or TLS (RFC 8656 §3.1): what the stream does not take in time is dropped, as UDP would."""

from collections.abc import Callable
from typing import Final

import trio

from glottis.contracts.errors import Malformed
from glottis.wire.stun_stream import StunStream, for_stream

MAX_UNSENT: Final = 64 * 1024
"""Bytes that wait while TCP holds the stream back; 16 calls' speech of a second. Later messages are dropped: what is
late is of no use to a call, and what a request of ours is worth is asked again."""
READ_AT_ONCE: Final = 2048
"""Bytes, which are hundreds of the shortest messages."""


class RelayStream:
    """``read`` and ``write`` are tasks of the owner; ``take`` gets messages, ``fail`` the reason of the end."""

    def __init__(
        self, stream: trio.abc.Stream, take: Callable[[list[bytes]], None], fail: Callable[[str], None]
    ) -> None:
        self._no_room = 0
        self._messages = StunStream()
        self._stream = stream
        self._take = take
        self._fail = fail
        self._unsent = bytearray()
        self._has_unsent = trio.Event()
        self._writing = trio.Lock()

    @property
    def dropped(self) -> int:
        """Messages that there was no room for, and those of the server that were too long."""
        return self._no_room + self._messages.skipped

    def send(self, message: bytes) -> None:
        """Now or never, as TCP lets it."""
        if len(self._unsent) + len(message) > MAX_UNSENT:
            self._no_room += 1
            return
        self._unsent += for_stream(message)
        self._has_unsent.set()

    async def read(self) -> None:
        """Until the stream ends."""
        try:
            while data := await self._stream.receive_some(READ_AT_ONCE):
                self._take(self._messages.feed_untrusted(bytes(data)))
        except Malformed:
            self._fail("the server does not speak TURN")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._fail("the connection is broken")
        else:
            self._fail("the server has closed the connection")

    async def write(self) -> None:
        """Whatever waits, until the stream breaks."""
        while True:
            await self._has_unsent.wait()
            await self.flush()

    async def flush(self) -> None:
        """Send what waits now."""
        async with self._writing:
            unsent, self._unsent = self._unsent, bytearray()
            self._has_unsent = trio.Event()
            try:
                await self._stream.send_all(unsent)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self._fail("the connection is broken")

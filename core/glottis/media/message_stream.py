"""Messages over TCP or TLS: what the stream does not take in time is dropped, as UDP would.

Those of TURN (RFC 8656 §3.1), and the datagrams of a call (RFC 6544 §3).
"""

from collections.abc import Callable
from typing import Final, Protocol

import msgspec
import trio

from glottis.contracts.errors import Malformed
from glottis.wire.stream_frames import StreamFrames, framed
from glottis.wire.stun_stream import StunStream, for_stream

READ_AT_ONCE: Final = 2048
"""Bytes, which are hundreds of the shortest messages."""


class Reader(Protocol):
    """Cuts apart what comes."""

    def feed_untrusted(self, data: bytes) -> list[bytes]:
        """The messages that are whole now. Raises ``Malformed`` if none can be found any more."""


class Framing(msgspec.Struct, frozen=True):
    """How messages are told apart in a stream, and how much may wait while TCP holds it back."""

    make_reader: Callable[[], Reader]
    wrap: Callable[[bytes], bytes]
    max_unsent: int
    """Bytes. Later messages are dropped: what is late is of no use to a call, and what a request is worth is asked
    again."""


TURN: Final = Framing(StunStream, for_stream, 64 * 1024)
"""Of all calls together: 16 calls' speech of a second."""
DATAGRAMS: Final = Framing(StreamFrames, framed, 8 * 1024)
"""Of one call: its speech of a second, or the flights of a handshake."""


class MessageStream:
    """``read`` and ``write`` are tasks of the owner; ``take`` gets messages, ``fail`` the reason of the end."""

    def __init__(
        self,
        stream: trio.abc.Stream,
        framing: Framing,
        take: Callable[[list[bytes]], None],
        fail: Callable[[str], None],
    ) -> None:
        self._no_room = 0
        self._framing = framing
        self._messages = framing.make_reader()
        self._stream = stream
        self._take = take
        self._fail = fail
        self._unsent = bytearray()
        self._has_unsent = trio.Event()
        self._writing = trio.Lock()

    @property
    def dropped(self) -> int:
        """Messages that there was no room for, and those of a TURN server that were too long."""
        return self._no_room + (self._messages.skipped if isinstance(self._messages, StunStream) else 0)

    def send(self, message: bytes) -> None:
        """Now or never, as TCP lets it."""
        if len(self._unsent) + len(message) > self._framing.max_unsent:
            self._no_room += 1
            return
        self._unsent += self._framing.wrap(message)
        self._has_unsent.set()

    async def read(self) -> None:
        """Until the stream ends."""
        try:
            while data := await self._stream.receive_some(READ_AT_ONCE):
                self._take(self._messages.feed_untrusted(bytes(data)))
        except Malformed:
            self._fail("the other end does not speak the protocol")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._fail("the connection is broken")
        else:
            self._fail("the other end has closed the connection")

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

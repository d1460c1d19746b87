"""The pipe between a gateway and a worker: to send is a plain call, since media ticks do; nobody's loop ever waits."""

import socket
from typing import Final

import trio

from glottis.calls.streams import Wakeup
from glottis.isolation.framing import Splitter, frame

CHUNK: Final = 16 * 1024
"""Bytes that are read at once: so little that what is in them takes no millisecond of others."""
MAX_AT_ONCE: Final = 64 * 1024
"""Bytes of what waits that are written at once."""


class Pipe:
    """One end. ``longest`` bounds the bodies of what comes. ``run`` writes what could not be sent at once."""

    def __init__(self, end: socket.socket, longest: int) -> None:
        end.setblocking(False)
        self._socket = end
        self.incoming = Splitter(longest)
        """Has what was read."""
        self._unsent = bytearray()
        self._more = Wakeup()
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """Bytes that the other end has not taken, beyond what the kernel keeps for it."""
        return len(self._unsent)

    def send(self, body: bytes) -> None:
        """At once if there is room, else later; nothing if the other end is gone, which whoever reads will see."""
        data = frame(body)
        if not self._unsent:
            data = data[self._try(data) :]
            if not data:
                return
        if not self._is_closed:
            self._unsent += data
            self._more.wake()

    async def run(self) -> None:
        """Until cancelled, or the other end is gone."""
        while not self._is_closed:
            while not self._unsent and not self._is_closed:
                await self._more.wait()
            if not self._is_closed:
                await trio.lowlevel.wait_writable(self._socket)
                del self._unsent[: self._try(self._unsent[:MAX_AT_ONCE])]

    async def read(self) -> bool:
        """Wait for more, and take it in; false if the other end is gone."""
        await trio.lowlevel.wait_readable(self._socket)
        try:
            data = self._socket.recv(CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.incoming.feed(data)
        return bool(data)

    def close(self) -> None:
        """The other end sees it. Idempotent."""
        if self._socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()
        self._give_up()

    def _try(self, data: bytes | bytearray) -> int:
        """How much of it is gone."""
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self._give_up()
            return len(data)

    def _give_up(self) -> None:
        self._is_closed = True
        self._unsent.clear()
        self._more.wake()

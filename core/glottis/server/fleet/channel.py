"""A socket between the parent and a worker: messages with their bounds, and descriptors beside them.

To send is a plain call, and nobody's event loop waits for the other end: what the kernel does not take is kept, up to a
bound, and beyond that the other end counts as gone.
"""

import array
import errno
import os
import socket
from collections import deque
from collections.abc import Sequence
from typing import Final

import trio

from glottis.calls.streams import Wakeup
from glottis.contracts.errors import Malformed
from glottis.server.fleet.messages import LONGEST, MOST_DESCRIPTORS

MAX_WAITING: Final = 1024
"""Messages that the other end has not taken: as many as there are in some seconds of a flood."""
MAX_WAITING_BYTES: Final = 8 * 1024 * 1024
RETRY: Final = 0.01
"""Seconds until the kernel may have room for descriptors that are on their way."""
_TOO_MANY: Final = (errno.ETOOMANYREFS, errno.ENOBUFS, errno.ENOMEM)


def open_channel_pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a socket that keeps the bounds of messages."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return ours, theirs


class Channel:
    """One end. ``run`` sends what could not be sent at once."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._socket = end
        self._waiting: deque[tuple[bytes, list[int]]] = deque()
        self._waiting_bytes = 0
        self._more = Wakeup()
        self._taken = Wakeup()
        self.is_closed = False
        """Nobody is at the other end, or it takes nothing."""
        self.is_overrun = False
        """It takes nothing."""

    @property
    def waiting(self) -> int:
        """Messages that the other end has not taken."""
        return len(self._waiting)

    def send(self, body: bytes, descriptors: Sequence[int] = ()) -> bool:
        """Send it now or later, with copies of the descriptors, which stay the caller's. False: nobody takes it."""
        if self.is_closed:
            return False
        if not self._waiting and self._try(body, descriptors):
            return not self.is_closed
        if len(self._waiting) >= MAX_WAITING or self._waiting_bytes + len(body) > MAX_WAITING_BYTES:
            self.is_overrun = True
            self._give_up()
            return False
        self._waiting.append((body, [os.dup(descriptor) for descriptor in descriptors]))
        self._waiting_bytes += len(body)
        self._more.wake()
        return True

    async def run(self) -> None:
        """Until cancelled, or the other end is gone."""
        while not self.is_closed:
            if not self._waiting:
                await self._more.wait()
                continue
            await trio.lowlevel.wait_writable(self._socket)
            if not self._waiting or self.is_closed:
                continue
            body, descriptors = self._waiting[0]
            if self._try(body, descriptors):
                self._forget_first()
            else:
                await trio.sleep(RETRY)

    async def flush(self) -> None:
        """Until the other end has taken all, or is gone, while ``run`` runs."""
        while self._waiting:
            await self._taken.wait()

    async def receive_untrusted(self) -> tuple[bytes, list[int]] | None:
        """The next message, and the descriptors that came with it, which are the caller's; None if there is none left.

        Raises ``Malformed`` for one that is too long.
        """
        while True:
            try:
                await trio.lowlevel.wait_readable(self._socket)
                body, ancillary, flags, _ = self._socket.recvmsg(
                    LONGEST, socket.CMSG_SPACE(MOST_DESCRIPTORS * array.array("i").itemsize), socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                continue
            except (OSError, trio.ClosedResourceError):
                return None
            descriptors = _descriptors(ancillary)
            if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                close_all(descriptors)
                raise Malformed(f"expected a message of at most {LONGEST} bytes and {MOST_DESCRIPTORS} descriptors")
            return (body, descriptors) if body else None

    def close(self) -> None:
        """The other end sees it. Idempotent."""
        if self._socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()
        self._give_up()

    def _try(self, body: bytes, descriptors: Sequence[int]) -> bool:
        """Whether nothing is left to do with it."""
        try:
            if descriptors:
                socket.send_fds(self._socket, [body], descriptors)
            else:
                self._socket.send(body)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in _TOO_MANY:
                return False
            self._give_up()
        return True

    def _forget_first(self) -> None:
        if self._waiting:
            body, descriptors = self._waiting.popleft()
            self._waiting_bytes -= len(body)
            close_all(descriptors)
            self._taken.wake()

    def _give_up(self) -> None:
        self.is_closed = True
        while self._waiting:
            self._forget_first()
        self._more.wake()


def close_all(descriptors: Sequence[int]) -> None:
    """Those that nobody has a use for."""
    for descriptor in descriptors:
        os.close(descriptor)


def _descriptors(ancillary: Sequence[tuple[int, int, bytes]]) -> list[int]:
    found = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return list(found)

"""Datagrams by TCP, for callers whose network lets no UDP through (RFC 6544): framed as RFC 4571 has it.

A stream has two tasks, as a connection of HTTP has. It is the way of last resort, and need not be as cheap as UDP.
"""

import logging
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, Protocol

import trio

from glottis.media.demultiplexer import Arrival
from glottis.media.link import Link, Sender
from glottis.media.message_stream import DATAGRAMS, MessageStream
from glottis.wire.address import Address, Path, Transport

logger = logging.getLogger(__name__)

UNSENT_IN_KERNEL: Final = 2048
"""Bytes that the kernel holds back behind those on the way: what waits there cannot be dropped."""
GOODBYE_TIME: Final = 0.5
"""Seconds for a stream to take what was sent last."""


class StreamEndpoint(Protocol):
    """What streams need of a ``UdpEndpoint``."""

    def attach(self, link: Link) -> None: ...
    def detach(self, link: Link) -> None: ...
    def take(self, data: bytes, arrival: Arrival) -> None: ...
    def turn(self) -> AbstractContextManager[None]: ...
    def is_used(self, path: Path) -> bool: ...
    def knows_check(self, data: bytes) -> bool: ...


class StreamLink:
    """See ``Link``: the streams between ``address`` and those at the other ends."""

    transport: Final[Transport] = "tcp"

    def __init__(self, address: Address, endpoint: StreamEndpoint) -> None:
        self.address = address
        self._endpoint = endpoint
        self._streams: dict[Address, _Stream] = {}
        self._former_dropped = 0

    def __len__(self) -> int:
        return len(self._streams)

    @property
    def dropped(self) -> int:
        """Datagrams that a stream had no room for."""
        return self._former_dropped + sum(stream.messages.dropped for stream in self._streams.values())

    def send(self, data: bytes, remote: Address, sender: Sender) -> None:
        """See ``Link``."""
        stream = self._streams.get(remote)
        if stream is not None:
            stream.messages.send(data)
        else:
            self._former_dropped += 1

    def release(self, remote: Address) -> None:
        """See ``Link``."""
        stream = self._streams.get(remote)
        if stream is not None:
            stream.was_used = True
            stream.end("the call has left it")

    async def carry(
        self, stream: trio.SocketStream, remote: Address, accept: Callable[[bytes], bool], *first: bytes
    ) -> bool:
        """Be the way to ``remote`` until either end has had enough, or the first datagram is not to ``accept``.

        ``first`` is sent at once. Says whether a call has used it, and left it.
        """
        carried = _Stream(stream, Path(self.address, remote, "tcp"), self._endpoint, accept)
        self._streams[remote] = carried
        for datagram in first:
            carried.messages.send(datagram)
        try:
            await carried.run()
        finally:
            self._former_dropped += carried.messages.dropped
            if self._streams.get(remote) is carried:
                del self._streams[remote]
        return carried.was_used


class _Stream:
    def __init__(
        self, stream: trio.SocketStream, path: Path, endpoint: StreamEndpoint, accept: Callable[[bytes], bool]
    ) -> None:
        self.messages = MessageStream(stream, DATAGRAMS, self._take, self.end)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_IN_KERNEL)
        self._path = path
        self._endpoint = endpoint
        self._accept: Callable[[bytes], bool] | None = accept
        self.was_used = False
        self._ended = trio.Event()

    def end(self, reason: str) -> None:
        logger.debug("the TCP connection with %s:%d ends: %s", *self._path.remote, reason)
        self._ended.set()

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.messages.read)
            nursery.start_soon(self.messages.write)
            try:
                await self._ended.wait()
            finally:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + GOODBYE_TIME):
                    await self.messages.flush()
                nursery.cancel_scope.cancel()

    def _take(self, datagrams: list[bytes]) -> None:
        with self._endpoint.turn():
            for data in datagrams:
                if self._accept is not None and not self._accept(data):
                    self.end("it begins with no check of a call")
                    return
                self._accept = None
                self._endpoint.take(data, self._path)

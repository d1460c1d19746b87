"""A gateway on loopback, whose wires are in the test's hands."""

import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import trio
from glottis.media.endpoint import UdpEndpoint
from glottis.media.udp_link import open_udp_socket
from glottis.server.gateway import Gateway

from support.gateway import CONFIG, open_test_gateway

HOST = "127.0.0.1"


class Wire(socket.socket):
    """A UDP socket that takes over a bound one. ``lets_out`` and ``lets_in`` say which datagrams are not lost."""

    def __init__(self, bound: socket.socket) -> None:
        super().__init__(bound.family, bound.type, fileno=bound.detach())
        self.setblocking(False)
        self.lets_out: Callable[[bytes], bool] = lambda data: True
        self.lets_in: Callable[[bytes], bool] = lambda data: True

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        """The next datagram that is let in."""
        while True:
            data, source = super().recvfrom(bufsize, flags)
            if self.lets_in(data):
                return data, source

    def sendto(self, data: bytes, address: Any, /) -> int:  # type: ignore[override]
        """Send it, or lose it."""
        return super().sendto(data, address) if self.lets_out(data) else len(data)


class Wires(trio.abc.Listener[trio.SocketStream]):
    """A gateway's connections by TCP, and its ``udp``. ``url`` is where it serves."""

    def __init__(self, listener: trio.SocketListener) -> None:
        self.udp = Wire(open_udp_socket(HOST, 0))
        self.url = f"http://{HOST}:{listener.socket.getsockname()[1]}"
        self._listener = listener
        self._streams: list[trio.SocketStream] = []

    async def accept(self) -> trio.SocketStream:
        """See ``trio.abc.Listener``."""
        stream = await self._listener.accept()
        self._streams.append(stream)
        return stream

    async def aclose(self) -> None:
        """See ``trio.abc.Listener``."""
        await self._listener.aclose()

    def cut(self) -> None:
        """Every connection by TCP breaks, without a word."""
        for stream in self._streams:
            with suppress(OSError):
                stream.socket.shutdown(socket.SHUT_RDWR)
        self._streams.clear()


@asynccontextmanager
async def open_wired_gateway(
    directory: Path, config: str = CONFIG, plugins: Iterable[object] = (), **parts: Any
) -> AsyncIterator[tuple[Gateway, Wires]]:
    """See ``open_test_gateway``."""
    [listener] = await trio.open_tcp_listeners(0, host=HOST)
    config = config.replace("port = 0", f"port = {listener.socket.getsockname()[1]}", 1)
    wires = Wires(listener)
    with UdpEndpoint([wires.udp]) as endpoint:
        async with open_test_gateway(
            directory, config, plugins, endpoint=endpoint, listeners=[wires], **parts
        ) as gateway:
            yield gateway, wires

"""A gateway and its phones with nothing but memory between them, so that their time can be virtual."""

import math
import os
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, cast

import trio
import trio.testing
from glottis import AuthRequest, AuthSchemeSpec, Principal, hookimpl
from glottis.server.gateway import Gateway
from glottis.wire.address import Address
from glottis_auth_anonymous import ANONYMOUS, Anonymous

from support.gateway import CONFIG, open_test_gateway
from support.phone import Exchange, PhoneEndpoint, open_exchange
from support.plugins import TestPlugin

HTTP_PORT = 8080
LOOK = 5e-6
"""Seconds that a look at ``CountedTime`` takes; each datagram is followed by one."""
MAX_WAITING = 4096
"""Datagrams that a socket holds: more than any attack sends before time goes on."""
MEDIA = Address("192.0.2.2", 5000)


class Everybody(Anonymous):
    """An auth scheme for clients without an IP address, and the plugin that registers it."""

    async def authenticate(self, request: AuthRequest) -> Principal | None:
        """Anyone."""
        return ANONYMOUS

    @hookimpl
    def register_auth_schemes(self) -> Sequence[AuthSchemeSpec]:
        """The scheme ``everybody``."""
        return [AuthSchemeSpec("everybody", lambda settings: self)]


class MemoryListener(trio.abc.Listener[trio.StapledStream[Any, Any]]):
    """Accepts what ``connect`` opens."""

    def __init__(self) -> None:
        self._opened, self._accepted = trio.open_memory_channel[trio.StapledStream[Any, Any]](math.inf)

    def connect(self) -> trio.StapledStream[Any, Any]:
        """The client's end of a new connection. Raises ``ConnectionRefusedError`` once the listener is closed."""
        ours, theirs = trio.testing.memory_stream_pair()
        try:
            self._opened.send_nowait(theirs)
        except trio.BrokenResourceError:
            raise ConnectionRefusedError from None
        return ours

    async def accept(self) -> trio.StapledStream[Any, Any]:
        """See ``trio.abc.Listener``."""
        return await self._accepted.receive()

    async def aclose(self) -> None:
        """See ``trio.abc.Listener``."""
        await self._accepted.aclose()


class CountedTime:
    """Virtual time, in which each look at the clock takes a little: turns are as long on each machine."""

    def __init__(self) -> None:
        self._now = trio.current_time()

    def __call__(self) -> float:
        """Seconds."""
        self._now = max(self._now + LOOK, trio.current_time())
        return self._now


class MemorySocket:
    """In place of a UDP socket. It has a descriptor, which is readable as long as something waits."""

    def __init__(self, network: "MemoryNetwork", address: Address) -> None:
        self.public = address
        self.passes: Callable[[bytes], bool] = lambda data: True
        self.watch: Callable[[bytes], None] = lambda data: None
        self._address = address
        self._network = network
        self._waiting: deque[tuple[bytes, Address]] = deque()
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK)
        self._is_closed = False

    def fileno(self) -> int:
        """Readable, or not."""
        return self._descriptor

    def getsockname(self) -> Address:
        """What it is bound to."""
        return self._address

    def close(self) -> None:
        """Nothing is read any more."""
        if not self._is_closed:
            self._is_closed = True
            os.close(self._descriptor)

    def sendto(self, data: bytes, remote: Address) -> None:
        """To whoever has the address."""
        if self.passes(data):
            self._network.carry(data, self.public, remote)

    def arrive(self, data: bytes, source: Address) -> None:
        """Lost if nobody reads any more, or too much waits."""
        self.watch(data)
        if self._is_closed or len(self._waiting) >= MAX_WAITING:
            return
        self._waiting.append((data, source))
        os.eventfd_write(self._descriptor, 1)

    def recvfrom(self, size: int) -> tuple[bytes, Address]:
        """The oldest datagram. Raises ``BlockingIOError`` if there is none."""
        if not self._waiting:
            with suppress(BlockingIOError):
                os.eventfd_read(self._descriptor)
            raise BlockingIOError
        data, source = self._waiting.popleft()
        return data[:size], source


class MemoryEndpoint(PhoneEndpoint):
    """One with a socket in memory."""

    def __init__(self, network: "MemoryNetwork", address: Address) -> None:
        self._socket = MemorySocket(network, address)
        self._network = network
        super().__init__(cast(socket.socket, self._socket), CountedTime())

    @property
    def public(self) -> Address:
        """Where others see it: ``move_to`` has a translator give it another address."""
        return self._socket.public

    def let_pass(self, passes: Callable[[bytes], bool]) -> None:
        """Only these datagrams get on their way."""
        self._socket.passes = passes

    def watch(self, watch: Callable[[bytes], None]) -> None:
        """See those that arrive."""
        self._socket.watch = watch

    def move_to(self, address: Address) -> None:
        """From now on its datagrams come from there, as those of a phone that changes its network do."""
        self._socket.public = address
        self._network.add(self)

    def arrive(self, data: bytes, source: Address) -> None:
        """From the other end."""
        self._socket.arrive(data, source)


class Host(Protocol):
    """Whatever has an address."""

    @property
    def public(self) -> Address:
        """Where others see it."""

    def arrive(self, data: bytes, source: Address) -> None:
        """From the other end."""


class MemoryNetwork:
    """A ``Network`` with a gateway's listener, and an endpoint for each address."""

    def __init__(self) -> None:
        self.listener = MemoryListener()
        self.gateway = MemoryEndpoint(self, MEDIA)
        self._endpoints: dict[Address, Host] = {MEDIA: self.gateway}

    async def connect(self, host: str, port: int) -> trio.StapledStream[Any, Any]:
        """See ``Network``."""
        assert port == HTTP_PORT
        return self.listener.connect()

    def open_endpoint(self) -> MemoryEndpoint:
        """See ``Network``."""
        address = Address("192.0.2.1", 40000 + len(self._endpoints))
        endpoint = MemoryEndpoint(self, address)
        self.add(endpoint)
        return endpoint

    def add(self, endpoint: Host) -> None:
        """Carry to its public address, too."""
        self._endpoints[endpoint.public] = endpoint

    def hide(self, address: Address) -> None:
        """Nothing is carried there any more, as to what is behind a translator."""
        del self._endpoints[address]

    def carry(self, data: bytes, source: Address, target: Address) -> None:
        """At once, and in order."""
        endpoint = self._endpoints.get(target)
        if endpoint is not None:
            endpoint.arrive(data, source)


@asynccontextmanager
async def open_memory_exchange(
    directory: Path, config: str = CONFIG, plugins: Iterable[object] = (), **parts: Any
) -> AsyncIterator[Exchange]:
    """A gateway that serves ``config`` in memory, and phones for it; see ``open_test_gateway``."""
    network = MemoryNetwork()
    with network.gateway:
        async with (
            open_memory_gateway(directory, network, config, plugins, **parts) as gateway,
            open_exchange(gateway, network) as exchange,
        ):
            yield exchange


@asynccontextmanager
async def open_memory_gateway(
    directory: Path, network: MemoryNetwork, config: str = CONFIG, plugins: Iterable[object] = (), **parts: Any
) -> AsyncIterator[Gateway]:
    """The same without phones, on a network that outlasts it."""
    config = config.replace("port = 0", f"port = {HTTP_PORT}", 1)
    config = config.replace('scheme = "anonymous"', 'scheme = "everybody"', 1)
    parts |= {"endpoint": network.gateway, "listeners": [network.listener]}
    async with open_test_gateway(directory, config, [Everybody(), *plugins], **parts) as gateway:
        yield gateway


def open_memory_exchange_with(
    directory: Path, plugin: TestPlugin, server: str = "", **parts: Any
) -> AbstractAsyncContextManager[Exchange]:
    """The same with the plugin enabled; see ``open_exchange_with``."""
    return open_memory_exchange(directory, plugin.config(server), [plugin], **parts)

"""A gateway and its phones with nothing but memory between them, so that their time can be virtual."""

import math
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import trio
import trio.testing
from glottis import AuthRequest, AuthSchemeSpec, Principal, hookimpl
from glottis.media.demultiplexer import Demultiplexer, Receiver
from glottis.wire.address import Address, Datagram
from glottis.wire.demux import is_stun_request
from glottis_auth_anonymous import ANONYMOUS, Anonymous

from support.gateway import CONFIG, open_test_gateway
from support.phone import Exchange, open_exchange
from support.plugins import TestPlugin

HTTP_PORT = 8080
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


class MemoryEndpoint(Demultiplexer):
    """In place of a ``UdpEndpoint`` with one socket."""

    def __init__(self, network: "MemoryNetwork", address: Address) -> None:
        super().__init__()
        self.addresses = [address]
        self.send_failures = 0
        self.passes: Callable[[bytes], bool] = lambda data: True
        """Which datagrams get on their way."""
        self.watch: Callable[[bytes], None] = lambda data: None
        """Sees those that arrive."""
        self.public = address
        """Where others see it: ``move_to`` has a translator give it another address."""
        self._network = network
        self._sent, self._arriving = trio.open_memory_channel[Datagram](math.inf)

    def __enter__(self) -> "MemoryEndpoint":
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Nothing is read any more."""
        self._arriving.close()

    @property
    def sessions(self) -> int:
        """How many sessions have entries in the table."""
        return len(self)

    def send(self, datagram: Datagram, sender: Receiver) -> None:
        """To whoever has the address."""
        if is_stun_request(datagram.data):
            self.note_request(datagram.data, sender)
        if self.passes(datagram.data):
            self._network.carry(Datagram(datagram.data, datagram.path._replace(local=self.public)))

    def move_to(self, address: Address) -> None:
        """From now on its datagrams come from there, as those of a phone that changes its network do."""
        self.public = address
        self._network.add(self)

    def arrive(self, datagram: Datagram) -> None:
        """From the other end, whose path it has; lost if nobody reads any more."""
        self.watch(datagram.data)
        try:
            self._sent.send_nowait(datagram)
        except trio.BrokenResourceError:
            return

    async def run(self) -> None:
        """Read until cancelled."""
        async for data, (theirs, _, transport) in self._arriving:
            self.dispatch(data, (self.addresses[0], theirs, transport))

    def begin_turns(self) -> None:
        """``run`` reads."""

    drain = end_turns = begin_turns


class MemoryNetwork:
    """A ``Network`` with a gateway's listener, and an endpoint for each address."""

    def __init__(self) -> None:
        self.listener = MemoryListener()
        self.gateway = MemoryEndpoint(self, MEDIA)
        self._endpoints = {MEDIA: self.gateway}

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

    def add(self, endpoint: MemoryEndpoint) -> None:
        """Carry to its public address, too."""
        self._endpoints[endpoint.public] = endpoint

    def carry(self, datagram: Datagram) -> None:
        """At once, and in order."""
        endpoint = self._endpoints.get(datagram.path.remote)
        if endpoint is not None:
            endpoint.arrive(datagram)


@asynccontextmanager
async def open_memory_exchange(
    directory: Path, config: str = CONFIG, plugins: Iterable[object] = (), **parts: Any
) -> AsyncIterator[Exchange]:
    """A gateway that serves ``config`` in memory, and phones for it; see ``open_test_gateway``."""
    network = MemoryNetwork()
    config = config.replace("port = 0", f"port = {HTTP_PORT}", 1)
    config = config.replace('scheme = "anonymous"', 'scheme = "everybody"', 1)
    parts |= {"endpoint": network.gateway, "listeners": [network.listener]}
    async with (
        open_test_gateway(directory, config, [Everybody(), *plugins], **parts) as gateway,
        open_exchange(gateway, network) as exchange,
    ):
        yield exchange


def open_memory_exchange_with(
    directory: Path, plugin: TestPlugin, server: str = "", **parts: Any
) -> AbstractAsyncContextManager[Exchange]:
    """The same with the plugin enabled; see ``open_exchange_with``."""
    return open_memory_exchange(directory, plugin.config(server), [plugin], **parts)

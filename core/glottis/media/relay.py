"""An address on a TURN server as a link (RFC 8656): what takes a path from it goes to the server, in its messages.

One for all calls, as sockets are: over UDP a server tells allocations apart by our transport address, and that is one
for all calls. Over TCP and TLS it need not be so, and is as good.
"""

import os
import random
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Final, Literal, Protocol

import trio

from glottis.media.demultiplexer import Arrival, Receiver
from glottis.media.link import Link, Sender
from glottis.media.message_stream import TURN, MessageStream
from glottis.media.relay_ways import family_of
from glottis.turn import (
    DEFAULT_TIMING,
    Allocated,
    Allocation,
    Alternate,
    Closed,
    Failed,
    Family,
    LongTermCredentials,
    Received,
    TurnTiming,
)
from glottis.wire.address import Address, Datagram, Path, Transport
from glottis.wire.discreet import Discreet

CONNECT_TIME: Final = 5.0
"""Seconds for a TCP connection with its TLS handshake."""
UNTRUSTED: Final = "its certificate is not trusted"
"""Nothing is wrong with the way, then."""
RELEASE_TIME: Final = 1.0
"""Seconds for a stream to take the release of the address; what is not released lapses."""


class RelayEndpoint(Protocol):
    """What a relay needs of a ``UdpEndpoint``."""

    def bind_another(self, host: str, *, for_calls: bool = True) -> Address: ...
    def attach(self, link: Link) -> None: ...
    def detach(self, link: Link) -> None: ...
    def add_carrier(self, path: Path, receiver: Receiver) -> bool: ...
    def remove(self, receiver: Receiver) -> None: ...
    def send(self, datagram: Datagram, sender: Sender) -> None: ...
    def take(self, data: bytes, arrival: Arrival) -> None: ...
    def turn(self) -> AbstractContextManager[None]: ...


class RelayServer(Discreet, frozen=True):
    """A TURN server and the way to it. ``name`` is that of its certificate, and what the log calls it."""

    hidden = frozenset({"credentials"})

    name: str
    address: Address
    transport: Literal["udp", "tcp", "tls"]
    credentials: LongTermCredentials | None


class Carrier(Protocol):
    """What brings messages to the server."""

    def send(self, message: bytes) -> None:
        """Now or never."""


class Relay:
    """See ``Link``. ``run`` gets the address and keeps it; ``told`` hears when it is there.

    ``base`` is the address of the socket that messages over UDP leave by. ``family`` is that of the address which is
    asked for, by default the server's own.
    """

    transport: Final[Transport] = "relay"

    def __init__(
        self,
        server: RelayServer,
        endpoint: RelayEndpoint,
        base: Address,
        *,
        rng: random.Random,
        told: Callable[[Allocated], None] = lambda allocated: None,
        timing: TurnTiming = DEFAULT_TIMING,
        tls: ssl.SSLContext | None = None,
        family: Family | None = None,
    ) -> None:
        self.address = Address("", 0)
        self.server = server
        self._endpoint = endpoint
        self._base = base
        self._told = told
        self._tls = tls
        self._allocation = Allocation(
            server.address,
            server.credentials,
            rng=rng,
            family=family or family_of(server.address),
            reliable=server.transport != "udp",
            timing=timing,
        )
        self._carrier: Carrier | None = None
        self._stream: MessageStream | None = None
        self._ended: Failed | Alternate | None = None
        self._wait = trio.CancelScope()
        self._former_ignored = self._former_dropped = 0

    @property
    def ignored_datagrams(self) -> int:
        """See ``Allocation``."""
        return self._former_ignored + self._allocation.ignored_datagrams

    @property
    def dropped_datagrams(self) -> int:
        """Of calls, which the server did not permit, or which the stream had no room for."""
        in_stream = self._stream.dropped if self._stream is not None else 0
        return self._former_dropped + self._allocation.dropped_datagrams + in_stream

    async def run(self) -> Failed:
        """Get the address and relay until that fails, once; returns why. When it is cancelled, it gives it back."""
        while True:
            try:
                async with self._open_carrier() as self._carrier:
                    ended = await self._live()
            except _Taken:
                ended = Failed("another relay has the address, and a socket has one on each server")
            except (OSError, trio.BrokenResourceError, trio.TooSlowError) as error:
                ended = Failed(f"there is no connection: {_why_none(error)}")
            if isinstance(ended, Failed):
                return ended
            self._former_ignored += self._allocation.ignored_datagrams
            self._former_dropped, self._stream = self.dropped_datagrams, None
            self._allocation = self._allocation.redirected(ended.server)

    def send(self, data: bytes, remote: Address, sender: Sender) -> None:
        """See ``Link``."""
        self._allocation.send(data, remote, trio.current_time(), sender)
        self._drain()

    def doubt(self, silence: float = 0.0) -> None:
        """A call hears nothing by this address: find out at once whether that is the server's fault.

        Or one begins, and the server has said nothing for so many seconds.
        """
        self._allocation.doubt(trio.current_time(), silence)
        self._drain()

    def release(self, remote: Address) -> None:
        """See ``Link``: permissions lapse by themselves."""

    # What has come from the server

    def receive(self, data: bytes, path: Path) -> None:
        """See ``demultiplexer.Receiver``."""
        self.handle_message(data)

    def refuse(self) -> None:
        """See ``demultiplexer.Receiver``; a carrier is never refused."""

    def send_failed(self, error: Exception) -> None:
        """See ``link.Sender``: as good as lost."""

    def receive_all(self, messages: Iterable[bytes]) -> None:
        """What was read of a stream at once."""
        with self._endpoint.turn():
            for message in messages:
                self.handle_message(message)

    def handle_message(self, message: bytes) -> None:
        """Whatever has brought it."""
        self._allocation.handle_datagram(message, trio.current_time())
        self._drain()

    def fail(self, reason: str) -> None:
        """The way to the server is broken."""
        self._end(Failed(reason))

    # Life

    async def _live(self) -> Failed | Alternate:
        self._ended = None
        self._allocation.start(trio.current_time())
        try:
            while (ended := self._how_it_ended()) is None:
                with trio.CancelScope() as self._wait:  # whatever happens from now on moves its deadline
                    self._allocation.handle_timeout(trio.current_time())
                    self._drain()
                    await trio.sleep_forever()
            return ended
        finally:
            self._endpoint.detach(self)
            self._allocation.close(trio.current_time())
            self._drain()
            self._carrier = None

    def _drain(self) -> None:
        allocation = self._allocation
        for message in allocation.datagrams_to_send():
            if self._carrier is not None:
                self._carrier.send(message)
        while (event := allocation.next_event()) is not None:
            match event:
                case Received(data, peer):
                    self._endpoint.take(data, (self.address, peer, "relay"))
                case Allocated(relayed):
                    self.address = relayed
                    self._endpoint.attach(self)
                    self._told(event)
                case Failed() | Alternate():
                    self._end(event)
                case Closed():
                    pass
        moment = allocation.next_timeout()
        deadline = float("inf") if moment is None else moment
        if self._ended is None and deadline != self._wait.deadline:
            self._wait.deadline = deadline

    def _how_it_ended(self) -> Failed | Alternate | None:
        return self._ended

    def _end(self, event: Failed | Alternate) -> None:
        self._ended = self._ended or event
        self._wait.cancel()

    @asynccontextmanager
    async def _open_carrier(self) -> AsyncIterator[Carrier]:
        if self.server.transport == "udp":
            path = Path(self._base, self._allocation.server)
            if not self._endpoint.add_carrier(path, self):
                raise _Taken
            try:
                yield _UdpCarrier(self._endpoint, path, self)
            finally:
                self._endpoint.remove(self)
        else:
            async with self._connect() as stream, trio.open_nursery() as nursery:
                carrier = self._stream = MessageStream(stream, TURN, self.receive_all, self.fail)
                nursery.start_soon(carrier.read)
                nursery.start_soon(carrier.write)
                try:
                    yield carrier
                finally:
                    with trio.CancelScope(shield=True, deadline=trio.current_time() + RELEASE_TIME):
                        await carrier.flush()
                    nursery.cancel_scope.cancel()

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[trio.abc.Stream]:
        """Raises ``OSError``, ``trio.BrokenResourceError`` or ``trio.TooSlowError``."""
        host, port = self._allocation.server
        with trio.fail_after(CONNECT_TIME):
            stream: trio.abc.Stream = await trio.open_tcp_stream(host, port)
            try:
                if self.server.transport == "tls":
                    # It reads hundreds of certificates, which takes as long as two frames.
                    if self._tls is None:
                        self._tls = await trio.to_thread.run_sync(ssl.create_default_context)
                    secured = trio.SSLStream(stream, self._tls, server_hostname=self.server.name)
                    stream = secured
                    await secured.do_handshake()
            except BaseException:
                await trio.aclose_forcefully(stream)
                raise
        try:
            yield stream
        finally:
            await trio.aclose_forcefully(stream)


def _why_none(error: Exception) -> str:
    """Of TCP or TLS, in words; trio puts groups and errors of its own around what has happened."""
    cause: BaseException = error
    while cause.__cause__ is not None or isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause.__cause__ or cause
    match cause:
        case ssl.SSLCertVerificationError():
            return f"{UNTRUSTED} ({cause.verify_message})"
        case ssl.SSLError():
            return f"TLS fails ({cause.reason or type(cause).__name__})"
        case OSError(errno=int(number)):
            return os.strerror(number)
        case trio.TooSlowError():
            return f"nothing within {CONNECT_TIME:g} s"
        case _:
            return type(cause).__name__


class _Taken(Exception):
    """A server over UDP knows its clients by their sockets (RFC 8656 §3.1), and this one has an allocation there."""


class _UdpCarrier:
    def __init__(self, endpoint: RelayEndpoint, path: Path, relay: Relay) -> None:
        self._endpoint = endpoint
        self._path = path
        self._relay = relay

    def send(self, message: bytes) -> None:
        self._endpoint.send(Datagram(message, self._path), self._relay)

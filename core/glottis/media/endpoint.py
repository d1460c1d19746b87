"""The UDP sockets: one per local address, shared by all sessions.

A lone datagram is read at once. While traffic is dense, what has come is read in the turns of the wheel instead: many
datagrams per wake-up cost a third of one wake-up per datagram, and a wake-up of its own, 200 times a second, costs as
much as ten calls. Plain non-blocking sockets: trio's wrapper costs 6 to 10 µs per call.
"""

import errno
import logging
import socket
from collections.abc import Sequence
from ipaddress import ip_address

import trio

from glottis.contracts.errors import ConfigurationError
from glottis.media.demultiplexer import Demultiplexer, Receiver
from glottis.wire.address import Address, Datagram
from glottis.wire.demux import is_stun_request

logger = logging.getLogger(__name__)

MAX_DATAGRAM = 2048
SPARSE_TURNS = 20
"""So many turns of the wheel in a row with no more than one datagram, and the socket's own reader takes over again."""
DRAIN_PAUSE = 0.002
"""Seconds to let datagrams gather where there is no wheel to read them."""
DRAIN_LIMIT = 512
"""Datagrams read in a row before other tasks get their turn: about 100,000 per second in all."""
SOCKET_BUFFER = 1 << 21
_LOST = {
    *(errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.ECONNREFUSED),
    *(errno.EINVAL, errno.EPERM, errno.EACCES, errno.EADDRNOTAVAIL, errno.EMSGSIZE, errno.ENOBUFS, errno.ENOMEM),
}
"""What the kernel says of one datagram or destination, or of a bad moment; it is no fault of the socket."""


def open_udp_socket(host: str, port: int) -> socket.socket:
    """Bind a non-blocking UDP socket. Raises ``ConfigurationError`` if the address or port cannot be had."""
    family = socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 has sockets of its own
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise ConfigurationError(f"media.addresses: cannot bind UDP {host} port {port}: {error.strerror}") from error
    return sock


class _LocalSocket:
    """One bound socket and the sessions reachable through it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.address = Address(*sock.getsockname()[:2])
        self.demultiplexer = Demultiplexer()
        self.left_to_wheel: trio.Event | None = None
        """Set when traffic is sparse again, and the socket's own reader takes over."""
        self._sparse_turns = 0

    def turn(self) -> None:
        """The wheel reads, if the socket is left to it."""
        if self.left_to_wheel is not None:
            self._sparse_turns = 0 if self.drain() > 1 else self._sparse_turns + 1
            if self._sparse_turns >= SPARSE_TURNS:
                self.take_back()

    def take_back(self) -> None:
        """The wheel does not read this socket any more."""
        if self.left_to_wheel is not None:
            self.left_to_wheel.set()
            self.left_to_wheel = None
            self._sparse_turns = 0

    def drain(self) -> int:
        """Dispatch what has arrived; returns how many datagrams that were."""
        recvfrom, dispatch, local = self.sock.recvfrom, self.demultiplexer.dispatch, self.address
        for count in range(DRAIN_LIMIT):
            try:
                data, remote = recvfrom(MAX_DATAGRAM)
            except (BlockingIOError, InterruptedError):
                return count
            except OSError as error:
                # An ICMP error about an earlier datagram surfaces here and says nothing about this socket.
                logger.debug("UDP receive on %s: %s", local, error)
                continue
            dispatch(data, remote if len(remote) == 2 else remote[:2], local)
        return DRAIN_LIMIT


class UdpEndpoint:
    """All UDP sockets of the gateway. Use as a context manager; ``run`` reads until it is cancelled."""

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        self._sockets = {local.address: local for local in map(_LocalSocket, sockets)}
        self._wheel_turns = False
        self.send_failures = 0
        """Datagrams that the kernel refused: a full buffer or an unreachable destination."""

    @classmethod
    def bind(cls, hosts: Sequence[str], port: int) -> "UdpEndpoint":
        """Bind ``port`` (0: any) on each of ``hosts``."""
        sockets: list[socket.socket] = []
        try:
            for host in hosts:
                sockets.append(open_udp_socket(host, port))
        except ConfigurationError:
            for sock in sockets:
                sock.close()
            raise
        return cls(sockets)

    @property
    def addresses(self) -> list[Address]:
        """The local transport addresses, the bases of host candidates."""
        return list(self._sockets)

    @property
    def sessions(self) -> int:
        """How many sessions have entries in any table."""
        return max((len(local.demultiplexer) for local in self._sockets.values()), default=0)

    def __enter__(self) -> "UdpEndpoint":
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close all sockets."""
        for local in self._sockets.values():
            local.sock.close()

    def add_ufrag(self, ufrag: str, receiver: Receiver) -> None:
        """See ``Demultiplexer.add_ufrag``."""
        for local in self._sockets.values():
            local.demultiplexer.add_ufrag(ufrag, receiver)

    def demultiplexer(self, local: Address) -> Demultiplexer:
        """The tables of one socket."""
        return self._sockets[local].demultiplexer

    def remove(self, receiver: Receiver) -> None:
        """Forget a session on every socket."""
        for local in self._sockets.values():
            local.demultiplexer.remove(receiver)

    def send(self, datagram: Datagram, sender: Receiver) -> None:
        """Send now or never: a datagram that cannot leave is as good as lost on the way."""
        data, (local_address, remote) = datagram
        local = self._sockets[local_address]
        if is_stun_request(data):
            local.demultiplexer.note_request(data, sender)
        try:
            local.sock.sendto(data, remote)
        except BlockingIOError:
            self.send_failures += 1
        except OSError as error:
            if error.errno not in _LOST:
                raise
            self.send_failures += 1

    async def run(self) -> None:
        """Read all sockets until cancelled."""
        async with trio.open_nursery() as nursery:
            for local in self._sockets.values():
                nursery.start_soon(self._read, local)

    async def _read(self, local: _LocalSocket) -> None:
        while True:
            await trio.lowlevel.wait_readable(local.sock)
            if local.drain() <= 1:
                continue
            if self._wheel_turns:
                local.left_to_wheel = sparse = trio.Event()
                await sparse.wait()
            else:
                await trio.sleep(DRAIN_PAUSE)

    # --- the wheel calls these ---

    def begin_turns(self) -> None:
        """See ``scheduler.Sockets``."""
        self._wheel_turns = True

    def drain(self) -> None:
        """See ``scheduler.Sockets``."""
        for local in self._sockets.values():
            local.turn()

    def end_turns(self) -> None:
        """See ``scheduler.Sockets``."""
        self._wheel_turns = False
        for local in self._sockets.values():
            local.take_back()

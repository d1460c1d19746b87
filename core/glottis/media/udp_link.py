"""A UDP socket, shared by all sessions that have a path from its address.

A lone datagram is read at once. While traffic is dense, what has come is read in the turns of the wheel instead: many
datagrams per wake-up cost a third of one wake-up per datagram, and a wake-up of its own, 200 times a second, costs as
much as ten calls. What does not fit into a turn is read in the next one. What calls send while the wheel ticks them
leaves together for the same reason: sent in between, a packet cost 33 µs, for it wakes a receiver and finds the code
of the kernel cold; in a row, 2 µs. Plain non-blocking sockets: trio's wrapper costs 6 to 10 µs per call.
"""

import errno
import logging
import socket
from ipaddress import ip_address
from typing import Final

import trio

from glottis.contracts.errors import ConfigurationError
from glottis.media.fair_queue import FairQueue
from glottis.media.link import Sender
from glottis.wire.address import Address, Transport

logger = logging.getLogger(__name__)

MAX_DATAGRAM: Final = 2048
SPARSE_TURNS: Final = 20
"""So many turns of the wheel in a row with no more than one datagram, and the socket's own reader takes over again."""
DRAIN_PAUSE: Final = 0.002
"""Seconds to let datagrams gather where there is no wheel to read them."""
DRAIN_LIMIT: Final = 2048
"""Datagrams read in a turn at most, should they take no time."""
MAX_HELD: Final = 32
"""Datagrams that leave together at most: the first one waits while as many calls are ticked, 5 ms where they encode."""
SOCKET_BUFFER: Final = 1 << 21
_LOST: Final = {
    *(errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.ECONNREFUSED),
    *(errno.EINVAL, errno.EPERM, errno.EACCES, errno.EADDRNOTAVAIL, errno.EMSGSIZE),
    *(errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM),
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


class UdpLink:
    """See ``Link``. ``read`` gives what comes to ``queue``, unless the wheel does."""

    transport: Final[Transport] = "udp"

    def __init__(self, sock: socket.socket, queue: FairQueue) -> None:
        self.address = Address(*sock.getsockname()[:2])
        self.send_failures = 0
        """Datagrams that the kernel refused: a full buffer or an unreachable destination."""
        self._sock = sock
        self._queue = queue
        self._held: list[tuple[bytes, Address, Sender]] = []
        self._most_held = 1
        """As soon as there are so many they leave."""
        self._wheel_turns = False
        self._left_to_wheel: trio.Event | None = None
        """Set when traffic is sparse again, and the socket's own reader takes over."""
        self._sparse_turns = 0

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def send(self, data: bytes, remote: Address, sender: Sender) -> None:
        """See ``Link``; between ``hold`` and ``flush`` it waits for others to leave with."""
        self._held.append((data, remote, sender))
        if len(self._held) >= self._most_held:
            self._send_held()

    def release(self, remote: Address) -> None:
        """See ``Link``: nothing is held for anybody."""

    def hold(self) -> None:
        """From now on up to ``MAX_HELD`` datagrams are collected."""
        self._most_held = MAX_HELD

    def flush(self) -> None:
        """Send what is held, in order; what is sent from now on leaves at once."""
        self._most_held = 1
        self._send_held()

    def _send_held(self) -> None:
        held, self._held = self._held, []
        sendto = self._sock.sendto
        for data, remote, sender in held:
            try:
                sendto(data, remote)
            except Exception as error:
                if isinstance(error, OSError) and error.errno in _LOST:
                    self.send_failures += 1
                else:
                    sender.send_failed(error)

    async def read(self) -> None:
        """Read until cancelled."""
        while True:
            await trio.lowlevel.wait_readable(self._sock)
            self._queue.begin_turn()
            dense = self._drain() > 1
            if not self._wheel_turns:
                await self._serve(dense)
            elif dense:
                self._left_to_wheel = sparse = trio.Event()
                await sparse.wait()

    async def _serve(self, dense: bool) -> None:
        """Without a wheel: serve what waits, and let ``dense`` traffic gather."""
        self._queue.serve_waiting()
        while dense or (self._queue and not self._wheel_turns):
            dense = False
            await trio.sleep(DRAIN_PAUSE)
            self._queue.begin_turn()
            self._queue.serve_waiting()

    # The wheel calls these, by way of the endpoint

    def begin_turns(self) -> None:
        """See ``scheduler.Sockets``."""
        self._wheel_turns = True

    def drain(self) -> None:
        """See ``scheduler.Sockets``; the wheel reads only what is left to it."""
        if self._left_to_wheel is not None:
            self._sparse_turns = 0 if self._drain() > 1 else self._sparse_turns + 1
            if self._sparse_turns >= SPARSE_TURNS:
                self._take_back()

    def end_turns(self) -> None:
        """See ``scheduler.Sockets``."""
        self._wheel_turns = False
        self._take_back()

    def _take_back(self) -> None:
        """The wheel does not read this socket any more."""
        if self._left_to_wheel is not None:
            self._left_to_wheel.set()
            self._left_to_wheel = None
            self._sparse_turns = 0

    def _drain(self) -> int:
        """Take what has arrived, while there is time; returns how many datagrams that were."""
        recvfrom, take, local = self._sock.recvfrom, self._queue.take, self.address
        has_time = self._queue.has_time
        for count in range(DRAIN_LIMIT):
            if not has_time:
                return count
            try:
                data, remote = recvfrom(MAX_DATAGRAM)
            except (BlockingIOError, InterruptedError):
                return count
            except OSError as error:
                # An ICMP error about an earlier datagram surfaces here and says nothing about this socket.
                logger.debug("UDP receive on %s: %s", local, error)
                continue
            has_time = take(data, (local, remote if len(remote) == 2 else remote[:2], "udp"))
        return DRAIN_LIMIT

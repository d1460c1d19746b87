"""Where the datagrams of all sessions come in and leave: links by local address, and one demultiplexer."""

import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import trio

from glottis.contracts.errors import ConfigurationError
from glottis.media.demultiplexer import Arrival, Demultiplexer, Receiver
from glottis.media.fair_queue import FairQueue
from glottis.media.link import Link, Sender
from glottis.media.udp_link import UdpLink, open_udp_socket
from glottis.wire.address import Address, Datagram, Path, Transport
from glottis.wire.demux import is_stun_request


class UdpEndpoint:
    """Owns UDP sockets, one per local address. Use as a context manager; ``run`` reads until it is cancelled.

    ``sockets`` are bound, and do not block. ``clock`` tells the seconds of real time by which they take turns.
    """

    def __init__(self, sockets: Sequence[socket.socket], clock: Callable[[], float] = time.perf_counter) -> None:
        self.demultiplexer = Demultiplexer()
        self._queue = FairQueue(self.demultiplexer, clock)
        self._sockets = [UdpLink(sock, self._queue) for sock in sockets]
        self._first = 0
        """The socket that is read first in a turn, each in its own."""
        self._links: dict[tuple[Address, Transport], Link] = {}
        self._apart: set[Address] = set()
        """Those of sockets that calls do not use."""
        self._reading: trio.Nursery | None = None
        for link in self._sockets:
            self.attach(link)

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
        """The sockets' transport addresses, the bases of host candidates."""
        return [link.address for link in self._sockets if link.address not in self._apart]

    @property
    def sessions(self) -> int:
        """How many sessions have entries in any table."""
        return len(self.demultiplexer)

    @property
    def dropped(self) -> int:
        """Datagrams that belonged to nobody."""
        return self.demultiplexer.dropped

    @property
    def send_failures(self) -> int:
        """Datagrams that the kernel refused: a full buffer or an unreachable destination."""
        return sum(link.send_failures for link in self._sockets)

    def __enter__(self) -> "UdpEndpoint":
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close all sockets."""
        for link in self._sockets:
            link.close()

    def bind_another(self, host: str, *, for_calls: bool = True) -> Address:
        """Any port of another host of this machine, which has come to a network. Raises ``ConfigurationError``.

        Or of one that there is, for a server and not ``for_calls``: then no candidate has it.
        """
        link = UdpLink(open_udp_socket(host, 0), self._queue)
        self._sockets.append(link)
        if not for_calls:
            self._apart.add(link.address)
        self.attach(link)
        if self._reading is not None:
            self._reading.start_soon(link.read)
        return link.address

    def attach(self, link: Link) -> None:
        """From now on, what takes a path from its address leaves by it."""
        self._links[link.address, link.transport] = link

    def detach(self, link: Link) -> None:
        """What takes a path from its address is lost from now on."""
        self._links.pop((link.address, link.transport), None)

    def take(self, data: bytes, arrival: Arrival) -> None:
        """Give a session what was within a datagram, in the turn of that."""
        self._queue.take(data, arrival)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A turn of who reads a stream."""
        self._queue.begin_turn()
        yield
        self._queue.serve_waiting()

    def add_ufrag(self, ufrag: str, receiver: Receiver) -> None:
        """See ``Demultiplexer.add_ufrag``."""
        self.demultiplexer.add_ufrag(ufrag, receiver)

    def remove_ufrag(self, ufrag: str, receiver: Receiver) -> None:
        """See ``Demultiplexer.remove_ufrag``."""
        self.demultiplexer.remove_ufrag(ufrag, receiver)

    def add_path(self, path: Path, receiver: Receiver, *, proven: bool, in_use: bool = False) -> None:
        """See ``Demultiplexer.add_path``."""
        self.demultiplexer.add_path(path, receiver, proven=proven, in_use=in_use)

    def add_carrier(self, path: Path, receiver: Receiver) -> bool:
        """See ``Demultiplexer.add_carrier``."""
        return self.demultiplexer.add_carrier(path, receiver)

    def remove_path(self, path: Path, receiver: Receiver) -> None:
        """See ``Demultiplexer.remove_path``."""
        self.demultiplexer.remove_path(path, receiver)
        if not self.demultiplexer.is_used(path):
            self._release([path])

    def remove(self, receiver: Receiver) -> None:
        """See ``Demultiplexer.remove``; what waits of it is dropped, too."""
        for flow in self.demultiplexer.flows_of(receiver):
            self._queue.forget(flow)
        self._release(self.demultiplexer.paths_of(receiver))
        self.demultiplexer.remove(receiver)

    def is_used(self, path: Path) -> bool:
        """Whether a session has authenticated this path, and has not left it."""
        return self.demultiplexer.is_used(path)

    def knows_check(self, data: bytes) -> bool:
        """Whether a datagram is a connectivity check that names a session."""
        return self.demultiplexer.knows_check(data)

    def _release(self, paths: Iterable[Path]) -> None:
        for local, remote, transport in paths:
            link = self._links.get((local, transport))
            if link is not None:
                link.release(remote)

    def send(self, datagram: Datagram, sender: Sender) -> None:
        """Send now or never, in the ticks of a turn at their end; see ``Link``."""
        data, (local, remote, transport) = datagram
        if data[0] < 4 and is_stun_request(data):  # RFC 7983 §7, in place: this runs once per packet
            self.demultiplexer.note_request(data, sender)
        link = self._links.get((local, transport))
        if link is not None:  # else it was a relay, and is gone
            link.send(data, remote, sender)

    async def run(self) -> None:
        """Read all sockets until cancelled."""
        async with trio.open_nursery() as self._reading:
            for link in self._sockets:
                self._reading.start_soon(link.read)

    # The wheel calls these

    def begin_turns(self) -> None:
        """See ``scheduler.Sockets``."""
        for link in self._sockets:
            link.begin_turns()

    def drain(self, slots: int) -> None:
        """See ``scheduler.Sockets``: one turn for all sockets together."""
        self._queue.begin_turn(slots)
        self._first = (self._first + 1) % len(self._sockets)
        for link in self._sockets[self._first :] + self._sockets[: self._first]:
            link.drain()
        self._queue.serve_waiting()

    def hold(self) -> None:
        """See ``scheduler.Sockets``."""
        for link in self._sockets:
            link.hold()

    def flush(self) -> None:
        """See ``scheduler.Sockets``."""
        for link in self._sockets:
            link.flush()

    def end_turns(self) -> None:
        """See ``scheduler.Sockets``."""
        for link in self._sockets:
            link.end_turns()

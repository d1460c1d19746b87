"""Sans-I/O engines joined by a virtual network on virtual time.

Every run with the same seed is the same run, and an hour of protocol time takes as long as its computation.
"""

import heapq
import random
from collections.abc import Callable, Iterable
from itertools import count
from typing import Protocol

from glottis.testing.impairments import PERFECT, Impairments
from glottis.wire.address import Address, Datagram, Path


class Host(Protocol):
    """What the network drives: an engine that speaks in ``Datagram`` values (the verbs of docs/architecture.md)."""

    def handle_datagram(self, data: bytes, path: Path, now: float) -> None: ...
    def handle_timeout(self, now: float) -> None: ...
    def datagrams_to_send(self) -> Iterable[Datagram]: ...
    def next_timeout(self) -> float | None: ...


class VirtualNetwork:
    """Carries datagrams between attached hosts; ``now`` is the only clock there is."""

    def __init__(self, seed: int = 0, impairments: Impairments = PERFECT) -> None:
        self.now = 0.0
        self.impairments = impairments
        self.rng = random.Random(seed)
        self.delivered: list[Datagram] = []
        """What arrived, in order; its path is the sender's view."""
        self.unreachable: set[Address] = set()
        """Nothing arrives there."""
        self._hosts: dict[Address, Host] = {}
        self._in_flight: list[tuple[float, int, Datagram]] = []
        self._order = count()

    def attach(self, host: Host, *addresses: Address) -> None:
        """Give ``host`` its ``addresses``; it is driven from now on."""
        for address in addresses:
            self._hosts[address] = host

    def send(self, datagram: Datagram) -> None:
        """Put a datagram on its way, as impaired as the network is at this moment."""
        for arrival in self.arrivals(datagram):
            heapq.heappush(self._in_flight, (arrival, next(self._order), datagram))

    def arrivals(self, datagram: Datagram) -> Iterable[float]:
        """When the copies of a datagram arrive that is sent now: to be overridden where it matters which it is."""
        return self.impairments.arrivals(self.now, self.rng)

    def run(self, until: Callable[[], bool] | None = None, *, seconds: float = 60.0) -> bool:
        """Let time pass until ``until()`` is true or ``seconds`` are over; says whether it became true."""
        end = self.now + seconds
        self._drain()
        while not (until is not None and until()):
            moment = self.next_moment()
            if moment is None or moment > end:
                self.now = end
                return until is not None and until()
            self.now = max(self.now, moment)
            self._deliver_due()
            self._fire_due()
            self._drain()
        return True

    def next_moment(self) -> float | None:
        """When something is to happen next."""
        moments = [timeout for host in set(self._hosts.values()) if (timeout := host.next_timeout()) is not None]
        if self._in_flight:
            moments.append(self._in_flight[0][0])
        return min(moments, default=None)

    def _deliver_due(self) -> None:
        while self._in_flight and self._in_flight[0][0] <= self.now:
            _, _, datagram = heapq.heappop(self._in_flight)
            host = self._hosts.get(datagram.path.remote)
            if host is not None and datagram.path.remote not in self.unreachable:
                self.delivered.append(datagram)
                arrival = datagram.path._replace(local=datagram.path.remote, remote=datagram.path.local)
                host.handle_datagram(datagram.data, arrival, self.now)
                self._take_from(host)

    def _fire_due(self) -> None:
        for host in dict.fromkeys(self._hosts.values()):
            timeout = host.next_timeout()
            if timeout is not None and timeout <= self.now:
                host.handle_timeout(self.now)

    def _drain(self) -> None:
        for host in dict.fromkeys(self._hosts.values()):
            self._take_from(host)

    def _take_from(self, host: Host) -> None:
        for datagram in host.datagrams_to_send():
            self.send(datagram)

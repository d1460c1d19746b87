"""A UDP socket that loses and doubles datagrams in both directions, as a bad network does."""

import random
import socket
from collections.abc import Sequence
from typing import Any

from glottis.media.endpoint import UdpEndpoint
from glottis.media.udp_link import open_udp_socket
from glottis.testing.impairments import Impairments


class LossySocket(socket.socket):
    """Takes over a bound socket. Delays are not modelled: a copy comes at once, or not at all."""

    def __init__(self, bound: socket.socket, impairments: Impairments, seed: int) -> None:
        super().__init__(bound.family, bound.type, fileno=bound.detach())
        self.setblocking(False)
        self._impairments = impairments
        self._rng = random.Random(seed)
        self._copies: list[tuple[bytes, Any]] = []

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        """The next datagram that was not lost, or a copy of the last one."""
        while not self._copies:
            datagram = super().recvfrom(bufsize, flags)
            self._copies += [datagram] * len(self._impairments.arrivals(0.0, self._rng))
        return self._copies.pop()

    def sendto(self, data: bytes, address: Any, /) -> int:  # type: ignore[override]
        """Send the copies that the network makes."""
        for _ in self._impairments.arrivals(0.0, self._rng):
            super().sendto(data, address)
        return len(data)


def lossy_endpoint(impairments: Impairments, hosts: Sequence[str] = ("127.0.0.1",), seed: int = 1) -> UdpEndpoint:
    """For a gateway: any port of each of these hosts."""
    return UdpEndpoint([LossySocket(open_udp_socket(host, 0), impairments, seed) for host in hosts])

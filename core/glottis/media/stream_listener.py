"""One TCP port on which all calls are reached that cannot be by UDP: passive candidates (RFC 6544).

Anybody can connect. Whoever does not begin with a check that names a call is sent away at once, and who has not proved
within ``PROOF_TIME`` that it knows the password, then.
"""

import logging
import socket
from collections.abc import Sequence
from functools import partial
from ipaddress import ip_address
from typing import Final

import trio

from glottis.barrier import stop
from glottis.contracts.errors import ConfigurationError
from glottis.media.stream_link import StreamEndpoint, StreamLink
from glottis.media.stream_places import Place, StreamPlaces
from glottis.wire.address import Address, Path

logger = logging.getLogger(__name__)

PROOF_TIME: Final = 5.0
"""Seconds from the connection to the first check with the right password."""
BACKLOG: Final = 128


class StreamListener:
    """Owns listening sockets, one per local address. Use as a context manager; ``run`` accepts until cancelled.

    ``proof_time`` is in seconds.
    """

    def __init__(
        self, sockets: Sequence[socket.socket], endpoint: StreamEndpoint, proof_time: float = PROOF_TIME
    ) -> None:
        self.refused = 0
        """Connections that were closed because there were too many, or because they were no call's."""
        self._endpoint = endpoint
        self._proof_time = proof_time
        self._listeners = [
            (StreamLink(Address(*sock.getsockname()[:2]), endpoint), trio.socket.from_stdlib_socket(sock))
            for sock in sockets
        ]
        self._places = StreamPlaces()
        for link, _ in self._listeners:
            endpoint.attach(link)

    @classmethod
    def bind(
        cls, hosts: Sequence[str], port: int | None, endpoint: StreamEndpoint, proof_time: float = PROOF_TIME
    ) -> "StreamListener":
        """Listen on ``port`` (0: any, None: on none) of each of ``hosts``. Raises ``ConfigurationError``."""
        sockets: list[socket.socket] = []
        try:
            for host in hosts if port is not None else ():
                sockets.append(open_tcp_socket(host, port or 0))
        except ConfigurationError:
            for sock in sockets:
                sock.close()
            raise
        return cls(sockets, endpoint, proof_time)

    @property
    def addresses(self) -> list[Address]:
        """Where connections are accepted, the bases of passive candidates."""
        return [link.address for link, _ in self._listeners]

    @property
    def dropped(self) -> int:
        """Datagrams that streams had no room for."""
        return sum(link.dropped for link, _ in self._listeners)

    def __len__(self) -> int:
        """How many streams there are."""
        return len(self._places)

    def __enter__(self) -> "StreamListener":
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close the listening sockets; streams end with ``run``."""
        for link, sock in self._listeners:
            self._endpoint.detach(link)
            sock.close()

    async def run(self) -> None:
        """Accept until cancelled."""
        async with trio.open_nursery() as nursery:
            for link, sock in self._listeners:
                serve = partial(self._serve, link)
                nursery.start_soon(partial(trio.serve_listeners, serve, [trio.SocketListener(sock)]))
            await trio.sleep_forever()

    async def _serve(self, link: StreamLink, stream: trio.SocketStream) -> None:
        """A connection, with a barrier around it."""
        try:
            await self._take(link, stream)
        except OSError as error:
            logger.debug("a TCP connection was gone at once: %s", error)
        except BaseException as error:
            stop(error, lambda failure: logger.error("a TCP connection of media", exc_info=failure))

    async def _take(self, link: StreamLink, stream: trio.SocketStream) -> None:
        remote = Address(*stream.socket.getpeername()[:2])
        place = self._places.take(remote.host, partial(self._endpoint.is_used, Path(link.address, remote, "tcp")))
        if place is None:
            self.refused += 1
            return
        was_used = False
        try:
            with place.scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._expect_proof, place)
                    was_used = await link.carry(stream, remote, self._endpoint.knows_check)
                    nursery.cancel_scope.cancel()
        finally:
            self.refused += not (was_used or self._places.has_proven(place))
            self._places.leave(place)

    async def _expect_proof(self, place: Place) -> None:
        await trio.sleep(self._proof_time)
        if not self._places.has_proven(place):
            place.scope.cancel()


def open_tcp_socket(host: str, port: int) -> socket.socket:
    """Listen without blocking. Raises ``ConfigurationError`` if the address or port cannot be had."""
    family = socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 has sockets of its own
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise ConfigurationError(f"media.tcp_port: cannot listen on {host} port {port}: {error.strerror}") from error
    return sock

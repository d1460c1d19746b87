"""The sockets of all workers, which the parent opens and keeps: a worker that dies leaves its ports to the next one.

Each worker has a UDP port of its own (and a TCP port for media), for what comes to a port that several share goes to
any of them. Where the configuration names a port, the workers have it and those after it, twice as many as there are
workers: those that load a new configuration begin beside the old ones, which keep theirs until their calls are over.
"""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Final

import msgspec

from glottis.config import Server
from glottis.contracts.errors import ConfigurationError
from glottis.media.stream_listener import open_tcp_socket
from glottis.media.udp_link import open_udp_socket
from glottis.server.fleet.messages import Wants
from glottis.server.runtime.service_manager import check_reach

BACKLOG: Final = 1024
"""Connections that may wait to be accepted; the kernel has a limit of its own."""


class MediaSockets(msgspec.Struct, frozen=True, eq=False):
    """Of one worker after the other: a port of each host. ``index`` says how far they are from the first port."""

    index: int
    udp: Sequence[socket.socket]
    tcp: Sequence[socket.socket]

    def close(self) -> None:
        """Nobody has a call on them any more."""
        for sock in (*self.udp, *self.tcp):
            sock.close()


class SocketDesk:
    """Opens sockets. ``given`` are listening sockets that whoever has started the process has opened."""

    def __init__(self, given: Sequence[socket.socket] = ()) -> None:
        self._given = list(given)
        self._taken: dict[int, MediaSockets] = {}

    def listen(self, wants: Wants) -> list[socket.socket]:
        """For HTTP. Raises ``ConfigurationError``."""
        if self._given:
            check_reach(self._given, Server(host=wants.host))
            return [sock.dup() for sock in self._given]
        try:
            return [_listening(*address) for address in _addresses(wants.host, wants.port)]
        except OSError as error:
            where = f"{wants.host} port {wants.port}"
            raise ConfigurationError(f"server.host, server.port: cannot listen on {where}: {error}") from error

    def open_media(self, wants: Wants) -> MediaSockets:
        """On the first ports that no worker has. Raises ``ConfigurationError`` where there are none."""
        bound = 2 * wants.workers if wants.udp_port or wants.tcp_port else 1 << 16
        index = next((one for one in range(bound) if one not in self._taken), None)
        if index is None:
            first = wants.udp_port or wants.tcp_port
            raise ConfigurationError(
                f"media.udp_port: calls still hold too many of the {bound} ports from {first} on; try again later"
            )
        with _opened() as opened:
            for host in wants.media_hosts:
                opened.append(open_udp_socket(host, wants.udp_port and wants.udp_port + index))
            udp = list(opened)
            if wants.tcp_port is not None:
                for host in wants.media_hosts:
                    opened.append(open_tcp_socket(host, wants.tcp_port and wants.tcp_port + index))
        media = self._taken[index] = MediaSockets(index, udp, opened[len(udp) :])
        return media

    def close_media(self, media: MediaSockets) -> None:
        """The ports are free for others."""
        media.close()
        self._taken.pop(media.index, None)


@contextmanager
def _opened() -> Iterator[list[socket.socket]]:
    sockets: list[socket.socket] = []
    try:
        yield sockets
    except BaseException:
        for sock in sockets:
            sock.close()
        raise


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, str, int]]:
    """Each once. A host that is every address of the machine is one address of each family."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, str(name[0]), port) for family, _, _, _, name in found))


def _listening(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ip_address(host.partition("%")[0]).version == 6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock

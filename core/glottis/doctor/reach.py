"""Whether a port of this machine is reached from one of its addresses: what a firewall within the machine lets pass."""

import secrets
import socket
from collections.abc import Iterable
from typing import Final

import trio

from glottis.wire.address import Address

PROBE_TIME: Final = 1.0
"""Seconds for a datagram, or a connection, from one address of this machine to another."""
PROBES: Final = 3


async def takes_datagrams(sock: socket.socket, host: str) -> bool:
    """Whether a UDP socket is reached from ``host``."""
    word = secrets.token_bytes(16)
    with socket.socket(sock.family, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        try:
            sender.bind((host, 0))
            for _ in range(PROBES):
                sender.sendto(word, sock.getsockname())
        except OSError:
            return False
        with trio.move_on_after(PROBE_TIME):
            while True:
                await trio.lowlevel.wait_readable(sock)
                try:
                    if sock.recv(2048) == word:
                        return True
                except OSError:
                    continue
    return False


async def takes_connections(sock: socket.socket, host: str) -> bool:
    """Whether a listening socket is reached from ``host``; who connects is not accepted, and leaves."""
    target = Address(*sock.getsockname()[:2])
    return await connects(target if not is_any(target.host) else Address(host, target.port), host)


async def connects(target: Address, host: str) -> bool:
    """Whether a connection from ``host`` gets there."""
    family = trio.socket.AF_INET6 if ":" in host else trio.socket.AF_INET
    with trio.socket.socket(family, trio.socket.SOCK_STREAM) as caller, trio.move_on_after(PROBE_TIME):
        try:
            await caller.bind((host, 0))
            await caller.connect(tuple(target))
        except OSError:
            return False
        return True
    return False


def of_family(hosts: Iterable[str], like: str) -> list[str]:
    """Those that have the family of an address."""
    return [host for host in hosts if (":" in host) == (":" in like)]


def is_any(host: str) -> bool:
    """Whether this stands for all addresses of its family."""
    return host in ("0.0.0.0", "::")  # noqa: S104

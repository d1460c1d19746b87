"""Transport addresses and the datagrams that travel between them."""

from typing import NamedTuple


class Address(NamedTuple):
    """An IP address literal and a UDP port. Compares equal to the ``(host, port)`` of the socket module."""

    host: str
    port: int


class Path(NamedTuple):
    """A local socket's address and a remote transport address: where a datagram came by, or shall go by."""

    local: Address
    remote: Address


class Datagram(NamedTuple):
    """One UDP payload and the path that it shall take."""

    data: bytes
    path: Path

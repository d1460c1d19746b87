"""Transport addresses and the datagrams that travel between them."""

from typing import Literal, NamedTuple

Transport = Literal["udp", "tcp", "relay"]
"""What carries bytes from the local address: a UDP or TCP socket that has it, or the TURN server that lends it."""


class Address(NamedTuple):
    """An IP address literal and a port. Compares equal to the ``(host, port)`` of the socket module."""

    host: str
    port: int


class Path(NamedTuple):
    """A local and a remote transport address, and what is between: where a datagram came by, or shall go by."""

    local: Address
    remote: Address
    transport: Transport = "udp"


class Datagram(NamedTuple):
    """Bytes that travel as a whole, and the path that they shall take."""

    data: bytes
    path: Path

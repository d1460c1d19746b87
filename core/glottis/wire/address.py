"""Transport addresses and the datagrams that travel between them."""

import ipaddress
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton  # between text and bytes alone, without a socket
from typing import Literal, NamedTuple

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

Transport = Literal["udp", "tcp", "relay"]
"""What carries bytes from the local address: a UDP or TCP socket that has it, or the TURN server that lends it."""


class Address(NamedTuple):
    """An IP address literal and a port. Compares equal to the ``(host, port)`` of the socket module."""

    host: str
    port: int

    def __str__(self) -> str:
        """As in a URI: ``192.0.2.1:5000``, ``[2001:db8::1]:5000``."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@lru_cache(maxsize=64)
def ip_of(host: str) -> IpAddress | None:
    """The value of an address literal without a zone; None for other text, which a peer may have sent.

    ``ipaddress`` reads bytes in a tenth of the time that it takes for text, and each address is asked for twice.
    """
    try:
        if ":" in host:
            return ipaddress.IPv6Address(inet_pton(AF_INET6, host))
        return ipaddress.IPv4Address(inet_pton(AF_INET, host))
    except (OSError, ValueError):  # no address; or no text for C
        return None


def text_of(ip: IpAddress) -> str:
    """As sockets tell the address of a datagram, so that both compare equal (RFC 5952)."""
    return inet_ntop(AF_INET if ip.version == 4 else AF_INET6, ip.packed)


class Path(NamedTuple):
    """A local and a remote transport address, and what is between: where a datagram came by, or shall go by."""

    local: Address
    remote: Address
    transport: Transport = "udp"

    def __str__(self) -> str:
        return f"{self.local} → {self.remote}"


class Datagram(NamedTuple):
    """Bytes that travel as a whole, and the path that they shall take."""

    data: bytes
    path: Path

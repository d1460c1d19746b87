"""A host with an optional port (RFC 3986 §3.2), as ``Host`` fields, origins, and STUN and TURN URIs have it."""

import re
from ipaddress import AddressValueError, IPv6Address
from typing import Final, NamedTuple

from glottis.contracts.errors import Malformed

_AUTHORITY: Final = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]{2,45})\]|(?P<name>[A-Za-z0-9._~-]{1,253}))(?::(?P<port>[0-9]{1,5}))?"
)


class Authority(NamedTuple):
    """``host`` is in lower case, and an IPv6 address in brackets and canonical; ``port`` is from 1 to 65535."""

    host: str
    port: int | None = None

    def __str__(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"


def parse_authority_untrusted(text: str) -> Authority:
    """Read ``host`` or ``host:port``, where names have ASCII characters only, as on the wire; raises ``Malformed``."""
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        raise Malformed("host: expected a host name or IP address with an optional port")
    port = None if match["port"] is None else int(match["port"])
    if port is not None and not 1 <= port <= 65535:
        raise Malformed("port: expected a number from 1 to 65535")
    return Authority(match["name"].lower() if match["name"] else _canonical_untrusted(match["ipv6"]), port)


def _canonical_untrusted(ipv6: str) -> str:
    try:
        return f"[{IPv6Address(ipv6)}]"
    except AddressValueError:
        raise Malformed("host: expected an IPv6 address in the brackets") from None

"""The syntax of STUN and TURN URIs: RFC 7064 §3.1 and RFC 7065 §3.1. Schemes are compared without regard to case."""

import ipaddress
import re

_HOST_AND_PORT = (
    r"(?P<host>\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}))(?::(?P<port>[0-9]{1,5}))?"
)
_STUN = re.compile(rf"(?i:stuns?):{_HOST_AND_PORT}")
_TURN = re.compile(rf"(?i:turns?):{_HOST_AND_PORT}(?:\?transport=(?:udp|tcp))?")


def is_stun_uri(text: str) -> bool:
    """Whether this is ``stun:host[:port]`` or the like."""
    return _is_valid(_STUN.fullmatch(text))


def is_turn_uri(text: str) -> bool:
    """Whether this is ``turn:host[:port][?transport=udp]`` or the like."""
    return _is_valid(_TURN.fullmatch(text))


def _is_valid(match: re.Match[str] | None) -> bool:
    if match is None or (match["port"] is not None and not 1 <= int(match["port"]) <= 65535):
        return False
    if match["ipv6"] is None:
        return True
    try:
        ipaddress.IPv6Address(match["ipv6"])
    except ValueError:
        return False
    return True

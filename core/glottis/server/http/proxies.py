"""Who the client is and how it sees us, behind proxies that the configuration trusts (RFC 7239, X-Forwarded-*)."""

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from glottis.contracts.authority import parse_authority_untrusted
from glottis.contracts.errors import Malformed

_FORWARDED_PAIR: Final = re.compile(r'\s*([A-Za-z]+)\s*=\s*("[^"\\]*"|[^\s";,]*)\s*')
_PORT: Final = re.compile(r":[0-9]{1,5}$")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Hop:
    """One sender of a request, as the next one saw it; what a proxy did not say is None."""

    client_host: str
    scheme: str | None = None
    host: str | None = None


class TrustedProxies:
    """Addresses and networks whose forwarding headers are believed; nobody else's are.

    ``networks`` are IP addresses and networks; raises ``ValueError`` for anything else.
    ``X-Forwarded-For``, ``-Proto`` and ``-Host`` count if there is one of them, else ``Forwarded``. A proxy must
    overwrite or remove those that a client sends.
    """

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = [ipaddress.ip_network(network) for network in networks]

    def client_of(self, peer_host: str, host: str, headers: Mapping[str, str]) -> Hop:
        """The client of a request that came from ``peer_host`` with this ``Host``: all fields are set."""
        direct = Hop(normal_host(peer_host), "http", host)
        if not self._trusts(direct.client_host):
            return direct
        client = direct
        for hop in reversed(_hops(headers)):
            client = Hop(hop.client_host or client.client_host, hop.scheme or client.scheme, hop.host or client.host)
            if not hop.client_host or not self._trusts(hop.client_host):
                break  # What comes before a sender that is not trusted, or not named, may be invented.
        return client

    def _trusts(self, host: str) -> bool:
        address = _address(host)
        return address is not None and any(address in network for network in self._networks)


def normal_host(text: str) -> str:
    """An IP address in canonical form, an IPv4-mapped one as IPv4; anything else unchanged."""
    address = _address(text)
    return text if address is None else str(address)


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _hops(headers: Mapping[str, str]) -> Sequence[Hop]:
    """The senders before the peer, the nearest last."""
    legacy = [headers.get(f"x-forwarded-{name}") for name in ("for", "proto", "host")]
    if any(value is not None for value in legacy):
        return _legacy_hops(*[value or "" for value in legacy])
    try:
        return parse_forwarded_untrusted(headers.get("forwarded", ""))
    except Malformed:
        return []


def _legacy_hops(clients: str, schemes: str, hosts: str) -> Sequence[Hop]:
    """X-Forwarded-For lists every sender; of the other two the nearest proxy's word, the last, counts."""
    scheme, host = _scheme(schemes.rpartition(",")[2]), _authority(hosts.rpartition(",")[2])
    return [Hop(_node(client), scheme, host) for client in clients.split(",")]


def parse_forwarded_untrusted(text: str) -> list[Hop]:
    """The senders that a ``Forwarded`` field lists (RFC 7239 §4), the nearest last; raises ``Malformed``."""
    return [_forwarded_element_untrusted(element) for element in text.split(",")] if text else []


def _forwarded_element_untrusted(element: str) -> Hop:
    pairs: dict[str, str] = {}
    for pair in element.split(";"):
        match = _FORWARDED_PAIR.fullmatch(pair)
        if match is None or match[1].lower() in pairs:
            raise Malformed("Forwarded: expected distinct parameters with values")
        pairs[match[1].lower()] = match[2].strip('"')
    return Hop(_node(pairs.get("for", "")), _scheme(pairs.get("proto", "")), _authority(pairs.get("host", "")))


def _node(text: str) -> str:
    """The IP address of a node (RFC 7239 §6), its port dropped; empty if it is unknown or obfuscated."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = _PORT.sub("", text)
    address = _address(text)
    return "" if address is None else str(address)


def _scheme(text: str) -> str | None:
    text = text.strip().lower()
    return text if text in ("http", "https") else None


def _authority(text: str) -> str | None:
    try:
        return str(parse_authority_untrusted(text.strip()))
    except Malformed:
        return None

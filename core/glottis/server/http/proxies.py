"""Who the client is and how it sees us, behind proxies that the configuration trusts (RFC 7239, X-Forwarded-*)."""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Final

import msgspec

from glottis.config.settings import ProxyHeader
from glottis.contracts.authority import parse_authority_untrusted
from glottis.contracts.errors import Malformed

MAX_HOPS: Final = 16
"""Proxies in a row that are listened to, however many a header lists."""

MAX_ELEMENT_LENGTH: Final = 512
"""Characters of what a header says of one sender. More, and it has said nothing."""

_FORWARDED_PAIR: Final = re.compile(r'([A-Za-z]+)=("[^"\\]*"|[^\s";,]*)')
_PORT: Final = re.compile(r":[0-9]{1,5}$")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Hop(msgspec.Struct, frozen=True):
    """One sender of a request, as the next one saw it; what a proxy did not say is None."""

    client_host: str
    scheme: str | None = None
    host: str | None = None


class TrustedProxies:
    """Addresses and networks whose forwarding headers are believed; nobody else's are.

    ``networks`` are IP addresses and networks; raises ``ValueError`` for anything else. ``header`` is the one that
    counts, ``X-Forwarded-For`` with ``-Proto`` and ``-Host``, or ``Forwarded``: a proxy that writes one of them passes
    on what a client says in the other.
    """

    def __init__(self, networks: Iterable[str] = (), header: ProxyHeader = "X-Forwarded-For") -> None:
        self._networks = [ipaddress.ip_network(network) for network in networks]
        self._header = header

    def client_of(self, peer_host: str, host: str, headers: Mapping[str, str], scheme: str = "http") -> Hop:
        """The client of a request that came from ``peer_host`` with this ``Host`` by ``scheme``: all fields are set."""
        direct = Hop(normal_host(peer_host), scheme, host)
        if not self.trusts(direct.client_host):
            return direct
        client = direct
        for hop in islice(self._hops(headers), MAX_HOPS):
            client = Hop(hop.client_host or client.client_host, hop.scheme or client.scheme, hop.host or client.host)
            if not hop.client_host or not self.trusts(hop.client_host):
                break  # What comes before a sender that is not trusted, or not named, may be invented.
        return client

    def trusts(self, host: str) -> bool:
        """Whether a host, by its address, is one of these proxies."""
        address = address_of(host)
        return address is not None and any(address in network for network in self._networks)

    def _hops(self, headers: Mapping[str, str]) -> Iterator[Hop]:
        """The senders before the peer, the nearest first, each read when it is asked for."""
        if self._header == "Forwarded":
            return _forwarded_hops(headers.get("forwarded", ""))
        return _legacy_hops(*[headers.get(f"x-forwarded-{name}", "") for name in ("for", "proto", "host")])


def normal_host(text: str) -> str:
    """An IP address in canonical form, an IPv4-mapped one as IPv4; anything else unchanged."""
    address = address_of(text)
    return text if address is None else str(address)


@lru_cache(maxsize=64)
def address_of(text: str) -> Address | None:
    """The IP address that it is, an IPv4-mapped one as IPv4; None for anything else.

    While a session is created, its client's is asked for a dozen times.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _legacy_hops(clients: str, schemes: str, hosts: str) -> Iterator[Hop]:
    """X-Forwarded-For lists every sender; of the other two the nearest proxy's word, the last, counts."""
    scheme, host = _scheme(schemes.rpartition(",")[2]), _authority(hosts.rpartition(",")[2])
    for client in reversed(clients.split(",")):
        yield Hop(_node(client), scheme, host)


def _forwarded_hops(text: str) -> Iterator[Hop]:
    """Up to one that is malformed: there, nobody knows what the ones before it mean."""
    try:
        for element in reversed(text.split(",")):
            yield parse_forwarded_element_untrusted(element)
    except Malformed:
        return


def parse_forwarded_element_untrusted(element: str) -> Hop:
    """A sender as ``Forwarded`` has it (RFC 7239 §4); raises ``Malformed``."""
    if len(element) > MAX_ELEMENT_LENGTH:
        raise Malformed(f"Forwarded: expected at most {MAX_ELEMENT_LENGTH} characters for each sender")
    pairs: dict[str, str] = {}
    for pair in element.split(";"):
        match = _FORWARDED_PAIR.fullmatch(pair.strip())
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
    address = address_of(text)
    return "" if address is None else str(address)


def _scheme(text: str) -> str | None:
    text = text.strip().lower()
    return text if text in ("http", "https") else None


def _authority(text: str) -> str | None:
    try:
        return str(parse_authority_untrusted(text.strip()))
    except Malformed:
        return None

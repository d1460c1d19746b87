"""Which remote candidates may be probed: a caller must not aim the gateway's checks at whom it likes.

RFC 8445 §19.5.1 describes the attack. Peer-reflexive candidates need no such rule: they have proved themselves.
"""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import msgspec

from glottis.sdp.candidate import TCP_TYPE_PREFERENCES, TYPE_PREFERENCES, Candidate
from glottis.wire.address import Address, IpAddress, ip_of

LOWEST_PORT: Final = 1024
"""Peers take ephemeral ports; services that would be hurt by a probe listen below."""
WEB_PORTS: Final = (80, 443)
"""Of TCP. Only a caller connects to anything: a gateway has no active candidates."""

_BEFORE_IPV4: Final = (bytes(12), bytes.fromhex("0064ff9b") + bytes(8))
"""IPv4-compatible addresses (RFC 4291 §2.5.5.1) and those of NAT64 (RFC 6052 §2.1), which end with one of IPv4."""
_LOOPBACK_6: Final = bytes((0, 0, 0, 1))
_6TO4: Final = bytes.fromhex("2002")
"""An address of IPv4 follows (RFC 3056 §2)."""


def candidate_ip(candidate: Candidate) -> IpAddress | None:
    """The address of a candidate that some agent could check; a name is none (RFC 8839 §5.1)."""
    return _harmless_ip(candidate.address) if _can_be_checked(candidate) else None


@lru_cache(maxsize=64)
def _harmless_ip(host: str) -> IpAddress | None:
    """Of a host that somebody may be at; asked for several times for each candidate, and looked up in many networks."""
    ip = ip_of(host)
    return None if ip is None or _is_hostile(ip) else ip


def _can_be_checked(candidate: Candidate) -> bool:
    """Over TCP nobody but a passive one can, which may hide where firewalls let the web through (RFC 6544 §6.2)."""
    if candidate.component != 1:
        return False
    if candidate.transport == "udp":
        return candidate.port >= LOWEST_PORT and candidate.type in TYPE_PREFERENCES
    is_open = candidate.port >= LOWEST_PORT or candidate.port in WEB_PORTS
    is_passive = candidate.transport == "tcp" and candidate.tcp_type == "passive"
    return is_open and is_passive and candidate.type in TCP_TYPE_PREFERENCES


def why_unusable(candidate: Candidate) -> str:
    """In words, why no agent could check it; empty if one could."""
    if candidate_ip(candidate) is not None:
        return ""
    if candidate.component != 1:
        return "RTCP shares the port of RTP"
    if candidate.transport != "udp" and candidate.tcp_type != "passive":
        return "over TCP the far end connects, and is not connected to"
    if candidate.type not in TYPE_PREFERENCES:
        return "its type is unknown"
    if ip_of(candidate.address) is None:
        return "it is a name and no address"
    return "peers have no such port" if candidate.port < LOWEST_PORT else "no peer has such an address"


class ProbePolicy(msgspec.Struct, frozen=True):
    """``permits`` decides about each pair before a check is sent along it."""

    private_networks: bool = True
    """Whether addresses that are not globally routable may be probed. A gateway on a local network needs them; one in
    a data centre, whose own neighbours have such addresses, should not."""

    def permits_any(self, local: Iterable[Address], candidate: Candidate) -> bool:
        """Whether a check may go from one of these addresses at least."""
        return any(self.permits(address.host, candidate) for address in local)

    def permits(self, local_host: str, candidate: Candidate) -> bool:
        """Whether a check may go from the local address to the remote candidate."""
        if (":" in local_host) != (":" in candidate.address):  # of two families, which is all that most differ in
            return False
        return _can_be_checked(candidate) and _may_meet(local_host, candidate.address, private=self.private_networks)


@lru_cache(maxsize=64)
def _may_meet(local_host: str, remote_host: str, *, private: bool) -> bool:
    """By their addresses; asked for several times for each pair of them."""
    remote, local = _harmless_ip(remote_host), ip_of(local_host.partition("%")[0])
    if remote is None or local is None:
        return False
    if remote.is_loopback or local.is_loopback:
        # A browser beside the gateway may be known by any address of the machine, its loopback address included.
        return local.is_loopback
    return private or (remote.is_global and _inner_ip(remote).is_global)


DEFAULT_POLICY: Final = ProbePolicy()


def _is_hostile(ip: IpAddress) -> bool:
    """Whether nobody can be there, or many, or not without a zone; RFC 8445 §5.1.1.1 forbids most of them."""
    if isinstance(ip, ipaddress.IPv4Address):
        first, second = ip.packed[:2]  # this network (RFC 1122 §3.2.1.3), multicast, class E and broadcast, link-local
        return first == 0 or first >= 224 or (first, second) == (169, 254)
    if ip.is_unspecified or ip.is_site_local or ip.ipv4_mapped is not None or ip.is_multicast or ip.is_link_local:
        return True
    inner = _inner_ip(ip)
    return inner is not ip and (inner.is_loopback or _is_hostile(inner))


def _inner_ip(ip: IpAddress) -> IpAddress:
    """What a translator or tunnel on the way makes of an IPv6 address; else itself.

    By these, whom no check may go to directly could be reached all the same (RFC 6052 §3.1 and §5.1).
    """
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.packed[:12] in _BEFORE_IPV4 and ip.packed[12:] != _LOOPBACK_6:
            return ipaddress.IPv4Address(ip.packed[12:])
        if ip.packed[:2] == _6TO4:
            return ipaddress.IPv4Address(ip.packed[2:6])
    return ip

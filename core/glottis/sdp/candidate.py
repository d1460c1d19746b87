"""ICE candidates: the ``candidate`` attribute of SDP and of trickled JSON, RFC 8839 §5.1."""

import ipaddress
import re
import zlib
from dataclasses import dataclass
from typing import Final

from glottis.contracts.errors import Malformed

MAX_CANDIDATE_LENGTH: Final = 1024
"""Characters; the longest line seen from a browser has about 200."""

TYPE_PREFERENCES: Final = {"host": 126, "prflx": 110, "srflx": 100, "relay": 0}
"""Recommended by RFC 8445 §5.1.2.2."""

_LINE = re.compile(
    r"(?P<foundation>[A-Za-z0-9+/]{1,32})"
    r" (?P<component>[0-9]{1,3})"
    r" (?P<transport>[A-Za-z0-9!#$%&'*+.^_`{|}~-]+)"
    r" (?P<priority>[0-9]{1,10})"
    r" (?P<address>[0-9A-Za-z.:_-]+)"
    r" (?P<port>[0-9]{1,5})"
    r" [Tt][Yy][Pp] (?P<type>[A-Za-z0-9!#$%&'*+.^_`{|}~-]+)"
    r"(?: [Rr][Aa][Dd][Dd][Rr] (?P<related_address>[0-9A-Za-z.:_-]+))?"
    r"(?: [Rr][Pp][Oo][Rr][Tt] (?P<related_port>[0-9]{1,5}))?"
    r"(?P<extensions>(?: [A-Za-z0-9!#$%&'*+.^_`{|}~-]+ [!-~]*)*)"
)
_PREFIX = re.compile(r"(?:a=)?candidate:", re.IGNORECASE)
_NAME_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_USERNAME_FRAGMENT = re.compile(r"[A-Za-z0-9+/]{4,256}")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A transport address that may reach an agent, and how much its owner likes it (RFC 8445 §5.1)."""

    foundation: str
    component: int
    transport: str
    """Lower case: ``udp`` or ``tcp``; others can be parsed and then ignored."""
    priority: int
    address: str
    """An IP address literal in canonical form, or a host name, which nobody here resolves."""
    port: int
    type: str
    """``host``, ``srflx``, ``prflx``, ``relay``; others can be parsed and then ignored."""
    related_address: str | None = None
    related_port: int | None = None
    tcp_type: str | None = None
    username_fragment: str | None = None
    """The ICE generation that the candidate belongs to, where its owner says so (RFC 8838 §11)."""

    def to_sdp(self) -> str:
        """The attribute as browsers take it: ``candidate:`` and what follows, without ``a=``."""
        words = [
            f"candidate:{self.foundation} {self.component} {self.transport} {self.priority} {self.address} {self.port}",
            f"typ {self.type}",
        ]
        named = (
            ("raddr", self.related_address),
            ("rport", self.related_port),
            ("tcptype", self.tcp_type),
            ("ufrag", self.username_fragment),
        )
        return " ".join(words + [f"{name} {value}" for name, value in named if value is not None])


def parse_candidate_untrusted(text: str) -> Candidate:
    """Read one candidate, with or without its ``candidate:`` or ``a=candidate:`` prefix; raises ``Malformed``.

    What the grammar allows is accepted, usable or not: other transports, types and components are for the agent to
    ignore (RFC 8839 §5.1). Extension attributes other than ``tcptype`` and ``ufrag`` are dropped.
    """
    if len(text) > MAX_CANDIDATE_LENGTH:
        raise Malformed(f"candidate: longer than {MAX_CANDIDATE_LENGTH} characters")
    prefix = _PREFIX.match(text)
    line = _LINE.fullmatch(text, prefix.end() if prefix else 0)
    if line is None:
        raise Malformed("candidate: expected foundation, component, transport, priority, address, port, typ, type")
    extensions = _extensions(line["extensions"])
    related_address, related_port = line["related_address"], line["related_port"]
    return Candidate(
        foundation=line["foundation"],
        component=_bounded("component", line["component"], 1, 256),
        transport=line["transport"].lower(),
        priority=_bounded("priority", line["priority"], 1, 2**31 - 1),
        address=_address(line["address"]),
        port=_bounded("port", line["port"], 0, 65535),
        type=line["type"].lower(),
        related_address=None if related_address is None else _address(related_address),
        related_port=None if related_port is None else _bounded("rport", related_port, 0, 65535),
        tcp_type=extensions.get("tcptype"),
        username_fragment=_username_fragment(extensions.get("ufrag")),
    )


def candidate_priority(candidate_type: str, local_preference: int = 65535, component: int = 1) -> int:
    """The recommended formula of RFC 8445 §5.1.2.1; ``local_preference`` is 0–65535 and tells own addresses apart."""
    return TYPE_PREFERENCES[candidate_type] << 24 | local_preference << 8 | 256 - component


def candidate_foundation(candidate_type: str, base_address: str, transport: str = "udp", server: str = "") -> str:
    """The same for candidates alike in type, base IP address, transport and server, RFC 8445 §5.1.1.3."""
    return str(zlib.crc32(f"{candidate_type} {base_address} {transport} {server}".encode()))


def _bounded(name: str, digits: str, lowest: int, highest: int) -> int:
    value = int(digits)
    if not lowest <= value <= highest:
        raise Malformed(f"candidate: expected a {name} of {lowest}–{highest}")
    return value


def _address(text: str) -> str:
    """An IP address in canonical form, so that it equals the address of a datagram; host names as they are."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        labels = text.removesuffix(".").split(".")
    # A last label of digits alone is a mistyped IPv4 address, never a name (RFC 1123 §2.1).
    if len(text) > 253 or labels[-1].isdigit() or not all(map(_NAME_LABEL.fullmatch, labels)):
        raise Malformed("candidate: expected an IP address or a host name")
    return text


def _extensions(text: str) -> dict[str, str]:
    """Name and value pairs; of a repeated name the first counts."""
    words = text[1:].split(" ") if text else []
    pairs: dict[str, str] = {}
    for name, value in zip(words[0::2], words[1::2], strict=True):
        pairs.setdefault(name.lower(), value)
    return pairs


def _username_fragment(text: str | None) -> str | None:
    if text is not None and not _USERNAME_FRAGMENT.fullmatch(text):
        raise Malformed("candidate: expected a ufrag of 4–256 letters, digits, + or /")
    return text

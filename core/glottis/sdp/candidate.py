"""ICE candidates: the ``candidate`` attribute of SDP and of trickled JSON, RFC 8839 §5.1."""

import re
import zlib
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from glottis.contracts.errors import Malformed
from glottis.wire.address import Address, ip_of, text_of

T = TypeVar("T")

MAX_CANDIDATE_LENGTH: Final = 512
"""Characters; the longest line seen from a browser has about 200."""

MAX_EXTENSIONS: Final = 16
"""Pairs of name and value that are looked at; browsers write up to seven."""

TYPE_PREFERENCES: Final = {"host": 126, "prflx": 110, "srflx": 100, "relay": 0}
"""Recommended by RFC 8445 §5.1.2.2."""

TCP_TYPE_PREFERENCES: Final = {"host": 90, "prflx": 80}
"""Below those of UDP, reflexive or not, and above relays (RFC 6544 §4.2 leaves it to us; libwebrtc has the same)."""
TCP_DIRECTION_PREFERENCES: Final = {"active": 6, "passive": 4, "so": 2}
"""Of host candidates, RFC 6544 §4.2."""
DISCARD_PORT: Final = 9
"""Of active candidates, which nobody can connect to (RFC 6544 §4.5)."""

MAX_PRIORITY: Final = 2**31 - 1
"""RFC 8445 §5.1.2."""

_LINE: Final = re.compile(
    r"(?:(?P<foundation>[!-~]{1,64}) +)?"
    r"(?P<component>[0-9]{1,3})"
    r" +(?P<transport>[A-Za-z0-9!#$%&'*+.^_`{|}~-]+)"
    r" +(?P<priority>[0-9]{1,10})"
    r" +(?P<address>[0-9A-Za-z.:_-]+)"
    r" +(?P<port>[0-9]{1,5})"
    r" +[Tt][Yy][Pp] +(?P<type>[A-Za-z0-9!#$%&'*+.^_`{|}~-]+)"
    r"(?P<extensions>(?: .*)?)"
)
_RELATED: Final = re.compile(r"[0-9A-Za-z.:_-]{1,253}")
_PORT: Final = re.compile("[0-9]{1,5}")
_PREFIX: Final = re.compile(r"(?:a=)?candidate: *", re.IGNORECASE)
_NAME_LABEL: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


class Candidate(msgspec.Struct, frozen=True):
    """A transport address that may reach an agent, and how much its owner likes it (RFC 8445 §5.1)."""

    foundation: str
    """Of 1 to 32 letters, digits, ``+`` and ``/``; some peers have others, or none."""
    component: int
    transport: str
    """Lower case: ``udp`` or ``tcp``; others can be parsed and then ignored."""
    priority: int
    address: str
    """An IP address literal in canonical form, or a host name, of which only hidden ones are ever resolved."""
    port: int
    type: str
    """``host``, ``srflx``, ``prflx``, ``relay``; others can be parsed and then ignored."""
    related_address: str | None = None
    related_port: int | None = None
    tcp_type: str | None = None
    """``active``, ``passive`` or ``so`` of TCP, RFC 6544 §4.5."""
    username_fragment: str | None = None
    """The ICE generation that the candidate belongs to, where its owner says so (RFC 8838 §11)."""

    def __str__(self) -> str:
        """For people: ``host udp 192.0.2.1:5000``."""
        return f"{self.type} {self.transport} {Address(self.address, self.port)}"

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
    ignore (RFC 8839 §5.1). Of what follows the type only what is known and can be read is kept. So is a candidate whose
    foundation is odd or missing, or whose priority is out of range: there may be no other way to its owner.
    """
    if len(text) > MAX_CANDIDATE_LENGTH:
        raise Malformed(f"expected at most {MAX_CANDIDATE_LENGTH} characters")
    text = text.strip()
    prefix = _PREFIX.match(text)
    line = _LINE.fullmatch(text, prefix.end() if prefix else 0)
    if line is None:
        raise Malformed("expected foundation, component, transport, priority, address, port, typ, type")
    extensions = _extensions(line["extensions"])
    return Candidate(
        foundation=line["foundation"] or "",
        component=_bounded_untrusted("component", line["component"], 1, 256),
        transport=line["transport"].lower(),
        priority=min(max(1, int(line["priority"])), MAX_PRIORITY),
        address=_address_untrusted(line["address"]),
        port=_port_untrusted(line["port"]),
        type=line["type"].lower(),
        related_address=_readable(_related_untrusted, extensions.get("raddr")),
        related_port=_readable(_port_untrusted, extensions.get("rport")),
        tcp_type=extensions.get("tcptype"),
        username_fragment=extensions.get("ufrag"),
    )


def candidate_priority(candidate_type: str, local_preference: int = 65535, component: int = 1) -> int:
    """The recommended formula of RFC 8445 §5.1.2.1; ``local_preference`` is 0–65535 and tells own addresses apart."""
    return TYPE_PREFERENCES[candidate_type] << 24 | local_preference << 8 | 256 - component


def tcp_candidate_priority(tcp_type: str, other_preference: int = 8191) -> int:
    """That of a host candidate over TCP, RFC 6544 §4.2; ``other_preference`` is 0–8191 and tells addresses apart."""
    local_preference = TCP_DIRECTION_PREFERENCES[tcp_type] << 13 | other_preference
    return TCP_TYPE_PREFERENCES["host"] << 24 | local_preference << 8 | 255


def candidate_foundation(candidate_type: str, base_address: str, transport: str = "udp", server: str = "") -> str:
    """The same for candidates alike in type, base IP address, transport and server, RFC 8445 §5.1.1.3."""
    return str(zlib.crc32(f"{candidate_type} {base_address} {transport} {server}".encode()))


def _bounded_untrusted(name: str, digits: str, lowest: int, highest: int) -> int:
    number = int(digits)
    if lowest <= number <= highest:
        return number
    raise Malformed(f"expected a {name} of {lowest}–{highest}")


def _port_untrusted(text: str) -> int:
    return _bounded_untrusted("port", text if _PORT.fullmatch(text) else "-1", 0, 65535)


def _address_untrusted(text: str) -> str:
    """An IP address in canonical form, so that it equals the address of a datagram; host names as they are."""
    if (ip := ip_of(text)) is not None:
        return text_of(ip)
    labels = text.removesuffix(".").split(".")
    # A last label of digits alone is a mistyped IPv4 address, never a name (RFC 1123 §2.1).
    if len(text) > 253 or labels[-1].isdigit() or not all(map(_NAME_LABEL.fullmatch, labels)):
        raise Malformed("expected an IP address or a host name")
    return text


def _related_untrusted(text: str) -> str:
    """An address for people to read (RFC 8445 §5.3), as it is written: nothing is compared with it."""
    if not _RELATED.fullmatch(text) or (":" not in text and text[-1].isdigit() and ip_of(text) is None):
        raise Malformed("expected an IP address or a host name")
    return text


def _extensions(text: str) -> dict[str, str]:
    """Name and value pairs; of a repeated name the first counts, and a last name without a value is dropped."""
    words = text.split(maxsplit=2 * MAX_EXTENSIONS)[: 2 * MAX_EXTENSIONS]
    pairs: dict[str, str] = {}
    for name, value in zip(words[0::2], words[1::2], strict=False):
        pairs.setdefault(name.lower(), value)
    return pairs


def _readable(parse: Callable[[str], T], text: str | None) -> T | None:
    """A value that nothing depends on: None where it is not there or cannot be read."""
    try:
        return None if text is None else parse(text)
    except Malformed:
        return None

"""Multicast DNS, as far as browsers hide their addresses behind it: RFC 6762, RFC 1035 §4.

A browser names itself ``<uuid>.local`` in its candidates, and answers who asks for that name on its network
(draft-ietf-mmusic-mdns-ice-candidates §3.1).
"""

import re
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import Final

import msgspec

from glottis.contracts.errors import Malformed

MAX_RECORDS: Final = 32
"""Of a message, questions included; an answer to one name has two."""
MAX_LABELS: Final = 16
"""Of a name."""
MAX_STEPS: Final = 160
"""Labels, ends and pointers of all names: five for each record, where a hidden name has three."""

_HEADER: Final = Struct("!HHHHHH")
_FIXED: Final = Struct("!HHIH")
_RESPONSE: Final = 0x8000
_A: Final = 1
_AAAA: Final = 28
_IN: Final = 1
_HIDDEN: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\.local", re.IGNORECASE)


class NamedAddress(msgspec.Struct, frozen=True):
    """``name``, in lower case, has the IP address ``host``."""

    name: str
    host: str


def is_hidden_name(name: str) -> bool:
    """Whether this is a name as browsers make them up, one for each page."""
    return _HIDDEN.fullmatch(name) is not None


def build_mdns_query(name: str) -> bytes:
    """Ask everybody on the network for the addresses of a hidden name."""
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.split("."))
    questions = b"".join(labels + b"\0" + kind.to_bytes(2) + _IN.to_bytes(2) for kind in (_A, _AAAA))
    return _HEADER.pack(0, 0, 2, 0, 0, 0) + questions  # RFC 6762 §18: all zeros but the count


def parse_mdns_answer_untrusted(data: bytes) -> list[NamedAddress]:
    """The addresses that a response has, for whatever names; raises ``Malformed``. Those of a query are none."""
    if len(data) < _HEADER.size:
        raise Malformed("mDNS: expected a header of 12 bytes")
    _, flags, questions, *others = _HEADER.unpack_from(data)
    if not flags & _RESPONSE:
        return []
    if questions + sum(others) > MAX_RECORDS:
        raise Malformed(f"mDNS: expected at most {MAX_RECORDS} records")
    names, position = _Names(data), _HEADER.size
    for _ in range(questions):
        position = names.read_untrusted(position)[1] + 4
    found = []
    for _ in range(sum(others)):
        address, position = _read_record_untrusted(data, names, position)
        found += [address] if address is not None else []
    return found


class _Names:
    """Those of one message. Pointers let a few bytes stand for many labels: of all names together so many are read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._steps_left = MAX_STEPS

    def read_untrusted(self, position: int) -> tuple[str, int]:
        """A name in lower case, and where what follows begins. Pointers lead backwards only (RFC 1035 §4.1.4)."""
        data = self._data
        labels: list[str] = []
        following: int | None = None
        while self._steps_left and position < len(data):
            self._steps_left -= 1
            length = data[position]
            if length >= 0xC0 and position + 1 < len(data):
                target = (length & 0x3F) << 8 | data[position + 1]
                following = position + 2 if following is None else following
                if target >= position:
                    break
                position = target
            elif length == 0:
                return ".".join(labels).lower(), position + 1 if following is None else following
            elif length < 64 and len(labels) < MAX_LABELS and position + 1 + length < len(data):
                labels.append(data[position + 1 : position + 1 + length].decode("ascii", "replace"))
                position += 1 + length
            else:
                break
        raise Malformed("mDNS: expected a name")


def _read_record_untrusted(data: bytes, names: _Names, position: int) -> tuple[NamedAddress | None, int]:
    """The address in a record, if it holds one, and where the next begins."""
    name, position = names.read_untrusted(position)
    value = position + _FIXED.size
    if value > len(data):
        raise Malformed("mDNS: a record is cut off")
    kind, record_class, _, length = _FIXED.unpack_from(data, position)
    raw = data[value : value + length]
    if len(raw) < length:
        raise Malformed("mDNS: the data of a record is cut off")
    host: str | None = None
    if record_class & 0x7FFF == _IN:  # RFC 6762 §10.2: the uppermost bit says that there is no other
        if kind == _A and length == 4:
            host = str(IPv4Address(raw))
        elif kind == _AAAA and length == 16:
            host = str(IPv6Address(raw))
    return (None if host is None else NamedAddress(name, host)), value + length

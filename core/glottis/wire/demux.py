"""Telling apart what arrives on one socket, before anything is parsed: RFC 7983, RFC 5761.

All sessions share a socket. A STUN request names its receiver in USERNAME; a response is known by the transaction of
the request that it answers; everything else belongs to whoever has authenticated its remote address.
"""

from enum import Enum, auto
from typing import Final

from glottis.contracts.errors import Malformed

_HEADER_LENGTH: Final = 20
_BINDING_REQUEST: Final = b"\x00\x01"
_BINDING_RESPONSES: Final = (b"\x01\x01", b"\x01\x11")
_MAGIC_COOKIE: Final = b"\x21\x12\xa4\x42"
_USERNAME: Final = 0x0006
_ICE_CHARACTERS: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_UFRAG_LENGTHS: Final = range(4, 257)  # RFC 8839 §5.4

MAX_STUN_ATTRIBUTES: Final = 32
"""Of a message; a connectivity check has eight or so, and a TURN server's answer as many."""


class PacketKind(Enum):
    """What a datagram claims to be."""

    STUN = auto()
    DTLS = auto()
    TURN_CHANNEL = auto()
    RTP = auto()
    RTCP = auto()
    UNKNOWN = auto()


def _kind_of_first_byte(byte: int) -> PacketKind:
    """The ranges of RFC 7983 §7; ZRTP (16–19) is unknown here."""
    if byte < 4:
        return PacketKind.STUN
    if 20 <= byte < 64:
        return PacketKind.DTLS
    if 64 <= byte < 80:
        return PacketKind.TURN_CHANNEL
    if 128 <= byte < 192:
        return PacketKind.RTP
    return PacketKind.UNKNOWN


_KINDS: Final = tuple(map(_kind_of_first_byte, range(256)))


def classify(data: bytes) -> PacketKind:
    """By the first byte, and RTCP from RTP by the second; total: it takes any bytes, also none."""
    if not data:
        return PacketKind.UNKNOWN
    kind = _KINDS[data[0]]
    # RFC 5761 §4: RTCP packet types 192–223 fill the place of marker and payload type; those payload types are unused.
    if kind is PacketKind.RTP and len(data) > 1 and 192 <= data[1] <= 223:
        return PacketKind.RTCP
    return kind


def is_stun_request(data: bytes) -> bool:
    """Whether this is a Binding request, whose receiver ``stun_local_ufrag_untrusted`` names."""
    return data[:2] == _BINDING_REQUEST


def is_stun_response(data: bytes) -> bool:
    """Whether this is a Binding response, which belongs to the sender of ``stun_transaction_id_untrusted``."""
    return data[:2] in _BINDING_RESPONSES


def stun_transaction_id_untrusted(data: bytes) -> bytes:
    """The 12 bytes that join a request and its response; raises ``Malformed`` unless there is a STUN header."""
    if len(data) < _HEADER_LENGTH or data[4:8] != _MAGIC_COOKIE:
        raise Malformed("STUN: expected a header of 20 bytes with the magic cookie")
    return data[8:20]


def stun_local_ufrag_untrusted(data: bytes) -> str:
    """The receiver's ufrag, which comes first in the USERNAME of a connectivity check (RFC 8445 §7.2.2).

    Done for every request from anywhere, so it reads only as far as USERNAME and checks no more than it reads.
    Raises ``Malformed`` when there is no such name.
    """
    end = len(data)
    if end < _HEADER_LENGTH or data[4:8] != _MAGIC_COOKIE:
        raise Malformed("STUN: expected a header of 20 bytes with the magic cookie")
    position = _HEADER_LENGTH
    for _ in range(MAX_STUN_ATTRIBUTES):
        value = position + 4
        if value > end:
            break
        length = data[position + 2] << 8 | data[position + 3]
        if data[position] << 8 | data[position + 1] == _USERNAME:
            return _first_fragment_untrusted(data[value : value + length], length)
        position = value + (length + 3 & ~3)
    raise Malformed("STUN: expected USERNAME")


def _first_fragment_untrusted(username: bytes, length: int) -> str:
    ufrag, colon, _ = username.partition(b":")
    if len(username) < length or not colon or len(ufrag) not in _UFRAG_LENGTHS or not _ICE_CHARACTERS.issuperset(ufrag):
        raise Malformed("STUN: expected a USERNAME of two ufrags and a colon")
    return ufrag.decode("ascii")

"""The Data Channel Establishment Protocol's two messages (RFC 8832 §5)."""

from enum import IntEnum
from struct import Struct
from typing import Final

import msgspec

from glottis.contracts.errors import LocalError, Malformed

_OPEN: Final = Struct("!BBHIHH")
_ACK: Final = 0x02
_OPEN_TYPE: Final = 0x03
_UNORDERED: Final = 0x80

MAX_OPEN_SIZE: Final = 4096
"""Bytes of a DATA_CHANNEL_OPEN: a channel's label and protocol are kept, and a peer may open a thousand channels."""

UNSTATED_MAX_MESSAGE_SIZE: Final = 65536
"""Bytes that a peer takes whose session description does not say how many (RFC 8841 §6.1)."""

OPEN_ACK: Final = bytes([_ACK])
"""The DATA_CHANNEL_ACK message."""


class ProtocolId(IntEnum):
    """Payload protocol identifiers (RFC 8831 §8)."""

    DCEP = 50
    STRING = 51
    BINARY = 53
    STRING_EMPTY = 56
    BINARY_EMPTY = 57


class Reliability(IntEnum):
    """The low bits of a channel type (RFC 8832 §8.2.2)."""

    RELIABLE = 0
    MAX_RETRANSMITS = 1
    MAX_LIFE_TIME = 2


class ChannelOpen(msgspec.Struct, frozen=True):
    """DATA_CHANNEL_OPEN. At most one of ``max_retransmits`` and ``max_packet_life_time_ms`` is set."""

    label: str
    protocol: str = ""
    ordered: bool = True
    max_retransmits: int | None = None
    max_packet_life_time_ms: int | None = None
    priority: int = 256
    """Below normal 128, normal 256, high 512, extra high 1024 (RFC 8831 §6.4)."""

    def encode(self) -> bytes:
        """The message; ``LocalError`` if a setting does not fit into it."""
        reliability, parameter = self._reliability()
        channel_type = reliability | (0 if self.ordered else _UNORDERED)
        label, protocol = self.label.encode(), self.protocol.encode()
        if _OPEN.size + len(label) + len(protocol) > MAX_OPEN_SIZE:
            raise LocalError("the label and protocol of the data channel are too long")
        if not (0 <= self.priority < 1 << 16 and 0 <= parameter < 1 << 32):
            raise LocalError("a number of the data channel's settings is out of range")
        fixed = _OPEN.pack(_OPEN_TYPE, channel_type, self.priority, parameter, len(label), len(protocol))
        return fixed + label + protocol

    def _reliability(self) -> tuple[Reliability, int]:
        if self.max_retransmits is not None:
            return Reliability.MAX_RETRANSMITS, self.max_retransmits
        if self.max_packet_life_time_ms is not None:
            return Reliability.MAX_LIFE_TIME, self.max_packet_life_time_ms
        return Reliability.RELIABLE, 0


def parse_dcep_untrusted(message: bytes) -> ChannelOpen | None:
    """The DATA_CHANNEL_OPEN that ``message`` is, or None for a DATA_CHANNEL_ACK.

    What is odd but does no harm stays so: bytes behind the message, text that is not UTF-8 (U+FFFD stands for it), an
    unknown channel type (it counts as reliable).
    """
    if message[:1] == OPEN_ACK:
        return None
    if len(message) > MAX_OPEN_SIZE:
        raise Malformed("a DATA_CHANNEL_OPEN is too long")
    if len(message) < _OPEN.size or message[0] != _OPEN_TYPE:
        raise Malformed("a DCEP message is neither OPEN nor ACK")
    _, channel_type, priority, parameter, label_length, protocol_length = _OPEN.unpack_from(message)
    label_end = _OPEN.size + label_length
    protocol_end = label_end + protocol_length
    if len(message) < protocol_end:
        raise Malformed("the lengths of a DATA_CHANNEL_OPEN go beyond its end")
    reliability = channel_type & ~_UNORDERED
    return ChannelOpen(
        label=message[_OPEN.size : label_end].decode(errors="replace"),
        protocol=message[label_end:protocol_end].decode(errors="replace"),
        ordered=not channel_type & _UNORDERED,
        max_retransmits=parameter if reliability == Reliability.MAX_RETRANSMITS else None,
        max_packet_life_time_ms=parameter if reliability == Reliability.MAX_LIFE_TIME else None,
        priority=priority,
    )

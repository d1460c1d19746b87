"""ChannelData messages, RFC 8656 §12.4: bytes <-> values. The short form in which a TURN server relays."""

import struct
from typing import Final, NamedTuple

from glottis.contracts.errors import Malformed

CHANNEL_NUMBERS: Final = range(0x4000, 0x5000)
"""Those that may be bound; others are reserved (RFC 8656 §12)."""
HEADER_LENGTH: Final = 4
_HEADER: Final = struct.Struct("!HH")


class ChannelData(NamedTuple):
    """Application data and the channel that it came by."""

    channel: int
    data: bytes


def parse_channel_data_untrusted(message: bytes) -> ChannelData:
    """Read one message, of a datagram or cut from a stream, with or without padding; raises ``Malformed``."""
    if len(message) < HEADER_LENGTH:
        raise Malformed("ChannelData: expected at least 4 bytes")
    channel, length = _HEADER.unpack_from(message)
    if channel not in CHANNEL_NUMBERS:
        raise Malformed("ChannelData: expected a channel of 0x4000–0x4FFF")
    if length > len(message) - HEADER_LENGTH:
        raise Malformed("ChannelData: expected a length that fits the message")
    return ChannelData(channel, message[HEADER_LENGTH : HEADER_LENGTH + length])


def build_channel_data(channel: int, data: bytes) -> bytes:
    """Write one message, without padding: datagrams need none, and ``stun_stream.for_stream`` adds it."""
    return _HEADER.pack(channel, len(data)) + data

"""How RTCP packets are framed, RFC 3550 §6.4.1, and what their fields hold at most."""

import struct
from typing import Final

MAX_COUNT: Final = 31
"""Report blocks, chunks or sources in one packet; the count field has five bits."""
MAX_TEXT_LENGTH: Final = 255
"""Bytes of a CNAME or of a reason for leaving; their length fields have one byte."""

HEADER: Final = struct.Struct("!BBH")
WORD: Final = struct.Struct("!I")

_VERSION_2: Final = 0x80


def framed(packet_type: int, count: int, body: bytes) -> bytes:
    """A packet: ``count`` is what its five bits say, ``body`` is of whole words."""
    if count > MAX_COUNT:
        raise ValueError(f"RTCP: expected at most {MAX_COUNT} entries in a packet, got {count}")
    return HEADER.pack(_VERSION_2 | count, packet_type, len(body) // 4) + body


def length_limited(text: str) -> bytes:
    """UTF-8, cut at a character's boundary where the length field ends."""
    return text.encode()[:MAX_TEXT_LENGTH].decode(errors="ignore").encode()

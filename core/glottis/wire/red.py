"""Redundant audio, RFC 2198 §3: the payload of one packet that holds several frames, the newest one last."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from glottis.contracts.errors import Malformed

MAX_TIMESTAMP_OFFSET: Final = (1 << 14) - 1
"""RTP clock units by which a block may be older than its packet."""
MAX_BLOCK_LENGTH: Final = (1 << 10) - 1
"""Bytes of an older block."""
HEADER_LENGTH: Final = 4
"""Bytes before each older block; the newest has one of a single byte, and the rest of the packet."""

_FOLLOWS: Final = 0x80
_MAX_PAYLOAD_TYPE: Final = 0x7F


class RedBlock(NamedTuple):
    """A frame of ``payload_type``; its timestamp is that of the packet less ``timestamp_offset`` clock units."""

    payload_type: int
    timestamp_offset: int
    payload: bytes


def parse_red_untrusted(data: bytes) -> tuple[RedBlock, ...]:
    """The blocks of a payload in its order, the newest one last; any may be empty. Raises ``Malformed``."""
    headers: list[tuple[int, int, int]] = []
    at = 0
    while at < len(data) and data[at] & _FOLLOWS:
        header = int.from_bytes(data[at : at + HEADER_LENGTH])
        headers.append((data[at] & _MAX_PAYLOAD_TYPE, header >> 10 & MAX_TIMESTAMP_OFFSET, header & MAX_BLOCK_LENGTH))
        at += HEADER_LENGTH
    if at >= len(data):
        raise Malformed("RED: expected a header of the newest block")
    newest = data[at]
    at += 1
    blocks = []
    for payload_type, offset, length in headers:
        blocks.append(RedBlock(payload_type, offset, data[at : at + length]))
        at += length
    if at > len(data):
        raise Malformed("RED: the blocks run past the end")
    return (*blocks, RedBlock(newest, 0, data[at:]))


def build_red(older: Sequence[RedBlock], payload_type: int, payload: bytes) -> bytes:
    """A payload of ``older`` blocks, the oldest first, and the newest; numbers in their field's range."""
    headers = b"".join(
        (_FOLLOWS << 24 | type_ << 24 | offset << 10 | len(block)).to_bytes(HEADER_LENGTH)
        for type_, offset, block in older
    )
    return b"".join((headers, bytes((payload_type,)), *(block.payload for block in older), payload))

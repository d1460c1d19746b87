"""Ogg pages (RFC 3533), and the headers of Opus in them (RFC 7845)."""

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Final

MAX_SEGMENTS: Final = 255
"""Of a page; each has up to 255 bytes."""
HEADER_SIZE: Final = 27
"""Bytes before the lengths of segments."""
BEGINS: Final = 2
ENDS: Final = 4
PRE_SKIP: Final = 312
"""Samples that an encoder of Opus begins late."""
_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def checksum(data: bytes) -> int:
    """The CRC of a page (RFC 3533 §6): that of zlib read backwards, bit by bit, without its inversions."""
    backwards = zlib.crc32(data.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(backwards.to_bytes(4, "little").translate(_REVERSED), "big")


def page(packets: Sequence[bytes], granule: int, serial: int, number: int, flags: int = 0) -> bytes:
    """A page of whole packets; ``granule`` is the position at its end, in samples at 48 kHz."""
    lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    header = struct.pack("<4sBBqIII", b"OggS", 0, flags, granule, serial, number, 0) + bytes([len(lacing)]) + lacing
    data = header + b"".join(packets)
    return data[:22] + checksum(data).to_bytes(4, "little") + data[26:]


def ends_of_pages(data: bytes) -> Iterator[int]:
    """Where each page ends, up to the first that is not whole."""
    start = 0
    while data.startswith(b"OggS", start) and len(data) >= start + HEADER_SIZE:
        lacing = start + HEADER_SIZE + data[start + HEADER_SIZE - 1]
        end = lacing + sum(data[start + HEADER_SIZE : lacing])
        page_of_it = data[start : start + 22] + bytes(4) + data[start + 26 : end]
        if end > len(data) or checksum(page_of_it) != int.from_bytes(data[start + 22 : start + 26], "little"):
            return
        yield end
        start = end


def segments_of(packet: bytes) -> int:
    """How many segments of a page a packet takes."""
    return len(packet) // 255 + 1


def opus_head() -> bytes:
    """Two channels, each a mono stream of its own: mapping family 1 without coupling (RFC 7845 §5.1.1)."""
    return struct.pack("<8sBBHIhB", b"OpusHead", 1, 2, PRE_SKIP, 48000, 0, 1) + bytes([2, 0, 0, 1])


def opus_tags(comments: Sequence[str]) -> bytes:
    """Who has written the file, and what of."""
    texts = [b"glottis", *(comment.encode() for comment in comments)]
    vendor, *others = (struct.pack("<I", len(text)) + text for text in texts)
    return b"OpusTags" + vendor + struct.pack("<I", len(others)) + b"".join(others)

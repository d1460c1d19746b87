"""The header of a WAV file of two channels of 16 bits: RIFF, ``fmt`` and ``data``."""

import struct
from typing import Final

HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
SIZE: Final = HEADER.size
FRAME: Final = 4
"""Bytes of a sample of both channels."""


def header_of(rate: int, size: int) -> bytes:
    """For ``size`` bytes of samples."""
    return HEADER.pack(
        b"RIFF", size + SIZE - 8, b"WAVE",
        b"fmt ", 16, 1, 2, rate, rate * FRAME, FRAME, 16,
        b"data", size,
    )  # fmt: skip


def mended(header: bytes, file_size: int) -> bytes | None:
    """The header with the lengths of what is there; None if it is none of ours."""
    if len(header) < SIZE:
        return None
    rate = HEADER.unpack(header)[7]
    size = (file_size - SIZE) // FRAME * FRAME
    ours = header_of(rate, 0)
    return header_of(rate, size) if rate and header[8:40] == ours[8:40] and header[:4] == ours[:4] else None

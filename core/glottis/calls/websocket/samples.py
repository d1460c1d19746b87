"""The samples of uncompressed audio as clients have them, to and from signed 16-bit little-endian (CONTRACT §5)."""

import math
import sys
from array import array
from collections.abc import Callable
from typing import Final

_FULL_SCALE: Final = 32768.0
_LOWEST, _HIGHEST = -32768, 32767
_FLIPPED: Final = bytes(byte ^ 0x80 for byte in range(256))
"""Unsigned 8-bit samples have their zero in the middle."""

Conversion = Callable[[bytes], bytes]


def from_unsigned_8(data: bytes) -> bytes:
    """Each byte becomes the upper half of a sample."""
    pcm = bytearray(2 * len(data))
    pcm[1::2] = data.translate(_FLIPPED)
    return bytes(pcm)


def to_unsigned_8(pcm: bytes) -> bytes:
    """The upper half of each sample."""
    return pcm[1::2].translate(_FLIPPED)


def from_float_32(data: bytes) -> bytes:
    """From -1 to 1; what is louder is clipped, and what is no number is silence."""
    floats = _native(array("f", data))
    try:
        return _native(array("h", map(int, map(_FULL_SCALE.__mul__, floats)))).tobytes()
    except (OverflowError, ValueError):  # a full positive scale among them
        return _native(array("h", map(_clipped, floats))).tobytes()


def to_float_32(pcm: bytes) -> bytes:
    """From -1 to almost 1."""
    return _native(array("f", map((1 / _FULL_SCALE).__mul__, _native(array("h", pcm))))).tobytes()


def as_it_is(pcm: bytes) -> bytes:
    """Signed 16-bit already."""
    return pcm


FROM_WIRE: Final[dict[int, Conversion]] = {8: from_unsigned_8, 16: as_it_is, 32: from_float_32}
TO_WIRE: Final[dict[int, Conversion]] = {8: to_unsigned_8, 16: as_it_is, 32: to_float_32}
"""By the bits of a sample."""


def _clipped(value: float) -> int:
    return 0 if math.isnan(value) else int(max(_LOWEST, min(_HIGHEST, value * _FULL_SCALE)))


def _native(samples: "array[float] | array[int]") -> "array[float] | array[int]":
    """On the wire the lowest byte comes first, whatever this machine has."""
    if sys.byteorder == "big":
        samples.byteswap()
    return samples

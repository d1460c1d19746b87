"""The checksum of SCTP (RFC 9260 appendix A).

``google-crc32c`` takes 0.1 µs for a packet, and is used where it is installed (``glottis[checksums]``). It has no
wheels for musl and 32-bit ARM, and only messages of browsers without zero checksum (RFC 9653) need one: it is no must.
"""

from collections.abc import Callable
from struct import Struct
from typing import Final

POLYNOMIAL: Final = 0x82F63B78
"""Castagnoli's, its lowest power in the highest bit."""

_WORD: Final = Struct("<I")


def _after_zero_bits(crc: int, bits: int) -> int:
    for _ in range(bits):
        crc = crc >> 1 ^ (POLYNOMIAL if crc & 1 else 0)
    return crc


_ONE: Final = [_after_zero_bits(byte, 8) for byte in range(256)]
"""What becomes of the lowest byte after eight bits that are zero; the next are for two, three and four bytes."""
_TWO: Final = [crc >> 8 ^ _ONE[crc & 255] for crc in _ONE]
_THREE: Final = [crc >> 8 ^ _ONE[crc & 255] for crc in _TWO]
_FOUR: Final = [crc >> 8 ^ _ONE[crc & 255] for crc in _THREE]


def crc32c_by_table(data: bytes) -> int:
    """In Python, four bytes at a time: 70 µs for a packet as long as they may be."""
    crc = 0xFFFFFFFF
    whole = len(data) & ~3
    for (word,) in _WORD.iter_unpack(data[:whole]):
        crc ^= word
        crc = _FOUR[crc & 255] ^ _THREE[crc >> 8 & 255] ^ _TWO[crc >> 16 & 255] ^ _ONE[crc >> 24]
    for byte in data[whole:]:
        crc = _ONE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


crc32c: Callable[[bytes], int]
try:
    from google_crc32c import value as crc32c
except ImportError:
    crc32c = crc32c_by_table

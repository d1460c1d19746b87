"""Packets that are missing: the generic NACK, RFC 4585 §6.2.1."""

import struct
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from glottis.contracts.errors import Malformed
from glottis.wire.rtcp.framing import framed

NACK_FORMAT: Final = 1
MAX_ENTRIES: Final = 16
"""That are read, of up to 17 numbers each: nobody has a use for more. Further ones are skipped."""

_TRANSPORT_LAYER_FEEDBACK: Final = 205
_SSRCS: Final = struct.Struct("!II")
_ENTRY: Final = struct.Struct("!HH")
_FOLLOWING: Final = 16
"""Numbers after the first one that an entry has bits for."""


class Nack(msgspec.Struct, frozen=True):
    """What ``sender_ssrc`` misses of ``media_ssrc``."""

    sender_ssrc: int
    media_ssrc: int
    entries: tuple[tuple[int, int], ...]
    """A sequence number, and a bit for each of the sixteen after it."""

    def sequence_numbers(self) -> Iterator[int]:
        """All that are missing."""
        for first, following in self.entries:
            yield first
            for place in range(_FOLLOWING if following else 0):
                if following >> place & 1:
                    yield (first + 1 + place) & 0xFFFF


def nack_entries(sequence_numbers: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Entries that name these, which are in order."""
    entries: list[tuple[int, int]] = []
    for number in sequence_numbers:
        distance = (number - entries[-1][0]) & 0xFFFF if entries else 0
        if 0 < distance <= _FOLLOWING:
            entries[-1] = entries[-1][0], entries[-1][1] | 1 << distance - 1
        else:
            entries.append((number, 0))
    return tuple(entries)


def parse_nack_untrusted(body: bytes) -> Nack:
    """Raises ``Malformed``."""
    if len(body) < _SSRCS.size + _ENTRY.size:
        raise Malformed("RTCP: expected two SSRCs and an entry in a NACK")
    end = min(len(body), _SSRCS.size + MAX_ENTRIES * _ENTRY.size)
    sender_ssrc, media_ssrc = _SSRCS.unpack_from(body)
    return Nack(sender_ssrc, media_ssrc, tuple(_ENTRY.iter_unpack(body[_SSRCS.size : end - end % 4])))


def build_nack(nack: Nack) -> bytes:
    """The packet."""
    body = _SSRCS.pack(nack.sender_ssrc, nack.media_ssrc) + b"".join([_ENTRY.pack(*one) for one in nack.entries])
    return framed(_TRANSPORT_LAYER_FEEDBACK, NACK_FORMAT, body)

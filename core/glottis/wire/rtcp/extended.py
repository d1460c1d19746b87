"""Extended reports: receiver reference times and the answers to them, RFC 3611 §4.4 and §4.5.

So who sends no media, and so no sender reports, measures the round trip as well. Other blocks are skipped.
"""

import struct
from typing import Final, NamedTuple

import msgspec

from glottis.contracts.errors import Malformed
from glottis.wire.rtcp.framing import WORD, framed

EXTENDED_REPORT: Final = 207
MAX_BLOCKS: Final = 8
"""That are read, and sub-blocks of one."""

_REFERENCE_TIME: Final = 4
_DELAYS: Final = 5
_BLOCK: Final = struct.Struct("!BBH")
_NTP_TIME: Final = struct.Struct("!Q")
_DELAY: Final = struct.Struct("!III")


class ReferenceDelay(NamedTuple):
    """The answer to a receiver's reference time."""

    ssrc: int
    """Of that receiver."""
    last_reference_time: int
    """The middle 32 bits of it."""
    delay_since_last_reference_time: int
    """In units of 1/65536 seconds."""


class ExtendedReport(msgspec.Struct, frozen=True):
    """What is known here of one."""

    ssrc: int
    reference_time: int | None = None
    """64-bit NTP time of a receiver."""
    delays: tuple[ReferenceDelay, ...] = ()


def parse_extended_report_untrusted(body: bytes) -> ExtendedReport:
    """Raises ``Malformed``."""
    if len(body) < WORD.size:
        raise Malformed("RTCP: expected the SSRC of an extended report")
    reference_time: int | None = None
    delays: tuple[ReferenceDelay, ...] = ()
    offset = WORD.size
    for _ in range(MAX_BLOCKS):
        if offset + _BLOCK.size > len(body):
            break
        kind, _, words = _BLOCK.unpack_from(body, offset)
        start, offset = offset + _BLOCK.size, offset + _BLOCK.size + 4 * words
        if offset > len(body):
            raise Malformed("RTCP: a block of an extended report runs past the end")
        if kind == _REFERENCE_TIME and words == 2:
            (reference_time,) = _NTP_TIME.unpack_from(body, start)
        elif kind == _DELAYS:
            delays = _delays_untrusted(body[start:offset])
    return ExtendedReport(WORD.unpack_from(body)[0], reference_time, delays)


def build_extended_report(report: ExtendedReport) -> bytes:
    """The packet."""
    body = WORD.pack(report.ssrc)
    if report.reference_time is not None:
        body += _BLOCK.pack(_REFERENCE_TIME, 0, 2) + _NTP_TIME.pack(report.reference_time)
    if report.delays:
        body += _BLOCK.pack(_DELAYS, 0, 3 * len(report.delays))
        body += b"".join([_DELAY.pack(*delay) for delay in report.delays])
    return framed(EXTENDED_REPORT, 0, body)


def _delays_untrusted(block: bytes) -> tuple[ReferenceDelay, ...]:
    if len(block) % _DELAY.size:
        raise Malformed("RTCP: expected sub-blocks of 12 bytes in an extended report")
    return tuple(ReferenceDelay(*fields) for fields in _DELAY.iter_unpack(block[: MAX_BLOCKS * _DELAY.size]))

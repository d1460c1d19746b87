"""Transport-wide feedback on what is received: when each packet has come."""

from typing import Final

from glottis.wire.rtcp import TransportFeedback
from glottis.wire.rtcp.transport import MAX_STATUSES, REFERENCE_TICKS, TICK

FEEDBACK_INTERVAL: Final = 0.2
"""Seconds between feedback packets; libwebrtc sends them every 0.05–0.25."""
LATE: Final = 32
"""Packets; what is so much later than what was told already is told again."""
MAX_SPAN: Final = 4.0
"""Seconds that one packet tells of: its times are at most eight apart."""


class ArrivalLog:
    """Of the packets since the last feedback. Numbers are those of the header extension, of 16 bits."""

    __slots__ = ("_arrivals", "_began_at", "_count", "_next")

    def __init__(self) -> None:
        self._arrivals: dict[int, float] = {}
        """By number, which is extended here."""
        self._began_at = 0.0
        self._next: int | None = None
        """The number after the highest that was told."""
        self._count = 0

    def arrived(self, number: int, now: float) -> None:
        """A packet has come. What jumps far ahead begins anew, without a word about what was before."""
        if self._next is None:
            self._next = number
        sequence = self._next + ((number - self._next + 0x8000) & 0xFFFF) - 0x8000
        if not -LATE <= sequence - self._next < MAX_STATUSES - LATE or now - self._began_at > MAX_SPAN:
            self._arrivals.clear()
            self._next = sequence
        if not self._arrivals:
            self._began_at = now
        self._arrivals.setdefault(sequence, now)

    def take_due(self, now: float, sender_ssrc: int, media_ssrc: int) -> TransportFeedback | None:
        """What is to be told now, if anything."""
        arrivals = self._arrivals
        if not arrivals or self._next is None or now - self._began_at < FEEDBACK_INTERVAL:
            return None
        first, last = min(self._next, *arrivals), max(arrivals)
        earliest = min(arrivals.values())
        reference_time = int(earliest / TICK) // REFERENCE_TICKS
        start = reference_time * REFERENCE_TICKS
        ticks = tuple(
            None if (at := arrivals.get(sequence)) is None else int(at / TICK) - start
            for sequence in range(first, last + 1)
        )
        self._arrivals = {}
        self._next = last + 1
        self._count += 1
        count = (self._count - 1) & 0xFF
        return TransportFeedback(sender_ssrc, media_ssrc, first & 0xFFFF, count, _signed_24(reference_time), ticks)


def _signed_24(value: int) -> int:
    return ((value & 0xFFFFFF) ^ 0x800000) - 0x800000

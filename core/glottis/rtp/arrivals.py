"""Transport-wide feedback on what is received: when each packet has come."""

import math
from collections.abc import Sequence
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
    """Of the packets since the last feedback. Numbers are those of the header extension, of 16 bits.

    What has come is looked at when it is told, all at once: that is done for every packet.
    """

    __slots__ = ("_count", "_log", "_next", "due_at")

    def __init__(self) -> None:
        self.due_at = math.inf
        """When ``take`` has something to tell."""
        self._log: list[tuple[int, float]] = []
        """Number and time of the last ``MAX_STATUSES`` at most."""
        self._next: int | None = None
        """The number after the highest that was told, extended."""
        self._count = 0

    def arrived(self, number: int, now: float) -> None:
        """A packet has come."""
        if not self._log:
            self.due_at = now + FEEDBACK_INTERVAL
        self._log.append((number, now))
        if len(self._log) > MAX_STATUSES:
            del self._log[0]

    def take(self, sender_ssrc: int, media_ssrc: int) -> TransportFeedback:
        """What is to be told, from ``due_at`` on."""
        first, times, earliest = self._sorted_out()
        reference_time = int(earliest / TICK) // REFERENCE_TICKS
        start = reference_time * REFERENCE_TICKS
        ticks = [None if at is None else int(at / TICK) - start for at in times]
        self._log.clear()
        self.due_at = math.inf
        self._next = first + len(times)
        self._count += 1
        count = (self._count - 1) & 0xFF
        return TransportFeedback(
            sender_ssrc, media_ssrc, first & 0xFFFF, count, _signed_24(reference_time), tuple(ticks)
        )

    def _sorted_out(self) -> tuple[int, Sequence[float | None], float]:
        """The first packet to be told of, when it and those after it have come, and when the earliest of them did.

        What jumps far ahead begins anew, without a word about what was before.
        """
        (first, began_at), (last, ended_at) = self._log[0], self._log[-1]
        expected = first if self._next is None else self._next
        numbers, times = zip(*self._log, strict=True)
        if first == expected & 0xFFFF and numbers == (*range(first, last + 1),) and ended_at - began_at <= MAX_SPAN:
            return expected, times, min(times)  # as nearly always
        arrivals: dict[int, float] = {}
        for number, at in self._log:
            sequence = expected + ((number - expected + 0x8000) & 0xFFFF) - 0x8000
            if not -LATE <= sequence - expected < MAX_STATUSES - LATE or at - began_at > MAX_SPAN:
                arrivals.clear()
                expected, began_at = sequence, at
            arrivals.setdefault(sequence, at)
        first = min(expected, *arrivals)
        return first, [arrivals.get(sequence) for sequence in range(first, max(arrivals) + 1)], min(arrivals.values())


def _signed_24(value: int) -> int:
    return ((value & 0xFFFFFF) ^ 0x800000) - 0x800000

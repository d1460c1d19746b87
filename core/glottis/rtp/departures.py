"""What transport-wide feedback says about the path to the peer: how much of what was sent waits in it, and is lost."""

import math
from array import array
from typing import Final, NamedTuple

from glottis.rtp.congestion import LeastDelay
from glottis.wire.rtcp import TransportFeedback
from glottis.wire.rtcp.transport import REFERENCE_TICKS, TICK

REMEMBERED: Final = 128
"""Packets whose time is kept: two and a half seconds of those of 20 ms. A power of two."""

_TOLD: Final = -math.inf
"""In place of a time: there is none, or it was of use already. Negative is the time of what was told to be missing."""


class PathReport(NamedTuple):
    """Of the packets that one feedback tells of."""

    packets: int
    lost: int
    """Of these, less those that were told to be missing before, and have come: so it may be negative."""
    gaps: int
    """Rows of packets in which they were lost."""
    queueing_delay: float | None
    """Seconds that the quickest of them took beyond the shortest delay seen lately; None: all are lost.

    In a queue all have to wait; where delays scatter, some do not.
    """


class Departures:
    """When packets were sent, by transport-wide sequence number."""

    __slots__ = ("_delays", "_latest", "_times", "unknown")

    def __init__(self) -> None:
        self.unknown = 0
        """Packets in feedback that were never sent, or told of before."""
        self._times = array("d")
        """By number modulo ``REMEMBERED``; none before the first."""
        self._latest = 0
        self._delays = LeastDelay()

    def sent(self, number: int, now: float) -> None:
        """A packet has left; numbers go up one by one."""
        if not self._times:
            self._times.extend([_TOLD] * REMEMBERED)
        self._times[number % REMEMBERED] = now
        self._latest = number

    def reported(self, feedback: TransportFeedback, now: float) -> PathReport | None:
        """None, if it tells of no packet that is known; a packet that is said to be missing may be told of later."""
        packets = lost = gaps = 0
        lost_last = -1
        delays: list[float] = []
        times, latest = self._times, self._latest
        reference = feedback.reference_time * REFERENCE_TICKS
        for number, ticks in enumerate(feedback.arrivals, feedback.base):
            place = number % REMEMBERED
            sent_at = times[place] if times and (latest - number) & 0xFFFF < REMEMBERED else _TOLD
            if ticks is not None and sent_at >= 0:  # as nearly always
                packets += 1
                times[place] = _TOLD
                delays.append((reference + ticks) * TICK - sent_at)
            elif sent_at == _TOLD:
                self.unknown += ticks is not None
            elif ticks is not None:
                lost -= 1
                times[place] = _TOLD
                delays.append((reference + ticks) * TICK + sent_at)
            elif sent_at >= 0:
                packets += 1
                lost += 1
                gaps += number != lost_last + 1
                lost_last = number
                times[place] = -sent_at
        if not packets and not lost:
            return None
        if not delays:
            return PathReport(packets, lost, gaps, None)
        quickest = min(delays)
        return PathReport(packets, lost, gaps, quickest - self._delays.noted(quickest, now))

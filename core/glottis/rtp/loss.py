"""What is done about loss on the way to the peer: how much is expected, and what is spent on it.

The figures behind it are in docs/design/loss.md.
"""

import math
from typing import Final, NamedTuple

from glottis.contracts.short_queue import ShortQueue

MEMORY: Final = 20.0
"""Seconds after which a report counts for nothing; in the first half of them it counts in full."""
MOST_REPORTS: Final = 16
"""Remembered, so that a flood of them costs no more."""
FIRST_COUNT: Final = 25
"""Packets of the first report that is made of transport-wide feedback: half a second of those of 20 ms ..."""
MOST_COUNTED: Final = 200
"""... and of later ones, which scatter less."""

LEAST_LOSS: Final = 0.01
"""Less is left to concealment."""
FULL_LOSS: Final = 0.05
"""From here on all is spent that may be."""
MOST_SPENT: Final = 1.53
"""Times the encoder's bitrate on a clean path, copies and their headers included. Of a high bitrate libopus spends more
than of a low one: what is sent is up to 1.6 times as much."""
HEAVY_LOSS: Final = 0.15
"""From here on frames are lost together so often that each is sent three times, though none is as good."""
COPIES: Final = 2
COPIES_SPENT: Final = 1.1 * (1 + COPIES)
"""The same as ``MOST_SPENT``, where copies are wished for whatever they cost: each is as good as what it stands for."""
LEAST_COPIED: Final = 8000
"""Bits per second of a frame that is sent several times; where there is less, FEC is better."""
BURST: Final = 2.0
"""Packets that are lost in a row, on average; of 30 % that are lost one by one it is 1.4."""
BURST_SPACING: Final = 2
"""A copy right after its frame is lost with it. Further away, one is worth more than FEC, from ``FULL_LOSS`` on."""
LONGEST_BURST: Final = 8
"""Packets; a longer gap is an outage, and counts as so many."""
ENOUGH_GAPS: Final = 3
"""From which on their mean length tells something."""


class Loss(NamedTuple):
    """Shares of packets (0–1): what is expected to be lost, and what of that does not come of one event."""

    expected: float
    lasting: float
    in_a_row: float = 1.0
    """Packets that are lost together, on average, as far as is known."""


class ExpectedLoss:
    """How much will be lost, as far as the peer's reports tell."""

    __slots__ = ("_reports",)

    def __init__(self) -> None:
        self._reports: ShortQueue[tuple[float, float]] = ShortQueue()

    def reported(self, fraction_lost: float, now: float) -> Loss:
        """Take in a report; returns the largest two, of which old ones count less.

        So a rise is believed at once, and a fall slowly: a report tells of some hundred packets, by chance of few lost.
        An outage is in one report; copies of what is sent after it are of no use.
        """
        self._reports.push((now, fraction_lost), MOST_REPORTS)
        weighted = sorted(fraction * min(1.0, max(0.0, 2 - 2 * (now - at) / MEMORY)) for at, fraction in self._reports)
        return Loss(weighted[-1], weighted[-2] if len(weighted) > 1 else 0.0)


class LossCount:
    """Makes reports of what feedback tells of a few packets at a time: of few at first, then of twice as many each."""

    __slots__ = ("_enough", "_gaps", "_in_gaps", "_lost", "_packets", "in_a_row")

    def __init__(self) -> None:
        self._enough = FIRST_COUNT
        self._packets = self._lost = 0
        self._in_gaps = self._gaps = 0.0
        self.in_a_row = 1.0
        """How many are lost together, on average: of the last reports, each of which counts twice that before it."""

    def told(self, packets: int, lost: int, gaps: int) -> float | None:
        """Take it in, lost in so many gaps; returns the share (0–1) of packets that were lost once they are enough."""
        self._packets += packets
        self._lost += lost
        self._gaps += gaps
        self._in_gaps += min(max(0, lost), LONGEST_BURST * gaps)
        if self._packets < self._enough:
            return None
        fraction = min(1.0, max(0.0, self._lost / self._packets))
        self._enough = min(MOST_COUNTED, 2 * self._enough)
        self._packets = self._lost = 0
        self.in_a_row = max(1.0, self._in_gaps / self._gaps) if self._gaps >= ENOUGH_GAPS else 1.0
        self._in_gaps, self._gaps = self._in_gaps / 2, self._gaps / 2
        return fraction


class Protection(NamedTuple):
    """What goes into packets: ``bitrate`` of the encoder in bits per second, its FEC for ``expected_loss``, copies."""

    bitrate: int
    expected_loss: float
    copies: int = 0
    spacing: int = 1
    """Packets from each copy to the next, and from the frame to its first."""


def protection(
    loss: Loss,
    clean_bitrate: int,
    packet_ms: float,
    *,
    has_red: bool,
    has_fec: bool = True,
    most: float = math.inf,
    is_generous: bool = False,
) -> Protection:
    """Against this loss: in-band FEC, and from ``HEAVY_LOSS`` on, where the peer takes RED, copies instead.

    libopus spends on FEC what is left beyond what a frame needs by itself: so the bitrate grows with the loss, where
    the stream ``has_fec``. Payloads have at most ``most`` bits per second, whatever is lost. Who ``is_generous`` sends
    copies from ``FULL_LOSS`` on, at the bitrate of a clean path. Where packets are lost in bursts everybody does, one
    at first, and copies are further from their frames.
    """
    is_bursty = loss.in_a_row >= BURST
    is_heavy = loss.lasting >= HEAVY_LOSS
    most_with_copies = min(most, clean_bitrate * (COPIES_SPENT if is_generous else MOST_SPENT))
    most = min(most, clean_bitrate * MOST_SPENT)
    clean_bitrate = round(min(clean_bitrate, most))
    if loss.expected < LEAST_LOSS:
        return Protection(clean_bitrate, 0.0)
    if has_red and (is_heavy or (loss.lasting >= FULL_LOSS and (is_generous or is_bursty))):
        copies = COPIES if is_heavy or is_generous else 1
        headers = red_bytes(copies) * 8 / (packet_ms / 1000)
        copied = min(clean_bitrate, round((most_with_copies - headers) / (1 + copies)))
        if copied >= LEAST_COPIED:
            return Protection(copied, 0.0, copies, BURST_SPACING if is_bursty else 1)
    spent = (most - clean_bitrate) * min(1.0, loss.expected / FULL_LOSS) if has_fec else 0.0
    return Protection(round(clean_bitrate + spent), loss.expected)


def copies_of_one_bitrate(loss: Loss, *, is_generous: bool = False) -> tuple[int, int]:
    """How many copies go beside a frame that cannot be made smaller, and their spacing.

    One from ``FULL_LOSS`` on: what nothing brings back sounds far worse here than with a codec that has FEC. Each more
    costs as much as the stream itself, so a second one is for those who are generous, against ``HEAVY_LOSS``.
    """
    if loss.lasting < FULL_LOSS:
        return 0, 1
    copies = COPIES if is_generous and loss.lasting >= HEAVY_LOSS else 1
    return copies, BURST_SPACING if loss.in_a_row >= BURST else 1


def red_bytes(copies: int) -> int:
    """Of headers in a packet, RFC 2198 §3."""
    return 1 + 4 * copies

"""The delay that the path asks for now: learnt from how late packets are, kept by stretching and compressing speech.

The delay of playout is how much later than the fastest of the last packets one may be, and still be heard in its place.
The target is what all but a few of them would have needed (as in NetEQ), over a window so short that a burst of
lateness is forgotten as soon as it is over. Where nothing has come in time playout stands still, within a limit, and
what comes is heard late: so the delay follows a spike at once, and goes back by leaving out pitch periods.
"""

from bisect import bisect_left, insort
from collections import deque
from typing import Final

from glottis.rtp.delay import FixedDelay

WINDOW: Final = 1.2
"""Seconds of arrivals that the target is made of."""
MOST_ARRIVALS: Final = 256
"""The same in packets, so that a flood costs no more."""
CUSHION: Final = 0.005
"""Seconds beyond what was needed: turns of the wheel are not punctual either."""
TOO_SHORT: Final = -0.002
TOO_LONG: Final = 0.019
"""Seconds off its target that the delay may be. It moves by whole frames: what is needed is needed at a tick."""
FAR: Final = 0.04
"""Seconds beyond the target from which on every frame is made shorter, and not every other."""
ANOTHER_TIMELINE: Final = 1.0
"""Seconds by which no packet is late, or early, of the stream that was measured so far."""
CUT: Final = 0.4
"""Seconds beyond the target that are cut, for it would take too long to compress them: an outage has ended."""


class AdaptiveDelay(FixedDelay):
    """From ``minimum`` to ``maximum`` seconds; ``lateness`` is the share (0–1) of packets that may come too late."""

    __slots__ = ("_arrivals", "_has_changed", "_lateness", "_maximum", "_minimum", "_stretches", "_transits")

    def __init__(self, minimum: float = 0.01, maximum: float = 0.5, lateness: float = 0.04) -> None:
        super().__init__(minimum)
        self._minimum = minimum
        self._maximum = max(minimum, maximum)
        self._lateness = lateness
        self._arrivals: deque[tuple[float, float]] = deque()
        """When packets came, and how long they took, on clocks that need not agree."""
        self._transits: list[float] = []
        """The latter in order."""
        self._has_changed = False
        self._stretches = False

    def started(self, depth: int, now: float) -> None:
        """How late packets were before tells of another time, and of an outage at worst."""
        super().started(depth, now)
        self._arrivals.clear()
        self._transits.clear()
        self.target = self._minimum

    def measured(self, transit: float, now: float) -> None:
        """See ``DelayPolicy.measured``."""
        arrivals, transits = self._arrivals, self._transits
        if transits and abs(transit - transits[0]) > ANOTHER_TIMELINE:
            arrivals.clear()
            transits.clear()
        arrivals.append((now, transit))
        insort(transits, transit)
        while len(arrivals) > MOST_ARRIVALS or arrivals[0][0] < now - WINDOW:
            del transits[bisect_left(transits, arrivals.popleft()[1])]
        slowest = transits[min(len(transits) - 1, int(len(transits) * (1 - self._lateness)))]
        self.target = min(self._maximum, max(self._minimum, slowest - transits[0] + CUSHION))

    def waits(self, transit: float) -> bool:
        """See ``DelayPolicy.waits``."""
        return not self._transits or transit - self._transits[0] < self._maximum

    def change(self, transit: float) -> float:
        """See ``DelayPolicy.change``; every other time at most, but where much is to be worked off."""
        self._stretches = True
        if not self._transits:
            return 0.0
        off = transit - self._transits[0] - self.target
        if TOO_SHORT <= off <= TOO_LONG or (self._has_changed and off <= FAR):
            self._has_changed = False
            return 0.0
        self._has_changed = True
        return -off

    def excess(self, depth: int, clock_rate: int, now: float) -> int:
        """As of a fixed delay for who cannot stretch; else only what is far too much."""
        stretches, self._stretches = self._stretches, False
        excess = super().excess(depth, clock_rate, now)
        return excess if not stretches or excess > CUT * clock_rate else 0

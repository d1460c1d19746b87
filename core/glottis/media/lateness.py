"""How late the wheel turns: what every call of the process feels alike."""

import math
from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import Final

BOUNDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, math.inf)
"""Seconds: the upper ends of the histogram's classes."""


class Lateness:
    """A histogram of seconds, since the start."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._counts = [0] * len(BOUNDS)

    def note(self, seconds: float) -> None:
        """Once more."""
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self.longest = max(self.longest, seconds)

    def turns(self, later_than: float = -math.inf) -> int:
        """How many there were, or how many of them began later than that: one of ``BOUNDS``."""
        return sum(self._counts[bisect_right(BOUNDS, later_than) :])

    def at_most(self) -> dict[float, int]:
        """How many began within each of ``BOUNDS``."""
        return dict(zip(BOUNDS, accumulate(self._counts), strict=True))

    def quantile(self, share: float) -> float:
        """Within how many seconds that share of all turns began: the upper end of a class, or the longest ever."""
        wanted = share * sum(self._counts)
        below = 0
        for bound, count in zip(BOUNDS, self._counts, strict=True):
            below += count
            if below >= wanted:
                return min(bound, self.longest)
        return self.longest

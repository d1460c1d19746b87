"""How often a plugin was asked for something, how often it failed, and how long it took: counted by the guard."""

import logging
import math
from bisect import bisect_left
from typing import Final

logger = logging.getLogger(__name__)

_CLASSES_PER_DOUBLING: Final = 4
_DOUBLINGS: Final = 34
BOUNDS: Final = tuple(
    round(100 * 2 ** (index / _CLASSES_PER_DOUBLING)) for index in range(_DOUBLINGS * _CLASSES_PER_DOUBLING)
)
"""Nanoseconds, from 0.1 µs to 24 minutes: the upper ends of the histogram's classes, each 19 % above the one before."""
FRAME_LIMIT: Final = 20_000_000
"""Nanoseconds of a frame: what takes longer for each cannot keep up."""
FRAME_PATIENCE: Final = 10
"""So many overruns are the plugin's own. One or two may be anybody's: the machine was busy."""
START_LIMIT: Final = 2_000_000_000
"""Nanoseconds for an import, and for a hook of the start: what takes long belongs into ``create``."""


class Timing:
    """Of one function of a plugin, since the start.

    What takes longer than ``limit`` nanoseconds is an overrun. The log hears once of the plugin, as ``whose``, when
    there were ``patience`` of them.
    """

    __slots__ = ("_counts", "_limit", "_patience", "_whose", "errors", "longest", "overruns", "total")

    def __init__(self, whose: str, limit: float = math.inf, patience: int = 1) -> None:
        self.errors = 0
        self.overruns = 0
        self.total = 0
        """Nanoseconds."""
        self.longest = 0
        """Nanoseconds."""
        self._counts = [0] * (len(BOUNDS) + 1)
        self._limit = limit
        self._patience = patience
        self._whose = whose

    @property
    def calls(self) -> int:
        """How many there were, those that failed among them."""
        return sum(self._counts)

    def note(self, nanoseconds: int) -> None:
        """One more call, which has taken this long."""
        self._counts[bisect_left(BOUNDS, nanoseconds)] += 1
        self.total += nanoseconds
        if nanoseconds > self.longest:
            self.longest = nanoseconds
        if nanoseconds > self._limit:
            self._overrun(nanoseconds)

    def quantile(self, share: float) -> int:
        """The nanoseconds within which that share of all calls was done: the upper end of a class, or the longest."""
        wanted = share * self.calls
        below = 0
        for bound, count in zip(BOUNDS, self._counts, strict=False):
            below += count
            if below >= wanted:
                return min(bound, self.longest)
        return self.longest

    def _overrun(self, nanoseconds: int) -> None:
        self.overruns += 1
        if self.overruns == self._patience:
            took, limit = nanoseconds / 1e6, self._limit / 1e6
            times = "" if self._patience == 1 else f", {self._patience} times now"
            logger.warning("%s took %.0f ms, and has %.0f%s", self._whose, took, limit, times)

"""How often something has happened in the last minute, in as much memory as a minute has seconds."""

from array import array
from typing import Final

SECONDS: Final = 60


class Minute:
    """Times are those of any clock that does not go back."""

    def __init__(self) -> None:
        self._seconds = array("q", [-1] * SECONDS)
        self._counts = array("q", [0] * SECONDS)

    def add(self, now: float) -> None:
        """Once more."""
        second, slot = int(now), int(now) % SECONDS
        if self._seconds[slot] != second:
            self._seconds[slot], self._counts[slot] = second, 0
        self._counts[slot] += 1

    def total(self, now: float) -> int:
        """Of the last minute."""
        oldest = int(now) - SECONDS
        return sum(count for second, count in zip(self._seconds, self._counts, strict=True) if second > oldest)

"""The lines about stalls: each has its own, as long as a log can bear it, and the others of a minute have one."""

import logging
from typing import Final

logger = logging.getLogger(__name__)

LINES: Final = 30
"""In a period: enough to see who it is."""
PERIOD: Final = 60.0
"""Seconds."""


class StallLog:
    """Counts the stalls that it leaves out, and sums them up when the period is over. Times are in seconds."""

    def __init__(self, now: float) -> None:
        self._began = now
        self._lines = 0
        self._left_out: list[float] = []
        """How long these stalls were; there are at most ten a second."""

    def tell_start(self, seconds: float, cause: str, stack: str) -> None:
        """A stall goes on."""
        if self._has_room():
            logger.warning("the event loop has been blocked for %s by %s, which is at: %s", _ms(seconds), cause, stack)

    def tell_end(self, seconds: float, cause: str) -> None:
        """It is over."""
        if self._has_room():
            logger.warning("the event loop was blocked for %s %s; all calls have stuttered", _ms(seconds), cause)
        else:
            self._left_out.append(seconds)

    def sum_up(self, now: float) -> None:
        """To be called now and then."""
        if now - self._began < PERIOD:
            return
        if self._left_out:
            total, longest = _ms(sum(self._left_out)), _ms(max(self._left_out))
            times = len(self._left_out)
            logger.warning("the event loop was blocked %d more times, for %s in all, %s at most", times, total, longest)
        self._began, self._lines, self._left_out = now, 0, []

    def _has_room(self) -> bool:
        self._lines += 1
        return self._lines <= LINES


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.0f} ms"

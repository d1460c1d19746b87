"""How far it is, for people."""

from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final

_INTERVAL: Final = 1.0
"""Seconds between lines."""
_WINDOW: Final = 60.0
"""Seconds of which the estimate is made: what the machine did before that says little of what it does now."""
_MIN_DONE: Final = 16
"""Conditions, at least: with fewer the window is longer. Those of many processes come in crowds."""


class ProgressLine:
    """Tells how many conditions are done, and about how long the others take; not more than once a second."""

    def __init__(self, tell: Callable[[str], None], clock: Callable[[], float] = monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._began_at: float | None = None
        self._told_at = 0.0
        self._marks: deque[tuple[float, int]] = deque()
        """When how many were done, from the beginning of the window on."""

    def __call__(self, done: int, of: int, failed: int) -> None:
        """See ``running.Progress``. The first call says what was done before."""
        now = self._clock()
        if self._began_at is None:
            self._began_at = now
            self._marks.append((now, done))
            if done:
                self._tell(f"{done} of {of} were done before")
            return
        if now - self._told_at < _INTERVAL and done < of:
            return
        self._told_at = now
        rate = self._rate(now, done)
        left = f", about {in_words((of - done) / rate)} left" if done < of else f" in {in_words(now - self._began_at)}"
        self._tell(f"{done} of {of} done{f', {failed} failed' if failed else ''}{left}")

    def _rate(self, now: float, done: int) -> float:
        """Conditions per second, of late."""
        self._marks.append((now, done))
        while len(self._marks) > 2 and self._is_enough(*self._marks[1]):
            self._marks.popleft()
        since, before = self._marks[0]
        return (done - before) / max(now - since, 1e-6)

    def _is_enough(self, since: float, before: int) -> bool:
        now, done = self._marks[-1]
        return now - since >= _WINDOW and done - before >= _MIN_DONE


def in_words(seconds: float) -> str:
    """As ``90 s``, ``12 min`` or ``3 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.0f} h"

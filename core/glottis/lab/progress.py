"""How far it is, for people."""

from collections.abc import Callable
from time import monotonic
from typing import Final

_INTERVAL: Final = 1.0
"""Seconds between lines."""


class ProgressLine:
    """Tells how many conditions are done, and about how long the others take; not more than once a second."""

    def __init__(self, tell: Callable[[str], None], clock: Callable[[], float] = monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._began_at: float | None = None
        self._told_at = 0.0
        self._done_before = 0

    def __call__(self, done: int, of: int, failed: int) -> None:
        """See ``running.Progress``. The first call says what was done before."""
        now = self._clock()
        if self._began_at is None:
            self._began_at, self._done_before = now, done
            if done:
                self._tell(f"{done} of {of} were done before")
            return
        if now - self._told_at < _INTERVAL and done < of:
            return
        self._told_at = now
        rate = (done - self._done_before) / max(now - self._began_at, 1e-6)
        left = f", about {in_words((of - done) / rate)} left" if done < of else f" in {in_words(now - self._began_at)}"
        self._tell(f"{done} of {of} done{f', {failed} failed' if failed else ''}{left}")


def in_words(seconds: float) -> str:
    """As ``90 s``, ``12 min`` or ``3 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.0f} h"

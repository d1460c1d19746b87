"""The time of day on machines that learn it late: a device without a battery starts in 1970.

Whatever lasts so long goes by a monotonic clock. This is for what has to be a time of day, since others read it.
"""

import time
from collections.abc import Callable
from typing import Final

EARLIEST: Final = 1_704_067_200.0
"""The first of January 2024, in seconds since 1970: a clock that says less was not set yet."""


class WallClock:
    """The time of day, and what moments mean that were noted before it was known. Made when the process starts."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._began = wall()
        self._began_at = monotonic()

    def now(self) -> float:
        """Seconds since 1970."""
        return self._wall()

    def is_set(self) -> bool:
        """Whether it can be right."""
        return self._wall() >= EARLIEST

    def restated(self, moment: float) -> float:
        """A moment by the clock as it is now, if it was noted before that was set.

        Of such moments those of this process keep their distances; what an earlier one has noted may have been at any
        time, and counts as noted when this one began.
        """
        if moment >= EARLIEST or not self.is_set():
            return moment
        began = self._wall() - (self._monotonic() - self._began_at)
        return began if self._began >= EARLIEST else began + max(0.0, moment - self._began)


wall_clock: Final = WallClock()
"""Of this process."""

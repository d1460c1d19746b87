"""How long everybody waits for garbage collections."""

import math
import time
from collections.abc import Callable
from typing import Any


class Pauses:
    """How long collections took, Python's own among them: when it stands in ``gc.callbacks``."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.count = 0
        self.longest = self.total = 0.0
        """Seconds."""
        self.last = (-math.inf, -math.inf)
        """When the last one began and ended."""
        self._clock = clock
        self._began = math.inf

    def __call__(self, phase: str, info: dict[str, Any]) -> None:
        """See ``gc.callbacks``."""
        if phase == "start":
            self._began = self._clock()
            return
        self.count += 1
        self.last = (self._began, self._clock())
        took = self.last[1] - self._began
        self.longest, self.total = max(self.longest, took), self.total + took

    def forget(self) -> None:
        """Count from here: nobody has waited for those before."""
        self.count, self.longest, self.total = 0, 0.0, 0.0

    def share(self, began: float, ended: float) -> float:
        """The part of this time that the last one took."""
        return max(0.0, min(ended, self.last[1]) - max(began, self.last[0])) / (ended - began)

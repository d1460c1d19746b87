"""Writing beside the event loop: a thread that is there while there is something to do."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

logger = logging.getLogger(__name__)

MAX_WAITING: Final = 2000
"""Jobs that wait at most, each half a second of one call: a disk may stand still for 10 s of 100 calls."""


class Disk:
    """Does jobs in their order. One that raises is logged: jobs handle what may happen to them themselves."""

    def __init__(self, limit: int = MAX_WAITING) -> None:
        self._limit = limit
        self._jobs: deque[Callable[[], object]] = deque()
        self._changed = threading.Condition()
        self._is_working = False

    def submit(self, job: Callable[[], object], *, urgent: bool = False) -> bool:
        """Have it done, if there is room; what is ``urgent`` always has some. Never waits for the disk."""
        with self._changed:
            if len(self._jobs) >= self._limit and not urgent:
                return False
            self._jobs.append(job)
            if not self._is_working:
                self._is_working = True
                threading.Thread(target=self._work, name="glottis-recorder").start()
        return True

    def wait_idle(self) -> None:
        """Wait, in another thread, until all is done."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_working)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                job()
            except Exception:
                logger.exception("a recording has failed")

    def _next(self) -> Callable[[], object] | None:
        with self._changed:
            if self._jobs:
                return self._jobs.popleft()
            self._is_working = False
            self._changed.notify_all()
            return None

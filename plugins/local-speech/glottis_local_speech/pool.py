"""Models that are no good for two threads at a time, lent to one after the other."""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

import trio

M = TypeVar("M")
R = TypeVar("R")


class Pool(Generic[M]):
    """Up to ``copies`` models, loaded when they are needed. For all calls of a process."""

    def __init__(self, load: Callable[[], M], copies: int) -> None:
        self._load = load
        self._idle: deque[M] = deque()
        self._was_loaded = False
        self._limiter = trio.CapacityLimiter(copies)

    def prepare(self) -> None:
        """Load the first one here and now, unless that was done: when a gateway starts, and not in its first call."""
        if not self._was_loaded:
            self._was_loaded = True
            self._idle.append(self._load())

    async def run(self, use: Callable[[M], R]) -> R:
        """What ``use`` returns of a model that nobody else uses, in a thread.

        Who is cancelled does not wait for it: the model comes back when the thread has ended.
        """
        return await trio.to_thread.run_sync(self._lend, use, abandon_on_cancel=True, limiter=self._limiter)

    def _lend(self, use: Callable[[M], R]) -> R:
        try:
            model = self._idle.pop()
        except IndexError:
            model = self._load()
        result = use(model)
        self._idle.append(model)  # after an error it may be in any state
        return result

"""A turnstile for costly steps: between two of them that take long together, everybody else has a turn of the loop.

trio runs all tasks that are ready in one go, and looks at its clock only then. A thousand connections whose requests
become complete at once would keep the wheel waiting for all of them.
"""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Final

import trio

BUDGET: Final = 0.002
"""Seconds of work in one turn of the event loop, before whoever comes next waits for another turn."""


class Turns:
    """Shared by all connections and sessions of a gateway: ``async with turns:`` around a step that never waits.

    First come, first served. Free while there is little to do; under load each second turn of the loop has one step.
    Whoever is due in the meantime waits for one step at most, or for the budget and a step.
    """

    def __init__(self, budget: float = BUDGET, clock: Callable[[], float] = time.perf_counter) -> None:
        self._budget = budget
        self._clock = clock
        self._line = trio.lowlevel.ParkingLot()
        self._is_called = False
        """Somebody has the next turn of the loop, and has not made its step yet."""
        self._spent = 0.0
        self._began = 0.0
        self.delay = 0.0
        """Seconds that the last step has stood in line; 0 where nobody stands there any more."""

    @property
    def waiting(self) -> int:
        """How many stand in line, without the one who is called."""
        return len(self._line)

    @property
    def is_over(self) -> bool:
        """For whoever has the turn: whether the rest of a step that can be divided should wait for another."""
        return self._spent + self._clock() - self._began >= self._budget

    def use_up(self) -> None:
        """What follows takes long too: whoever comes next waits for another turn of the loop."""
        self._spent = self._budget

    async def __aenter__(self) -> None:
        self.delay = 0.0
        if self._is_called or self._spent >= self._budget:
            asked = trio.current_time()
            await self._wait()
            self._spent = 0.0
            self.delay = trio.current_time() - asked
        self._began = self._clock()

    async def _wait(self) -> None:
        """For a turn of the loop after one without a step: in it the wheel has run if it was due, whatever the order.

        Who is called is not cancelled any more: the line waits for the step, or for its failure.
        """
        if self._is_called:
            await self._line.park()
        self._is_called = True
        for _ in range(2):
            await trio.lowlevel.cancel_shielded_checkpoint()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._spent += self._clock() - self._began
        self._is_called = bool(self._line)
        if not self._is_called:
            self.delay = 0.0
        self._line.unpark()

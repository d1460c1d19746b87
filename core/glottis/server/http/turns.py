"""A turnstile for costly steps: between those that take long together, everybody else has a turn of the loop.

trio runs all tasks that are ready in one go, and looks at its clock only then. A thousand connections whose requests
become complete at once would keep the wheel waiting for all of them.
"""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, NamedTuple

import trio

BUDGET: Final = 0.002
"""Seconds of work in one turn of the event loop, before whoever comes next waits for another turn."""
SHARE: Final = 0.2
"""Of a pause that lasts long, because media keeps the loop busy: so much work may follow it. By turns alone, a gateway
that can hardly carry its calls would never come to those that it has accepted."""
MOST: Final = 0.005
"""Seconds of work after the longest pause: media is late then, whatever is done."""
CALLED: Final = 32
"""Of those in line, as many have the same turn of the loop if their steps are short."""


class _Pause(NamedTuple):
    began: float


class Turns:
    """Shared by all connections and sessions of a gateway: ``async with turns:`` around a step that never waits.

    First come, first served, but for those who are called together. Free while there is little to do; under load each
    second turn of the loop has steps. Whoever is due in the meantime waits for one step at most, or for the budget and
    a step.
    """

    def __init__(self, budget: float = BUDGET, clock: Callable[[], float] = time.perf_counter) -> None:
        self._budget = self._room = budget
        self._clock = clock
        self._line = trio.lowlevel.ParkingLot()
        self._called = 0
        """So many may make their steps, before others in line."""
        self._spent = 0.0
        self._began = 0.0
        self._pause: _Pause | None = None
        """In which everybody waits for the loop to come round."""

    @property
    def waiting(self) -> int:
        """How many stand in line, without those who are called."""
        return len(self._line)

    @property
    def is_over(self) -> bool:
        """For whoever has the turn: whether the rest of a step that can be divided should wait for another."""
        return self._spent + self._clock() - self._began >= self._room

    def use_up(self) -> None:
        """What follows takes long too: whoever comes next waits for another turn of the loop."""
        self._spent = self._room

    async def __aenter__(self) -> None:
        if self._called:
            await self._line.park()
        else:
            self._called = 1
        while self._spent >= self._room:
            await self._wait()
        self._began = self._clock()

    async def _wait(self) -> None:
        """For a turn of the loop without a step: in it the wheel has run if it was due, whatever the order.

        Who is called is not cancelled any more: the line waits for the step, or for its failure.
        """
        self._pause = pause = self._pause or _Pause(self._clock())
        for _ in range(2):
            await trio.lowlevel.cancel_shielded_checkpoint()
        if self._pause is pause:  # else another has seen the end of it
            self._pause, self._spent = None, 0.0
            self._room = max(self._budget, min(SHARE * (self._clock() - pause.began), MOST))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._spent += self._clock() - self._began
        self._called -= 1
        if not self._called:
            self._called = min(CALLED, len(self._line))
            self._line.unpark(count=CALLED)

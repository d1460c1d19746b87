"""Trio on virtual time: the clock jumps when everybody waits, but stands still while a thread works for somebody."""

import math
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import trio
from trio.abc import Instrument
from trio.lowlevel import Task, TrioToken
from trio.testing import MockClock

T = TypeVar("T")

THREAD_PATIENCE: Final = 1.0
"""Seconds of real time for which the clock stands still for threads; then it goes on at the pace of real time."""

_IN_THREAD: Final = trio.to_thread.run_sync.__code__


def on_virtual_time(async_fn: Callable[..., Awaitable[T]], *args: object, instruments: Sequence[Instrument] = ()) -> T:
    """What ``async_fn`` returns, in no more time than it computes: ``trio.run`` with a clock that does not wait.

    A task that waits in ``trio.to_thread.run_sync`` holds the clock: a timeout of a second does not pass meanwhile, as
    it would by an ``autojump_clock``. A thread that takes longer than ``THREAD_PATIENCE`` lets time go on.
    """
    clock = MockClock(autojump_threshold=0)
    return trio.run(async_fn, *args, clock=clock, instruments=[ThreadsHoldTime(clock), *instruments])


class ThreadsHoldTime(Instrument):
    """Lets ``clock``, which jumps, stand still while any task waits for a thread."""

    def __init__(self, clock: MockClock) -> None:
        self._clock = clock
        self._waiting: set[Task] = set()
        self._alarm: threading.Timer | None = None

    def after_task_step(self, task: Task) -> None:
        """See where the task waits now."""
        if any(frame.f_code is _IN_THREAD for frame, _ in task.iter_await_frames()):
            self._waiting.add(task)
        else:
            self._waiting.discard(task)
        self._follow()

    def task_exited(self, task: Task) -> None:
        """It waits for nothing any more."""
        self._waiting.discard(task)
        self._follow()

    def after_run(self) -> None:
        """No alarm is left."""
        self._waiting.clear()
        self._disarm()

    def _follow(self) -> None:
        if self._waiting and self._alarm is None:
            self._clock.autojump_threshold = math.inf
            self._alarm = threading.Timer(THREAD_PATIENCE, self._alarm_rings, [trio.lowlevel.current_trio_token()])
            self._alarm.daemon = True
            self._alarm.start()
        elif not self._waiting and self._alarm is not None:
            self._disarm()
            self._clock.rate = 0.0
            self._clock.autojump_threshold = 0

    def _disarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _alarm_rings(self, token: TrioToken) -> None:
        """In a thread of its own."""
        try:
            token.run_sync_soon(self._let_time_pass)
        except trio.RunFinishedError:
            return

    def _let_time_pass(self) -> None:
        if self._waiting:
            self._clock.rate = 1.0

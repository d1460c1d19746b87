"""A scenario on virtual time, in a thread of its own: a plugin that cannot be stopped is left where it is."""

import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, wait
from contextvars import ContextVar
from typing import Final, NoReturn

import trio
from trio.abc import Instrument
from trio.lowlevel import Task

from glottis.barrier import stop
from glottis.testing.rules.rule import Broken
from glottis.testing.virtual_time import on_virtual_time

_MAX_STEPS: Final = 20_000
"""Of tasks, in which no time passes: who does nothing else never comes to an end."""
_PATIENCE: Final = 30.0
"""Seconds of real time for a scenario to say anything: one that computes takes less than one."""

_current: ContextVar["Trial"] = ContextVar("trial")


def run_trial(scenario: Callable[[], Awaitable[None]], instruments: Sequence[Instrument] = ()) -> None:
    """Raises what the scenario raises, and ``Broken`` for one that lets no time pass, or holds up its thread."""
    Trial().run(scenario, instruments)


def give_up(reason: str) -> NoReturn:
    """From within a scenario: it is ``Broken``, and stands still for ever, since what it runs cannot be ended."""
    _current.get().give_up(reason)


class Trial(Instrument):
    """Watches over one scenario."""

    def __init__(self, patience: float | None = _PATIENCE, max_steps: int = _MAX_STEPS) -> None:
        """A ``patience`` of None is for scenarios that may compute for long."""
        self._patience, self._max_steps = patience, max_steps
        self._outcome: Future[None] = Future()
        self._is_over = threading.Event()
        self._moment = -1.0
        self._steps = 0

    def run(self, scenario: Callable[[], Awaitable[None]], instruments: Sequence[Instrument]) -> None:
        """See ``run_trial``."""
        threading.Thread(target=self._work, args=[scenario, instruments], daemon=True).start()
        try:
            wait([self._outcome], self._patience)
        finally:
            self._is_over.set()
        if not self._outcome.done():
            raise Broken(f"holds up the thread: nothing has happened for {self._patience:g} s")
        self._outcome.result()

    def before_task_step(self, task: Task) -> None:
        """Count what happens at one moment."""
        if self._is_over.is_set():
            _park()
        now = trio.current_time()
        self._steps = self._steps + 1 if now == self._moment else 0
        self._moment = now
        if self._steps > self._max_steps:
            self.give_up("goes on and on without letting time pass, or ending: does it catch trio.Cancelled?")

    def give_up(self, reason: str) -> NoReturn:
        """See ``give_up``."""
        if not self._outcome.done():
            self._outcome.set_exception(Broken(reason))
        _park()

    def _work(self, scenario: Callable[[], Awaitable[None]], instruments: Sequence[Instrument]) -> None:
        _current.set(self)
        try:
            on_virtual_time(scenario, instruments=[self, *instruments])
        except BaseException as error:
            stop(error, self._fail)
        else:
            self._outcome.set_result(None)

    def _fail(self, error: BaseException) -> None:
        self._outcome.set_exception(error)


def _park() -> NoReturn:
    """For ever: the thread is a daemon, and holds nothing that others need."""
    while True:
        threading.Event().wait()

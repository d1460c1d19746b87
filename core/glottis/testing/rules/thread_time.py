"""How long a step between two awaits holds the thread that all calls share."""

import resource
import time
from dataclasses import dataclass
from typing import Final

from trio.abc import Instrument
from trio.lowlevel import Task

LONGEST_STEP_MS: Final = 50.0
"""For which a plugin may hold up all calls: more than two frames of theirs."""


@dataclass(frozen=True, slots=True)
class ThreadTime:
    """What tells a thread that has slept, by its own will, from one that other programs have kept waiting."""

    wall: float
    computed: float
    slept: int
    """How often it has waited for something."""

    @classmethod
    def now(cls) -> "ThreadTime":
        """Of this thread."""
        slept = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        return cls(time.perf_counter(), time.thread_time(), slept)

    def since(self, began: "ThreadTime") -> float:
        """Milliseconds for which the thread was held."""
        if self.slept > began.slept:
            return 1000 * (self.wall - began.wall)
        return 1000 * (self.computed - began.computed)


class LongestStep(Instrument):
    """Of all tasks of a trial."""

    def __init__(self) -> None:
        self.milliseconds = 0.0
        self._began = ThreadTime.now()

    def before_task_step(self, task: Task) -> None:
        """A task goes on."""
        self._began = ThreadTime.now()

    def after_task_step(self, task: Task) -> None:
        """It waits again."""
        self.milliseconds = max(self.milliseconds, ThreadTime.now().since(self._began))

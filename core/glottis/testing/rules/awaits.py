"""Where the tasks of an agent wait, step by step."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import trio
from trio.abc import Instrument
from trio.lowlevel import Task

Place = tuple[tuple[str, str, int], ...]
"""The functions that wait for one another: file, name and line, outermost first."""

_OURS: Final = tuple(f"{folder}/" for folder in (Path(__file__).parents[2], Path(trio.__file__).parent))


class Steps(Instrument):
    """Calls ``stepped`` after each step of the task that has opened ``nursery``, and of those that live in it."""

    def __init__(self, stepped: Callable[[Task], object]) -> None:
        self.nursery: trio.Nursery | None = None
        self.hang_up: Callable[[], None] = lambda: None
        """Ends the call, from within a step."""
        self._stepped = stepped

    def after_task_step(self, task: Task) -> None:
        """One of them has run up to where it waits now."""
        if self.nursery is not None and _is_of(task, self.nursery):
            self._stepped(task)


def place_of(task: Task) -> Place:
    """Where it waits."""
    return tuple((frame.f_code.co_filename, frame.f_code.co_qualname, line) for frame, line in task.iter_await_frames())


def told(place: Place) -> str:
    """The innermost function that is neither glottis' nor trio's."""
    others = [step for step in place if not step[0].startswith(_OURS)] or [*place]
    return f"{others[-1][1]}, {Path(others[-1][0]).name}:{others[-1][2]}" if others else "its end"


def _is_of(task: Task, nursery: trio.Nursery) -> bool:
    """Whether it has opened the nursery, or lives in it or in one within."""
    around: Task = task
    while around is not nursery.parent_task:
        if around.parent_nursery is None:
            return False
        if around.parent_nursery is nursery:
            return True
        around = around.parent_nursery.parent_task
    return around is task

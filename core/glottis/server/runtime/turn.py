"""Who has the turn of the event loop, as another thread sees it from the frames of the loop's thread."""

import sys
from collections.abc import Iterable, Iterator
from inspect import CO_OPTIMIZED
from types import FrameType
from typing import Final

import msgspec
import trio

from glottis.contracts.info import CallInfo
from glottis.plugins import Plugin

MAX_PLACES: Final = 8
"""Of a stack, the innermost ones are told."""
TRIO: Final = "trio._core._run"
"""Where trio has the task that runs in a variable."""
NURSERY: Final = "glottis.calls.nursery"
"""Where the tasks of an agent begin: what they run is not ours."""
BEGINNING: Final = "glottis.calls.own_nurseries"
"""Where all tasks begin, which says nothing."""


class Turn(msgspec.Struct, frozen=True):
    """Somebody's; ``stack`` has functions and lines, but no values."""

    plugin: str
    """Empty if it is none's."""
    module: str
    session_id: str
    stack: str

    def __str__(self) -> str:
        plugin = f"{self.plugin}, " if self.plugin else ""
        session = f" in session {self.session_id}" if self.session_id else ""
        return f"{plugin}module {self.module}{session}"

    def is_of(self, other: "Turn") -> bool:
        """Whether it may be one and the same: a plugin calls this module and that."""
        same = self.plugin == other.plugin if self.plugin else self.module == other.module
        return same and self.session_id == other.session_id


def whose_turn(frame: FrameType | None, plugins: Iterable[Plugin]) -> Turn:
    """Of the thread whose innermost frame this is.

    Of several plugins the outermost counts, as in ``blame.culprit``: what it calls is its to answer for. A task that
    runs neither code of a plugin that is known nor any of ours is that of the agent in whose nursery it is. Between two
    tasks nothing runs but trio, whoever had the turn before.
    """
    running, task = _turn_of(frame)
    awaiting = [one for parent in _parents(task) for one, _ in parent.iter_await_frames()]
    known = list(plugins)
    session_id = _session_of([*running, *awaiting])
    for frames in (running, [] if not running or any(map(_is_ours, running)) else awaiting):
        for depth, one in enumerate(frames):
            if plugin := _plugin_called_from(one) or _owner(one, known):
                shown = running[depth:] if frames is running else running
                return Turn(str(plugin), _module(running[-1]), session_id, _stack(shown))
    modules = [_module(one) for one in running]
    module = next((name for name in reversed(modules) if _is_glottis(name)), modules[-1] if modules else "unknown")
    return Turn("", module, session_id, _stack(running))


def _turn_of(frame: FrameType | None) -> tuple[list[FrameType], trio.lowlevel.Task | None]:
    """The frames of the task that runs, outermost first, and the task; of no task, all there are."""
    frames: list[FrameType] = []
    while frame is not None:
        task = _task_of(frame) if _module(frame) == TRIO else None
        if isinstance(task, trio.lowlevel.Task):
            return frames[::-1], task
        if _module(frame) != BEGINNING:
            frames.append(frame)
        frame = frame.f_back
    return frames[::-1], None


def _task_of(frame: FrameType) -> object:
    """What a function of trio has in that variable."""
    return _variables(frame).get("task")


def _variables(frame: FrameType) -> dict[str, object]:
    """Those of a function that runs.

    Before Python 3.13 (PEP 667) a frame keeps the copy of its variables that is made for this: that of a loop which
    never ends, be it trio's or one of ours, would hold what has long ended. Others may be using theirs, as ``locals()``
    or in a debugger.
    """
    copy = frame.f_locals
    variables = dict(copy)
    is_ours = _is_glottis(_module(frame)) or _module(frame) == TRIO
    is_copy = sys.version_info < (3, 13) and frame.f_code.co_flags & CO_OPTIMIZED
    if is_copy and is_ours and frame.f_trace is None:
        copy.clear()
    return variables


def _parents(task: trio.lowlevel.Task | None) -> Iterator[trio.lowlevel.Task]:
    while task is not None and task.parent_nursery is not None:
        task = task.parent_nursery.parent_task
        yield task


def _plugin_called_from(frame: FrameType) -> Plugin | None:
    """That of a guard, which has it at hand."""
    if not f"{_module(frame)}.".startswith("glottis.plugins."):
        return None
    variables = _variables(frame)
    values = [variables.get("plugin"), getattr(variables.get("self"), "_plugin", None)]
    return next((value for value in values if isinstance(value, Plugin)), None)


def _owner(frame: FrameType, plugins: Iterable[Plugin]) -> Plugin | None:
    module = _module(frame)
    return next((plugin for plugin in plugins if plugin.owns(module)), None)


def _is_ours(frame: FrameType) -> bool:
    return _is_glottis(_module(frame)) and _module(frame) != NURSERY


def _is_glottis(module: str) -> bool:
    return module.partition(".")[0] == "glottis"


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _session_of(frames: Iterable[FrameType]) -> str:
    """The id of the session that one of these frames works for; empty if none does."""
    for frame in frames:
        for value in _variables(frame).values():
            if session_id := _session_id(value):
                return session_id
    return ""


def _session_id(value: object) -> str:
    """That of an object of ours: others are not asked, since their answer may be as slow as what is going on."""
    if not type(value).__module__.startswith("glottis."):
        return ""
    info = value if isinstance(value, CallInfo) else getattr(value, "info", value)
    session_id = getattr(info, "session_id", "")
    return session_id if isinstance(session_id, str) else ""


def _stack(frames: list[FrameType]) -> str:
    places = [f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})" for frame in frames]
    return " > ".join(places[-MAX_PLACES:])

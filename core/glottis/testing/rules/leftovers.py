"""What a plugin holds beside its objects: tasks, threads, processes and files, some of which nobody ends."""

import gc
import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import trio

from glottis.testing.rules.rule import expect

T = TypeVar("T")

_PATIENCE: Final = 1.0
"""Seconds of real time for threads and processes to end: one that is abandoned still finishes what it computes."""
_LOOK: Final = 0.01
_SPARE: Final = re.compile(r"Trio thread \d+|Dummy-\d+")
"""A thread that trio keeps for some seconds, for whoever needs one next; or one that a library in C has begun."""
_FILES: Final = Path("/proc/self/fd")
_PROCESSES: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class Held:
    """At one moment."""

    tasks: int
    threads: frozenset[threading.Thread]
    processes: frozenset[int]
    files: int

    @classmethod
    def now(cls) -> "Held":
        """In a trial. What nobody refers to any more is not held."""
        gc.collect()
        files = len(os.listdir(_FILES)) if _FILES.exists() else 0
        return cls(trio.lowlevel.current_statistics().tasks_living, _threads(), _processes(), files)


async def expect_ended(before: Held, whose: str) -> None:
    """Raises ``Broken`` for each kind of which there are more than before. ``whose`` is the subject of the sentence."""
    threads = await _left(lambda: _threads() - before.threads)
    processes = await _left(lambda: _processes() - before.processes)
    after = Held.now()
    tasks, files = after.tasks - before.tasks, after.files - before.files
    expect(tasks <= 0, f"{whose} left {tasks} tasks behind: start them in a nursery that ends with it")
    names = ", ".join(sorted({thread.name for thread in threads}))
    expect(
        not threads, f"{whose} left {len(threads)} threads behind ({names}): end them, or use trio.to_thread.run_sync"
    )
    expect(not processes, f"{whose} left {len(processes)} processes behind: end them, and wait for their end")
    expect(files <= 0, f"{whose} left {files} files or sockets open: close them in a with block")


async def _left(new: Callable[[], frozenset[T]]) -> frozenset[T]:
    """Those that do not end in time, which is that of the wall: on virtual time none passes for them."""
    deadline = time.monotonic() + _PATIENCE
    while (left := new()) and time.monotonic() < deadline:
        await trio.lowlevel.checkpoint()
        time.sleep(_LOOK)  # noqa: ASYNC251 - of a trial, in which nobody else runs
    return left


def _threads() -> frozenset[threading.Thread]:
    return frozenset(thread for thread in threading.enumerate() if not _SPARE.fullmatch(thread.name))


def _processes() -> frozenset[int]:
    """Children, those that have ended and are not waited for among them; none where the system does not tell."""
    return frozenset(int(path.parent.name) for path in _PROCESSES.glob("[0-9]*/stat") if _parent(path) == os.getpid())


def _parent(path: Path) -> int:
    """Of the process that this file tells of; 0 where it has just ended. Its name is in parentheses: proc(5)."""
    try:
        return int(path.read_text(errors="replace").rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0

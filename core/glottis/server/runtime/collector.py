"""Garbage collections at moments when nobody is kept waiting, in steps that take a millisecond or two.

Left alone, Python looks through all objects of all calls whenever a quarter of them is new: 100 ms for 1,000 calls, at
the worst moment. What ended calls leave is freed without that, by reference counting. The rest, which plugins and
libraries tie in circles, is found while it is young, in free moments of the wheel; and what was missed then, when no
call is there. So is what was loaded at the start: the first answer does not wait for it.
"""

import gc
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

import trio

from glottis.media.scheduler import Scheduler

logger = logging.getLogger(__name__)

PERIOD: Final = 0.25
"""Seconds between looks while the wheel rests or has no free moment."""
WORTHWHILE: Final = 1000
"""New objects that are worth a step."""
PATIENCE: Final = 4
"""Free moments after which new objects are really counted. Python's own count falls with each old one that is freed."""
LARGEST: Final = 5000
"""Objects of a step, at 0.05 to 0.3 µs each. As many again may have come through one step before."""
IDLE: Final = 1.0
"""Seconds without a call after which everything is looked through."""
FEW_CALLS: Final = 20
SOMETIMES: Final = 60.0
"""Seconds between collections of everything while there are only so few calls."""
QUICK: Final = 0.005
"""Seconds that such a collection may take, or the next one waits for a moment without a call."""
MAX_GROWTH: Final = 2_000_000
"""Blocks of memory, some 200 MB, by which the process may grow until everything is looked through, calls or not."""


class GarbageCollector(Protocol):
    """The standard library's ``gc``."""

    def collect(self, generation: int = 2) -> int: ...
    def freeze(self) -> None: ...
    def unfreeze(self) -> None: ...
    def enable(self) -> None: ...
    def disable(self) -> None: ...
    def get_count(self) -> tuple[int, int, int]: ...
    def get_objects(self, generation: int | None = None) -> list[Any]: ...


class Collector:
    """Decides what is collected when. ``calls`` counts those of the gateway, ``blocks`` measures the process.

    ``settled`` is called once, in the first moment without a call, when what was there at the start was looked at.
    """

    def __init__(
        self,
        calls: Callable[[], int],
        collector: GarbageCollector = gc,
        *,
        blocks: Callable[[], int] = sys.getallocatedblocks,
        clock: Callable[[], float],
        settled: Callable[[], None] | None = None,
    ) -> None:
        self._calls = calls
        self._gc = collector
        self._blocks = blocks
        self._clock = clock
        self._settled = settled
        self._middle = 0
        """Objects, at most, that have come through one step and wait for a second."""
        self._uncounted_moments = 0
        self._anything_new = False
        self._set_aside = False
        """Whether there were once too many new objects at a time for a step, which nobody has looked at since."""
        self._had_free_moment = False
        self._last_call_at = self._full_at = clock()
        self._full_took = 0.0
        self._blocks_then = 0

    def start(self) -> None:
        """What is there now is looked at once, when no call is there, and stays. Python's own collections are off."""
        self._gc.freeze()
        self._gc.disable()
        self._set_aside = True
        self._blocks_then = self._blocks()

    def stop(self) -> None:
        """All is as it was."""
        self._gc.unfreeze()
        self._gc.enable()

    def use_free_moment(self) -> None:
        """The wheel has some time until its next turn."""
        self._had_free_moment = True
        self._step()

    def look(self) -> None:
        """To be called every ``PERIOD`` seconds."""
        if not self._had_free_moment:
            self._step()
        self._had_free_moment = False
        now = self._clock()
        calls = self._calls()
        if calls:
            self._last_call_at = now
        if self._blocks() - self._blocks_then > MAX_GROWTH:
            seconds = self._full()
            logger.warning("memory has grown by much: all of it was searched for garbage in %.0f ms", seconds * 1e3)
        elif now - self._last_call_at > IDLE and (self._anything_new or self._set_aside):
            self._full()
            if self._settled is not None:
                self._settled()
                self._settled = None
        elif self._anything_new and calls <= FEW_CALLS and now - self._full_at > SOMETIMES and self._full_took < QUICK:
            self._full(frozen=True)

    def _step(self) -> None:
        self._uncounted_moments += 1
        if self._uncounted_moments < PATIENCE and self._gc.get_count()[0] < WORTHWHILE:
            return
        self._uncounted_moments = 0
        young = len(self._gc.get_objects(0))
        if young < WORTHWHILE:
            return
        self._anything_new = True
        if young > LARGEST:
            self._gc.freeze()
            self._set_aside = True
            self._middle = 0
        elif self._middle + young > LARGEST:
            self._gc.collect(1)
            self._middle = 0
        else:
            self._gc.collect(0)
            self._middle += young

    def _full(self, *, frozen: bool = False) -> float:
        """Everything, but for what is ``frozen``; returns how many seconds that took."""
        began = self._clock()
        thaw = self._set_aside and not frozen
        if thaw:
            self._gc.unfreeze()
        self._gc.collect()
        if thaw:
            self._gc.freeze()
            self._set_aside = False
        self._full_at = self._clock()
        self._full_took = self._full_at - began
        self._middle = 0
        self._anything_new = False
        self._blocks_then = self._blocks()
        return self._full_took


@asynccontextmanager
async def collecting(
    scheduler: Scheduler, calls: Callable[[], int], settled: Callable[[], None] | None = None
) -> AsyncIterator[None]:
    """Take the place of Python's own collections while the block runs, in which a gateway with this wheel serves.

    This is about the whole process; so it is for a program whose business is the gateway alone, as ``glottis serve``.
    """
    collector = Collector(calls, clock=trio.current_time, settled=settled)
    collector.start()
    scheduler.use_free_moment = collector.use_free_moment
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_look, collector)
            yield
            nursery.cancel_scope.cancel()
    finally:
        collector.stop()


async def _look(collector: Collector) -> None:
    while True:
        await trio.sleep(PERIOD)
        collector.look()

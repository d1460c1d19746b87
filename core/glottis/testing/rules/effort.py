"""What a plugin costs: against other work beside it, which is slow where the plugin is, and in memory."""

import gc
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from glottis.testing.rules.rule import expect

_STATUS: Final = Path("/proc/self/statm")
_PAGE_KIB: Final = 4
_ATTEMPTS: Final = 5
_ROUNDS: Final = 3
_TIMES: Final = 150
"""That something is done in a round."""
FRAMES_AT_A_TIME: Final = 5
"""That a call which goes on has each time: in all a minute of them, in which whoever remembers some has enough."""
_KEPT_BLOCKS: Final = 0.5
_KEPT_BYTES: Final = 512.0
"""That each time may seem to leave behind: the system tells of whole pages."""


def milliseconds_of_work(function: Callable[[], object]) -> float:
    """What a call costs of CPU time, in what CPython does in a millisecond on an ordinary core.

    That is done beside each attempt: who is disturbed in one is disturbed in the other. The best attempt counts.
    """
    return min(_spent(function) / _spent(_millisecond) for _ in range(_ATTEMPTS))


def _spent(function: Callable[[], object]) -> float:
    before = time.process_time()
    function()
    return max(time.process_time() - before, 1e-7)


def _millisecond() -> None:
    state = 1
    for _ in range(20_000):
        state = state * 5 & 0xFFFF


def expect_nothing_kept(function: Callable[[], object], whose: str) -> None:
    """Raises ``Broken`` if calls grow the process for good, in each of several rounds.

    A leak is in all of them, what is kept once for later is not. ``whose`` is the subject of the sentence.
    """
    was_frozen = gc.get_freeze_count() > 0
    gc.collect()
    gc.freeze()  # to look at all that a process holds takes long, and at what is made from now on does not
    try:
        blocks, resident = _growth(function)
    finally:
        if not was_frozen:
            gc.unfreeze()
    expect(blocks < _KEPT_BLOCKS, f"{whose} leaves {blocks:.1f} objects behind")
    expect(resident < _KEPT_BYTES, f"{whose} leaves {resident:.0f} bytes behind")


def _growth(function: Callable[[], object]) -> tuple[float, float]:
    """Blocks of Python's allocator, and bytes in all, for each time."""
    _repeat(function)
    blocks, resident = math.inf, math.inf
    before = _held()
    for _ in range(_ROUNDS):
        _repeat(function)
        after = _held()
        blocks = min(blocks, (after[0] - before[0]) / _TIMES)
        resident = min(resident, (after[1] - before[1]) * 1024 / _TIMES)
        before = after
    return blocks, resident


def _repeat(function: Callable[[], object]) -> None:
    for _ in range(_TIMES):
        function()


def _held() -> tuple[int, int]:
    """Blocks of Python's allocator, and resident memory in KiB, where the system tells."""
    gc.collect()
    resident = int(_STATUS.read_text().split()[1]) * _PAGE_KIB if _STATUS.exists() else 0
    return sys.getallocatedblocks(), resident

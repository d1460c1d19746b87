"""SIGTERM after each fault of each method of a plugin, in a process of its own: all of them end by themselves."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio
from support.faults import AWAITED, AWAITS, BLOCKS, ERRORS, NEVER, NONSENSE, Fault
from support.faulty_process import open_faulty_process
from support.process_uses import strike
from support.uses import ROWS, Row

from benchmarks.soak.verdict import Verdict

FAULTS: Final = (*ERRORS, *NONSENSE, *BLOCKS, *NEVER, AWAITS)
AT_ONCE: Final = 2
"""Processes: each is waited for most of the time."""


@dataclass(slots=True)
class Endings:
    """What has come of it."""

    codes: list[int] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    """Seconds from the signal to the end."""
    bad: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        tried, at_once = len(self.codes) + len(self.bad), self.codes.count(0)
        told = f"{at_once} have ended with code 0, {len(self.codes) - at_once} by the watchdog"
        seconds, state = self.slowest
        return f"SIGTERM after each of {tried} faults: {told}; the slowest in {seconds:.1f} s ({state})"

    async def add(self, row: Row, fault: Fault) -> None:
        """Try one more."""
        state = f"{row.method}, {fault}"
        try:
            code, seconds = await _end_after(row, fault)
        except Exception as error:
            self.bad.append(f"{state}: {error!r}")
        else:
            self.codes.append(code)
            self.slowest = max(self.slowest, (seconds, state))


async def end_in_each_state(faults: int) -> Verdict:
    """Of so many faults of each method; prints how they ended, and which did not."""
    endings = Endings()
    states = _states(faults)

    async def work() -> None:
        for row, fault in states:
            await endings.add(row, fault)

    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE):
            nursery.start_soon(work)
    verdict = Verdict.NOT_GOOD if endings.bad else Verdict.GOOD
    print(f"\n{endings}   {verdict.value}", *endings.bad, sep="\n  ", flush=True)
    return verdict


def _states(faults: int) -> Iterator[tuple[Row, Fault]]:
    for row in ROWS:
        for fault in FAULTS[:faults]:
            if fault is not AWAITS or row.method.endswith(AWAITED):
                yield row, fault


async def _end_after(row: Row, fault: Fault) -> tuple[int, float]:
    """Its exit code, and how long it took to end."""
    with tempfile.TemporaryDirectory() as directory:
        async with open_faulty_process(Path(directory)) as process:
            await strike(process, row, fault)
            told_at = time.monotonic()
            return await process.terminate(), time.monotonic() - told_at

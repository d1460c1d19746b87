"""SIGTERM after each fault of each method of a plugin, in a process of its own: all of them end by themselves."""

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio
from support.faults import BLOCKS, ERRORS, NONSENSE, Fault
from support.faulty_process import open_faulty_process
from support.process_uses import USES
from support.uses import ROWS, Row

from benchmarks.soak.verdict import Verdict

PATIENCE: Final = 10.0
"""Seconds for what a fault does to its caller."""


FAULTS: Final = (*ERRORS, *NONSENSE, *BLOCKS)


async def end_in_each_state(faults: int) -> Verdict:
    """Of so many faults of each method; prints how many there were, and which did not end."""
    tried, bad = 0, []
    for row, fault in _states(faults):
        tried += 1
        try:
            await _end_after(row, fault)
        except Exception as error:
            bad.append(f"{row.method}, {fault}: {error!r}")
    verdict = Verdict.NOT_GOOD if bad else Verdict.GOOD
    print(f"\nSIGTERM after each of {tried} faults: {tried - len(bad)} have ended   {verdict.value}", *bad, sep="\n  ")
    return verdict


def _states(faults: int) -> Iterator[tuple[Row, Fault]]:
    return ((row, fault) for row in ROWS if row.use in USES for fault in FAULTS[:faults])


async def _end_after(row: Row, fault: Fault) -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with open_faulty_process(Path(directory)) as process:
            process.arm(row.method, str(fault))
            with (
                trio.move_on_after(PATIENCE),
                suppress(AssertionError),
            ):  # what its caller is to see is judged elsewhere
                await USES[row.use](process)
            assert process.is_armed, "the method was not called"
            await process.terminate()

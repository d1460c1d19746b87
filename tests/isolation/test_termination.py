"""SIGTERM ends the process whatever goes on in it: what a plugin has done before, or does all the time, or callers do.

See ``test_processes.py`` for plugins that never return, and for a log that nobody reads. ``make soak`` tries each fault
of each method, in a process of its own.
"""

from itertools import cycle
from pathlib import Path

import pytest
import trio
from support.attacks import ATTACKS, Attack
from support.faults import BLOCKS, BLOCKS_AGAIN, COLLECTS, ERRORS, NONSENSE, Fault, faulty_codec
from support.faulty_process import open_faulty_process
from support.phone import eventually, open_exchange
from support.process_uses import strike
from support.uses import ROWS

pytestmark = pytest.mark.realtime


async def test_after_a_fault_of_each_method_and_of_each_kind(tmp_path: Path) -> None:
    """All in one process, whose other call goes on."""
    faults = cycle((*ERRORS, *NONSENSE, *BLOCKS))
    async with open_faulty_process(tmp_path) as process:
        bystander = await process.exchange.call("talk")
        for row in ROWS:
            await strike(process, row, next(faults))
        await bystander.hear(10)
        assert await process.terminate() == 0


@pytest.mark.parametrize("fault", [*BLOCKS_AGAIN, COLLECTS], ids=str)
async def test_while_a_plugin_holds_the_thread_again_and_again(fault: Fault, tmp_path: Path) -> None:
    async with open_faulty_process(tmp_path) as process:
        phone = process.exchange.phone(faulty_codec())
        await phone.connect("faulty")
        process.arm("SessionObserver.packet_received", str(fault))
        await eventually(lambda: process.has_struck)
        await process.terminate()


async def test_under_all_attacks(tmp_path: Path) -> None:
    async with open_faulty_process(tmp_path) as process, trio.open_nursery() as attackers:
        made: list[Attack] = []

        async def repeat(attack: Attack) -> None:
            while True:
                try:
                    async with open_exchange(process.exchange.gateway) as exchange:
                        await attack(exchange)
                except* Exception:  # whatever the gateway says to it
                    await trio.lowlevel.checkpoint()
                made.append(attack)

        for attack in ATTACKS:
            attackers.start_soon(repeat, attack)
        await eventually(lambda: len(made) >= len(ATTACKS))
        await process.terminate()
        attackers.cancel_scope.cancel()

"""SIGTERM ends the process whatever goes on in it: what a plugin has done before, or does all the time, or callers do.

See ``test_processes.py`` for plugins that never return, and for a log that nobody reads.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from itertools import cycle
from pathlib import Path

import pytest
import trio
from glottis.signaling.close_codes import INTERNAL_ERROR
from support import uses
from support.attacks import ATTACKS, Attack
from support.faults import BLOCKS_AGAIN, COLLECTS, ERRORS, NONSENSE, Fault, faulty_codec
from support.faulty_process import FaultyProcess, open_faulty_process
from support.http import request
from support.phone import eventually, open_exchange
from support.uses import ROWS

pytestmark = pytest.mark.realtime


async def test_after_each_fault_and_one_of_each_method(tmp_path: Path) -> None:
    """All of one method, and one of each other that needs neither losses nor load nor a WebSocket to be called."""
    faults = cycle(ERRORS)
    async with open_faulty_process(tmp_path) as process:
        bystander = await process.exchange.call("talk")
        for fault in (*ERRORS, *NONSENSE):
            process.arm("AuthScheme.authenticate", str(fault))
            assert (await process.exchange.post("faulty")).status == 500
        for row in ROWS:
            if row.use in USES:
                process.arm(row.method, str(next(faults)))
                await USES[row.use](process)
                assert process.is_armed
        await bystander.hear(10)
        await process.terminate()


async def request_in_vain(process: FaultyProcess) -> None:
    assert (await process.exchange.post("faulty")).status == 500


async def request_without_servers(process: FaultyProcess) -> None:
    assert (await process.exchange.post("faulty")).document["iceServers"] == []


async def request_route_in_vain(process: FaultyProcess) -> None:
    assert (await request(process.exchange.gateway, "GET", "/api/plugins/faulty/")).status == 500


async def talk_in_vain(process: FaultyProcess, *, is_answered: bool = True) -> None:
    phone = process.exchange.phone(faulty_codec())
    await phone.create("faulty")
    await phone.open_socket()
    await phone.send_offer()
    if is_answered:
        await phone.take_answer()
    assert (await phone.wait_closed())[0] == INTERNAL_ERROR
    phone.hang_down()


async def talk_even_so(process: FaultyProcess) -> None:
    phone = process.exchange.phone(faulty_codec())
    await phone.connect("faulty")
    await phone.hear()
    await phone.hang_up()


USES: dict[uses.Use, Callable[[FaultyProcess], Awaitable[None]]] = {
    uses.begin: talk_even_so,
    uses.go_on: talk_even_so,
    uses.hang_up: talk_even_so,
    uses.offer: partial(talk_in_vain, is_answered=False),
    uses.request_route: request_route_in_vain,
    uses.request_servers: request_without_servers,
    uses.request_session: request_in_vain,
    uses.talk: talk_in_vain,
}


@pytest.mark.parametrize("fault", [*BLOCKS_AGAIN, COLLECTS], ids=str)
async def test_while_a_plugin_holds_the_thread_again_and_again(fault: Fault, tmp_path: Path) -> None:
    async with open_faulty_process(tmp_path) as process:
        phone = process.exchange.phone(faulty_codec())
        await phone.connect("faulty")
        process.arm("SessionObserver.packet_received", str(fault))
        await eventually(lambda: process.is_armed)
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
